/**
 * What a VT-d unit does with one access to one page: root entry of the bus, context entry of device and function, then the
 * tables of its domain, level by level (VT-d 4.1, chapters 3 and 7). Reads like the algorithm; knows no cache.
 */
import { DMA_FAULT, SCALABLE_FAULT } from '../../src/layout/vtd.ts'
import {
  type ContextEntry,
  FIRST_FRAME,
  FRAMES,
  indexAt,
  isWindow,
  NOTHING,
  type PagingContent,
  type RootEntry,
  tableAt,
  tableOf,
} from './translation-entries.ts'

/** Reasons of faults by number, so that they make a small set. */
export const REASONS: readonly number[] = [...Object.values(DMA_FAULT), SCALABLE_FAULT.MODE]
export const reasonOf = (code: number): number | undefined => {
  const at = REASONS.indexOf(code)
  return at < 0 ? undefined : at
}

/** What decides an access, in the order in which it is met. */
export const DECISIONS = [
  'off',
  'passed',
  'claimed',
  'mapped',
  'mappedLarge',
  'protected',
  'window',
  'pasid',
  'noRoot',
  'noContext',
  'reserved',
  'invalid',
  'type',
  'width',
  'upper',
  'leaf',
  'unreadable',
] as const
export type Decision = (typeof DECISIONS)[number]

/** What the harness attempts. */
export interface Attempt {
  readonly write: boolean
  /** Of the IOVA. */
  readonly page: number
  /** With a PASID; or as one that is translated already. */
  readonly pasid: boolean
  readonly claimed: boolean
}

/** What memory and registers say, and what the unit can do. */
export interface Tables {
  readonly on: boolean
  /** Block of the arena that is protected; 0: none. */
  readonly guarded: number
  readonly arena: number
  readonly rootReadable: boolean
  readonly root: RootEntry
  /** Of the context table that the root entry names. */
  readonly context: ContextEntry
  /** An entry by the page of its table and its index; undefined: it is all zero. */
  paging(table: number, index: number): PagingContent | undefined
  /** 39 or 48 bits at most; whether three levels are possible beside four. */
  readonly levels: 3 | 4
  readonly narrow: boolean
  readonly passes: boolean
  readonly deviceTlb: boolean
  /** 1: pages of 2 MiB, 2: and of 1 GiB. */
  readonly large: number
}

/** What comes of it. */
export interface Result {
  readonly decision: Decision
  /** What it reaches: `NOTHING`, or a frame, counted from `FIRST_FRAME` on. */
  readonly frame: number
  /** Members of `REASONS` that may be reported; none: it is no fault of translation. */
  readonly reasons: readonly number[]
  readonly record: 'none' | 'possible' | 'certain'
  /** It may as well reach nothing, without a record: protected regions may block what is translated. */
  readonly isOptional: boolean
  /** It would reach memory that is not followed: not to be attempted. */
  readonly isLost: boolean
}

const { ROOT_ABSENT, CONTEXT_ABSENT, CONTEXT_INVALID, BEYOND_WIDTH, WRITE, READ } = DMA_FAULT
const { TABLE_UNREADABLE, ROOT_UNREADABLE, CONTEXT_UNREADABLE } = DMA_FAULT
const { ROOT_RESERVED, CONTEXT_RESERVED, ENTRY_RESERVED, TYPE_BLOCKED } = DMA_FAULT
/** Faults that are recorded whatever the context entry says: it was not reached. */
const UNQUALIFIED: readonly number[] = [ROOT_ABSENT, ROOT_UNREADABLE, CONTEXT_UNREADABLE, ROOT_RESERVED]

const SETTLED = { isLost: false, isOptional: false } as const
/** Memory of a target of this machine ends below 1 GiB. */
const MEMORY_PAGES_MAX = 2 ** 18

