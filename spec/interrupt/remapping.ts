/**
 * Interrupt remapping (VT-d): requests of devices are looked up in a table in memory, and only what the table lets
 * through leaves, with the attributes of its entry.
 *
 * The unit may go on using an entry that was changed until an invalidation of it is complete: what it may use for an index
 * is what memory holds and the set of cacheable entries that it held since. A request is answered before the next one.
 */
import { type Bits, machine, noBits, type ReadonlyCells, scoped, t } from '../../src/kernel/language/index.ts'
import { REMAPPING_FAULT } from '../../src/layout/vtd-interrupts.ts'
import { type ClauseId, clause } from '../clauses/index.ts'
import { blockedBy, entriesOf, isCacheable, requestersOf } from './remapping-entries.ts'

/** Tables by number: one of four entries, one of 65,536, and one outside memory. */
export const TABLES = [
  { entries: 4, readable: true },
  { entries: 65_536, readable: true },
  { entries: 4, readable: false },
] as const
/** The entry that every index has at first. */
export const PLAIN = 1
/** Indexes that are followed: two of either table, the first beyond the small one, and one that needs all bits. */
export const SLOTS = [0, 3, 4, 0x8001] as const

/** How a request names its entry: by handle alone, with data that mean nothing, with a sub-handle. */
const form = t.oneOf('handle', 'noise', 'subhandle')
/** Requests that name none: one in the other format, one with a reserved bit, one beyond the table. */
const oddForm = t.oneOf('compatible', 'reserved', 'beyond')
const ODD_FAULTS = {
  compatible: REMAPPING_FAULT.COMPATIBILITY,
  reserved: REMAPPING_FAULT.RESERVED_REQUEST,
  beyond: REMAPPING_FAULT.BEYOND_TABLE,
} as const
/** Which entries are invalidated: one, or the aligned group of so many that it belongs to. */
const span = t.oneOf('one', 'four', 'half')
/** Low bits of the index that an invalidation leaves out of account. */
export const SPAN_MASKS = { one: 0, four: 2, half: 15 } as const
/** Why a request may not pass. */
const obstacle = t.oneOf('none', 'answered', 'request', 'entry', 'source', 'bus', 'format')
/** Reasons of faults count from here. */
const FIRST_REASON = REMAPPING_FAULT.RESERVED_REQUEST
const reason = t.below(9)
const INDEXED: readonly number[] = [
  REMAPPING_FAULT.BEYOND_TABLE,
  REMAPPING_FAULT.ABSENT,
  REMAPPING_FAULT.RESERVED_ENTRY,
  REMAPPING_FAULT.SOURCE,
]

interface Outcome {
  may: Bits
  earlier: number
  must: boolean
  obstacle: 'none' | 'answered' | 'request' | 'entry' | 'source' | 'bus' | 'format'
}
interface Faults {
  record: 'clear' | 'certain' | 'possible' | 'lost'
  reasons: Bits
  by: number
  index: number
  overflow: 'no' | 'possible' | 'certain'
  silent: boolean
}

interface Request extends Outcome, Faults {
  readonly table: number
  readonly memory: ReadonlyCells<number>
  readonly stale: ReadonlyCells<Bits>
  slot: number
  noisy: boolean
  missed: Bits
}

/** Nothing leaves for a request that is blocked, and one request is one interrupt: `what` would be the interrupt. */
const against = <A>(what: A, id: ClauseId, ...obstacles: readonly Outcome['obstacle'][]) => {
  const isKept = (s: Readonly<Outcome>): boolean => s.earlier === 0 && s.may.isEmpty && obstacles.includes(s.obstacle)
  return {
    clause: clause(id),
    given: isKept,
    holds: () => false,
    refrains: (s: Readonly<Outcome>) => (isKept(s) && s.obstacle !== 'none' ? what : undefined),
  }
}
/** What was blocked is recorded with its reason: that nothing left is a decision, too. */
const blockedFor = (obstacle: Outcome['obstacle']) => ({
  given: (s: Readonly<Faults & Outcome> & { readonly slot: number }, { found }: { readonly found: boolean }) =>
    found && s.record === 'certain' && s.index === s.slot && s.obstacle === obstacle,
  holds: (s: Readonly<Faults>, { reason }: { readonly reason: number | undefined }) =>
    reason !== undefined && s.reasons.has(reason),
})
const unblocked = <A>(what: A) => ({
  ofASoundRequest: against(what, 'IR-03', 'request', 'entry'),
  ofAnAcceptedSource: against(what, 'IR-04', 'source'),
  ofABusInRange: against(what, 'IR-05', 'bus'),
  ofAnAllowedFormat: against(what, 'IR-07', 'format'),
  once: against(what, 'IR-19', 'none', 'answered'),
})
/** What leaves now is of the last request. */
const isLast = (s: Readonly<Outcome>): boolean => s.earlier === 0
const answered = (s: Outcome): void => {
  if (s.earlier > 0) {
    s.earlier--
    return
  }
  s.may = noBits
  s.must = false
  s.obstacle = 'answered'
}

