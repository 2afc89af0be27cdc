/**
 * A virtio-blk over PCI behind a unit: with ACCESS_PLATFORM every address that its driver gives it is translated for its
 * requester id, page by page, at each access; without it addresses are GPAs. Messages do not go this way.
 */
import type { Control, Space } from '../../contract/index.ts'
import { avail, DESC, DESC_FLAG, used } from '../../layout/split-ring.ts'
import { FEATURE } from '../../layout/virtio.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { GuestMemory } from '../memory.ts'
import { blkKind } from '../paravirtual/blk.ts'
import { accepted } from '../paravirtual/decisions.ts'
import type { Halves } from '../paravirtual/device.ts'
import { honestParts } from '../paravirtual/parts.ts'
import { createVirtioDevice, type EngineDevice } from '../paravirtual/virtio-device.ts'
import { createPciBus } from '../pci/bus.ts'
import type { PciFunctions } from '../pci/functions.ts'
import { decode } from '../plain.ts'
import type { Area, Ask, BehindParts, Kept, Run } from './behind-parts.ts'
import { type Iommu, movePieces, type Piece, type TranslationRequest } from './iommu.ts'

const ID = 'blk0'
const KIND = 'virtio-blk'
/** Bus 0, device 1, function 0. */
export const BEHIND_REQUESTER = 0x0008
const OPTIONS = { queueSize: 256, queues: 1, capacity: 64, readOnly: false, depth: 4, resetSteps: 0 } as const
const PAGE_BYTES = 4096n
/** Addresses from here on are not used ahead, and no more bytes. */
const MEMORY_END = 2n ** 53n
const AHEAD_MAX = 4096
const ALL: Run = { first: 0n, last: 2n ** 64n - 1n, gpa: 0 }

/** The disk as other disks are, but that it offers ACCESS_PLATFORM. */
const kind = {
  ...blkKind,
  features(options: typeof OPTIONS): number[] {
    const windows = blkKind.features(options)
    const { ACCESS_PLATFORM } = FEATURE
    windows[ACCESS_PLATFORM >>> 5]! |= 1 << (ACCESS_PLATFORM & 31)
    return windows.map((window) => window >>> 0)
  },
}

interface PathState {
  kept: Kept[]
  /** A look-up came to no end. */
  stuck: boolean
}

export class DiskBehind implements BoardPart {
  readonly describes: BoardPart['describes']
  readonly #iommu: Iommu
  readonly #parts: BehindParts
  readonly #device: EngineDevice
  readonly #pci: PciFunctions
  #state: PathState = { kept: [], stuck: false }

  constructor({ memory, emit }: BoardServices, iommu: Iommu, parts: BehindParts) {
    this.#iommu = iommu
    this.#parts = parts
    const behind: GuestMemory = {
      ...memory,
      // What is there shows when it is accessed.
      covers: (at, bytes) => this.#isTranslated || memory.covers(at, bytes),
      read: (device, iova, bytes) => {
        const access = { access: 'read', iova: BigInt(iova), bytes } as const
        const { moved, data } = movePieces(memory, device, this.#pieces('read', BigInt(iova), bytes), access)
        if (moved !== bytes || data === undefined) return undefined
        this.#lookAhead(BigInt(iova), data)
        return data
      },
      write: (device, iova, data) => {
        const bytes = data.length
        const access = { access: 'write', iova: BigInt(iova), bytes, data } as const
        return movePieces(memory, device, this.#pieces('write', BigInt(iova), bytes), access).moved === bytes
      },
    }
    this.#device = createVirtioDevice(ID, behind, OPTIONS, honestParts(), kind)
    const facts = { sectors: OPTIONS.capacity, readOnly: false, behind: 'iommu' }
    this.#pci = createPciBus({ seats: [{ id: ID, kind: KIND, device: this.#device, facts }], emit })
    this.describes = this.#pci.devices()
  }

  get #isTranslated(): boolean {
    return this.#parts.isTranslated(accepted(this.#device.engine, FEATURE.ACCESS_PLATFORM))
  }

  /** Where an access goes, up to the first byte that is refused. */
  #pieces(access: TranslationRequest['access'], iova: bigint, bytes: number): readonly Piece[] {
    const parts = this.#parts
    const pieces: Piece[] = []
    const { area, base } = this.#areaOf(iova)
    for (let done = 0; done < bytes; ) {
      const at = iova + BigInt(done)
      const run = this.#runOf({ area, base, access, at, left: bytes - done, done })
      if (run === undefined) break
      const rest = parts.rest(run, at)
      if (rest <= 0n) {
        this.#state.stuck = true
        break
      }
      const count = rest < BigInt(bytes - done) ? Number(rest) : bytes - done
      pieces.push({ gpa: run.gpa + Number(at - run.first), bytes: count })
      done += count
    }
    return pieces
  }

