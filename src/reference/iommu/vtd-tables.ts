/** The tables of a VT-d style unit, in memory: what they say now, whatever is cached (VT-d 4.1, chapters 3 and 9). */
import {
  CONTEXT_ENTRY,
  CONTEXT_ENTRY_HIGH,
  DMA_FAULT,
  PASID_DIRECTORY,
  PASID_ENTRY,
  PASID_TYPE,
  ROOT_ADDRESS,
  ROOT_ENTRY,
  SCALABLE_CONTEXT,
  SCALABLE_CONTEXT_HIGH,
  SCALABLE_FAULT,
  SECOND_LEVEL,
  TRANSLATION_TYPE,
} from '../../layout/vtd.ts'
import type { GuestMemory } from '../memory.ts'
import { overlap, type Pages } from './pages.ts'
import type { Dwords, VtdParts } from './vtd-parts.ts'
import {
  type Attachment,
  type Directory,
  HOST_BITS,
  type Leaf,
  type PasidContext,
  type Refusal,
  type Root,
} from './vtd-state.ts'

const BEYOND_HOST = (0xffff_ffff << (HOST_BITS - 32)) >>> 0
const LEVELS_OF_WIDTH = [0, 3, 4] as const

export const isRefusal = (found: object): found is Refusal => 'reason' in found

const refuse = (reason: number, quiet = false): Refusal => ({ reason, quiet })
const addressOf = (low: number, high: number): number => high * 2 ** 32 + ((low & ~0xfff) >>> 0)
const pageOf = (low: number, high: number): number => (high & 0xf_ffff) * 2 ** 20 + (low >>> 12)

/** An entry that begins at `gpa`, as dwords; undefined where no memory is. */
export const readDwords = (memory: GuestMemory, gpa: number, count: number): Dwords | undefined => {
  if (!memory.covers(gpa, 4 * count)) return undefined
  const data = memory.load(gpa, 4 * count)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const dwords = new Array<number>(count)
  for (let i = 0; i < count; i++) dwords[i] = view.getUint32(4 * i, true)
  return dwords
}

const TABLE_BYTES = 4096
/** The content of a table, and the indexes of its entries that are present. */
interface Table {
  readonly dwords: Uint32Array
  readonly filled: readonly number[]
}
const NO_TABLE: Table = { dwords: new Uint32Array(TABLE_BYTES / 4), filled: [] }
const NOTHING = { read: false, write: false } as const
const isPresent = (low: number): boolean => (low & (SECOND_LEVEL.READ | SECOND_LEVEL.WRITE)) !== 0

/** More entries than this are not looked at when all that is mapped is listed: tables may contain themselves. */
const LISTED_ENTRIES_MAX = 200_000

export class VtdTables {
  readonly #memory: GuestMemory
  readonly #parts: VtdParts

  constructor(memory: GuestMemory, parts: VtdParts) {
    this.#memory = memory
    this.#parts = parts
  }

  /** What the context entry of a requester says. */
  context(root: Root, requester: number): Attachment | PasidContext | Refusal {
    if (root.mode === ROOT_ADDRESS.LEGACY) return this.#legacyContext(root, requester)
    if (root.mode === ROOT_ADDRESS.SCALABLE) return this.#scalableContext(root, requester)
    return refuse(SCALABLE_FAULT.ROOT_POINTER_INVALID)
  }

