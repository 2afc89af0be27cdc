/**
 * A VT-d style unit: accesses of requesters are led by tables in memory, and what is cached of them is used until it is
 * invalidated (VT-d 4.1). The invalidation queue is worked off one descriptor at a step; an invalidation by register is
 * done when the write returns. What an access moves is not its business: it says where the bytes lie.
 */
import type { Space } from '../../contract/index.ts'
import {
  COMPLETION_WAIT,
  CONTEXT_COMMAND,
  CONTEXT_COMMAND_HIGH,
  DESCRIPTOR,
  DMA_FAULT,
  EVENT,
  FAULT_PRESENT,
  FAULT_RECORD,
  FAULT_STATUS,
  GRANULARITY,
  IOTLB_ADDRESS,
  IOTLB_COMMAND_HIGH,
  PROTECTED,
  QUEUE_ADDRESS,
  ROOT_ADDRESS,
  SCALABLE_FAULT,
  VTD,
  VTD_BASE,
  VTD_COMMAND,
  VTD_IOTLB,
} from '../../layout/vtd.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { Downstream, Grant, Iommu, Piece, TranslationRequest } from './iommu.ts'
import { remember } from './pages.ts'
import { acknowledge, raise, record, setMask, stopQueue } from './vtd-faults.ts'
import {
  type ContextFlush,
  inWindow,
  type PageFlush,
  type PasidFlush,
  PROTECTED_GRAIN,
  rootOf,
  type VtdParts,
} from './vtd-parts.ts'
import { ADDRESS_MASK_MAX, type Descriptor, pageOf, QUEUE_ERROR, readDescriptor } from './vtd-queue.ts'
import { IOTLB_AT, offsetOf, RECORDS, RECORDS_AT, readRegister, type VtdShape } from './vtd-registers.ts'
import { lister, rebuild, refresh, shadowLeaf } from './vtd-shadow.ts'
import {
  ALL_PAGES,
  type Attachment,
  type EventState,
  freshVtd,
  type Leaf,
  type Refusal,
  type Shadow,
  type VtdState,
} from './vtd-state.ts'
import { isRefusal, readDwords, VtdTables } from './vtd-tables.ts'

const ID = 'iommu'
/** So many entries of each cache. */
const CACHED = { contexts: 8, pasids: 8, leaves: 16, directories: 16 } as const
const KEPT = VTD_COMMAND.TRANSLATE | VTD_COMMAND.QUEUE
const GRAIN_MASK = ~(PROTECTED_GRAIN - 1)
const ADDRESS_TYPE = { untranslated: 0, translation: 1, translated: 2 } as const

/** Page tables refuse for the same reasons in both modes, with other numbers. */
const SCALABLE_REASON: Readonly<Record<number, number>> = {
  [DMA_FAULT.TABLE_UNREADABLE]: SCALABLE_FAULT.SECOND_UNREADABLE,
  [DMA_FAULT.ENTRY_RESERVED]: SCALABLE_FAULT.SECOND_RESERVED,
  [DMA_FAULT.BEYOND_WIDTH]: SCALABLE_FAULT.BEYOND_WIDTH,
  [DMA_FAULT.WRITE]: SCALABLE_FAULT.WRITE,
  [DMA_FAULT.READ]: SCALABLE_FAULT.READ,
  [DMA_FAULT.TYPE_BLOCKED]: SCALABLE_FAULT.DEVICE_TLB_OFF,
  [DMA_FAULT.INTERRUPT_WINDOW]: SCALABLE_FAULT.INTERRUPT_WINDOW,
}

export interface VtdOptions extends VtdShape {
  readonly services: BoardServices
  readonly parts: VtdParts
  /** Who accesses memory through it. */
  readonly downstream: () => Downstream
  /** Requesters for which it keeps a shadow of what is mapped; none: it looks into the tables at each access. */
  readonly shadowed?: readonly number[]
}

export class Vtd implements BoardPart, Iommu {
  readonly describes: BoardPart['describes']
  readonly #services: BoardServices
  readonly #parts: VtdParts
  readonly #tables: VtdTables
  readonly #shape: VtdShape
  readonly #downstream: () => Downstream
  readonly #shadowed: readonly number[]
  readonly #send = ([data, address, upper]: EventState['message']): void =>
    this.#services.emit({ kind: 'msi', device: ID, address: upper * 2 ** 32 + address, data })
  #state: VtdState

