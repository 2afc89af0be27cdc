/**
 * An AMD-Vi unit (AMD IOMMU 3.08): what its tables say of an access, how long what was changed may be used as it was,
 * what is logged of a refusal, and how commands are worked off.
 *
 * The unit may hold what walks could have found since the last invalidation that covers it: device table entries by device,
 * directories and translations by domain. What is held is followed as sets (`held`), and beside them what invalidations
 * under way leave of them (`kept`), which becomes true when the wait after them is over. Where a device is led into a
 * domain, what was translated by an older entry may be used until both, the entry and the pages of the domain, were
 * invalidated.
 */
import { Bits, type Cells, machine, noBits, type ReadonlyCells, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import {
  ABSENT_MASK,
  type Access,
  ELSEWHERE,
  ENTRIES,
  ENTRY_NAMES,
  EVENT,
  LEAF_NAMES,
  LOW_FRAME,
  OUTCOMES,
  PLACES,
  REFUSED,
  resultOf,
  type Span,
  TRANSLATIONS,
  takenBy,
  translationOf,
  WAY_NAMES,
} from './amd-iommu-tables.ts'

interface Caches {
  readonly entries: ReadonlyCells<Bits>
  readonly former: ReadonlyCells<Bits>
  readonly ways: ReadonlyCells<Bits>
  readonly pages: ReadonlyCells<Bits>
  readonly grants: ReadonlyCells<Bits>
  readonly grantors: Bits
}
interface WritableCaches extends Caches {
  readonly entries: Cells<Bits>
  readonly former: Cells<Bits>
  readonly ways: Cells<Bits>
  readonly pages: Cells<Bits>
  readonly grants: Cells<Bits>
  grantors: Bits
}
interface Seen {
  readonly entries: ReadonlyCells<number>
  readonly ways: ReadonlyCells<number>
  readonly leaves: ReadonlyCells<number>
  readonly held: Caches
  readonly kept: Caches
}
interface Written extends Seen {
  looked: boolean
  readonly held: WritableCaches
  readonly kept: WritableCaches
}
interface Refusal {
  readonly due: { readonly is: boolean; readonly may: Bits }
}
interface Answer {
  readonly device: number
  readonly place: number
  readonly access: Access
  readonly as: number
}
/** More room than is counted. */
const AMPLE = 3

const small = {
  devices: 1,
  domains: 1,
  entries: 1,
  ways: 2,
  leaves: 2,
  regions: 1,
  places: 1,
  caching: 0,
  log: 0,
  errors: 0,
  far: 0,
  ats: 0,
  judged: 0,
}

export const amdIommu = scoped(
  'amd-iommu',
  {
    explored: { ...small, domains: 2, entries: 2, leaves: 2 },
    /** Directory entries over page entries. */
    ways: { ...small, ways: 3, leaves: 3 },
    /** What is absent is held, too. */
    caching: { ...small, leaves: 3, caching: 1 },
    /** The log and its overflow, and commands that mean nothing. */
    log: { ...small, leaves: 2, log: 1, errors: 1 },
    played: {
      devices: 4,
      domains: 2,
      entries: ENTRY_NAMES.length,
      ways: WAY_NAMES.length,
      leaves: LEAF_NAMES.length,
      regions: 2,
      places: PLACES.length,
      caching: 0,
      log: 1,
      errors: 1,
      far: 1,
      ats: 1,
      judged: 1,
    },
  },
  ({ devices, domains, entries, ways, leaves, regions, places, caching, log, errors, far, ats, judged }) => {
    const device = t.below(devices)
    const domain = t.below(domains)
    const region = t.below(regions)
    const entry = t.oneOf(ENTRY_NAMES[0], ...ENTRY_NAMES.slice(1, entries))
    const way = t.oneOf(WAY_NAMES[0], ...WAY_NAMES.slice(1, ways))
    const leaf = t.oneOf(LEAF_NAMES[0], ...LEAF_NAMES.slice(1, leaves))
    const place = t.below(places)
    const access = t.oneOf('read', 'write')
    const cells = domains * regions
    const cell = (d: number, r: number): number => d * regions + r
    const caches = {
      entries: t.array(devices, t.set(entries)),
      /** Entries that are held no more, but by which pages were translated that may be. */
      former: t.array(devices, t.set(entries)),
      ways: t.array(cells, t.set(ways)),
      pages: t.array(cells, t.set(TRANSLATIONS)),
      /** What the device with a TLB may have been granted, and by which entries. */
      grants: t.array(ats === 1 ? cells : 1, t.set(TRANSLATIONS)),
      grantors: t.set(entries),
    }
    /** The first device may have a TLB of its own. */
    const hasTlb = (d: number): boolean => ats === 1 && d === 0
    /** What walks can find now is added. */
    const fillOne = (s: Seen, into: WritableCaches): void => {
      for (let d = 0; d < devices; d++) into.entries.set(d, into.entries.at(d).with(s.entries.at(d)))
      for (let c = 0; c < cells; c++) {
        // That nothing is there is not held, unless the unit says so.
        const held = caching === 1 ? into.ways.at(c) : into.ways.at(c).without(0)
        const now = held.with(s.ways.at(c))
        into.ways.set(c, now)
        const pages = into.pages.at(c).mask & (caching === 1 ? -1 : ~ABSENT_MASK)
        let found = 0
        for (const one of now.toArray()) found |= 1 << translationOf(one, s.leaves.at(c))
        into.pages.set(c, Bits.of(pages | found))
        if (ats === 1) into.grants.set(c, into.grants.at(c).union(into.pages.at(c)))
      }
      if (ats === 1) into.grantors = into.grantors.union(into.entries.at(0)).union(into.former.at(0))
    }
    const fill = (s: Written): void => {
      s.looked = false
      fillOne(s, s.held)
      fillOne(s, s.kept)
    }
    const copy = (from: Caches, to: WritableCaches): void => {
      for (let d = 0; d < devices; d++) {
        to.entries.set(d, from.entries.at(d))
        to.former.set(d, from.former.at(d))
      }
      for (let c = 0; c < cells; c++) {
        to.ways.set(c, from.ways.at(c))
        to.pages.set(c, from.pages.at(c))
        if (ats === 1) to.grants.set(c, from.grants.at(c))
      }
      to.grantors = from.grantors
    }
    const forgetEntry = (s: Written, d: number): void => {
      const old = s.kept.entries.at(d)
      const now = s.entries.at(d)
      let former = s.kept.former.at(d)
      for (const one of old.toArray()) if (ENTRIES[one]!.is === 'led' && one !== now) former = former.with(one)
      s.kept.former.set(d, former)
      s.kept.entries.set(d, noBits.with(now))
    }
    const forgetDomain = (s: Written, which: number): void => {
      for (let d = 0; d < devices; d++)
        for (const one of s.kept.former.at(d).toArray())
          if (ENTRIES[one]!.domain === which) s.kept.former.set(d, s.kept.former.at(d).without(one))
      for (let r = 0; r < regions; r++) forgetPages(s, cell(which, r), 'region', true)
    }
    const forgetPages = (s: Written, c: number, span: Span, directories: boolean): void => {
      if (directories) s.kept.ways.set(c, noBits)
      s.kept.pages.set(c, Bits.of(s.kept.pages.at(c).mask & ~takenBy(span)))
      fill(s)
    }

    /** Entries by which a device may be led. */
    const kindsOf = (s: Seen, d: number): Bits => {
      const held = s.held.entries.at(d).union(s.held.former.at(d))
      return hasTlb(d) ? held.union(s.held.grantors) : held
    }
    const pagesOf = (s: Seen, d: number, c: number): Bits => (hasTlb(d) ? s.held.grants.at(c) : s.held.pages.at(c))
    /** All that may come of an access: outcomes, and what is logged if it is refused, as masks. */
    const resultsOf = (s: Seen, { device: d, place: p, access: kind }: Omit<Answer, 'as'>) => {
      // A grant that its entry does not cover any more is refused; that an address is not mapped is no fault.
      let [outcomes, events] = hasTlb(d) ? [1 << REFUSED, 1 << EVENT.NOTHING] : [0, 0]
      const where = PLACES[p]!
      for (const one of kindsOf(s, d).toArray()) {
        const held = ENTRIES[one]!
        const pages = held.is === 'led' ? pagesOf(s, d, cell(held.domain, where.region)) : noBits.with(0)
        for (const translation of pages.toArray()) {
          const result = resultOf(held, translation, where, kind)
          outcomes |= 1 << result.as
          events |= result.events
        }
      }
      return { outcomes, events }
    }
    const fits = (s: Seen, answer: Answer): boolean => ((resultsOf(s, answer).outcomes >>> answer.as) & 1) === 1
    const areAll = (s: Seen, d: number, is: (kind: (typeof ENTRIES)[number]) => boolean): boolean =>
      kindsOf(s, d)
        .toArray()
        .every((one) => is(ENTRIES[one]!))
    const isLed = (s: Seen, d: number): boolean => areAll(s, d, ({ is }) => is === 'led')
    const isFresh = (s: Seen, d: number, p: number): boolean =>
      kindsOf(s, d).size === 1 && pagesOf(s, d, cell(ENTRIES[s.entries.at(d)]!.domain, PLACES[p]!.region)).size === 1
    /** An event has to be logged. */
    const isDue = ({ due }: Refusal): boolean => log === 1 && due.is && !due.may.has(EVENT.NOTHING)

    interface Ring {
      readonly stores: boolean
      readonly signal: boolean
      readonly error: string
      readonly errorDue: boolean
    }
    const isFree = (s: Ring): boolean => !s.stores && !s.signal && s.error === 'none'
    const mayWait = (s: Ring & { readonly open: boolean }): boolean =>
      !s.stores && !s.signal && s.error !== 'halted' && (s.open || s.error === 'queued')

    return machine({
      source: 'AMD IOMMU 3.08',
      state: {
        /** What memory holds: device table entries, directory entries, page entries. */
        entries: t.array(devices, t.below(entries)),
        ways: t.array(cells, t.below(ways)),
        leaves: t.array(cells, t.below(leaves)),
        /** What the unit may hold, and what of that invalidations under way leave. */
        held: t.record(caches),
        kept: t.record(caches),
        /** Commands that no wait follows; waits that are to store, or to interrupt. */
        open: t.flag,
        stores: t.flag,
        signal: t.flag,
        /** A command that means nothing: ahead, or the unit has halted at it; an event is to be logged of it. */
        error: t.oneOf('none', 'queued', 'halted'),
        errorDue: t.flag,
        /** The last access that was refused, and what may be logged of it. */
        due: t.record({ is: t.flag, device, place, access, may: t.set(4) }),
        /** Entries of the log that are free, as far as they are counted; an event was lost. */
        room: t.below(AMPLE + 1),
        lost: t.flag,
        /** Each device has accessed each place since something changed. */
        looked: t.flag,
      },
      initial(s) {
        for (let d = 0; d < devices; d++) s.entries.set(d, Math.min(d % 2, entries - 1))
        for (let c = 0; c < cells; c++) {
          s.ways.set(c, Math.min(1, ways - 1))
          s.leaves.set(c, Math.min(1, leaves - 1))
        }
        s.room = AMPLE
        fill(s as unknown as Written)
      },
      actions: {
        'driver.setEntry': {
          does: 'Writes the device table entry of a device.',
          args: { device, entry },
          weight: 10,
          // The table may end before the last device alone.
          when: (s, { device, entry }) =>
            s.entries.at(device) !== ENTRY_NAMES.indexOf(entry as never) &&
            (entry !== 'outside' || (far === 1 && device === devices - 1)),
          effect(s, { device, entry }) {
            s.entries.set(device, ENTRY_NAMES.indexOf(entry as never))
            fill(s)
          },
        },
        'driver.setWay': {
          does: 'Writes a directory entry: a table, another one, a large page, a table further down, or none.',
          args: { domain, region, way },
          weight: 9,
          when: (s, { domain, region, way }) =>
            ways > 1 && s.ways.at(cell(domain, region)) !== WAY_NAMES.indexOf(way as never),
          effect(s, { domain, region, way }) {
            s.ways.set(cell(domain, region), WAY_NAMES.indexOf(way as never))
            fill(s)
          },
        },
        'driver.setLeaf': {
          does: 'Writes page entries.',
          args: { domain, region, leaf },
          weight: 14,
          when: (s, { domain, region, leaf }) =>
            s.leaves.at(cell(domain, region)) !== LEAF_NAMES.indexOf(leaf as never),
          effect(s, { domain, region, leaf }) {
            s.leaves.set(cell(domain, region), LEAF_NAMES.indexOf(leaf as never))
            fill(s)
          },
        },
        'driver.forgetEntry': {
          does: 'INVALIDATE_DEVTAB_ENTRY.',
          args: { device },
          weight: 12,
          when: (s, { device }) => isFree(s) && s.kept.entries.at(device).size > 1,
          effect(s, { device }) {
            forgetEntry(s, device)
            s.open = true
          },
        },
        'driver.forgetPages': {
          does: 'INVALIDATE_IOMMU_PAGES from the start of a region on. `directories`: directory entries, too.',
          args: { domain, region, span: t.oneOf('page', 'sized', 'block', 'region'), directories: t.flag },
          weight: 14,
          when: (s, { domain, region, span }) =>
            isFree(s) &&
            (judged === 1 || span === 'page' || span === 'region') &&
            s.kept.pages.at(cell(domain, region)).size > 1,
          effect(s, { domain, region, span, directories }) {
            forgetPages(s, cell(domain, region), span, directories)
            s.open = true
          },
        },
        'driver.forgetDomain': {
          does: 'INVALIDATE_IOMMU_PAGES of all pages of a domain.',
          args: { domain },
          weight: 10,
          when: isFree,
          effect(s, { domain }) {
            forgetDomain(s, domain)
            s.open = true
          },
        },
        'driver.forgetAll': {
          does: 'INVALIDATE_IOMMU_ALL.',
          weight: 3,
          when: isFree,
          effect(s) {
            for (let d = 0; d < devices; d++) forgetEntry(s, d)
            for (let which = 0; which < domains; which++) forgetDomain(s, which)
            s.open = true
          },
        },
        'driver.forgetGrants': {
          does: 'INVALIDATE_IOTLB_PAGES of the device with a TLB.',
          weight: 12,
          when: (s) => ats === 1 && isFree(s),
          effect(s) {
            for (let c = 0; c < cells; c++) s.kept.grants.set(c, noBits)
            s.kept.grantors = noBits
            fill(s)
            s.open = true
          },
        },
        'driver.wait': {
          does: 'COMPLETION_WAIT that stores. `flush`: what comes after it waits, too.',
          args: { flush: t.flag },
          weight: 40,
          when: (s, { flush }) => mayWait(s) && (judged === 1 || !flush),
          effect(s) {
            s.open = false
            s.stores = true
          },
        },
        'driver.waitForInterrupt': {
          does: 'COMPLETION_WAIT that interrupts.',
          args: { flush: t.flag },
          weight: 5,
          when: (s) => judged === 1 && mayWait(s),
          effect(s) {
            s.open = false
            s.signal = true
          },
        },
        'driver.lap': {
          does: 'Fills the command ring up to its end, so that what follows wraps.',
          weight: 2,
          when: (s) => judged === 1 && isFree(s),
          effect: (s) => void (s.open = true),
        },
        'driver.queueIllegal': {
          does: 'Queues a command that means nothing.',
          args: { defect: t.oneOf('kind', 'zero', 'reserved') },
          weight: 2,
          when: (s) => errors === 1 && isFree(s) && !isDue(s),
          effect(s) {
            s.error = 'queued'
            s.errorDue = true
          },
        },
        'driver.restart': {
          does: 'Switches commands off and on, with an empty ring.',
          weight: 12,
          when: (s) => s.error === 'halted' && !s.errorDue,
          effect(s) {
            s.error = 'none'
            s.stores = s.signal = s.open = false
            copy(s.held, s.kept as WritableCaches)
          },
        },
        'driver.readRing': {
          does: 'Reads where in the command ring the unit is.',
          weight: 2,
          when: (s) => isFree(s) && !s.open && judged === 1,
        },
        'driver.leaveRoom': {
          does: 'Leaves so many entries of the event log free.',
          args: { room: t.below(AMPLE) },
          weight: 6,
          when: (s) => log === 1 && !isDue(s) && !s.errorDue,
          effect(s, { room }) {
            s.room = room
            s.looked = false
          },
        },
        'driver.restartLog': {
          does: 'Reads the log to its end, clears the overflow, and switches the log off and on.',
          weight: 4,
          when: (s) => log === 1 && s.room < AMPLE && !isDue(s) && !s.errorDue,
          effect(s) {
            s.room = AMPLE
            s.lost = false
          },
        },
        'device.access': {
          does: 'Reads or writes a dword.',
          args: { device, place, access },
          weight: 20,
          // Whether something is logged of the one before is known first.
          when: (s) => s.lost || (!isDue(s) && !s.errorDue),
        },
        'device.sweep': {
          does: 'Each device reads, or writes, at each place; what is logged of one access is looked at before the next.',
          args: { access },
          weight: 45,
          when: (s) => judged === 1 && !s.looked && (s.lost || (!isDue(s) && !s.errorDue)),
          effect: (s) => void (s.looked = true),
        },
        'iommu.answer': {
          does: 'What came of an access: data moved between device and a frame, or none did.',
          args: { device, place, access, as: t.below(OUTCOMES) },
          when: (s, answer) => judged === 1 || fits(s, answer),
          requires: {
            onlyWhereSomethingIsMapped: {
              clause: clause('AMD-03'),
              safety: true,
              holds: (_s, { as }) => as !== ELSEWHERE,
            },
            notByAnIllegalEntry: {
              clause: clause('AMD-05'),
              safety: true,
              given: (s, { device }) => areAll(s, device, ({ is }) => is === 'illegal'),
              holds: (_s, { as }) => as === REFUSED,
            },
            asItsEntrySays: {
              clause: clause('AMD-01'),
              safety: true,
              given: (s, { device, as }) =>
                areAll(s, device, ({ is }) => is === 'passing' || is === 'closed') || as === LOW_FRAME,
              holds: fits,
            },
            withPermission: {
              clause: clause('AMD-02'),
              safety: true,
              given: (s, answer) =>
                answer.as !== REFUSED &&
                isFresh(s, answer.device, answer.place) &&
                fits(s, { ...answer, access: answer.access === 'read' ? 'write' : 'read' }),
              holds: fits,
            },
            notWhereNothingIs: {
              clause: clause('AMD-04'),
              safety: true,
              given: (s, { device, place }) =>
                PLACES[place]!.spot === 'wide' || (isLed(s, device) && isFresh(s, device, place)),
              holds: (s, answer) => answer.as === REFUSED || fits(s, answer),
            },
            notByWhatWasInvalidated: {
              clause: clause('AMD-06'),
              safety: true,
              holds: (s, answer) => answer.as === REFUSED || fits(s, answer),
            },
            whereItIsMapped: {
              clause: clause('AMD-03'),
              safety: true,
              given: (_s, { as }) => as === REFUSED,
              holds: fits,
            },
          },
          effect(s, answer) {
            const { device, place, access, as } = answer
            const isRefused = log === 1 && as === REFUSED && !s.lost
            s.due.is = isRefused
            s.due.device = isRefused ? device : 0
            s.due.place = isRefused ? place : 0
            s.due.access = isRefused ? access : 'read'
            s.due.may = isRefused ? Bits.of(resultsOf(s, answer).events) : noBits
          },
        },
        'iommu.log': {
          does: 'An event is in the log. `domain`: as the event says; the last one is none of ours.',
          args: {
            what: t.oneOf('fault', 'illegal', 'other'),
            device: t.below(devices + 1),
            place: t.below(places + 1),
            access,
            domain: t.below(3),
          },
          when: (s, { device, place, access }) =>
            judged === 1 || (s.due.is && device === s.due.device && place === s.due.place && access === s.due.access),
          requires: {
            notPastAnOverflow: {
              clause: clause('AMD-10'),
              given: (s) => s.lost || s.room === 0,
              holds: () => false,
            },
            ofTheRefusal: {
              clause: clause('AMD-04'),
              holds: (s, { what, device, place, access }) =>
                hasTlb(device) ||
                (what !== 'other' &&
                  s.due.is &&
                  device === s.due.device &&
                  place === s.due.place &&
                  access === s.due.access),
            },
            withItsDomain: {
              clause: clause('AMD-04'),
              given: (s, { what, device }) => !hasTlb(device) && what === 'fault' && !s.due.may.has(EVENT.illegal),
              holds: (s, { domain }) => domain < 2 && s.due.may.has(domain),
            },
            ofItsKind: {
              clause: clause('AMD-05'),
              given: (s, { what, device }) => !hasTlb(device) && (what === 'illegal' || s.due.may.has(EVENT.illegal)),
              holds: (s, { what }) =>
                what === 'illegal'
                  ? s.due.may.has(EVENT.illegal)
                  : s.due.may.has(EVENT.firstFault) || s.due.may.has(EVENT.secondFault),
            },
          },
          effect(s, { device }) {
            if (s.due.device === device) forgetDue(s.due)
            if (s.room > 0 && s.room < AMPLE) s.room--
          },
          eager(s) {
            if (!isDue(s) || s.room === 0 || s.lost) return undefined
            const { device, place, access, may } = s.due
            const what = may.has(EVENT.illegal) ? ('illegal' as const) : ('fault' as const)
            return { what, device, place, access, domain: may.has(0) ? 0 : 1 }
          },
        },
        'iommu.logIllegal': {
          does: 'An event tells of an illegal command, at the address of the one that is, or elsewhere.',
          args: { there: t.flag },
          requires: {
            ofOne: { clause: clause('AMD-09'), holds: (s, { there }) => s.errorDue && there },
            notPastAnOverflow: {
              clause: clause('AMD-10'),
              given: (s) => s.lost || s.room === 0,
              holds: () => false,
            },
          },
          effect(s) {
            s.errorDue = false
            if (s.room > 0 && s.room < AMPLE) s.room--
          },
          eager: (s) => (s.errorDue && s.room > 0 && !s.lost ? { there: true } : undefined),
        },
        'iommu.overflow': {
          does: 'The status says that an event was lost.',
          requires: {
            ofAFullLog: {
              clause: clause('AMD-10'),
              holds: (s) => s.room === 0 && !s.lost && (ats === 1 || s.due.is || s.errorDue),
            },
          },
          effect(s) {
            s.lost = true
            s.errorDue = false
            forgetDue(s.due)
          },
          eager: (s) => (s.room === 0 && !s.lost && (isDue(s) || s.errorDue) ? {} : undefined),
        },
        'iommu.halt': {
          does: 'The status says that no commands are worked off.',
          requires: { atAnIllegalOne: { clause: clause('AMD-09'), holds: (s) => s.error === 'queued' } },
          effect(s) {
            s.error = 'halted'
            // There was nobody to tell.
            if (s.lost) s.errorDue = false
          },
          eager: (s) => (s.error === 'queued' ? {} : undefined),
        },
        'iommu.complete': {
          does: 'A wait has stored its data, the right ones or not.',
          args: { right: t.flag },
          requires: {
            asAsked: { clause: clause('AMD-07'), holds: (s, { right }) => s.stores && right },
            notPastAnIllegalOne: { clause: clause('AMD-09'), given: (s) => s.error !== 'none', holds: () => false },
          },
          effect(s) {
            s.stores = false
            s.looked = false
            copy(s.kept, s.held as WritableCaches)
          },
          eager: (s) => (s.stores && s.error === 'none' ? { right: true } : undefined),
        },
        'iommu.signal': {
          does: 'The status says that a wait which asked for an interrupt is over.',
          requires: {
            asAsked: { clause: clause('AMD-07'), holds: (s) => s.signal },
            notPastAnIllegalOne: { clause: clause('AMD-09'), given: (s) => s.error !== 'none', holds: () => false },
          },
          effect(s) {
            s.signal = false
            s.looked = false
            copy(s.kept, s.held as WritableCaches)
          },
          eager: (s) => (s.signal && s.error === 'none' ? {} : undefined),
        },
        'iommu.answerRing': {
          does: 'Where the unit is in the command ring: at its end, or elsewhere.',
          args: { at: t.oneOf('end', 'elsewhere') },
          requires: {
            atItsEnd: {
              clause: clause('AMD-08'),
              given: (s) => isFree(s) && !s.open,
              holds: (_s, { at }) => at === 'end',
            },
          },
        },
      },
      owes: {
        'iommu.log': { clause: clause('AMD-04'), when: (s) => isDue(s) && s.room > 0 && !s.lost },
        'iommu.logIllegal': { clause: clause('AMD-09'), when: (s) => s.errorDue && s.room > 0 && !s.lost },
        'iommu.overflow': {
          clause: clause('AMD-10'),
          when: (s) => s.room === 0 && !s.lost && (isDue(s) || s.errorDue),
        },
        'iommu.complete': { clause: clause('AMD-07'), when: (s) => s.stores && s.error === 'none' },
        'iommu.signal': { clause: clause('AMD-07'), when: (s) => s.signal && s.error === 'none' },
        'iommu.halt': { clause: clause('AMD-09'), when: (s) => s.error === 'queued' },
      },
      goals: {
        anOldPage: {
          on: 'iommu.answer',
          when: (s, { device, place, as }) =>
            as !== REFUSED &&
            s.held.pages.at(cell(ENTRIES[s.entries.at(device)]!.domain, PLACES[place]!.region)).size > 1,
        },
        aForgottenPage: {
          on: 'iommu.complete',
          when: (s) => s.held.pages.some((held, at) => !s.kept.pages.at(at).contains(held)),
        },
        aForgottenEntry: {
          on: 'iommu.complete',
          when: (s) => s.held.entries.some((held, at) => !s.kept.entries.at(at).contains(held)),
        },
        aRefusedAccess: { on: 'iommu.answer', when: (s, answer) => log === 1 && answer.as === REFUSED && !s.lost },
        aRefusalWithAFullLog: {
          on: 'iommu.answer',
          when: (s, answer) => log === 1 && answer.as === REFUSED && s.room === 0 && !s.lost,
        },
        anIllegalCommand: { on: 'driver.queueIllegal' },
      },
    })
  },
)

const forgetDue = (due: { is: boolean; device: number; place: number; access: Access; may: Bits }): void => {
  due.is = false
  due.device = due.place = 0
  due.access = 'read'
  due.may = noBits
}