  #legacyContext(root: Root, requester: number): Attachment | Refusal {
    const parts = this.#parts
    const rootEntry = readDwords(this.#memory, root.base + ROOT_ENTRY.bytes * (requester >>> 8), 4)
    if (rootEntry === undefined) return refuse(DMA_FAULT.ROOT_UNREADABLE)
    if ((rootEntry[0]! & ROOT_ENTRY.PRESENT) === 0) return refuse(DMA_FAULT.ROOT_ABSENT)
    if (parts.isReservedRoot(rootEntry)) return refuse(DMA_FAULT.ROOT_RESERVED)

    const contexts = addressOf(rootEntry[0]!, rootEntry[1]!)
    const entry = readDwords(this.#memory, contexts + CONTEXT_ENTRY.bytes * (requester & 0xff), 4)
    if (entry === undefined) return refuse(DMA_FAULT.CONTEXT_UNREADABLE)
    const [low, high, third] = entry as [number, number, number]
    const quiet = (low & CONTEXT_ENTRY.FAULTS_DISABLED) !== 0
    if ((low & CONTEXT_ENTRY.PRESENT) === 0) return refuse(DMA_FAULT.CONTEXT_ABSENT, quiet)
    if (parts.isReservedContext(entry)) return refuse(DMA_FAULT.CONTEXT_RESERVED, quiet)
    const type = (low >>> CONTEXT_ENTRY.TYPE_SHIFT) & CONTEXT_ENTRY.TYPE_MASK
    const width = third & CONTEXT_ENTRY_HIGH.WIDTH_MASK
    if (!parts.isValidContext(type, width)) return refuse(DMA_FAULT.CONTEXT_INVALID, quiet)
    return {
      domain: (third >>> CONTEXT_ENTRY_HIGH.DOMAIN_SHIFT) & 0xffff,
      levels: LEVELS_OF_WIDTH[width] ?? 4,
      table: addressOf(low, high),
      through: type === TRANSLATION_TYPE.PASS_THROUGH,
      deviceTlb: type === TRANSLATION_TYPE.ALL,
      quiet,
    }
  }

  #scalableContext(root: Root, requester: number): PasidContext | Refusal {
    const upper = (requester & 0x80) === 0 ? 0 : ROOT_ENTRY.upper
    const rootEntry = readDwords(this.#memory, root.base + ROOT_ENTRY.bytes * (requester >>> 8) + upper, 2)
    if (rootEntry === undefined) return refuse(SCALABLE_FAULT.ROOT_UNREADABLE)
    if ((rootEntry[0]! & ROOT_ENTRY.PRESENT) === 0) return refuse(SCALABLE_FAULT.ROOT_ABSENT)
    if (this.#parts.isReservedRoot([rootEntry[0]!, rootEntry[1]!, 0, 0])) return refuse(SCALABLE_FAULT.ROOT_RESERVED)

    const contexts = addressOf(rootEntry[0]!, rootEntry[1]!)
    const entry = readDwords(this.#memory, contexts + SCALABLE_CONTEXT.bytes * (requester & 0x7f), 8)
    if (entry === undefined) return refuse(SCALABLE_FAULT.CONTEXT_UNREADABLE)
    const [low, high, third, ...rest] = entry as [number, number, number, ...number[]]
    const quiet = (low & SCALABLE_CONTEXT.FAULTS_DISABLED) !== 0
    if ((low & SCALABLE_CONTEXT.PRESENT) === 0) return refuse(SCALABLE_FAULT.CONTEXT_ABSENT, quiet)
    if (
      (low & SCALABLE_CONTEXT.RESERVED) !== 0 ||
      (high & BEYOND_HOST) !== 0 ||
      (third & SCALABLE_CONTEXT_HIGH.RESERVED) !== 0 ||
      rest.some((dword) => dword !== 0)
    )
      return refuse(SCALABLE_FAULT.CONTEXT_RESERVED, quiet)
    // There are no page requests to be served.
    if ((low & SCALABLE_CONTEXT.PAGE_REQUEST) !== 0) return refuse(SCALABLE_FAULT.CONTEXT_INVALID, quiet)
    return {
      directory: addressOf(low, high),
      directoryEntries: 2 ** (((low >>> SCALABLE_CONTEXT.DIRECTORY_SHIFT) & SCALABLE_CONTEXT.DIRECTORY_MASK) + 7),
      pasid: third & SCALABLE_CONTEXT_HIGH.PASID_MASK,
      takesPasids: (low & SCALABLE_CONTEXT.PASID) !== 0,
      deviceTlb: (low & SCALABLE_CONTEXT.DEVICE_TLB) !== 0,
      quiet,
    }
  }

  /** What the entry of a PASID says. */
  pasid(context: PasidContext, pasid: number): Attachment | Refusal {
    const at = pasid >>> 6
    if (at >= context.directoryEntries) return refuse(SCALABLE_FAULT.PASID_TOO_LARGE, context.quiet)
    const directory = readDwords(this.#memory, context.directory + PASID_DIRECTORY.bytes * at, 2)
    if (directory === undefined) return refuse(SCALABLE_FAULT.DIRECTORY_UNREADABLE, context.quiet)
    const directoryQuiet = context.quiet || (directory[0]! & PASID_DIRECTORY.FAULTS_DISABLED) !== 0
    if ((directory[0]! & PASID_DIRECTORY.PRESENT) === 0) return refuse(SCALABLE_FAULT.DIRECTORY_ABSENT, directoryQuiet)
    if ((directory[0]! & PASID_DIRECTORY.RESERVED) !== 0 || (directory[1]! & BEYOND_HOST) !== 0)
      return refuse(SCALABLE_FAULT.DIRECTORY_RESERVED, directoryQuiet)

    const table = addressOf(directory[0]!, directory[1]!)
    const entry = readDwords(this.#memory, table + PASID_ENTRY.bytes * (pasid & 0x3f), 16)
    if (entry === undefined) return refuse(SCALABLE_FAULT.PASID_UNREADABLE, directoryQuiet)
    const [low, high, third] = entry as [number, number, number]
    const quiet = directoryQuiet || (low & PASID_ENTRY.FAULTS_DISABLED) !== 0
    if ((low & PASID_ENTRY.PRESENT) === 0) return refuse(SCALABLE_FAULT.PASID_ABSENT, quiet)
    if ((low & PASID_ENTRY.RESERVED) !== 0 || (high & BEYOND_HOST) !== 0)
      return refuse(SCALABLE_FAULT.PASID_RESERVED, quiet)
    const type = (low >>> PASID_ENTRY.TYPE_SHIFT) & PASID_ENTRY.TYPE_MASK
    const width = (low >>> PASID_ENTRY.WIDTH_SHIFT) & PASID_ENTRY.WIDTH_MASK
    const through = type === PASID_TYPE.PASS_THROUGH
    // Of the tables there are those of the second level alone.
    if (!through && (type !== PASID_TYPE.SECOND || !this.#parts.isValidContext(0, width)))
      return refuse(SCALABLE_FAULT.PASID_INVALID, quiet)
    return {
      domain: third & 0xffff,
      levels: LEVELS_OF_WIDTH[width] ?? 4,
      table: addressOf(low, high),
      through,
      deviceTlb: context.deviceTlb,
      quiet,
    }
  }

  /**
   * Walks from a table down to what maps `page`; each table below it is told to `passed`. The refusal of the page tables is
   * that of legacy mode.
   */
  walk(from: Directory, page: number, access: 'read' | 'write', passed: (below: Directory) => void): Leaf | number {
    const parts = this.#parts
    let { level, table, read, write } = from
    for (;;) {
      const entry = this.#entry(table, level, page)
      if (entry === undefined) return DMA_FAULT.TABLE_UNREADABLE
      const [low, high] = entry as [number, number]
      const present = isPresent(low)
      if (present && parts.isReservedEntry(level, low, high)) return DMA_FAULT.ENTRY_RESERVED
      ;({ read, write } = parts.rights({ read, write }, low, mapsPages(level, low)))
      if (!present || !(access === 'read' ? read : write)) return access === 'read' ? DMA_FAULT.READ : DMA_FAULT.WRITE
      if (mapsPages(level, low)) return leafOf(parts, level, page, low, high, read, write)
      level--
      table = addressOf(low, high & 0xf_ffff)
      passed({ level, table, read, write })
    }
  }

  #entry(table: number, level: number, page: number): Dwords | undefined {
    const index = Math.floor(page / 512 ** (level - 1)) % 512
    return readDwords(this.#memory, table + SECOND_LEVEL.bytes * index, 2)
  }

  /** All that is mapped in `[page, page + pages)`, in order, and where nothing is: `absent` is told the level of the entry. */
  list(
    attachment: Attachment,
    range: Pages,
    found: (leaf: Leaf) => void,
    absent?: (level: number, hole: Pages) => void,
  ): void {
    const parts = this.#parts
    let budget = LISTED_ENTRIES_MAX
    // A table may be reached by many ways: its content is looked through once.
    const known = new Map<number, Table>()
    const descend = ({ level, table, read, write }: Directory, first: number): void => {
      const each = 512 ** (level - 1)
      const from = Math.max(0, Math.floor((range.page - first) / each))
      const to = Math.min(512, Math.ceil((range.page + range.pages - first) / each))
      const { dwords, filled } = known.get(table) ?? this.#content(table)
      known.set(table, { dwords, filled })
      const visit = (index: number): void => {
        const page = first + index * each
        const [low, high] = [dwords[2 * index]!, dwords[2 * index + 1]!]
        const rights = isPresent(low) ? parts.rights({ read, write }, low, mapsPages(level, low)) : NOTHING
        if ((!rights.read && !rights.write) || parts.isReservedEntry(level, low, high))
          absent?.(level, { page, pages: each })
        else if (budget-- <= 0) return
        else if (mapsPages(level, low)) found(leafOf(parts, level, page, low, high, rights.read, rights.write))
        else descend({ level: level - 1, table: addressOf(low, high & 0xf_ffff), ...rights }, page)
      }
      if (absent !== undefined) for (let index = from; index < to; index++) visit(index)
      else for (const index of filled) if (index >= from && index < to) visit(index)
    }
    const top = { level: attachment.levels, table: attachment.table, read: true, write: true }
    if (overlap(range, { page: 0, pages: 512 ** attachment.levels })) descend(top, 0)
  }

  /** All of a table at once; a unit reads entry by entry, which nobody can tell. */
  #content(table: number): Table {
    if (!this.#memory.covers(table, TABLE_BYTES)) return NO_TABLE
    const dwords = new Uint32Array(this.#memory.load(table, TABLE_BYTES).buffer)
    const filled: number[] = []
    for (let index = 0; index < 512; index++) if (isPresent(dwords[2 * index]!)) filled.push(index)
    return { dwords, filled }
  }
}

const mapsPages = (level: number, low: number): boolean => level === 1 || (low & SECOND_LEVEL.LARGE) !== 0

const leafOf = (
  parts: VtdParts,
  level: number,
  page: number,
  low: number,
  high: number,
  read: boolean,
  write: boolean,
): Leaf => {
  const pages = parts.sizeOf(level)
  return { page: page - (page % pages), pages, host: pageOf(low, high), read, write }
}
