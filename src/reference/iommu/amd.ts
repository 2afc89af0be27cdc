/**
 * An AMD-Vi unit: accesses of requesters are led by tables in memory, and what is cached of them is used until it is
 * invalidated (AMD IOMMU 3.08). Commands are worked off one at a step.
 */
import type { Space } from '../../contract/index.ts'
import {
  AMD,
  AMD_BASE,
  AMD_COMMAND,
  AMD_CONTROL,
  AMD_EVENT,
  AMD_EVENT_FLAGS,
  AMD_FEATURES,
  AMD_RANGE,
  AMD_STATUS,
  AMD_WAIT,
  EXCLUSION,
  RING,
} from '../../layout/amd-iommu.ts'
import { INTERRUPT_WINDOW } from '../../layout/vtd.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import { type AmdParts, storeOf } from './amd-parts.ts'
import {
  type AmdState,
  type DeviceEntry,
  type Directory,
  type Dwords,
  freshAmd,
  type Halves,
  isRefusal,
  type Leaf,
  type Refusal,
} from './amd-state.ts'
import { readDeviceEntry, walk } from './amd-tables.ts'
import type { Downstream, Grant, Iommu, Piece, TranslationRequest } from './iommu.ts'
import { type Pages, remember } from './pages.ts'
import { readDwords } from './vtd-tables.ts'

const ID = 'iommu'
/** So many entries of each cache. */
const CACHED = { entries: 8, leaves: 16, directories: 16 } as const
/** Pages of 64 bits of addresses, and of the memory that there could be. */
const ALL_PAGES = 2 ** 52
const HOST_PAGES = 2 ** 40
/** Tables of up to 6 levels, and an invalidation of everything. */
const FEATURES = AMD_FEATURES.INVALIDATE_ALL | (2 << AMD_FEATURES.LEVELS_SHIFT)

const isInWindow = (page: number): boolean =>
  page >= INTERRUPT_WINDOW.start / 4096 && page < INTERRUPT_WINDOW.end / 4096
const baseOf = ([low, high]: Readonly<Halves>): number => (high & 0xf_ffff) * 2 ** 32 + ((low & ~0xfff) >>> 0)
const bytesOf = ([, high]: Readonly<Halves>): number =>
  RING.entryBytes * 2 ** Math.max(RING.LENGTH_MIN, (high >>> RING.LENGTH_SHIFT) & RING.LENGTH_MASK)

export interface AmdOptions {
  readonly services: BoardServices
  readonly parts: AmdParts
  /** Who accesses memory through it. */
  readonly downstream: () => Downstream
}

export class Amd implements BoardPart, Iommu {
  readonly describes: BoardPart['describes'] = [
    {
      id: ID,
      kind: 'amd-iommu',
      transport: { kind: 'chip', inputs: 0, base: AMD_BASE },
      facts: { absentCached: false },
    },
  ]
  readonly #services: BoardServices
  readonly #parts: AmdParts
  readonly #downstream: () => Downstream
  #state: AmdState = freshAmd()

  constructor({ services, parts, downstream }: AmdOptions) {
    this.#services = services
    this.#parts = parts
    this.#downstream = downstream
  }

  #has(bit: number): boolean {
    return (this.#state.control[0] & bit) !== 0
  }

  // Accesses.

  translate(request: TranslationRequest): readonly Piece[] {
    const pieces: Piece[] = []
    let page = Number(request.iova >> 12n)
    let offset = Number(request.iova & 0xfffn)
    for (let left = request.bytes; left > 0; page++, offset = 0) {
      const host = page < ALL_PAGES ? this.#hostPage(request, page) : undefined
      if (host === undefined || host >= HOST_PAGES) break
      const bytes = this.#parts.reach(offset, left)
      pieces.push({ gpa: host * 4096 + offset, bytes })
      left -= bytes
    }
    return pieces
  }