export const outcomeOf = (tables: Tables, attempt: Attempt): Result => {
  const { context } = tables
  const own = attempt.page - tables.arena
  const isGuarded = (at: number): boolean => tables.guarded > 0 && Math.floor(at / 512) === tables.guarded
  const reach = (decision: Decision, at: number): Result => {
    const frame = FIRST_FRAME + FRAMES.indexOf(at)
    const isMemory = at + tables.arena < MEMORY_PAGES_MAX
    return {
      decision,
      frame: frame < FIRST_FRAME ? NOTHING : frame,
      reasons: [],
      record: 'none',
      isLost: frame < FIRST_FRAME && isMemory,
      isOptional: isGuarded(at),
    }
  }
  const fault = (decision: Decision, ...codes: readonly number[]): Result => {
    const isSilent = context.silent && codes.every((code) => !UNQUALIFIED.includes(code))
    const reasons = codes.map((code) => REASONS.indexOf(code))
    return { decision, frame: NOTHING, reasons, record: isSilent ? 'none' : 'certain', ...SETTLED }
  }
  const untranslated = (decision: Decision): Result =>
    isGuarded(own) ? { ...reach('protected', own), frame: NOTHING, ...SETTLED } : reach(decision, own)

  // Not DMA at all: what becomes of it is nobody's memory, and the standard leaves open what is reported of it.
  if (isWindow(attempt.page)) {
    const reasons = REASONS.map((_code, reason) => reason)
    return { decision: 'window', frame: NOTHING, reasons, record: tables.on ? 'possible' : 'none', ...SETTLED }
  }
  if (!tables.on) return untranslated('off')
  // The mode is at fault; a unit may look at root and context entry before it says so.
  if (attempt.pasid) {
    const { reasons, record } = outcomeOf(tables, { ...attempt, pasid: false })
    const isSilent = context.silent || record === 'possible'
    return {
      ...fault('pasid', SCALABLE_FAULT.MODE),
      reasons: [...reasons, REASONS.indexOf(SCALABLE_FAULT.MODE)],
      record: isSilent ? 'possible' : 'certain',
    }
  }

  if (!tables.rootReadable) return fault('unreadable', ROOT_UNREADABLE)
  if (!tables.root.present) return fault('noRoot', ROOT_ABSENT)
  if (tables.root.flaw !== 'none') return fault('reserved', ROOT_RESERVED)
  if (tables.root.to === 'nowhere') return fault('unreadable', CONTEXT_UNREADABLE)

  if (!context.present) return fault('noContext', CONTEXT_ABSENT)
  if (context.flaw !== 'none') return fault('reserved', CONTEXT_RESERVED)
  const { type } = context
  const isKnown = type === 'tables' || (type === 'pass' ? tables.passes : type === 'translated' && tables.deviceTlb)
  if (!isKnown || context.width === 'unknown') return fault('invalid', CONTEXT_INVALID)
  const levels = context.width === 'narrow' ? 3 : tables.levels
  if (levels < tables.levels && !tables.narrow) return fault('invalid', CONTEXT_INVALID)

  if (attempt.claimed) return type === 'translated' ? untranslated('claimed') : fault('type', TYPE_BLOCKED)
  const isBeyond = attempt.page >= 512 ** levels
  if (type === 'pass') {
    // There is no memory up there; whether the unit or the bus refuses it is the same to everybody.
    const passed = untranslated('passed')
    return isBeyond ? { ...passed, reasons: [REASONS.indexOf(BEYOND_WIDTH)], record: 'possible' } : passed
  }
  if (isBeyond) return fault('width', BEYOND_WIDTH)

  return walk(tables, attempt, levels, { reach, fault })
}

interface Ends {
  reach(decision: Decision, at: number): Result
  fault(decision: Decision, ...codes: readonly number[]): Result
}

/** From the highest table down. A unit may look at permissions at each level, or once it has them all. */
const walk = (tables: Tables, { write, page }: Attempt, levels: number, { reach, fault }: Ends): Result => {
  const refusal = write ? WRITE : READ
  let denied: 'upper' | 'leaf' | undefined
  let table = tables.context.astray ? undefined : tableAt(tables.context.domain, levels)
  const stop = (decision: Decision, code: number): Result =>
    denied === undefined ? fault(decision, code) : fault(denied, refusal, code)
  for (let level = levels; ; level--) {
    // Reason 3 has this as an example, and 7 fits as well.
    if (table === undefined) return fault('unreadable', TABLE_UNREADABLE, CONTEXT_INVALID)
    if (tableOf(table) === undefined) return stop('unreadable', TABLE_UNREADABLE)
    const entry = tables.paging(table, indexAt(page, level))
    const isLeaf = level === 1 || (entry?.large ?? false)
    const isAbsent = entry === undefined || (!entry.read && !entry.write)
    // One that allows neither is absent, and nothing else in it counts.
    if (isAbsent) return fault(denied ?? (level === 1 ? 'leaf' : 'upper'), refusal)
    if (!(write ? entry.write : entry.read)) denied ??= isLeaf ? 'leaf' : 'upper'
    const pages = 512 ** (level - 1)
    const isLarge = level > 1 && entry.large
    const isPossible = !isLarge || (level === 2 && tables.large > 0) || (level === 3 && tables.large > 1)
    const isAligned = !isLarge || (entry.address + tables.arena) % pages === 0
    if (entry.reserved || !isPossible || !isAligned) return stop('reserved', ENTRY_RESERVED)
    if (!isLeaf) {
      table = entry.address
      continue
    }
    if (denied !== undefined) return fault(denied, refusal)
    return reach(isLarge ? 'mappedLarge' : 'mapped', entry.address + (page % pages))
  }
}
