/**
 * Translation (VT-d, legacy mode): one access of a device against the tables in memory. Everything is invalidated before each
 * access, so that there is one outcome that is allowed; what may be used until an invalidation is the machine `invalidation`.
 *
 * Memory is a few named cells, each with a value out of a list (`translation-entries`); what comes of an access is computed
 * from them (`translation-walk`), and what is recorded of it is followed (`translation-log`).
 */
import {
  type Bits,
  type Cells,
  machine,
  noBits,
  type ReadonlyCells,
  scoped,
  t,
} from '../../src/kernel/language/index.ts'
import { DMA_FAULT, SCALABLE_FAULT } from '../../src/layout/vtd.ts'
import { type ClauseId, clause } from '../clauses/index.ts'
import {
  contentOf,
  contextEntriesOf,
  DATA_FRAMES,
  FIRST_FRAME,
  fitsLevel,
  indexAt,
  NOTHING,
  type PagingContent,
  PLAIN,
  pagesOf,
  pagingEntriesOf,
  ROOTS_READABLE,
  rootEntriesOf,
  TABLE_ENTRIES,
  tableAt,
} from './translation-entries.ts'
import { blame, calm, type Fault, firstCertain, look, someCandidate, sure, take, theFirst } from './translation-log.ts'
import { type Attempt, DECISIONS, type Decision, outcomeOf, REASONS, type Result } from './translation-walk.ts'

/** How an access is made: within its page, over its end, as one that is translated already, with a PASID. */
const form = t.oneOf('inside', 'over', 'claimed', 'pasid')
type Form = 'inside' | 'over' | 'claimed' | 'pasid'

interface Pending {
  waits: boolean
  decision: Decision
  first: number
  second: number
  /** Either may as well be nothing. */
  optional: boolean
  secondOptional: boolean
  /** What the root table that is not in force would have made of it. */
  lure: number
}
type Answer = { readonly first: number; readonly second: number }

/** What decides the first page of an access, and the duty that it is. */
const DUTIES: Readonly<Record<Decision, ClauseId>> = {
  off: 'VTD-01',
  passed: 'VTD-11',
  claimed: 'VTD-34',
  mapped: 'VTD-02',
  mappedLarge: 'VTD-10',
  protected: 'VTD-32',
  window: 'VTD-31',
  pasid: 'VTD-33',
  noRoot: 'VTD-03',
  noContext: 'VTD-03',
  reserved: 'VTD-04',
  invalid: 'VTD-05',
  type: 'VTD-34',
  width: 'VTD-08',
  upper: 'VTD-06',
  leaf: 'VTD-07',
  unreadable: 'VTD-09',
}
const decided = (decision: Decision) => ({
  clause: clause(DUTIES[decision]),
  given: (s: Readonly<Pending>) => s.decision === decision,
  holds: (s: Readonly<Pending>, { first }: Answer) => first === s.first || (s.optional && first === NOTHING),
})
const byDecision = Object.fromEntries(DECISIONS.map((each) => [each, decided(each)])) as Readonly<
  Record<Decision, ReturnType<typeof decided>>
>

/** Reasons of one kind, and the duty to tell of them. */
const told = (id: ClauseId, ...codes: readonly number[]) => {
  const group = codes.reduce<Bits>((set, code) => set.with(REASONS.indexOf(code)), noBits)
  return {
    clause: clause(id),
    given: (s: Parameters<typeof theFirst>[0], { found }: Answered) =>
      found && theFirst(s) !== undefined && group.contains(theFirst(s)!.reasons),
    holds: (s: Parameters<typeof theFirst>[0], { reason }: Answered) =>
      reason !== undefined && theFirst(s)!.reasons.has(reason),
  }
}
interface Answered {
  readonly found: boolean
  readonly reason: number | undefined
}
const { ROOT_ABSENT, CONTEXT_ABSENT, CONTEXT_INVALID, BEYOND_WIDTH, WRITE, READ } = DMA_FAULT
const { TABLE_UNREADABLE, ROOT_UNREADABLE, CONTEXT_UNREADABLE, TYPE_BLOCKED } = DMA_FAULT
const { ROOT_RESERVED, CONTEXT_RESERVED, ENTRY_RESERVED } = DMA_FAULT
const byReason = {
  tellsOfAbsence: told('VTD-03', ROOT_ABSENT, CONTEXT_ABSENT),
  tellsOfReservedBits: told('VTD-04', ROOT_RESERVED, CONTEXT_RESERVED, ENTRY_RESERVED),
  tellsOfTheEntry: told('VTD-05', CONTEXT_INVALID),
  tellsOfPermission: told('VTD-07', WRITE, READ),
  tellsOfTheWidth: told('VTD-08', BEYOND_WIDTH),
  tellsOfTheTable: told('VTD-09', TABLE_UNREADABLE, ROOT_UNREADABLE, CONTEXT_UNREADABLE),
  tellsOfTheType: told('VTD-34', TYPE_BLOCKED),
  tellsOfThePasid: told('VTD-33', SCALABLE_FAULT.MODE),
}
const PASID_REASON = REASONS.indexOf(SCALABLE_FAULT.MODE)