  constructor({ services, parts, downstream, shadowed = [], ...shape }: VtdOptions) {
    this.#services = services
    this.#parts = parts
    this.#tables = new VtdTables(services.memory, parts)
    this.#shape = shape
    this.#downstream = downstream
    this.#shadowed = shadowed
    this.#state = this.#fresh()
    const transport = { kind: 'chip', inputs: 0, base: VTD_BASE } as const
    this.describes = [{ id: ID, kind: 'vt-d', transport, facts: shape.caches === true ? { cachingMode: true } : {} }]
  }

  #fresh(): VtdState {
    return {
      ...freshVtd(RECORDS),
      shadows: this.#shadowed.map((requester) => ({ requester, attachment: null, through: false, leaves: [] })),
    }
  }

  // Accesses.

  translate(request: TranslationRequest): readonly Piece[] {
    const pieces: Piece[] = []
    let page = Number(request.iova >> 12n)
    let offset = Number(request.iova & 0xfffn)
    for (let left = request.bytes; left > 0; page++, offset = 0) {
      const host = page < ALL_PAGES ? this.#hostPage(request, page) : undefined
      if (host === undefined || host >= 2 ** 41) break
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
    if ((this.#state.status & VTD_COMMAND.TRANSLATE) === 0) return undefined
    const page = Number(request.iova >> 12n)
    const nothing: Grant = { page, pages: 1, host: 0, read: false, write: false }
    const { requester, pasid } = request
    const attachment = this.#attachment(requester, pasid)
    const refuse = (reason: number, quiet: boolean): void => this.#record(request, page, reason, quiet, 'translation')
    if (isRefusal(attachment)) {
      refuse(attachment.reason, attachment.quiet)
      return nothing
    }
    if (!this.#parts.acceptsTranslated(attachment)) {
      refuse(this.#reason(DMA_FAULT.TYPE_BLOCKED), attachment.quiet)
      return undefined
    }
    // That an address is not mapped is an answer, and no fault.
    if (this.#parts.isBeyond(page, attachment) || (pasid === undefined && inWindow(page))) return nothing
    const shadow = this.#shadow(requester)
    if (shadow !== undefined) return shadowLeaf(shadow, page) ?? nothing
    if (attachment.through) return { page, pages: 1, host: page, read: true, write: true }
    const leaf = this.#leaf(attachment, request, page)
    if (typeof leaf === 'number') {
      if (leaf !== DMA_FAULT.READ && leaf !== DMA_FAULT.WRITE) refuse(this.#reason(leaf), attachment.quiet)
      return nothing
    }
    return inWindow(this.#parts.hostPage(leaf, page)) ? nothing : leaf
  }

  /** Where in memory a page of the request is; undefined: it is refused. */
  #hostPage(request: TranslationRequest, page: number): number | undefined {
    const s = this.#state
    const parts = this.#parts
    const { requester, pasid, translated = false } = request
    const free = (host: number): number | undefined => (parts.isProtected(s, host) ? undefined : host)
    const isRequest = pasid === undefined && inWindow(page)
    // What asks for no interrupt in a way that there is, is not led elsewhere.
    if ((s.status & VTD_COMMAND.TRANSLATE) === 0) return isRequest ? undefined : free(page)
    const block = (reason: number, quiet = false): number | undefined => {
      this.#record(request, page, reason, quiet, translated ? 'translated' : 'untranslated')
      return parts.blocks(quiet) ? undefined : page
    }
    if (isRequest && parts.guardsWindow()) return block(this.#reason(DMA_FAULT.INTERRUPT_WINDOW))

    const shadow = translated ? undefined : this.#shadow(requester)
    const mapped = shadow && shadowLeaf(shadow, page)
    if (mapped?.[request.access] && !inWindow(parts.hostPage(mapped, page))) return free(parts.hostPage(mapped, page))
    const attachment = this.#attachment(requester, pasid)
    if (isRefusal(attachment)) return block(attachment.reason, attachment.quiet)
    const refuse = (reason: number): number | undefined => block(this.#reason(reason), attachment.quiet)
    if (translated) return parts.acceptsTranslated(attachment) ? free(page) : refuse(DMA_FAULT.TYPE_BLOCKED)
    if (parts.isBeyond(page, attachment)) return refuse(DMA_FAULT.BEYOND_WIDTH)
    const none = request.access === 'read' ? DMA_FAULT.READ : DMA_FAULT.WRITE
    if (attachment.through) return shadow === undefined ? free(page) : refuse(none)

    const leaf = this.#leaf(attachment, request, page)
    if (typeof leaf === 'number') return refuse(leaf)
    const host = parts.hostPage(leaf, page)
    if (inWindow(host) && parts.guardsWindow()) return refuse(DMA_FAULT.INTERRUPT_WINDOW)
    // A shadow that does not have it has not followed the tables yet.
    return shadow === undefined ? host : refuse(none)
  }

  #shadow(requester: number): Shadow | undefined {
    return this.#state.shadows.find((each) => each.requester === requester)
  }

  #reason(legacy: number): number {
    return this.#state.root.mode === ROOT_ADDRESS.SCALABLE ? (SCALABLE_REASON[legacy] ?? legacy) : legacy
  }

  #record(
    { requester, access, pasid }: TranslationRequest,
    page: number,
    reason: number,
    quiet: boolean,
    type: keyof typeof ADDRESS_TYPE,
  ): void {
    if (!this.#parts.isRecorded(quiet)) return
    const fault = { reason, requester, page, read: access === 'read', addressType: ADDRESS_TYPE[type] }
    record(this.#state, this.#parts, pasid === undefined ? fault : { ...fault, pasid }, this.#send)
  }

  /** Where requests of this kind are led. */
  #attachment(requester: number, pasid: number | undefined): Attachment | Refusal {
    const s = this.#state
    const cached = s.contexts.find((each) => each.requester === requester)?.context
    const context = cached ?? this.#tables.context(s.root, requester)
    if (isRefusal(context)) return context
    if (cached === undefined) {
      const domain = 'domain' in context ? context.domain : 0
      remember(s.contexts, { requester, domain, context }, CACHED.contexts)
    }
    if ('domain' in context)
      return pasid === undefined ? context : { reason: SCALABLE_FAULT.MODE, quiet: context.quiet }
    if (pasid !== undefined && !context.takesPasids) return { reason: SCALABLE_FAULT.PASID_OFF, quiet: context.quiet }

    const named = pasid ?? this.#parts.pasidOf(context.pasid)
    const known = s.pasids.find((each) => each.requester === requester && each.pasid === named)
    if (known !== undefined) return known.attachment
    const attachment = this.#tables.pasid(context, named)
    if (!isRefusal(attachment)) remember(s.pasids, { requester, pasid: named, attachment }, CACHED.pasids)
    return attachment
  }

  /** What maps a page for this access, or the reason (of legacy mode) why nothing does. */
  #leaf(attachment: Attachment, { access }: TranslationRequest, page: number): Leaf | number {
    const s = this.#state
    const tag = this.#parts.tagOf(attachment)
    const none = access === 'read' ? DMA_FAULT.READ : DMA_FAULT.WRITE
    const cached = s.leaves.find((each) => this.#parts.matches(each, tag, page))
    if (cached !== undefined) return cached[access] ? cached : none

    const walked = this.#tables.walk(this.#start(attachment, tag, page), page, access, (below) => {
      const first = page - (page % 512 ** below.level)
      remember(
        s.directories,
        { ...this.#parts.rememberedDirectory(below), domain: tag, page: first },
        CACHED.directories,
      )
    })
    if (typeof walked !== 'number')
      remember(s.leaves, { ...this.#parts.remembered(walked), domain: tag }, CACHED.leaves)
    else if (walked === none && this.#parts.remembersAbsence())
      remember(s.leaves, { page, pages: 1, host: 0, read: false, write: false, domain: tag }, CACHED.leaves)
    return walked
  }

  /** The lowest table that is known to lead to the page. */
  #start(attachment: Attachment, tag: number, page: number) {
    const top = { level: this.#parts.levelsOf(attachment), table: attachment.table, read: true, write: true }
    return this.#state.directories.reduce(
      (lowest, each) =>
        each.domain === tag && each.level < lowest.level && page - (page % 512 ** each.level) === each.page
          ? each
          : lowest,
      top,
    )
  }

  // Invalidations.

  #flushContexts(flush: ContextFlush): void {
    const s = this.#state
    s.contexts = s.contexts.filter((each) => !this.#parts.dropsContext(flush, each))
    this.#beginRebuild()
  }

  #flushPages(flush: PageFlush): void {
    const s = this.#state
    const parts = this.#parts
    s.leaves = s.leaves.filter((each) => !parts.dropsLeaf(flush, each))
    s.directories = s.directories.filter((each) => !parts.dropsDirectory(flush, each))
    if (flush.granularity !== GRANULARITY.PAGES) this.#beginRebuild()
    else
      for (const shadow of s.shadows) {
        // The context entry may be another one by now: what is held under the domain goes all the same.
        const { attachment } = shadow
        if (attachment !== null && !attachment.through && attachment.domain === flush.domain)
          refresh(shadow, attachment, flush, this.#tables, parts)
      }
    if (parts.drains(flush)) this.#downstream().drain()
  }

  #flushPasids(flush: PasidFlush): void {
    const s = this.#state
    s.pasids = s.pasids.filter((each) => !this.#parts.dropsPasid(flush, each))
    this.#beginRebuild()
  }

  #beginRebuild(): void {
    const s = this.#state
    s.rebuilding = s.shadows.length
    for (const shadow of s.shadows) shadow.leaves = this.#parts.duringRebuild(shadow.leaves)
  }

  /** The shadows of `count` requesters, the last ones first. */
  #rebuild(count: number): void {
    const s = this.#state
    const list = lister(this.#tables)
    for (let done = 0; done < count; done++) {
      s.rebuilding--
      const shadow = s.shadows[s.rebuilding]!
      rebuild(shadow, this.#current(shadow.requester), list, this.#parts)
    }
  }

  /** Where the tables lead a requester now; undefined: nowhere. */
  #current(requester: number): Attachment | undefined {
    const s = this.#state
    if ((s.status & VTD_COMMAND.TRANSLATE) === 0) return undefined
    const context = this.#tables.context(s.root, requester)
    if (isRefusal(context)) return undefined
    const attachment = 'domain' in context ? context : this.#tables.pasid(context, context.pasid)
    return isRefusal(attachment) ? undefined : attachment
  }

  // The queue.

  /** One descriptor of the invalidation queue. */
  step(device?: string): boolean {
    const s = this.#state
    if (device !== undefined && device !== ID) return false
    if (s.rebuilding > 0) {
      this.#rebuild(1)
      return true
    }
    if ((s.status & VTD_COMMAND.QUEUE) === 0 || s.head === s.tail || s.queueError) return false
    const [low, high] = s.queueAddress
    const base = high * 2 ** 32 + ((low & ~0xfff) >>> 0)
    const bytes = 4096 * 2 ** (low & QUEUE_ADDRESS.SIZE_MASK)
    const wide = this.#shape.scalable && (low & QUEUE_ADDRESS.WIDE) !== 0
    const size = wide ? DESCRIPTOR.wideBytes : DESCRIPTOR.bytes
    if (s.tail >= bytes) return this.#stop(QUEUE_ERROR.TAIL)
    if (s.tail % size !== 0) return this.#stop(QUEUE_ERROR.ALIGNMENT)
    const read = (at: number): Descriptor => {
      const dwords = readDwords(this.#services.memory, base + at, size / 4)
      return dwords === undefined
        ? { kind: 'error', info: QUEUE_ERROR.UNREADABLE }
        : readDescriptor(dwords, this.#shape.scalable)
    }
    const descriptor = read(s.head)
    const next = this.#parts.nextHead(s.head, size, bytes)
    if (descriptor.kind === 'error' && this.#parts.stopsAtError()) return this.#stop(descriptor.info)
    if (this.#parts.answersEarly() && next !== s.tail) {
      const following = read(next)
      if (following.kind === 'wait') this.#answer(following)
    }
    this.#perform(descriptor)
    s.head = next
    return true
  }

  #stop(info: number): true {
    stopQueue(this.#state, this.#parts, info, this.#send)
    return true
  }

  #perform(descriptor: Descriptor): void {
    switch (descriptor.kind) {
      case 'context':
        this.#flushContexts(descriptor.flush)
        break
      case 'pages':
        this.#flushPages(descriptor.flush)
        break
      case 'pasids':
        this.#flushPasids(descriptor.flush)
        break
      case 'device': {
        const requester = this.#parts.deviceOf(descriptor.dwords)
        const { page, pages } = this.#parts.devicePages(descriptor.dwords[2]!, descriptor.dwords[3]!)
        this.#downstream().forget(requester, page, pages)
        break
      }
      case 'wait':
        this.#answer(descriptor)
    }
  }

  #answer({ status, interrupts }: Extract<Descriptor, { kind: 'wait' }>): void {
    const s = this.#state
    if (status !== undefined && Number.isSafeInteger(status.gpa)) {
      const data = new Uint8Array(4)
      new DataView(data.buffer).setUint32(0, status.value, true)
      this.#services.memory.write(ID, status.gpa, data)
    }
    if (!interrupts || s.completed) return
    s.completed = true
    raise(s.completion, this.#send)
  }

  // Registers.

  read(space: Space, address: number, width: number): number | undefined {
    const at = offsetOf(space, address, width)
    if (at === undefined) return undefined
    const value = readRegister(this.#state, this.#shape, at & ~3) >>> (8 * (at & 3))
    return width === 4 ? value : value & (2 ** (8 * width) - 1)
  }

  /** Registers are dwords: a narrower write is dropped. */
  write(space: Space, address: number, width: number, value: number): boolean {
    const at = offsetOf(space, address, width)
    if (at === undefined) return false
    if (width === 4 && (at & 3) === 0) this.#write(at, value >>> 0)
    return true
  }

  #write(at: number, value: number): void {
    const s = this.#state
    switch (at) {
      case VTD.command:
        this.#command(value)
        break
      case VTD.rootAddress:
      case VTD.rootAddress + 4:
        s.rootAddress[(at - VTD.rootAddress) / 4] = value
        s.root = this.#parts.rootAfterWrite(s)
        break
      case VTD.contextCommand:
        s.contextCommand[0] = value
        break
      case VTD.contextCommand + 4:
        this.#contextCommand(value)
        break
      case IOTLB_AT + VTD_IOTLB.address:
      case IOTLB_AT + VTD_IOTLB.address + 4:
        s.iotlbAddress[(at - IOTLB_AT - VTD_IOTLB.address) / 4] = value
        break
      case IOTLB_AT + VTD_IOTLB.command:
        s.iotlbCommand[0] = value
        break
      case IOTLB_AT + VTD_IOTLB.command + 4:
        this.#iotlbCommand(value)
        break
      case VTD.faultStatus:
        if ((value & FAULT_STATUS.OVERFLOW) !== 0) s.overflow = false
        if ((value & FAULT_STATUS.QUEUE_ERROR) !== 0) {
          s.queueError = false
          s.queueErrorInfo = 0
        }
        acknowledge(s)
        break
      case VTD.faultControl:
        setMask(s.fault, value >= EVENT.MASK, this.#send)
        break
      case VTD.faultData:
      case VTD.faultAddress:
      case VTD.faultUpperAddress:
        s.fault.message[(at - VTD.faultData) / 4] = value
        break
      case VTD.protectedEnable:
        s.protects = (value & PROTECTED.ENABLE) !== 0
        break
      case VTD.protectedLowBase:
      case VTD.protectedLowLimit:
        s.protectedLow[(at - VTD.protectedLowBase) / 4] = (value & GRAIN_MASK) >>> 0
        break
      case VTD.protectedHighBase:
        s.protectedHighBase[0] = (value & GRAIN_MASK) >>> 0
        break
      case VTD.protectedHighBase + 4:
        s.protectedHighBase[1] = value
        break
      case VTD.protectedHighLimit:
        s.protectedHighLimit[0] = (value & GRAIN_MASK) >>> 0
        break
      case VTD.protectedHighLimit + 4:
        s.protectedHighLimit[1] = value
        break
      case VTD.queueTail:
        s.tail = value & 0x7fff0
        break
      case VTD.queueAddress:
      case VTD.queueAddress + 4:
        s.queueAddress[(at - VTD.queueAddress) / 4] = value
        break
      case VTD.completionStatus:
        if ((value & COMPLETION_WAIT) === 0) break
        s.completed = false
        s.completion.pending = false
        break
      case VTD.completionControl:
        setMask(s.completion, value >= EVENT.MASK, this.#send)
        break
      case VTD.completionData:
      case VTD.completionAddress:
      case VTD.completionUpperAddress:
        s.completion.message[(at - VTD.completionData) / 4] = value
        break
      default: {
        const inRecords = at - RECORDS_AT
        if (inRecords < 0 || inRecords >= RECORDS * FAULT_RECORD.bytes) break
        if ((inRecords & 12) !== FAULT_RECORD.reason || value < FAULT_PRESENT) break
        s.records[inRecords >>> 4] = null
        acknowledge(s)
      }
    }
  }

  #command(value: number): void {
    const s = this.#state
    const before = s.status
    if ((value & VTD_COMMAND.SET_ROOT) !== 0) {
      s.root = rootOf(s)
      s.status |= VTD_COMMAND.SET_ROOT
    }
    // Switched off, the queue begins anew.
    if ((value & VTD_COMMAND.QUEUE) === 0) s.head = 0
    s.status = (s.status & ~KEPT) | (value & KEPT)
    if (((before ^ s.status) & VTD_COMMAND.TRANSLATE) === 0) return
    // What was let through under the other rule arrives before the status shows the new one.
    this.#downstream().drain()
    s.rebuilding = s.shadows.length
    this.#rebuild(s.rebuilding)
  }

  #contextCommand(high: number): void {
    const s = this.#state
    const asked = (high >>> CONTEXT_COMMAND_HIGH.ASKED_SHIFT) & 3
    if ((high & CONTEXT_COMMAND_HIGH.START) === 0) {
      s.contextCommand[1] = high
      return
    }
    const [low] = s.contextCommand
    if (asked !== GRANULARITY.NONE)
      this.#flushContexts({
        granularity: asked,
        domain: low & 0xffff,
        requester: low >>> CONTEXT_COMMAND.SOURCE_SHIFT,
        functions: high & CONTEXT_COMMAND_HIGH.FUNCTIONS_MASK,
      })
    this.#rebuild(s.rebuilding)
    const kept = high & ~(CONTEXT_COMMAND_HIGH.START | (3 << CONTEXT_COMMAND_HIGH.DONE_SHIFT))
    s.contextCommand[1] = (kept | (asked << CONTEXT_COMMAND_HIGH.DONE_SHIFT)) >>> 0
  }

  #iotlbCommand(high: number): void {
    const s = this.#state
    if ((high & IOTLB_COMMAND_HIGH.START) === 0) {
      s.iotlbCommand[1] = high
      return
    }
    const [low, upper] = s.iotlbAddress
    const asked = (high >>> IOTLB_COMMAND_HIGH.ASKED_SHIFT) & 3
    const mask = low & IOTLB_ADDRESS.MASK_MASK
    const isValid = asked !== GRANULARITY.NONE && (asked !== GRANULARITY.PAGES || mask <= ADDRESS_MASK_MAX)
    if (isValid)
      this.#flushPages({
        granularity: asked,
        domain: high & 0xffff,
        page: pageOf(low, upper),
        mask,
        hint: (low & IOTLB_ADDRESS.HINT) !== 0,
        drainReads: (high & IOTLB_COMMAND_HIGH.DRAIN_READS) !== 0,
        drainWrites: (high & IOTLB_COMMAND_HIGH.DRAIN_WRITES) !== 0,
      })
    this.#rebuild(s.rebuilding)
    const kept = high & ~(IOTLB_COMMAND_HIGH.START | (3 << IOTLB_COMMAND_HIGH.DONE_SHIFT))
    s.iotlbCommand[1] = (kept | ((isValid ? asked : GRANULARITY.NONE) << IOTLB_COMMAND_HIGH.DONE_SHIFT)) >>> 0
  }

  reset(): void {
    this.#state = this.#fresh()
  }
  save(): unknown {
    return structuredClone(this.#state)
  }
  restore(state: unknown): void {
    this.#state = structuredClone(state) as VtdState
  }
}
