/** The machine of SR-IOV on a PCI function that has the capability, with or without an engine that can be told to access memory. */
import { sriov } from '../../../spec/dma/sr-iov.ts'
import type { Description, DeviceDescription, Gpa, Target, TargetEvent } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { CAPABILITY, COMMAND, EXPRESS, FLR_INITIATE, PCI } from '../../layout/pci.ts'
import { ENGINE, EXTENDED_CAPABILITIES, SR_IOV, SR_IOV_CONTROL, SR_IOV_ID } from '../../layout/sr-iov.ts'
import { Guest, place } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'
import type { DmaSource } from './dma-source.ts'
import { type DmaUnit, PAGE_BYTES, unitOf } from './unit.ts'
import { unitKinds } from './unit-kinds.ts'

const KINDS = ['sr-iov', 'nvme-sriov']
const ONES = 0xffff_ffff
const MARK = 0x5ec7_0000
/** The BAR of the virtual functions begins here in the window, behind that of the physical one. */
const VF_BAR_AT = 0x100_0000
/** Where frames are, one for each function, tables behind them; and the page that leads to them in each address space. */
const FRAMES: Gpa = 0x1_0000
const ARENA: Gpa = 0x8_0000
const IOVA = 0x40_0000

type Dma = Extract<TargetEvent, { kind: 'dma' }>

