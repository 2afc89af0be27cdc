/**
 * A device with virtual functions (PCIe 6.0, chapter 9): configuration space of each function, VF BARs, resets, and an engine
 * in each function that moves a dword under its own requester id. One access is two steps: it leaves, and it arrives.
 */
import type { Space } from '../../contract/index.ts'
import { CAPABILITY, COMMAND, EXPRESS, FLR_CAPABLE, FLR_INITIATE, PCI, PCI_STATUS } from '../../layout/pci.ts'
import { ENGINE, ENGINE_MARK, EXTENDED_CAPABILITIES, SR_IOV, SR_IOV_CONTROL, SR_IOV_ID } from '../../layout/sr-iov.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { Iommu } from '../iommu/iommu.ts'
import { movePieces } from '../iommu/iommu.ts'
import { type FunctionState, freshFunction, type SriovParts, type SriovState } from './sr-iov-parts.ts'

const EXPRESS_AT = 0x40
const IDENTITY = 0x1af4_1100
const CLASS = 0x0880_0001
const PAGE_SIZES = 0x553

export interface SriovShape {
  readonly requester: number
  readonly vfs: number
  readonly offset: number
  readonly stride: number
  /** Where BARs can be, and the last bus. */
  readonly window: number
  readonly lastBus: number
}

export class Sriov implements BoardPart {
  readonly describes: BoardPart['describes']
  readonly #services: BoardServices
  readonly #iommu: Iommu
  readonly #parts: SriovParts
  readonly #shape: SriovShape
  #state: SriovState

  constructor(services: BoardServices, iommu: Iommu, parts: SriovParts, shape: SriovShape) {
    this.#services = services
    this.#iommu = iommu
    this.#parts = parts
    this.#shape = shape
    this.#state = this.#fresh()
    const { requester, vfs, window, lastBus } = shape
    this.describes = [
      {
        id: 'physical',
        kind: 'sr-iov',
        transport: {
          kind: 'pci',
          bus: requester >> 8,
          device: (requester >> 3) & 31,
          function: requester & 7,
        },
        facts: { vfs, lastBus, memoryWindow: window, engine: true },
      },
    ]
  }

  #fresh(): SriovState {
    return {
      functions: Array.from({ length: this.#shape.vfs + 1 }, freshFunction),
      control: 0,
      numVfs: 0,
      pageSize: 1,
      vfBar: 0,
    }
  }

  #routingId(n: number): number {
    const { requester, offset, stride } = this.#shape
    return this.#parts.requester(requester, offset, stride, n)
  }

  /** The function of a routing id; undefined: there is none now. */
  #functionOf(routingId: number): number | undefined {
    for (let n = 0; n <= this.#parts.present(this.#state); n++) if (this.#routingId(n) === routingId) return n
    return undefined
  }

  // Accesses of a CPU.

  read(space: Space, address: number, width: number): number | undefined {
    if (space === 'config') {
      const n = this.#functionOf(address >>> 12)
      if (n === undefined) return undefined
      const at = address & 0xfff
      const dword = this.#readConfig(n, at & ~3)
      return width === 4 ? dword : (dword >>> (8 * (at & 3))) & (2 ** (8 * width) - 1)
    }
    const hit = space === 'mmio' ? this.#claim(address) : undefined
    if (hit === undefined) return undefined
    const one = this.#state.functions[hit.n]!
    return hit.at === ENGINE.scratch ? one.scratch : hit.at === ENGINE.address ? one.address : 0
  }

  write(space: Space, address: number, width: number, value: number): boolean {
    if (space === 'config') {
      const n = this.#functionOf(address >>> 12)
      if (n !== undefined) this.#writeConfig(n, address & 0xfff, width, value)
      return n !== undefined
    }
    const hit = space === 'mmio' ? this.#claim(address) : undefined
    if (hit === undefined) return false
    const one = this.#state.functions[hit.n]!
    if (hit.at === ENGINE.scratch) one.scratch = value
    if (hit.at === ENGINE.address) one.address = value
    if (hit.at === ENGINE.ring && one.stage === 'idle') {
      one.stage = 'rung'
      one.write = value !== 0
    }
    return true
  }

  /** The function whose registers are at an address. */
  #claim(address: number): { readonly n: number; readonly at: number } | undefined {
    const s = this.#state
    const physical = s.functions[0]!
    if ((physical.command & COMMAND.MEMORY) !== 0 && address >= physical.bar && address < physical.bar + ENGINE.bytes)
      return { n: 0, at: address - physical.bar }
    const present = this.#parts.present(s)
    if (!this.#parts.answersInMemory(s) || address < s.vfBar) return undefined
    const n = this.#parts.placeOf(address - s.vfBar, ENGINE.bytes)
    return n >= 1 && n <= present ? { n, at: (address - s.vfBar) % ENGINE.bytes } : undefined
  }

  // Configuration space.