/** So many pages are accessed most; those after them are at edges of what there is. */
const NEAR = 5
interface EntryArgs {
  readonly domain: number
  readonly page: number
  readonly level: number
  readonly entry: number
}

export const translation = scoped(
  'translation',
  {
    /** One device and one page: every entry of each of its tables. */
    explored: {
      buses: 1,
      devices: 1,
      pages: 1,
      domains: 1,
      frames: 3,
      levels: 3,
      narrow: 0,
      roots: 4,
      contexts: 5,
      entries: 5,
      tables: 1,
      protection: 0,
      large: 1,
      passes: 1,
      deviceTlb: 0,
      forms: 1,
      reads: 1,
      records: 0,
      reasons: 2,
      messages: 0,
      arena: 512,
    },
    /** An access over the edge of a page. */
    edge: {
      buses: 1,
      devices: 1,
      pages: 2,
      domains: 1,
      frames: 6,
      levels: 3,
      narrow: 0,
      roots: 1,
      contexts: 2,
      entries: 4,
      tables: 1,
      protection: 0,
      large: 1,
      passes: 1,
      deviceTlb: 0,
      forms: 2,
      reads: 0,
      records: 0,
      reasons: 2,
      messages: 0,
      arena: 512,
    },
    /** Two devices, the fault records, and the message of them. */
    recorded: {
      buses: 1,
      devices: 2,
      pages: 1,
      domains: 1,
      frames: 3,
      levels: 3,
      narrow: 0,
      roots: 1,
      contexts: 3,
      entries: 1,
      tables: 1,
      protection: 0,
      large: 1,
      passes: 1,
      deviceTlb: 0,
      forms: 1,
      reads: 0,
      records: 1,
      reasons: 2,
      messages: 1,
      arena: 512,
    },
    played: {
      buses: 2,
      devices: 3,
      pages: 13,
      domains: 2,
      frames: 14,
      levels: 4,
      narrow: 1,
      roots: 8,
      contexts: 16,
      entries: 14,
      tables: 3,
      protection: 1,
      large: 2,
      passes: 1,
      deviceTlb: 1,
      forms: 4,
      reads: 1,
      records: 4,
      reasons: 15,
      messages: 1,
      arena: 512,
    },
  },
  (bounds) => {
    const { buses, devices, domains, levels, records, arena } = bounds
    const pages = pagesOf(bounds.pages, arena)
    const rootEntries = rootEntriesOf(Math.max(bounds.roots, 2))
    const contextEntries = contextEntriesOf(Math.max(bounds.contexts, 2), domains)
    const pagingEntries = pagingEntriesOf(Math.max(bounds.entries, 2))
    const page = t.below(pages.length)
    const near = t.below(Math.min(NEAR, pages.length))
    const hasFar = pages.length > NEAR
    const far = hasFar ? t.int(NEAR, pages.length - 1) : t.below(1)
    const frame = t.below(FIRST_FRAME + bounds.frames)
    const secondFrame = t.below(bounds.forms > 1 ? FIRST_FRAME + bounds.frames : 1)
    const device = t.below(devices)
    const rootTable = t.below(bounds.tables)
    const rootEntry = t.below(rootEntries.length)
    const contextEntry = t.below(contextEntries.length)
    const pagingEntry = t.below(pagingEntries.length)
    const domain = t.below(domains)
    const level = t.int(1, levels)
    const reasons = t.set(bounds.reasons)
    const rootsHeld = Math.min(bounds.tables, ROOTS_READABLE)

    // The entries that exist: each index that a chosen page has at a level, in either domain's table of that level.
    const cells = [1, 2, 3, 4].map((each) => [...new Set(pages.map((one) => indexAt(one, each)))])
    const starts = cells.map((_indexes, at) => cells.slice(0, at).reduce((sum, { length }) => sum + length, 0))
    const perDomain = cells.slice(0, levels).reduce((sum, { length }) => sum + length, 0)
    const cellOf = (inDomain: number, atLevel: number, index: number): number =>
      inDomain * perDomain + starts[atLevel - 1]! + cells[atLevel - 1]!.indexOf(index)
    const cellOfPage = (inDomain: number, ofPage: number, atLevel: number): number =>
      cellOf(inDomain, atLevel, indexAt(pages[ofPage]!, atLevel))
    /** What each cell says with each entry in it; the cell by the page of its table, and its index. */
    const contents: PagingContent[][] = []
    const places = new Map<number, number>()
    for (let each = 0; each < domains; each++)
      for (let at = 1; at <= levels; at++)
        for (const index of cells[at - 1]!) {
          const cell = cellOf(each, at, index)
          places.set(tableAt(each, at) * TABLE_ENTRIES + index, cell)
          contents[cell] = pagingEntries.map((entry) => contentOf(entry, { domain: each, level: at, index, arena }))
        }
    /** Devices are on the buses in turn. */
    const busOf = (ofDevice: number): number => ofDevice % buses
    const contextAt = (bus: number, ofDevice: number): number => bus * devices + ofDevice
    const otherContextAt = (ofDevice: number): number => contextAt((busOf(ofDevice) + 1) % buses, ofDevice)
    /** At first devices share domains over buses; in the table of the other bus each is in the other domain. */
    const firstContext = (at: number): number => {
      const [bus, each] = [Math.floor(at / devices), at % devices]
      return PLAIN + ((bus + (each >> 1)) % domains)
    }
    const isAnotherEntry = (s: Memory & Pending, { domain, page, level, entry }: EntryArgs): boolean =>
      !s.waits &&
      bounds.entries > 1 &&
      fitsLevel(pagingEntries[entry]!, level) &&
      s.paging.at(cellOfPage(domain, page, level)) !== entry
    const isPlain = (entry: number): boolean => entry === PLAIN
    const areFirst = (contexts: ReadonlyCells<number>): boolean =>
      contexts.every((entry, at) => entry === firstContext(at))
    const fillTables = (s: Pick<Held, 'roots' | 'contexts' | 'paging'>): void => {
      s.roots.fill(PLAIN)
      s.paging.fill(PLAIN)
      for (let at = 0; at < s.contexts.length; at++) s.contexts.set(at, firstContext(at))
    }
    const pageAfter = (first: number): number | undefined => {
      const at = pages.indexOf(pages[first]! + 1)
      return at < 0 ? undefined : at
    }

    interface Held {
      readonly roots: Cells<number>
      readonly contexts: Cells<number>
      readonly paging: Cells<number>
    }
    interface Memory {
      readonly on: boolean
      readonly guarded: number
      readonly root: number
      readonly written: number
      readonly roots: ReadonlyCells<number>
      readonly contexts: ReadonlyCells<number>
      readonly paging: ReadonlyCells<number>
    }
    /** What comes of an access to one page, by the root table of that number. */
    const resultOf = (s: Memory, byRoot: number, from: number, attempt: Attempt): Result => {
      const bus = busOf(from)
      const isReadable = byRoot < ROOTS_READABLE
      const root = rootEntries[isReadable ? s.roots.at(byRoot * buses + bus) : PLAIN]!
      const contextBus = root.to === 'other' ? (bus + 1) % buses : bus
      return outcomeOf(
        {
          on: s.on,
          guarded: s.guarded,
          arena,
          rootReadable: isReadable,
          root,
          context: contextEntries[s.contexts.at(contextAt(contextBus, from))]!,
          paging(at, index) {
            const cell = places.get(at * TABLE_ENTRIES + index)
            return cell === undefined ? undefined : contents[cell]![s.paging.at(cell)]
          },
          levels: levels as 3 | 4,
          narrow: bounds.narrow === 1,
          passes: bounds.passes === 1,
          deviceTlb: bounds.deviceTlb === 1,
          large: bounds.large,
        },
        attempt,
      )
    }
    const attemptOf = (at: number, how: Form, write: boolean): Attempt => ({
      write,
      page: pages[at]!,
      pasid: how === 'pasid',
      claimed: how === 'claimed',
    })
    /** Data frames can be accessed everywhere; a table, by a read of what is behind its entries. */
    const isHarmless = ({ frame: reached, isLost }: Result, write: boolean, how: Form): boolean =>
      !isLost && (reached < FIRST_FRAME + DATA_FRAMES || (!write && how !== 'over'))
    const isPlayable = (s: Memory, from: number, at: number, how: Form, write: boolean): boolean => {
      if (form.names!.indexOf(how) >= bounds.forms) return false
      const result = resultOf(s, s.root, from, attemptOf(at, how, write))
      if (!isHarmless(result, write, how)) return false
      // Translated requests and PASIDs mean nothing to a unit that is off; a claimed address is one of memory.
      if (how === 'pasid' || how === 'claimed') return s.on && result.decision !== 'window' && at < 4
      if (how !== 'over') return true
      const next = pageAfter(at)
      return next !== undefined && isHarmless(resultOf(s, s.root, from, attemptOf(next, 'inside', write)), write, how)
    }

    const isCutOff = (s: Memory, from: number, at: number): boolean => {
      const [first, second] = [at, pageAfter(at) ?? at].map((each) =>
        resultOf(s, s.root, from, attemptOf(each, 'inside', true)),
      )
      return first!.frame !== NOTHING && second!.frame === NOTHING
    }

    interface Written extends Memory, Pending {
      readonly entries: { readonly length: number; at(index: number): Fault }
      logged: number
      overflow: 'no' | 'possible' | 'certain'
      lost: boolean
      event: 'no' | 'possible' | 'certain'
      silent: boolean
    }
    const access = (s: Written, from: number, at: number, how: Form, write: boolean): void => {
      const first = resultOf(s, s.root, from, attemptOf(at, how, write))
      const next = how === 'over' ? pageAfter(at) : undefined
      const second = next === undefined ? undefined : resultOf(s, s.root, from, attemptOf(next, 'inside', write))
      s.waits = true
      s.decision = first.decision
      s.first = first.frame
      s.second = second?.frame ?? NOTHING
      s.optional = first.isOptional
      s.secondOptional = second?.isOptional ?? false
      s.lure = s.written === s.root ? NOTHING : resultOf(s, s.written, from, attemptOf(at, how, write)).frame
      if (records === 0) return
      const report = (result: Result, ofPage: number, isSure: boolean): void => {
        s.silent ||= result.reasons.length > 0 && result.record === 'none'
        if (result.record === 'none') return
        blame(s, records, {
          certain: isSure && result.record === 'certain',
          device: from,
          page: ofPage,
          write,
          reasons: result.reasons.reduce<Bits>((set, reason) => set.with(reason), noBits),
        })
      }
      report(first, at, true)
      // A unit may refuse all of an access for its first page.
      if (second !== undefined) report(second, next!, first.frame !== NOTHING && !first.isOptional)
    }
    const answered = (s: Written): void => {
      s.waits = false
      s.decision = 'off'
      s.first = s.second = s.lure = NOTHING
      s.optional = s.secondOptional = false
    }

    return machine({
      source: 'VT-d 4.1',
      state: {
        /** Translation is enabled. */
        on: t.flag,
        /** The block of frames that no untranslated access reaches; 0: none. */
        guarded: t.below(3),
        /** The root table in force, and the one whose address was written. */
        root: rootTable,
        written: rootTable,
        /** What memory holds: root entries by table and bus, context entries by bus and device, entries by domain. */
        roots: t.array(rootsHeld * buses, rootEntry),
        contexts: t.array(buses * devices, contextEntry),
        paging: t.array(domains * perDomain, pagingEntry),
        /** The access that was made last, until what came of it is seen. */
        waits: t.flag,
        decision: t.oneOf(...DECISIONS),
        first: frame,
        second: secondFrame,
        optional: t.flag,
        secondOptional: t.flag,
        lure: frame,
        /** What is recorded of faults. */
        entries: t.array(
          records === 0 ? 1 : records + 2,
          t.record({ certain: t.flag, device, page, write: t.flag, reasons }),
        ),
        logged: t.below(records === 0 ? 2 : records + 3),
        overflow: sure,
        lost: t.flag,
        /** A fault was not to be recorded. */
        silent: t.flag,
        /** A message about them is due, or held back. */
        event: sure,
        masked: t.flag,
      },
      // Every device has a domain, and every page of it is mapped.
      initial(s) {
        s.on = true
        fillTables(s)
        answered(s)
      },
      actions: {
        'driver.map': {
          does: 'Writes the entry of a page at a level of the tables of a domain.',
          args: { domain, page: near, level, entry: pagingEntry },
          weight: 24,
          when: isAnotherEntry,
          effect: (s, { domain, page, level, entry }) => s.paging.set(cellOfPage(domain, page, level), entry),
        },
        'driver.mapFar': {
          does: 'The same for an address high up, or at the interrupt window.',
          args: { domain, page: far, level, entry: pagingEntry },
          weight: 3,
          when: (s, args) => hasFar && isAnotherEntry(s, args),
          effect: (s, { domain, page, level, entry }) => s.paging.set(cellOfPage(domain, page, level), entry),
        },
        'driver.restore': {
          does: 'Writes every entry as it was at first.',
          weight: 8,
          when: (s) => !s.waits && (!s.paging.every(isPlain) || !s.roots.every(isPlain) || !areFirst(s.contexts)),
          effect: fillTables,
        },
        'driver.attach': {
          does: 'Writes the context entry of a device.',
          args: { device, entry: contextEntry },
          weight: 16,
          when: (s, { device, entry }) =>
            !s.waits && bounds.contexts > 1 && s.contexts.at(contextAt(busOf(device), device)) !== entry,
          effect: (s, { device, entry }) => s.contexts.set(contextAt(busOf(device), device), entry),
        },
        'driver.attachElsewhere': {
          does: 'Writes a context entry at the place of a device in the table of the other bus.',
          args: { device, entry: contextEntry },
          weight: 2,
          when: (s, { device, entry }) => !s.waits && buses > 1 && s.contexts.at(otherContextAt(device)) !== entry,
          effect: (s, { device, entry }) => s.contexts.set(otherContextAt(device), entry),
        },
        'driver.setBus': {
          does: 'Writes the root entry of a bus, in the table in force or in the one whose address was written.',
          args: { bus: t.below(buses), entry: rootEntry, inForce: t.flag },
          weight: 5,
          when(s, { bus, entry, inForce }) {
            const table = inForce ? s.root : s.written
            if (s.waits || bounds.roots < 2 || table >= rootsHeld || (!inForce && s.root === s.written)) return false
            return (rootEntries[entry]!.to !== 'other' || buses > 1) && s.roots.at(table * buses + bus) !== entry
          },
          effect: (s, { bus, entry, inForce }) => s.roots.set((inForce ? s.root : s.written) * buses + bus, entry),
        },
        'driver.setRoot': {
          does: 'Writes the address of another root table, or one at which there is no memory.',
          args: { table: rootTable },
          weight: 3,
          when: (s, { table }) => !s.waits && s.written !== table,
          effect: (s, { table }) => void (s.written = table),
        },
        'driver.useRoot': {
          does: 'Commands that the written address be used.',
          weight: 6,
          when: (s) => !s.waits && s.written !== s.root,
          effect: (s) => void (s.root = s.written),
        },
        'driver.enable': {
          weight: 9,
          when: (s) => !s.waits && !s.on,
          effect: (s) => void (s.on = true),
        },
        'driver.disable': {
          weight: 3,
          when: (s) => !s.waits && s.on,
          effect: (s) => void (s.on = false),
        },
        'driver.protect': {
          does: 'Makes a block of frames a protected region, or none.',
          args: { block: t.below(3) },
          weight: 5,
          when: (s, { block }) => !s.waits && bounds.protection === 1 && s.guarded !== block,
          effect: (s, { block }) => void (s.guarded = block),
        },
        'device.write': {
          does: 'Writes a tag to an IOVA.',
          args: { device, page: near, form },
          weight: 36,
          when: (s, { device, page, form }) => !s.waits && isPlayable(s, device, page, form, true),
          effect: (s, { device, page, form }) => access(s, device, page, form, true),
        },
        'device.read': {
          does: 'Reads an IOVA.',
          args: { device, page: near, form },
          weight: 30,
          when: (s, { device, page, form }) =>
            !s.waits && bounds.reads === 1 && isPlayable(s, device, page, form, false),
          effect: (s, { device, page, form }) => access(s, device, page, form, false),
        },
        'device.reach': {
          does: 'Reads or writes an IOVA high up, or at the interrupt window.',
          args: { device, page: far, form, write: t.flag },
          weight: 8,
          when: (s, { device, page, form, write }) => !s.waits && hasFar && isPlayable(s, device, page, form, write),
          effect: (s, { device, page, form, write }) => access(s, device, page, form, write),
        },
        'iommu.answer': {
          does: 'The frame that was reached, of either page of an access; what the target tells of it agrees with memory.',
          args: { first: frame, second: secondFrame, agrees: t.flag },
          when: (s) => s.waits,
          requires: {
            byTheRootInForce: {
              clause: clause('VTD-25'),
              given: (s) => s.lure !== s.first,
              holds: (s, { first }) => first !== s.lure || first === NOTHING,
            },
            ...byDecision,
            pageByPage: {
              clause: clause('VTD-35'),
              given: (s, { first }) => first !== NOTHING || s.second === NOTHING,
              holds: (s, { second }) => second === s.second || (s.secondOptional && second === NOTHING),
            },
            notPastARefusal: {
              clause: clause('VTD-35'),
              given: (s, { first }) => first === NOTHING && s.second !== NOTHING,
              holds: (s, { second }) => second === s.second || second === NOTHING,
            },
            isToldAsItIs: { clause: clause('VTD-35'), holds: (_s, { agrees }) => agrees },
          },
          effect: answered,
          eager: (s) =>
            s.waits ? { first: s.first, second: s.first === NOTHING ? NOTHING : s.second, agrees: true } : undefined,
        },
        'driver.takeFault': {
          does: 'Reads the oldest fault record, and frees it.',
          weight: 17,
          when: (s) => !s.waits && records > 0,
        },
        'iommu.answerFault': {
          does: 'What that record and the fault status show.',
          args: {
            found: t.flag,
            pending: t.flag,
            overflow: t.flag,
            reason: t.maybe(t.below(bounds.reasons)),
            device: t.maybe(device),
            page: t.maybe(page),
            write: t.flag,
            pasid: t.flag,
          },
          when: () => records > 0,
          requires: {
            isRecorded: {
              clause: clause('VTD-26'),
              given: (s) => !s.lost && firstCertain(s) < s.logged,
              holds: (_s, { found }) => found,
            },
            staysSilent: {
              clause: clause('VTD-29'),
              given: (s) => !s.lost && s.logged === 0 && s.silent,
              holds: (_s, { found }) => !found,
            },
            hasACause: {
              clause: clause('VTD-26'),
              given: (s) => !s.lost && s.logged === 0 && !s.silent,
              holds: (_s, { found }) => !found,
            },
            namesTheSource: {
              clause: clause('VTD-26'),
              given: (s, { found }) => found && !s.lost,
              holds: (s, { device }) => someCandidate(s, (fault) => fault.device === device),
            },
            namesThePage: {
              clause: clause('VTD-26'),
              given: (s, { found }) => found && !s.lost,
              holds: (s, { device, page }) =>
                someCandidate(s, (fault) => fault.device === device && fault.page === page),
            },
            namesTheAccess: {
              clause: clause('VTD-26'),
              given: (s, { found }) => found && !s.lost,
              holds: (s, { device, page, write }) =>
                someCandidate(s, (fault) => fault.device === device && fault.page === page && fault.write === write),
            },
            ...byReason,
            namesAReason: {
              clause: clause('VTD-26'),
              given: (s, { found }) => found && !s.lost,
              holds: (s, { reason, device, page, write }) =>
                reason !== undefined &&
                someCandidate(
                  s,
                  (fault) =>
                    fault.device === device &&
                    fault.page === page &&
                    fault.write === write &&
                    fault.reasons.has(reason),
                ),
            },
            namesThePasid: {
              clause: clause('VTD-33'),
              given: (_s, { found, reason }) => found && reason === PASID_REASON,
              holds: (_s, { pasid }) => pasid,
            },
            isSummedUp: { clause: clause('VTD-26'), holds: (_s, { found, pending }) => found === pending },
            tellsOfOverflow: {
              clause: clause('VTD-27'),
              given: (s) => !s.lost && s.overflow === 'certain',
              holds: (_s, { overflow }) => overflow,
            },
            noOverflowBefore: {
              clause: clause('VTD-27'),
              given: (s) => !s.lost && s.overflow === 'no',
              holds: (_s, { overflow }) => !overflow,
            },
          },
          effect(s, { found, overflow, reason, device, page, write }) {
            take(s, found ? { reason, device, page, write } : undefined)
            look(s, overflow)
            calm(s)
            if (!found) s.silent = false
          },
        },
        'driver.clearOverflow': {
          does: 'Clears the overflow bit.',
          weight: 4,
          when: (s) => !s.waits && s.overflow !== 'no',
          effect(s) {
            look(s, false)
            calm(s)
          },
        },
        'driver.mask': {
          does: 'Masks the message about faults, or lets it out.',
          args: { masked: t.flag },
          weight: 9,
          when: (s, { masked }) => !s.waits && records > 0 && bounds.messages === 1 && s.masked !== masked,
          effect: (s, { masked }) => void (s.masked = masked),
        },
        'iommu.interrupt': {
          does: 'The message about faults leaves.',
          requires: {
            staysMasked: { clause: clause('VTD-28'), holds: (s) => !s.masked },
            once: { clause: clause('VTD-28'), holds: (s) => s.event !== 'no' },
          },
          effect: (s) => void (s.event = 'no'),
          eager: (s) => (s.event === 'certain' && !s.masked && !s.waits ? {} : undefined),
        },
      },
      owes: {
        'iommu.answer': { clause: clause('VTD-01'), when: (s) => s.waits },
        'iommu.interrupt': {
          clause: clause('VTD-28'),
          when: (s) => bounds.messages === 1 && s.event === 'certain' && !s.masked,
        },
      },
      goals: {
        aLargePage: (s) => s.waits && s.decision === 'mappedLarge',
        anAccessThatIsCutOff: {
          on: 'device.write',
          when: (s, { device, page, form }) => form === 'over' && isCutOff(s, device, page),
        },
        aDeniedAccess: (s) => s.waits && s.decision === 'leaf',
        anAccessDeniedAbove: (s) => s.waits && s.decision === 'upper',
        aReservedBit: (s) => s.waits && s.decision === 'reserved',
        anUnreadableTable: (s) => s.waits && s.decision === 'unreadable',
        anInvalidContext: (s) => s.waits && s.decision === 'invalid',
        anAddressBeyondTheWidth: (s) => s.waits && s.decision === 'width',
        aTableReadAsData: (s) => s.first >= FIRST_FRAME + DATA_FRAMES,
        anotherRootWritten: (s) => s.waits && s.lure !== s.first,
        theWindow: (s) => s.waits && s.decision === 'window',
        aSilentFault: { on: 'driver.takeFault', when: (s) => s.logged === 0 && s.silent },
        anOverflow: { on: 'driver.takeFault', when: (s) => s.overflow === 'certain' },
        aPassedAccess: (s) => s.waits && s.decision === 'passed',
        aClaimedAddress: (s) => s.waits && s.decision === 'claimed',
        aNamedAddressSpace: (s) => s.waits && s.decision === 'pasid',
        aProtectedFrame: (s) => s.waits && s.decision === 'protected',
        aMessageHeldBack: { on: 'driver.mask', when: (s) => s.masked && s.event === 'certain' },
      },
    })
  },
)