/** A request is blocked for one of these reasons, or may be; `isRecorded`: whatever happens, that is recorded. */
const blame = (s: Faults, causes: readonly number[], isRecorded: boolean, by: number, index: number): void => {
  const isOther = s.by !== by
  if (s.record === 'clear' && s.overflow === 'no') {
    s.record = isRecorded ? 'certain' : 'possible'
    s.reasons = causes.reduce((set, cause) => set.with(cause - FIRST_REASON), noBits)
    s.by = by
    s.index = index
    return
  }
  // Faults of one requester may be collapsed into one record.
  if (s.record === 'certain' && isRecorded && isOther) s.overflow = 'certain'
  else if (s.overflow === 'no') s.overflow = 'possible'
  if (s.record === 'possible') s.record = 'lost'
}
const forget = (s: Faults): void => {
  s.record = 'clear'
  s.reasons = noBits
  s.by = s.index = 0
  s.silent = false
}
const isKnown = (record: Faults['record']): boolean => record === 'certain' || record === 'possible'

export const remapping = scoped(
  'remapping',
  {
    /** One entry, and the fault record. */
    explored: {
      tables: 1,
      slots: 1,
      entries: 3,
      posting: 0,
      modes: 0,
      requesters: 2,
      faults: 1,
      outstanding: 1,
      own: 0x0528,
    },
    /** One entry, posted or not, in both modes. */
    posted: {
      tables: 1,
      slots: 1,
      entries: 4,
      posting: 1,
      modes: 1,
      requesters: 1,
      faults: 0,
      outstanding: 1,
      own: 0x0528,
    },
    /** Two entries, two tables. */
    pair: {
      tables: 2,
      slots: 2,
      entries: 2,
      posting: 0,
      modes: 0,
      requesters: 1,
      faults: 0,
      outstanding: 1,
      own: 0x0528,
    },
    played: {
      tables: 3,
      slots: 4,
      entries: 29,
      posting: 1,
      modes: 1,
      requesters: 11,
      faults: 1,
      outstanding: 8,
      own: 0x0528,
    },
  },
  ({ tables, slots, entries: wanted, posting, modes, requesters: count, faults, outstanding, own }) => {
    const entries = entriesOf(wanted, posting === 1)
    const requesters = requestersOf(count, own)
    const table = t.below(tables)
    const slot = t.id('slot', slots)
    const entry = t.below(entries.length)
    const requester = t.below(requesters.length)
    const several = t.set(entries.length + 1)
    /** A member of `several`: what the request says itself. */
    const ITSELF = entries.length
    const isInside = (inTable: number, at: number): boolean => SLOTS[at]! < TABLES[inTable]!.entries
    const holds = (inTable: number, at: number): boolean => TABLES[inTable]!.readable && isInside(inTable, at)
    const isPosted = (one: number): boolean => entries[one]?.format === 'posted'
    const obstacleOf = (one: number, from: number): 'none' | 'entry' | 'source' | 'bus' => {
      const cause = blockedBy(entries[one]!, requesters[from]!, own)
      if (cause !== REMAPPING_FAULT.SOURCE) return cause === undefined ? 'none' : 'entry'
      return entries[one]!.source.check === 'bus' ? 'bus' : 'source'
    }
    const cell = (inTable: number, at: number): number => inTable * slots + at
    /** What would only make the walk longer is left to what is played. */
    const isWhole = outstanding > 1

    /** There is room for another request. */
    const isFree = (s: { readonly must: boolean; readonly telling: boolean; readonly earlier: number }): boolean =>
      (!s.must || s.earlier < outstanding - 1) && !s.telling
    const begin = (s: Request, at: number): void => {
      if (s.must) s.earlier++
      s.slot = at
      s.may = noBits
      s.noisy = false
    }
    /** What comes of a request that names an entry inside the table. */
    const request = (s: Request, from: number, at: number): void => {
      begin(s, at)
      const causes: number[] = []
      let isRecorded = true
      let passes = true
      const consider = (one: number): void => {
        const cause = blockedBy(entries[one]!, requesters[from]!, own)
        if (cause !== undefined && !entries[one]!.silent) causes.push(cause)
        else isRecorded = false
        if (cause === undefined) s.may = s.may.with(one)
        else passes = false
        s.silent ||= faults === 1 && cause !== undefined && entries[one]!.silent
      }
      for (const one of s.stale.at(at).toArray()) consider(one)
      const memory = s.memory.at(cell(s.table, at))
      if (TABLES[s.table]!.readable) {
        consider(memory)
        s.obstacle = obstacleOf(memory, from)
        if (isWhole && !isCacheable(entries[memory]!)) s.missed = s.missed.with(at)
      } else {
        causes.push(REMAPPING_FAULT.TABLE_UNREADABLE)
        passes = false
        s.obstacle = 'request'
      }
      s.must = passes
      if (faults === 1 && causes.length > 0) blame(s, causes, isRecorded, from, at)
    }

    /** An interrupt as an entry says. */
    const isDue = (s: { readonly must: boolean; readonly may: Bits }): boolean =>
      s.must && !s.may.has(ITSELF) && !s.may.toArray().some(isPosted)

    return machine({
      source: 'VT-d 4.1',
      state: {
        on: t.flag,
        compatible: t.flag,
        /** The table address register, and what of it is in force. */
        written: t.record({ table, extended: t.flag }),
        table,
        extended: t.flag,
        /** The mode changed since everything was invalidated. */
        mixed: t.flag,
        /** What memory holds, by table and slot. */
        memory: t.array(tables * slots, entry),
        /** What may still be cached of each slot, and what of that an invalidation under way leaves. */
        stale: t.array(slots, several),
        kept: t.array(slots, several),
        /** Slots that it is about. */
        covered: t.set(slots),
        waiting: t.flag,
        /** The last request: what it may come out as, whether it has to, and what stands against it. */
        may: several,
        must: t.flag,
        obstacle,
        slot,
        /** Its data mean nothing. */
        noisy: t.flag,
        /** Slots with entries that may not be cached and were asked for; those that were filled since, without an invalidation. */
        missed: t.set(slots),
        filled: t.set(slots),
        /** Requests before it that have yet to come out; a unit that works at once has none. */
        earlier: t.below(outstanding),
        /** A notification is due for a posted request. */
        telling: t.flag,
        /** What the posted descriptor says of notifications: they are sent, suppressed, or one is under way. */
        notices: t.oneOf('sent', 'suppressed', 'outstanding'),
        /** The fault record: `possible` where it may be there, `lost` where it may be one of several. */
        record: t.oneOf('clear', 'certain', 'possible', 'lost'),
        reasons: t.set(9),
        by: requester,
        index: slot,
        overflow: t.oneOf('no', 'possible', 'certain'),
        /** A fault was not to be recorded. */
        silent: t.flag,
      },
      // Everything passes.
      initial(s) {
        s.on = true
        s.memory.fill(PLAIN)
      },
      actions: {
        'driver.write': {
          does: 'Writes an entry, all of it at once: of the table in force, or of the one whose address was written.',
          args: { slot, entry, inForce: t.flag },
          weight: 14,
          when(s, { slot, entry, inForce }) {
            const table = inForce ? s.table : s.written.table
            return (inForce || table !== s.table) && holds(table, slot) && s.memory.at(cell(table, slot)) !== entry
          },
          effect(s, { slot, entry, inForce }) {
            const table = inForce ? s.table : s.written.table
            const old = s.memory.at(cell(table, slot))
            s.memory.set(cell(table, slot), entry)
            if (table === s.table) {
              s.filled = s.missed.has(slot) ? s.filled.with(slot) : s.filled.without(slot)
              s.missed = s.missed.without(slot)
            }
            if (table !== s.table || !isCacheable(entries[old]!)) return
            s.stale.set(slot, s.stale.at(slot).with(old))
            if (s.waiting) s.kept.set(slot, s.kept.at(slot).with(old))
          },
        },
        'driver.setNotices': {
          does: 'Has notifications of posted requests suppressed, marks one as outstanding, or neither.',
          args: { notices: t.oneOf('sent', 'suppressed', 'outstanding') },
          weight: 1,
          when: (s, { notices }) => posting === 1 && outstanding > 1 && !s.telling && s.notices !== notices,
          effect: (s, { notices }) => void (s.notices = notices),
        },
        'driver.setTable': {
          does: 'Writes the address of another table.',
          args: { table },
          weight: 1.5,
          when: (s, { table }) => TABLES[table]!.readable && s.written.table !== table,
          effect: (s, { table }) => void (s.written.table = table),
        },
        'driver.setMode': {
          does: 'Writes the address register with the other mode: 32-bit destinations, and no compatibility format.',
          weight: 5,
          when: (s) => modes === 1 && s.written.extended === s.extended,
          effect: (s) => void (s.written.extended = !s.written.extended),
        },
        'driver.loseTable': {
          does: 'Writes an address at which there is no memory.',
          weight: 0.5,
          when: (s) => tables === TABLES.length && TABLES[s.written.table]!.readable,
          effect: (s) => void (s.written.table = tables - 1),
        },
        'driver.usePointer': {
          does: 'Commands that the written address be used.',
          weight: 20,
          when: (s) => !s.waiting && (s.written.table !== s.table || s.written.extended !== s.extended),
          effect(s) {
            for (let at = 0; at < slots; at++) {
              const old = s.memory.at(cell(s.table, at))
              if (holds(s.table, at) && isCacheable(entries[old]!)) s.stale.set(at, s.stale.at(at).with(old))
            }
            s.filled = s.filled.union(s.missed)
            s.missed = noBits
            s.mixed ||= s.written.extended !== s.extended
            s.table = s.written.table
            s.extended = s.written.extended
          },
        },
        'driver.enable': {
          weight: 10,
          when: (s) => !s.on,
          effect: (s) => void (s.on = true),
        },
        'driver.disable': {
          when: (s) => s.on,
          effect: (s) => void (s.on = false),
        },
        'driver.allowCompatible': {
          does: 'Lets requests in compatibility format pass, or not.',
          args: { on: t.flag },
          weight: 6,
          when: (s, { on }) => s.on && s.compatible !== on,
          effect: (s, { on }) => void (s.compatible = on),
        },
        'driver.readStatus': {},
        'irqchip.answerStatus': {
          args: { on: t.flag, compatible: t.flag, pointer: t.flag },
          requires: {
            showsWhatIsInForce: {
              clause: clause('IR-20'),
              holds: (s, { on, compatible, pointer }) => on === s.on && compatible === s.compatible && pointer,
            },
          },
        },
        'driver.flush': {
          does: 'Queues an invalidation of all entries, and a wait behind it.',
          weight: 7,
          when: (s) => !s.waiting,
          effect(s) {
            s.waiting = true
            for (let at = 0; at < slots; at++) s.covered = s.covered.with(at)
          },
        },
        'driver.invalidate': {
          does: 'Queues an invalidation by index, and a wait behind it.',
          args: { span, slot },
          weight: 10,
          when: (s) => !s.waiting,
          effect(s, { span, slot }) {
            const mask = SPAN_MASKS[span]
            s.waiting = true
            s.covered = noBits
            for (let at = 0; at < slots; at++)
              if (SLOTS[at]! >>> mask === SLOTS[slot]! >>> mask) s.covered = s.covered.with(at)
          },
        },
        'irqchip.complete': {
          does: 'Writes the status of the wait.',
          when: (s) => s.waiting,
          effect(s) {
            s.waiting = false
            for (let at = 0; at < slots; at++) {
              if (s.covered.has(at)) s.stale.set(at, s.kept.at(at))
              s.kept.set(at, noBits)
            }
            s.missed = s.missed.minus(s.covered)
            s.filled = s.filled.minus(s.covered)
            if (s.covered.size === slots) s.mixed = false
            s.covered = noBits
          },
          eager: (s) => (s.waiting ? {} : undefined),
        },
        'device.send': {
          does: 'Sends an interrupt request, as the requester that most entries are meant for.',
          args: { slot, form },
          weight: 22,
          when: (s, { slot }) => s.on && isFree(s) && isInside(s.table, slot),
          effect(s, { slot, form }) {
            request(s, 0, slot)
            s.noisy = isWhole && form === 'noise'
          },
        },
        'device.sendForeign': {
          does: 'Sends an interrupt request as another requester.',
          args: { requester, slot },
          weight: 8,
          when: (s, { requester, slot }) => requester > 0 && s.on && isFree(s) && isInside(s.table, slot),
          effect: (s, { requester, slot }) => request(s, requester, slot),
        },
        'device.sendOdd': {
          does: 'Sends an interrupt request that names no entry.',
          args: { form: oddForm, slot },
          weight: 7,
          when: (s, { form, slot }) =>
            isFree(s) && (s.on || form === 'compatible') && (form === 'beyond' ? !isInside(s.table, slot) : slot === 0),
          effect(s, { form, slot }) {
            begin(s, slot)
            s.must = !s.on || (form === 'compatible' && s.compatible && !s.extended)
            if (s.must) s.may = noBits.with(ITSELF)
            s.obstacle = s.must ? 'none' : form === 'compatible' ? 'format' : 'request'
            if (!s.must && faults === 1) blame(s, [ODD_FAULTS[form]], true, 0, slot)
          },
        },
        'irqchip.interrupt': {
          does: 'An interrupt leaves: with all attributes of an entry, as the request says itself, or like neither.',
          args: { as: t.below(entries.length + 2), wide: t.flag },
          requires: {
            ...unblocked({ as: PLAIN, wide: false }),
            whateverTheDataSay: {
              clause: clause('IR-15'),
              given: (s) => isLast(s) && s.noisy,
              holds: (s, { as }) => s.may.has(as),
            },
            likeAnEntry: { clause: clause('IR-06'), given: isLast, holds: (_s, { as }) => as <= ITSELF },
            byItself: {
              clause: clause('IR-16'),
              given: (s) => isLast(s) && s.may.has(ITSELF),
              holds: (_s, { as }) => as === ITSELF,
            },
            throughTheTable: {
              clause: clause('IR-06'),
              given: (s) => isLast(s) && !s.may.has(ITSELF),
              holds: (_s, { as }) => as !== ITSELF,
            },
            ofTheIndex: {
              clause: clause('IR-02'),
              given: (s) => isLast(s) && !s.may.has(ITSELF),
              holds: (s, { as }) =>
                s.may.has(as) || !s.stale.some((_set, at) => at !== s.slot && s.memory.at(cell(s.table, at)) === as),
            },
            ofTheTableInForce: {
              clause: clause('IR-09'),
              given: (s, { as }) => isLast(s) && !s.may.has(as),
              holds: (s, { as }) =>
                !s.memory.some((one, at) => at % slots === s.slot && at !== cell(s.table, s.slot) && one === as),
            },
            fresh: { clause: clause('IR-08'), given: isLast, holds: (s, { as }) => s.may.has(as) },
            inTheModeInForce: {
              clause: clause('IR-09'),
              given: (s, { as }) => isLast(s) && as < ITSELF && !s.mixed,
              holds: (s, { wide }) => wide === s.extended,
            },
          },
          effect: answered,
          eager(s) {
            if (s.earlier > 0) return { as: PLAIN, wide: false }
            const as = s.must ? s.may.first : undefined
            return as === undefined || isPosted(as) ? undefined : { as, wide: s.extended && as !== ITSELF }
          },
        },
        'irqchip.post': {
          does: 'A request is recorded in the posted descriptor, with the vector of an entry; `marked`: a notification is outstanding.',
          args: { entry, marked: t.flag },
          requires: {
            ...unblocked({ entry: PLAIN, marked: true }),
            outstandingWhenNotified: {
              clause: clause('PI-02'),
              holds: (s, { marked }) => marked === (s.notices !== 'suppressed'),
            },
            stillPosted: {
              clause: clause('IR-21'),
              given: (s, { entry }) => isLast(s) && !s.may.has(entry) && !isPosted(s.memory.at(cell(s.table, s.slot))),
              holds: () => false,
            },
            fresh: { clause: clause('PI-01'), given: isLast, holds: (s, { entry }) => s.may.has(entry) },
          },
          effect(s) {
            answered(s)
            s.telling = s.notices === 'sent'
          },
          eager(s) {
            const one = s.must && isLast(s) ? s.may.first : undefined
            return one !== undefined && isPosted(one) ? { entry: one, marked: s.notices !== 'suppressed' } : undefined
          },
        },
        'irqchip.notify': {
          does: 'A CPU is told of posted requests, with vector and destination of the descriptor.',
          requires: { ofAPostedRequest: { clause: clause('PI-02'), holds: (s) => s.telling } },
          effect: (s) => void (s.telling = false),
          eager: (s) => (s.telling ? {} : undefined),
        },
        'driver.readFault': { weight: 5, when: () => faults === 1 },
        'irqchip.answerFault': {
          does: 'What the fault record and the fault status show.',
          args: {
            found: t.flag,
            pending: t.flag,
            overflow: t.flag,
            reason: t.maybe(reason),
            requester: t.maybe(requester),
            slot: t.maybe(slot),
          },
          when: () => faults === 1,
          requires: {
            isRecorded: {
              clause: clause('IR-12'),
              given: (s) => s.record === 'certain',
              holds: (_s, { found }) => found,
            },
            staysSilent: {
              clause: clause('IR-13'),
              given: (s) => s.record === 'clear' && s.silent,
              holds: (_s, { found }) => !found,
            },
            hasACause: {
              clause: clause('IR-12'),
              given: (s) => s.record === 'clear' && !s.silent,
              holds: (_s, { found }) => !found,
            },
            namesTheReason: {
              clause: clause('IR-03'),
              given: (s, { found }) => found && isKnown(s.record),
              holds: (s, { reason }) => reason !== undefined && s.reasons.has(reason),
            },
            namesTheRequester: {
              clause: clause('IR-12'),
              given: (s, { found }) => found && isKnown(s.record),
              holds: (s, { requester }) => requester === s.by,
            },
            namesTheIndex: {
              clause: clause('IR-12'),
              given: (s, { found, reason }) =>
                found && isKnown(s.record) && reason !== undefined && INDEXED.includes(FIRST_REASON + reason),
              holds: (s, { slot }) => slot === s.index,
            },
            tellsOfTheSource: { clause: clause('IR-04'), ...blockedFor('source') },
            tellsOfTheBus: { clause: clause('IR-05'), ...blockedFor('bus') },
            tellsOfTheFormat: { clause: clause('IR-07'), ...blockedFor('format') },
            isSummedUp: { clause: clause('IR-22'), holds: (_s, { found, pending }) => found === pending },
            tellsOfOverflow: {
              clause: clause('IR-14'),
              given: (s) => s.overflow === 'certain',
              holds: (_s, { overflow }) => overflow,
            },
            noOverflowBefore: {
              clause: clause('IR-14'),
              given: (s) => s.overflow === 'no',
              holds: (_s, { overflow }) => !overflow,
            },
          },
          effect(s, { found, overflow, reason, requester, slot }) {
            s.overflow = overflow ? 'certain' : 'no'
            if (!found) {
              forget(s)
              return
            }
            if (reason === undefined || requester === undefined) {
              s.record = 'lost'
              return
            }
            s.record = 'certain'
            s.reasons = noBits.with(reason)
            s.by = requester
            if (slot !== undefined) s.index = slot
          },
        },
        'driver.clearFault': {
          does: 'Clears the record, then the overflow bit.',
          weight: 10,
          when: (s) => s.record !== 'clear' || s.overflow !== 'no',
          effect(s) {
            forget(s)
            s.overflow = 'no'
          },
        },
      },
      owes: {
        'irqchip.interrupt': [
          { clause: clause('IR-19'), when: (s) => s.earlier > 0 },
          { clause: clause('IR-15'), when: (s) => isDue(s) && s.noisy },
          { clause: clause('IR-17'), when: (s) => isDue(s) && !s.noisy && s.filled.has(s.slot) },
          { clause: clause('IR-19'), when: (s) => isDue(s) && !s.noisy && !s.filled.has(s.slot) },
          { clause: clause('IR-16'), when: (s) => s.must && s.may.has(ITSELF) },
        ],
        'irqchip.post': { clause: clause('PI-01'), when: (s) => s.must && s.may.toArray().some(isPosted) },
        'irqchip.notify': { clause: clause('PI-02'), when: (s) => s.telling },
        'irqchip.complete': { clause: clause('IR-18'), when: (s) => s.waiting },
      },
      goals: {
        aStaleEntry: { on: 'device.send', when: (s, { slot }) => !s.stale.at(slot).isEmpty },
        aRequestDuringAnInvalidation: { on: 'device.send', when: (s) => s.waiting },
        aFlushedEntry: {
          on: 'irqchip.complete',
          when: (s) => s.covered.toArray().some((at) => !s.stale.at(at).isEmpty),
        },
        anEntryThatOutlivesAFlush: { on: 'irqchip.complete', when: (s) => s.kept.some((set) => !set.isEmpty) },
        aFault: (s) => s.record === 'certain',
        aForeignRequest: (s) => s.obstacle === 'source',
        aBlockedFormat: (s) => s.obstacle === 'format',
        aSilentFault: { on: 'driver.readFault', when: (s) => s.record === 'clear' && s.silent },
        anOverflow: { on: 'driver.readFault', when: (s) => s.overflow === 'certain' },
      },
    })
  },
)