  takeMessage(device: string, request: TranslationRequest, data: Uint8Array): boolean {
    if (!this.#parts.isMessage(request)) return false
    const value = new DataView(data.buffer, data.byteOffset).getUint32(0, true)
    this.#services.emit({ kind: 'msi', device, address: Number(request.iova), data: value })
    return true
  }

  grant(request: TranslationRequest): Grant | undefined {
    if (!this.#has(AMD_CONTROL.ENABLE)) return undefined
    const page = Number(request.iova >> 12n)
    const nothing: Grant = { page, pages: 1, host: 0, read: false, write: false }
    const entry = this.#entry(request.requester)
    const refuse = (refusal: Refusal): Grant => {
      this.#refuse(request, page, isRefusal(entry) ? undefined : entry, {
        ...refusal,
        flags: refusal.flags | AMD_EVENT_FLAGS.TRANSLATION,
      })
      return nothing
    }
    if (isRefusal(entry)) return refuse(entry)
    if (!entry.deviceTlb) {
      refuse({ kind: AMD_EVENT.INVALID_REQUEST, flags: 0 })
      return undefined
    }
    // That an address is not mapped is an answer, and no fault.
    if (isInWindow(page) || !entry.translates || this.#parts.isBeyond(page, entry.levels || ALL_PAGES)) return nothing
    const rights = this.#parts.entryRights(entry)
    if (entry.levels === 0) return { ...nothing, host: page, ...rights }
    const leaf = this.#leaf(entry, page)
    if (isRefusal(leaf)) return leaf.kind === AMD_EVENT.PAGE_FAULT ? nothing : refuse(leaf)
    return { ...leaf, read: leaf.read && rights.read, write: leaf.write && rights.write }
  }

  /** Where in memory a page of the request is; undefined: it is refused. */
  #hostPage(request: TranslationRequest, page: number): number | undefined {
    const parts = this.#parts
    const { requester, access, translated = false } = request
    const isMessage = isInWindow(page)
    // What asks for no interrupt in a way that there is, is not led elsewhere.
    if (!this.#has(AMD_CONTROL.ENABLE)) return isMessage ? undefined : page
    const found = this.#entry(requester)
    const entry = isRefusal(found) ? undefined : found
    const refuse = (refusal: Refusal): undefined => this.#refuse(request, page, entry, refusal)
    if (entry === undefined) return refuse(found as Refusal)
    if (isMessage || (translated && !entry.deviceTlb)) return refuse({ kind: AMD_EVENT.INVALID_REQUEST, flags: 0 })
    if (translated || parts.passes(entry) || this.#isExcluded(entry, page)) return page
    const lacks = (flags: number): Refusal => ({ kind: AMD_EVENT.PAGE_FAULT, flags })
    if (!entry.translates) return refuse(lacks(0))
    if (!parts.entryRights(entry)[access]) return refuse(lacks(AMD_EVENT_FLAGS.PERMISSION))
    if (entry.levels === 0) return page
    if (parts.isBeyond(page, entry.levels)) return refuse(lacks(0))
    const leaf = this.#leaf(entry, page)
    if (isRefusal(leaf)) return refuse(leaf)
    if (!leaf[access]) return refuse(lacks(AMD_EVENT_FLAGS.PRESENT | AMD_EVENT_FLAGS.PERMISSION))
    return parts.hostPage(leaf, page)
  }

  #isExcluded({ excluded }: DeviceEntry, page: number): boolean {
    const { exclusionBase, exclusionLimit } = this.#state
    const allowed = excluded || (exclusionBase[0] & EXCLUSION.ALLOW) !== 0
    if ((exclusionBase[0] & EXCLUSION.ENABLE) === 0 || !allowed) return false
    return page >= baseOf(exclusionBase) / 4096 && page <= baseOf(exclusionLimit) / 4096
  }

  #refuse(
    { requester, access, iova }: TranslationRequest,
    page: number,
    entry: DeviceEntry | undefined,
    refusal: Refusal,
  ): undefined {
    if (!this.#parts.isLogged(refusal.kind === AMD_EVENT.PAGE_FAULT ? entry : undefined)) return
    const first = Number(iova >> 12n) === page
    const offset = refusal.at === undefined ? (first ? Number(iova & 0xffcn) : 0) : refusal.at % 4096
    const at = refusal.at === undefined ? page : Math.floor(refusal.at / 4096)
    this.#log({
      ...refusal,
      flags: refusal.flags | (access === 'write' ? AMD_EVENT_FLAGS.WRITE : 0),
      requester,
      domain: refusal.kind === AMD_EVENT.PAGE_FAULT ? (entry?.domain ?? 0) : 0,
      low: (at % 2 ** 20) * 4096 + offset,
      high: Math.floor(at / 2 ** 20),
    })
  }

  #entry(requester: number): DeviceEntry | Refusal {
    const s = this.#state
    const cached = s.entries.find((each) => each.requester === requester)
    if (cached !== undefined) return cached.entry
    const entry = readDeviceEntry(this.#services.memory, this.#parts, s.deviceTable, requester)
    if (!isRefusal(entry)) remember(s.entries, { requester, entry }, CACHED.entries)
    return entry
  }

  #leaf(entry: DeviceEntry, page: number): Leaf | Refusal {
    const s = this.#state
    const domain = this.#parts.tagOf(entry)
    const cached = s.leaves.find((each) => this.#parts.matches(each, domain, page))
    if (cached !== undefined) return cached
    const found = walk(this.#services.memory, this.#parts, this.#start(entry, domain, page), page, (below) =>
      remember(s.directories, { ...below, domain, page: page - (page % 512 ** below.level) }, CACHED.directories),
    )
    if (!isRefusal(found)) remember(s.leaves, { ...this.#parts.remembered(found), domain }, CACHED.leaves)
    else if (this.#parts.remembersAbsence())
      remember(s.leaves, { page, pages: 1, host: 0, read: false, write: false, domain }, CACHED.leaves)
    return found
  }

  /** The lowest table that is known to lead to the page. */
  #start({ levels, table }: DeviceEntry, domain: number, page: number): Directory {
    const top: Directory = { level: levels, table, read: true, write: true }
    return this.#state.directories.reduce<Directory>(
      (lowest, each) =>
        each.domain === domain && each.level < lowest.level && page - (page % 512 ** each.level) === each.page
          ? each
          : lowest,
      top,
    )
  }

  // Events.

  #log(event: Parameters<AmdParts['recorded']>[0]): undefined {
    const s = this.#state
    if (!this.#logs()) return
    const bytes = bytesOf(s.events)
    if (this.#parts.isFull(s, bytes)) {
      s.status |= AMD_STATUS.OVERFLOW
      s.stopped = this.#parts.stopsAtOverflow()
      return
    }
    const { kind, flags, requester, domain, low, high } = this.#parts.recorded(event)
    const dwords = [requester, ((kind << AMD_EVENT.KIND_SHIFT) | flags | domain) >>> 0, low, high]
    this.#store(baseOf(s.events) + s.eventTail, dwords)
    s.eventTail = (s.eventTail + RING.entryBytes) % bytes
    if (this.#has(AMD_CONTROL.EVENT_INTERRUPT)) s.status |= AMD_STATUS.EVENT
  }
  #logs(): boolean {
    return this.#has(AMD_CONTROL.ENABLE) && this.#has(AMD_CONTROL.EVENTS) && !this.#state.stopped
  }
  #store(gpa: number, dwords: Dwords): void {
    const data = new Uint8Array(4 * dwords.length)
    const view = new DataView(data.buffer)
    for (const [at, dword] of dwords.entries()) view.setUint32(4 * at, dword >>> 0, true)
    this.#services.memory.write(ID, gpa, data)
  }

  // Commands.

  /** One command. */
  step(device?: string): boolean {
    const s = this.#state
    if ((device !== undefined && device !== ID) || !this.#runs() || s.commandHead === s.commandTail) return false
    const bytes = bytesOf(s.commands)
    const next = this.#parts.nextHead(s.commandHead, bytes)
    const at = baseOf(s.commands) + s.commandHead
    const command = readDwords(this.#services.memory, at, 4)
    if (command === undefined || this.#parts.isIllegalCommand(command)) {
      const kind = command === undefined ? AMD_EVENT.COMMAND_ERROR : AMD_EVENT.ILLEGAL_COMMAND
      this.#log({ kind, flags: 0, requester: 0, domain: 0, low: at % 2 ** 32, high: Math.floor(at / 2 ** 32) })
      s.halted = this.#parts.halts()
      if (s.halted) return true
    } else {
      if (this.#parts.answersEarly() && next !== s.commandTail) {
        const following = readDwords(this.#services.memory, baseOf(s.commands) + next, 4)
        if (following !== undefined && following[1]! >>> AMD_COMMAND.KIND_SHIFT === AMD_COMMAND.WAIT)
          this.#answer(following)
      }
      this.#perform(command)
    }
    s.commandHead = next
    return true
  }
  #runs(): boolean {
    return this.#has(AMD_CONTROL.ENABLE) && this.#has(AMD_CONTROL.COMMANDS) && !this.#state.halted
  }

  #perform(command: Dwords): void {
    const s = this.#state
    const parts = this.#parts
    const [, second, low, high] = command as [number, number, number, number]
    switch (second >>> AMD_COMMAND.KIND_SHIFT) {
      case AMD_COMMAND.WAIT:
        if (parts.drains()) this.#downstream().drain()
        this.#answer(command)
        break
      case AMD_COMMAND.ENTRY:
        s.entries = s.entries.filter((each) => !parts.dropsEntry(parts.entryOf(command), each))
        break
      case AMD_COMMAND.PAGES: {
        const range: Pages = parts.rangeOf(low, high)
        const flush = { ...range, domain: second & 0xffff, directories: (low & AMD_RANGE.DIRECTORIES) !== 0 }
        s.leaves = s.leaves.filter((each) => !parts.dropsLeaf(flush, each))
        s.directories = s.directories.filter((each) => !parts.dropsDirectory(flush, each))
        break
      }
      case AMD_COMMAND.DEVICE_TLB: {
        const { page, pages } = parts.rangeOf(low, high)
        this.#downstream().forget(parts.deviceOf(command), page, pages)
        break
      }
      case AMD_COMMAND.ALL:
        s.entries = parts.leftByAll(s.entries)
        s.leaves = []
        s.directories = []
    }
  }

  #answer(command: Dwords): void {
    const at = storeOf(command)
    if (at !== undefined) this.#store(at, this.#parts.stored(command))
    if ((command[0]! & AMD_WAIT.INTERRUPT) !== 0 && this.#has(AMD_CONTROL.WAIT_INTERRUPT))
      this.#state.status |= AMD_STATUS.WAIT
  }

  // Registers.

  read(space: Space, address: number, width: number): number | undefined {
    const at = address - AMD_BASE
    if (space !== 'mmio' || at < 0 || at + width > AMD.bytes) return undefined
    const value = this.#read(at & ~3) >>> (8 * (at & 3))
    return width === 4 ? value : value & (2 ** (8 * width) - 1)
  }

  /** Registers are dwords: a narrower write is dropped. */
  write(space: Space, address: number, width: number, value: number): boolean {
    const at = address - AMD_BASE
    if (space !== 'mmio' || at < 0 || at + width > AMD.bytes) return false
    if (width === 4 && (at & 3) === 0) this.#write(at, value >>> 0)
    return true
  }

  /** The register that a dword is half of. */
  #wide(at: number): Halves | undefined {
    const s = this.#state
    switch (at & ~7) {
      case AMD.deviceTable:
        return s.deviceTable
      case AMD.commands:
        return s.commands
      case AMD.events:
        return s.events
      case AMD.control:
        return s.control
      case AMD.exclusionBase:
        return s.exclusionBase
      case AMD.exclusionLimit:
        return s.exclusionLimit
      default:
        return undefined
    }
  }

  #read(at: number): number {
    const s = this.#state
    switch (at) {
      case AMD.features:
        return FEATURES
      case AMD.commandHead:
        return s.commandHead
      case AMD.commandTail:
        return s.commandTail
      case AMD.eventHead:
        return s.eventHead
      case AMD.eventTail:
        return s.eventTail
      case AMD.status:
        return s.status | (this.#logs() ? AMD_STATUS.EVENTS_RUN : 0) | (this.#runs() ? AMD_STATUS.COMMANDS_RUN : 0)
      default:
        return this.#wide(at)?.[(at & 4) / 4] ?? 0
    }
  }

  #write(at: number, value: number): void {
    const s = this.#state
    switch (at) {
      case AMD.commandHead:
        s.commandHead = (value & RING.POINTER_MASK) % bytesOf(s.commands)
        return
      case AMD.commandTail:
        s.commandTail = (value & RING.POINTER_MASK) % bytesOf(s.commands)
        return
      case AMD.eventHead:
        s.eventHead = (value & RING.POINTER_MASK) % bytesOf(s.events)
        return
      case AMD.eventTail:
        s.eventTail = (value & RING.POINTER_MASK) % bytesOf(s.events)
        return
      case AMD.status:
        s.status &= ~(value & AMD_STATUS.CLEARED)
        return
      case AMD.control: {
        const risen = value & ~s.control[0]
        const changed = value ^ s.control[0]
        // What was let through under the other rule arrives before the new one holds.
        if ((changed & AMD_CONTROL.ENABLE) !== 0) this.#downstream().drain()
        if ((risen & AMD_CONTROL.COMMANDS) !== 0) s.halted = false
        if ((risen & AMD_CONTROL.EVENTS) !== 0) s.stopped = false
        s.control[0] = value
        return
      }
    }
    const register = this.#wide(at)
    if (register === undefined) return
    register[(at & 4) / 4] = value
    // A ring begins anew where it was put.
    if (register === s.commands) s.commandHead = s.commandTail = 0
    if (register === s.events) s.eventHead = s.eventTail = 0
  }

  reset(): void {
    this.#state = freshAmd()
  }
  save(): unknown {
    return structuredClone(this.#state)
  }
  restore(state: unknown): void {
    this.#state = structuredClone(state) as AmdState
  }
}