  #runOf(ask: Ask): Run | undefined {
    const parts = this.#parts
    if (!this.#isTranslated || !parts.goesThrough(ask)) return ALL
    const { at, area, base, access } = ask
    const first = at - (at % PAGE_BYTES)
    const last = parts.last(ask)
    const known = parts.keeping().recall(this.#state.kept, ask, (...asked) => this.#translate(...asked))
    if (known !== undefined) return { first, last, gpa: known.gpa }
    const gpa = this.#translate(at, Number(last - at) + 1, parts.asked(ask))
    if (gpa === undefined) return undefined
    const page = gpa - Number(at - first)
    if (parts.keeping().keeps(ask))
      this.#state.kept.push({
        area,
        base: `0x${base.toString(16)}`,
        access,
        page: Number(first / PAGE_BYTES),
        gpa: page,
      })
    return { first, last, gpa: page }
  }

  /** What is kept of the buffer of a descriptor that was read. */
  #lookAhead(iova: bigint, data: Uint8Array): void {
    const { area } = this.#areaOf(iova)
    if (!this.#parts.keeping().looksAhead || data.length !== DESC.bytes || (area !== 'desc' && area !== 'table')) return
    const descriptor = new DataView(data.buffer, data.byteOffset)
    const address = descriptor.getBigUint64(DESC.address, true)
    const bytes = descriptor.getUint32(DESC.length, true)
    const isWrite = (descriptor.getUint16(DESC.flags, true) & DESC_FLAG.WRITE) !== 0
    if (address < MEMORY_END) this.#pieces(isWrite ? 'write' : 'read', address, Math.min(bytes, AHEAD_MAX))
  }

  #translate(iova: bigint, bytes: number, access: TranslationRequest['access']): number | undefined {
    const inPage = Number(PAGE_BYTES - (iova % PAGE_BYTES))
    const asked = { requester: BEHIND_REQUESTER, access, iova, bytes: Math.min(bytes, inPage) }
    return this.#iommu.translate(asked)[0]?.gpa
  }

  #areaOf(iova: bigint): { readonly area: Area; readonly base: bigint } {
    for (const { enabled, size, desc, driver, device, fetch } of this.#device.engine.state.queues) {
      if (!enabled) continue
      if (fetch.indirect && fetch.pc === 'readDescriptor' && iova === BigInt(fetch.table + DESC.bytes * fetch.index))
        return { area: 'table', base: BigInt(fetch.table) }
      const areas: readonly (readonly [Area, Halves, number])[] = [
        ['desc', desc, DESC.bytes * size],
        ['driver', driver, avail.bytes(size)],
        ['device', device, used.bytes(size)],
      ]
      for (const [area, [low, high], bytes] of areas) {
        const base = (BigInt(high) << 32n) + BigInt(low)
        if (iova >= base && iova < base + BigInt(bytes)) return { area, base }
      }
    }
    return { area: 'buffer', base: iova - (iova % PAGE_BYTES) }
  }

  #drop(event: 'reset' | 'rest'): void {
    if (!this.#parts.keeping().outlives(event)) this.#state.kept = []
  }

  read(space: Space, address: number, width: number): number | undefined {
    return space === 'hypercall' ? undefined : this.#pci.read(space, address, width)
  }
  write(space: Space, address: number, width: number, value: number): boolean {
    if (space === 'hypercall') return false
    const isClaimed = this.#pci.write(space, address, width, value)
    if (isClaimed && this.#device.status() === 0) {
      this.#drop('reset')
      this.#state.stuck = false
    }
    return isClaimed
  }
  controlBackend(id: string, control: Control): boolean {
    if (id === ID) this.#device.control(control)
    return id === ID
  }
  step(device?: string): boolean {
    if (device !== undefined && device !== ID) return false
    if (this.#state.stuck || this.#device.step() || this.#pci.step()) return true
    if (this.#device.engine.state.requests.length === 0) this.#drop('rest')
    return false
  }
  reset(): void {
    this.#state = { kept: [], stuck: false }
    this.#device.powerOn()
    this.#pci.reset('system')
  }
  save(): unknown {
    return { device: this.#device.save(), pci: this.#pci.save(), path: this.#state }
  }
  restore(saved: unknown): void {
    const { device, pci, path } = saved as { readonly device: unknown; readonly pci: unknown; readonly path: unknown }
    this.#device.restore(device)
    this.#pci.restore(decode(pci))
    this.#state = decode(path) as PathState
  }
}