class SriovSession implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #physical: number
  readonly #window: Gpa
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #vfs: number
  readonly #hasEngine: boolean
  readonly #unit: DmaUnit | undefined
  /** Offsets of capabilities, and what is constant of them. */
  #capability = 0
  #express = 0
  #offset = 0
  #stride = 0
  #vfBytes = 0
  #isSettling = false
  /** As in the machine: one that held something before it was reset. */
  #former = 0
  readonly #marked = new Set<number>()

  constructor(target: Target, device: DeviceDescription, machine: Machine, sink: Sink) {
    const { transport, facts = {} } = device
    if (transport.kind !== 'pci') throw new ModelError(`${device.id}: expected a PCI function`)
    this.device = device.id
    this.#guest = new Guest(target)
    this.#physical = (transport.bus << 8) | (transport.device << 3) | transport.function
    this.#window = Number(facts.memoryWindow)
    this.#machine = machine
    this.#sink = sink
    this.#vfs = machine.scope.vfs ?? 0
    this.#hasEngine = facts.engine === true
    target.reset('system')
    this.#find()
    const found = this.#hasEngine ? unitOf(target.describe(), unitKinds) : undefined
    const sources = Array.from({ length: this.#vfs + 1 }, (_, fn) => this.#sourceOf(fn))
    const options = { target, domains: this.#vfs + 1, sources, arena: ARENA }
    this.#unit = found?.unit.open({ ...options, device: found.device })
  }

  /** A function as what accesses memory. */
  #sourceOf(fn: number): DmaSource {
    const limits = { align: 4, bytesMax: 4, iovaEnd: 2 ** 32, window: undefined }
    const abilities = { reads: true, writes: true, delayed: false, ats: false, claims: false, pasid: false }
    return { id: `function${fn}`, requester: this.#routingId(fn), ...limits, ...abilities }
  }

  start(): void {
    const { target } = this.#guest
    target.reset('system')
    this.#place()
    for (let fn = 0; fn <= this.#vfs; fn++) target.store(FRAMES + PAGE_BYTES * fn, new Uint8Array(4))
    if (this.#unit !== undefined) {
      this.#unit.start()
      for (let fn = 0; fn <= this.#vfs; fn++) {
        this.#unit.attach(this.#sourceOf(fn), fn)
        this.#unit.map(fn, IOVA, FRAMES + PAGE_BYTES * fn, 'both')
      }
    }
    this.#isSettling = false
    this.#former = 0
    this.#marked.clear()
    target.events()
  }

  /** Looks for the capabilities, and reads what never changes. */
  #find(): void {
    let at = this.#config(0, PCI.capabilities, 1)
    while (at !== 0 && this.#config(0, at, 1) !== CAPABILITY.EXPRESS) at = this.#config(0, at + 1, 1)
    if (at === 0) throw new ModelError(`${this.device}: expected a PCI Express capability, found none`)
    this.#express = at
    let extended = EXTENDED_CAPABILITIES
    while (extended !== 0 && this.#config(0, extended, 2) !== SR_IOV_ID)
      extended = this.#config(0, extended + 2, 2) >>> 4
    if (extended === 0) throw new ModelError(`${this.device}: expected an SR-IOV capability, found none`)
    this.#capability = extended
    const total = this.#config(0, extended + SR_IOV.totalVfs, 2)
    if (total < this.#vfs) throw new ModelError(`${this.device}: expected ${this.#vfs} VFs, found TotalVFs ${total}`)
    this.#setConfig(0, extended + SR_IOV.numVfs, 2, this.#vfs)
    this.#offset = this.#config(0, extended + SR_IOV.firstOffset, 2)
    this.#stride = this.#config(0, extended + SR_IOV.stride, 2)
    this.#setConfig(0, extended + SR_IOV.bar, 4, ONES)
    this.#vfBytes = (~(this.#config(0, extended + SR_IOV.bar, 4) & ~0xf) + 1) >>> 0
  }

  /** BARs as firmware would have them; registers of the physical function answer. */
  #place(): void {
    this.#setConfig(0, PCI.bar(0), 4, this.#window)
    this.#setConfig(0, PCI.command, 2, COMMAND.MEMORY)
    this.#setConfig(0, this.#capability + SR_IOV.bar, 4, this.#window + VF_BAR_AT)
  }

  perform(action: Action, args: Args): void {
    const { fn, num, on } = args as { readonly fn: number; readonly num: number; readonly on: boolean }
    switch (action.name) {
      case 'driver.enableVfs':
        this.#setConfig(0, this.#capability + SR_IOV.numVfs, 2, num)
        this.#control(SR_IOV_CONTROL.ENABLE, true)
        break
      case 'driver.disableVfs':
        for (let n = 1; n <= this.#vfs; n++) this.#unmark(n)
        this.#control(SR_IOV_CONTROL.ENABLE, false)
        this.#isSettling = true
        break
      case 'driver.setSpace':
        this.#control(SR_IOV_CONTROL.MEMORY, on)
        break
      case 'driver.setMaster':
        this.#setConfig(fn, PCI.command, 2, (on ? COMMAND.BUS_MASTER : 0) | (fn === 0 ? COMMAND.MEMORY : 0))
        this.#config(fn, PCI.command, 2)
        this.#isSettling = !on
        break
      case 'driver.mark':
        this.#marked.add(fn)
        this.#guest.write32(place('mmio', this.#memoryOf(fn) + ENGINE.scratch), MARK + fn)
        break
      case 'driver.ring':
        this.#guest.write32(place('mmio', this.#memoryOf(fn) + ENGINE.address), IOVA)
        this.#guest.write32(place('mmio', this.#memoryOf(fn) + ENGINE.ring), args.write ? 1 : 0)
        break
      case 'driver.reset':
        for (let n = 0; n <= this.#vfs; n++) if (n === fn || fn === 0) this.#unmark(n)
        this.#setConfig(fn, this.#express + EXPRESS.deviceControl, 2, FLR_INITIATE)
        if (fn === 0) this.#place()
        this.#isSettling = true
        break
      case 'driver.lookForVf':
        this.#tell('device.identity', {
          fn,
          there: this.#config(fn, PCI.revision, 4) !== ONES,
          ones: this.#config(fn, PCI.vendorId, 4) === ONES,
        })
        break
      case 'driver.readMemory':
        this.#tell('device.memory', { fn, shows: this.#shown(fn) })
        break
      case 'driver.readFormer':
        this.#tell('device.memory', { fn: this.#former, shows: this.#shown(this.#former) })
        break
      case 'driver.tryHeader':
        this.#tellHeader(fn)
        break
      case 'driver.tryCapability':
        this.#tell('device.capability', this.#constants())
        break
      default:
        throw new TypeError(`${action.name}: not an action of a driver`)
    }
  }

  collect(): void {
    for (const event of this.#guest.target.events()) if (event.kind === 'dma') this.#tellAccess(event)
    if (this.#isSettling) {
      this.#isSettling = false
      this.#tell('bus.settle', {})
    }
  }

  move(target: Target): void {
    this.#guest.target = target
    this.#unit?.move(target)
  }

  remembers(): string {
    return notesOf([this.#isSettling, this.#former, [...this.#marked].sort()])
  }

  #tellAccess({ device, gpa }: Dma): void {
    const fn = Number(/^function(\d+)$/.exec(device)?.[1] ?? -1)
    if (fn < 0) return
    const frame = (gpa - FRAMES) / PAGE_BYTES
    if (Number.isInteger(frame) && frame >= 0 && frame <= this.#vfs) this.#tell('device.move', { fn, frame })
    else this.#tell('device.stray', {}, `0x${gpa.toString(16)}`)
  }

  #unmark(fn: number): void {
    if (this.#marked.delete(fn)) this.#former = fn
  }

  #shown(fn: number): 'own' | 'fresh' | 'other' | 'ones' {
    const found = this.#guest.read32(place('mmio', this.#memoryOf(fn) + ENGINE.scratch))
    if (found === ONES) return 'ones'
    return found === MARK + fn ? 'own' : found === 0 ? 'fresh' : 'other'
  }

  /** Memory space, INTx Disable and the BARs of a virtual function; its bus master enable stays what it was. */
  #tellHeader(fn: number): void {
    const before = this.#config(fn, PCI.command, 2)
    const fixed = COMMAND.IO | COMMAND.MEMORY | COMMAND.INTX_DISABLE
    this.#setConfig(fn, PCI.command, 2, before | fixed)
    const command = this.#config(fn, PCI.command, 2) & fixed
    this.#setConfig(fn, PCI.command, 2, before)
    this.#setConfig(fn, PCI.bar(0), 4, ONES)
    const bar = this.#config(fn, PCI.bar(0), 4)
    const note = `command 0x${command.toString(16)}, BAR 0 0x${bar.toString(16)}`
    this.#tell('device.header', { fn, zero: command === 0 && bar === 0 }, note)
  }

  #constants(): { readonly totals: boolean; readonly places: boolean } {
    const at = this.#capability
    for (const register of [SR_IOV.initialVfs, SR_IOV.firstOffset]) this.#setConfig(0, at + register, 4, 0x0101_0101)
    const initial = this.#config(0, at + SR_IOV.initialVfs, 2)
    const total = this.#config(0, at + SR_IOV.totalVfs, 2)
    return {
      totals: initial === total && total >= this.#vfs,
      places:
        this.#config(0, at + SR_IOV.firstOffset, 2) === this.#offset &&
        this.#config(0, at + SR_IOV.stride, 2) === this.#stride,
    }
  }

  #control(bit: number, on: boolean): void {
    const at = this.#capability + SR_IOV.control
    const before = this.#config(0, at, 2)
    this.#setConfig(0, at, 2, on ? before | bit : before & ~bit)
  }

  /** Addresses of registers: of virtual functions one after the other. */
  #memoryOf(fn: number): Gpa {
    return fn === 0 ? this.#window : this.#window + VF_BAR_AT + (fn - 1) * this.#vfBytes
  }

  #routingId(fn: number): number {
    return fn === 0 ? this.#physical : (this.#physical + this.#offset + (fn - 1) * this.#stride) & 0xffff
  }

  #config(fn: number, at: number, width: 1 | 2 | 4): number {
    return this.#guest.read(place('config', this.#routingId(fn) * 4096 + at), width)
  }

  #setConfig(fn: number, at: number, width: 2 | 4, value: number): void {
    const where = place('config', this.#routingId(fn) * 4096 + at)
    if (width === 2) this.#guest.write16(where, value)
    else this.#guest.write32(where, value)
  }

  #tell(name: string, args: Args, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

const physicalOf = ({ devices }: Description): DeviceDescription | undefined =>
  devices.find(({ kind }) => KINDS.includes(kind))

const hasEngine = (target: Description): boolean => physicalOf(target)?.facts?.engine === true
const NO_MEMORY = 'its registers tell neither functions nor absence apart'
const NO_ENGINE = 'no function of it can be told to access memory'

export const sriovModel: Model = {
  machine: sriov,
  played: ['driver'],
  notApplicable(target) {
    if (physicalOf(target) === undefined) return 'it has no function with virtual functions'
    return hasEngine(target) && target.observes.dma !== 'exact' ? 'it does not show what functions access' : undefined
  },
  scope: (target) => ({ scope: 'played', bounds: { vfs: Number(physicalOf(target)?.facts?.vfs) } }),
  unavailable: (target): Record<string, string> =>
    hasEngine(target)
      ? {}
      : {
          'driver.ring': NO_ENGINE,
          'device.move': NO_ENGINE,
          'driver.mark': NO_ENGINE,
          'driver.readMemory': NO_MEMORY,
          'driver.readFormer': NO_MEMORY,
        },
  unreachableGoals: (target): Record<string, string> =>
    hasEngine(target)
      ? {}
      : {
          theLastOneWorks: NO_ENGINE,
          allWorkAtOnce: NO_ENGINE,
          resetOfAllAtWork: NO_ENGINE,
          resetOfOneBesideOthers: NO_ENGINE,
          disabledAtWork: NO_ENGINE,
          masterOffAtWork: NO_ENGINE,
          readByAllWays: NO_MEMORY,
        },
  open: (target, machine, sink) => new SriovSession(target, physicalOf(target.describe())!, machine, sink),
}