  #readConfig(n: number, at: number): number {
    const one = this.#state.functions[n]!
    const isPhysical = n === 0
    switch (at) {
      case PCI.vendorId:
        return isPhysical ? IDENTITY : 0xffff_ffff
      case PCI.command:
        return (one.command | (PCI_STATUS.CAPABILITIES << 16)) >>> 0
      case PCI.revision:
        return CLASS
      case PCI.bar(0):
        return isPhysical ? one.bar : 0
      case PCI.subsystemVendorId:
        return IDENTITY
      case PCI.capabilities:
        return EXPRESS_AT
      case EXPRESS_AT:
        return CAPABILITY.EXPRESS | (2 << 16)
      case EXPRESS_AT + EXPRESS.deviceCapabilities:
        return FLR_CAPABLE
    }
    if (isPhysical && at >= EXTENDED_CAPABILITIES && at < EXTENDED_CAPABILITIES + SR_IOV.bytes)
      return this.#readSriov(at - EXTENDED_CAPABILITIES) >>> 0
    return 0
  }

  #readSriov(at: number): number {
    const s = this.#state
    const { vfs, offset, stride } = this.#shape
    const isEnabled = (s.control & SR_IOV_CONTROL.ENABLE) !== 0
    switch (at) {
      case 0:
        return SR_IOV_ID | (1 << 16)
      case SR_IOV.control:
        return s.control
      case SR_IOV.initialVfs: {
        const total = this.#parts.totalVfs(vfs, s.numVfs)
        return total | (total << 16)
      }
      case SR_IOV.numVfs:
        return s.numVfs
      case SR_IOV.firstOffset:
        return offset | (this.#parts.strideWhile(isEnabled, stride) << 16)
      case SR_IOV.vfDeviceId & ~3:
        return 0x1101 << 16
      case SR_IOV.supportedPageSizes:
        return PAGE_SIZES
      case SR_IOV.systemPageSize:
        return s.pageSize
      case SR_IOV.bar:
        return s.vfBar
    }
    return 0
  }

  #writeConfig(n: number, at: number, width: number, value: number): void {
    const s = this.#state
    const one = s.functions[n]!
    if (at === PCI.command) {
      one.command = n === 0 ? value & (COMMAND.MEMORY | COMMAND.BUS_MASTER) : this.#parts.commandOfVf(value)
      // What was sent before has arrived when the write is read back.
      if ((one.command & COMMAND.BUS_MASTER) === 0) this.#land(n)
    } else if (at === EXPRESS_AT + EXPRESS.deviceControl && (value & FLR_INITIATE) !== 0) this.#resetFunction(n)
    else if (n === 0 && at === PCI.bar(0) && width === 4) one.bar = (value & ~(ENGINE.bytes - 1)) >>> 0
    else if (n === 0 && at >= EXTENDED_CAPABILITIES) this.#writeSriov(at - EXTENDED_CAPABILITIES, width, value)
  }

  #writeSriov(at: number, width: number, value: number): void {
    const s = this.#state
    const isEnabled = (s.control & SR_IOV_CONTROL.ENABLE) !== 0
    if (at === SR_IOV.control)
      this.#setControl(value & (SR_IOV_CONTROL.ENABLE | SR_IOV_CONTROL.MEMORY | SR_IOV_CONTROL.ARI))
    else if (at === SR_IOV.numVfs && !isEnabled && (value & 0xffff) <= this.#shape.vfs) s.numVfs = value & 0xffff
    else if (at === SR_IOV.systemPageSize && !isEnabled && (value & PAGE_SIZES) === value && value !== 0)
      s.pageSize = value
    else if (at === SR_IOV.bar && width === 4) s.vfBar = (value & ~(ENGINE.bytes - 1)) >>> 0
  }

  #setControl(value: number): void {
    const s = this.#state
    const before = this.#parts.present(s)
    s.control = value
    const after = this.#parts.present(s)
    for (let n = Math.min(before, after) + 1; n <= this.#shape.vfs; n++) this.#end(n)
  }

  /** A virtual function goes away, or comes. */
  #end(n: number): void {
    this.#land(n)
    const { functions } = this.#state
    const one = functions[n]!
    if (this.#parts.endsWork()) functions[n] = this.#parts.afterReset(one)
  }

  #resetFunction(n: number): void {
    const s = this.#state
    for (const each of this.#parts.reached(n, s.functions.length)) {
      this.#land(each)
      s.functions[each] = each === 0 ? freshFunction() : this.#parts.afterReset(s.functions[each]!)
    }
    if (n !== 0) return
    s.control = this.#parts.controlAfterReset(s.control)
    s.numVfs = 0
    s.vfBar = 0
    s.pageSize = 1
  }

  // Engines.

  step(): boolean {
    const s = this.#state
    for (const [n, one] of s.functions.entries()) {
      if (one.stage === 'flying') {
        this.#land(n)
        return true
      }
      if (one.stage === 'rung' && this.#parts.mayMaster(s, n)) {
        this.#send(n, one)
        return true
      }
    }
    return false
  }

  #send(n: number, one: FunctionState): void {
    const requester = this.#parts.sender(this.#routingId(n), n)
    const access = one.write ? 'write' : 'read'
    const [piece] = this.#iommu.translate({ requester, access, iova: BigInt(one.address), bytes: 4 })
    one.stage = piece === undefined ? 'idle' : 'flying'
    if (piece !== undefined) one.gpa = piece.gpa
  }

  #land(n: number): void {
    const one = this.#state.functions[n]!
    if (one.stage !== 'flying') return
    one.stage = 'idle'
    const asked = { access: one.write ? 'write' : 'read', iova: 0n, bytes: 4 } as const
    const mark = ENGINE_MARK + n
    const data = Uint8Array.from({ length: 4 }, (_, byte) => (mark >>> (8 * byte)) & 0xff)
    const pieces = [{ gpa: one.gpa, bytes: 4 }]
    movePieces(this.#services.memory, `function${n}`, pieces, one.write ? { ...asked, data } : asked)
  }

  /** All that is in flight arrives. */
  drain(): void {
    for (const n of this.#state.functions.keys()) this.#land(n)
  }

  reset(): void {
    this.#state = this.#fresh()
  }
  save(): unknown {
    return this.#state
  }
  restore(state: unknown): void {
    this.#state = state as SriovState
  }
}
