/**
 * Invalidation in a VT-d unit: the stale window (VT-d 4.1, chapter 6).
 *
 * A context entry, a directory entry or a translation that was changed may be used until an invalidation that covers it is
 * complete, and never after. What was absent is never cached, caching mode aside, so that a new mapping is seen at once; and
 * what is mapped before and after is never seen absent. What a unit may do at a moment is the set of outcomes that its
 * tables and whatever it may hold lead to: `invalidation-caches`.
 *
 * Registers or queue: with either, an invalidation may be done at any moment between its request and its completion.
 */
import { Bits, machine, noBits, type ReadonlyCells, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { answerDuties } from './invalidation-answers.ts'
import { type Drain, drain, drains, type Flight, type Ghost, ghostOf } from './invalidation-ghost.ts'
import {
  CONTEXT_NAMES,
  CONTEXTS,
  DIRECTORY_NAMES,
  DOMAINS,
  ELSEWHERE,
  ENTRY_NAMES,
  firstDirectory,
  firstEntry,
  isCovered,
  LARGE_TRANSLATIONS,
  OUTCOMES,
  REFUSED,
  TRANSLATIONS,
  WAYS_HELD,
} from './invalidation-tables.ts'

const access = t.oneOf('read', 'write')
const span = t.oneOf('page', 'pair', 'block', 'blocks')
/** What a malformed descriptor has wrong: its type, a reserved granularity, a reserved bit of a wait. */
const defect = t.oneOf('type', 'granularity', 'reserved')
/** How much a register says that it invalidated. */
const done = t.oneOf('nothing', 'everything', 'domain', 'narrow')
const BREADTHS = { everything: 1, domain: 2, narrow: 3 } as const

const LARGE = Bits.of(LARGE_TRANSLATIONS)

/** Bounds of the small scopes, where each adds what it is about. `breadths`, `history`: all forms of each request, and what went before. */
const small = {
  roots: 1,
  contexts: 2,
  requesters: 1,
  tables: 1,
  blocks: 1,
  pages: 1,
  ways: 1,
  directories: 2,
  entries: 2,
  caching: 0,
  delayed: 0,
  ats: 0,
  flights: 0,
  registers: 0,
  breadths: 0,
  faults: 0,
  history: 0,
} as const

export const invalidation = scoped(
  'invalidation',
  {
    /** Two devices, two domains, and the context entries that lead there. */
    explored: { ...small, contexts: 3, requesters: 2, tables: 2 },
    /** Page tables that are replaced, by others and by large pages. */
    directories: { ...small, ways: 2, directories: 4 },
    /** What a page entry allows, and two pages. */
    permissions: { ...small, pages: 2, entries: 3 },
    /** Accesses under way, in two domains. */
    flights: { ...small, entries: 3, delayed: 1, flights: 1 },
    /** Two root tables, and a domain that moves to another table. */
    roots: { ...small, roots: 2, contexts: 3, tables: 2 },
    /** A device with a TLB. */
    devices: { ...small, contexts: 3, tables: 2, ats: 1 },
    /** Absent entries are held, too. */
    caching: { ...small, contexts: 3, tables: 2, caching: 1 },
    /** Registers, every wait, and malformed descriptors. */
    queue: { ...small, registers: 1, breadths: 1, faults: 1 },
    played: {
      roots: 2,
      contexts: 4,
      requesters: 4,
      tables: 2,
      blocks: 2,
      pages: 4,
      ways: 2,
      directories: 6,
      entries: 5,
      caching: 0,
      delayed: 1,
      ats: 1,
      flights: 2,
      registers: 1,
      breadths: 1,
      faults: 1,
      history: 1,
    },
  },
  (scope) => {
    const { roots, contexts, requesters, tables, blocks, pages, ways, directories, entries, caching } = scope
    const { delayed, ats, flights, registers, breadths, faults, history } = scope
    const ghost = ghostOf(scope)
    const { rules, slow, tablesOf, outcomes, isAllowed, fill, markDue, complete, isDrained } = ghost
    const root = t.below(roots)
    const requester = t.below(requesters)
    const page = t.below(pages)
    const context = t.oneOf(CONTEXT_NAMES[0], ...CONTEXT_NAMES.slice(1, contexts))
    const directory = t.oneOf(DIRECTORY_NAMES[0], ...DIRECTORY_NAMES.slice(1, directories))
    const entry = t.oneOf(ENTRY_NAMES[0], ...ENTRY_NAMES.slice(1, entries))
    const domain = t.below(caching === 1 ? DOMAINS + 1 : DOMAINS)
    const outcome = t.below(OUTCOMES)
    const caches = {
      contexts: t.array(requesters, t.set(contexts)),
      tops: t.array(DOMAINS, t.set(tables)),
      directories: t.array(DOMAINS * blocks, t.set(DOMAINS * WAYS_HELD)),
      pages: t.array(DOMAINS * pages, t.set(TRANSLATIONS + 2)),
      devices: t.array(Math.max(1, ats * pages), t.set(TRANSLATIONS)),
      former: t.array(history === 1 ? requesters : 1, t.set(contexts)),
    }
    const hasSlow = delayed === 1 && flights > 0

    /** In small scopes only what makes a difference is asked for. */
    const isDrainKnown = (which: Drain): boolean => breadths === 1 || which === 'none' || (hasSlow && which === 'both')
    /** There are accesses under way for such an invalidation to wait for. */
    const waitsFor = (s: { readonly flights: ReadonlyCells<Readonly<Flight>> }, which: Drain): boolean =>
      which !== 'none' && hasSlow && s.flights.some(({ is }) => is !== 'none' && drains(which, is))
    interface Requests {
      readonly queue: boolean
      readonly waits: number
      readonly signal: boolean
      readonly register: string
    }
    /** Another invalidation may be requested: by register one at a time, by queue as long as none is waited for. */
    const isFree = (s: Requests): boolean =>
      s.queue ? s.waits === 0 && !s.signal : registers === 1 && s.register === 'idle'
    const mayWait = (s: Requests & { readonly open: boolean }): boolean =>
      s.queue && !s.signal && (s.open ? s.waits < 2 : s.waits === 1 && breadths === 1)
    const isIdle = (s: Requests & { readonly open: boolean; readonly error: string }): boolean =>
      isFree(s) && !s.open && s.error === 'none'
    const request = (
      s: Ghost & { queue: boolean; open: boolean; register: 'idle' | 'everything' | 'domain' | 'narrow' },
      breadth: 'everything' | 'domain' | 'narrow',
    ): void => {
      if (s.queue) s.open = true
      else s.register = breadth
      fill(s)
    }

    return machine({
      source: 'VT-d 4.1',
      state: {
        /** Which of two root tables was written, and which is used. */
        root: t.record({ written: root, inForce: root }),
        /** What memory holds: context entries by root table and requester, directory and page entries by table. */
        contexts: t.array(roots * requesters, t.below(contexts)),
        directories: t.array(tables * blocks, t.below(directories)),
        entries: t.array(tables * ways * pages, t.below(entries)),
        /** What the unit may hold, and what of that invalidations under way leave. */
        held: t.record(caches),
        kept: t.record(caches),
        /** Tables that each requester could be led to, and pages that it could find absent, some time. */
        were: t.array(requesters, t.set(tables)),
        missed: t.array(requesters, t.set(pages)),
        /** Accesses that were begun and have not arrived: what may come of them; `due`: an invalidation waits for it. */
        flights: t.array(
          Math.max(1, flights),
          t.record({ is: t.oneOf('none', 'read', 'write'), page, may: t.set(OUTCOMES), due: t.flag }),
        ),
        /** By queue, or by register. */
        queue: t.flag,
        /** What was asked of a register and is not done. */
        register: t.oneOf('idle', 'everything', 'domain', 'narrow'),
        /** Something was queued that no wait follows. */
        open: t.flag,
        /** Waits whose status is to be written, and whether an interrupt is to come. */
        waits: t.below(3),
        signal: t.flag,
        /** A malformed descriptor: ahead, or the queue stands at it. */
        error: t.oneOf('none', 'queued', 'stopped'),
        /** Each page was accessed by each device since something changed. */
        looked: t.flag,
        /** Contexts of one domain name different tables. */
        breached: t.flag,
      },
      initial(s) {
        for (let at = 0; at < roots; at++)
          for (let one = 0; one < requesters; one++) s.contexts.set(rules.contextAt(at, one), 1 + ((one + at) % 2))
        for (let table = 0; table < tables; table++)
          for (let block = 0; block < blocks; block++)
            s.directories.set(rules.directoryAt(table, block), firstDirectory(table, block, directories))
        for (let table = 0; table < tables; table++)
          for (let way = 0; way < ways; way++)
            for (let one = 0; one < pages; one++)
              s.entries.set(rules.entryAt(table, way, one), firstEntry(way, one, entries))
        s.queue = true
        fill(s as Ghost)
        rules.settle((s as Ghost).kept, (s as Ghost).held)
      },
      actions: {
        'driver.setEntry': {
          does: 'Writes a page entry: maps, unmaps, replaces, changes what is allowed.',
          args: { table: t.below(tables), way: t.below(ways), page, entry },
          weight: 14,
          when: (s, { table, way, page, entry }) =>
            s.entries.at(rules.entryAt(table, way, page)) !== ENTRY_NAMES.indexOf(entry as never) &&
            rules.isInUse(tablesOf(s), s.held, table, way, page),
          effect(s, { table, way, page, entry }) {
            s.entries.set(rules.entryAt(table, way, page), ENTRY_NAMES.indexOf(entry as never))
            fill(s)
          },
        },
        'driver.setDirectory': {
          does: 'Writes a directory entry: another page table, or a large page, or none.',
          args: { table: t.below(tables), block: t.below(blocks), directory },
          weight: 11,
          when: (s, { table, block, directory }) =>
            directories > 2 &&
            s.directories.at(rules.directoryAt(table, block)) !== DIRECTORY_NAMES.indexOf(directory as never),
          effect(s, { table, block, directory }) {
            s.directories.set(rules.directoryAt(table, block), DIRECTORY_NAMES.indexOf(directory as never))
            fill(s)
          },
        },
        'driver.setContext': {
          does: 'Writes the context entry of a device: of the root table in force, or of the one whose address was written.',
          args: { requester, context, inForce: t.flag },
          weight: 9,
          when(s, { requester, context, inForce }) {
            const at = rules.contextAt(inForce ? s.root.inForce : s.root.written, requester)
            return (
              (inForce || s.root.written !== s.root.inForce) &&
              s.contexts.at(at) !== CONTEXT_NAMES.indexOf(context as never)
            )
          },
          requires: {
            oneTablePerDomain: {
              clause: clause('VTD-38'),
              given: (_s, { context }) => context !== 'absent',
              holds(s, { requester, context, inForce }) {
                const next = CONTEXTS[CONTEXT_NAMES.indexOf(context as never)]!
                const at = inForce ? s.root.inForce : s.root.written
                for (let other = 0; other < requesters; other++) {
                  const one = CONTEXTS[s.contexts.at(rules.contextAt(at, other))]
                  if (other !== requester && one?.domain === next.domain && one.table !== next.table) return false
                }
                return true
              },
            },
          },
          effect(s, { requester, context, inForce }) {
            const at = rules.contextAt(inForce ? s.root.inForce : s.root.written, requester)
            s.contexts.set(at, CONTEXT_NAMES.indexOf(context as never))
            fill(s)
          },
        },
        'driver.setRoot': {
          does: 'Writes the address of a root table.',
          args: { root },
          weight: 3,
          when: (s, { root }) => s.root.written !== root && s.root.written === s.root.inForce,
          effect(s, { root }) {
            s.root.written = root
            s.looked = false
          },
        },
        'driver.useRoot': {
          does: 'Commands that the written address be used.',
          weight: 8,
          when: (s) => s.root.written !== s.root.inForce && s.register === 'idle',
          effect(s) {
            s.root.inForce = s.root.written
            fill(s)
          },
        },
        'driver.flushContexts': {
          does: 'Requests an invalidation of all context entries.',
          weight: 5,
          when: (s) => isFree(s) && rules.hasOldContexts(tablesOf(s), s.held, {}),
          effect(s) {
            rules.flushContexts(s.kept, {})
            request(s, 'everything')
          },
        },
        'driver.flushContextsOf': {
          does: 'Requests an invalidation of the context entries of a domain.',
          args: { domain },
          weight: 7,
          when: (s, { domain }) => isFree(s) && rules.hasOldContexts(tablesOf(s), s.held, { domain }),
          effect(s, { domain }) {
            rules.flushContexts(s.kept, { domain })
            request(s, 'domain')
          },
        },
        'driver.flushContextOf': {
          does: 'Requests an invalidation of the context entry of a device, of a domain. `aside`: by another of its functions, with a mask.',
          args: { requester, domain, aside: t.flag },
          weight: 9,
          when: (s, { requester, domain, aside }) =>
            isFree(s) && (breadths === 1 || !aside) && rules.hasOldContexts(tablesOf(s), s.held, { domain, requester }),
          effect(s, { requester, domain }) {
            rules.flushContexts(s.kept, { domain, requester })
            request(s, 'narrow')
          },
        },
        'driver.flush': {
          does: 'Requests an invalidation of all translations.',
          args: { drain },
          weight: 7,
          when: (s, { drain }) =>
            isFree(s) && isDrainKnown(drain) && (waitsFor(s, drain) || rules.hasOldPages(tablesOf(s), s.held, {})),
          effect(s, { drain }) {
            rules.flushDomains(s.kept)
            markDue(s, drain, undefined, () => true)
            request(s, 'everything')
          },
        },
        'driver.flushDomain': {
          does: 'Requests an invalidation of the translations of a domain.',
          args: { domain: t.below(DOMAINS), drain },
          weight: 9,
          when: (s, { domain, drain }) =>
            isFree(s) &&
            isDrainKnown(drain) &&
            (waitsFor(s, drain) || rules.hasOldPages(tablesOf(s), s.held, { domain })),
          effect(s, { domain, drain }) {
            rules.flushDomains(s.kept, domain)
            markDue(s, drain, domain, () => true)
            request(s, 'domain')
          },
        },
        'driver.flushPages': {
          does: 'Requests an invalidation of a group of pages of a domain. `hint`: only page entries changed.',
          args: { domain: t.below(DOMAINS), page, span, hint: t.flag, drain },
          weight: 18,
          when: (s, { domain, page, span, hint, drain }) =>
            isFree(s) &&
            (breadths === 1 || span === 'page' || span === 'block') &&
            isDrainKnown(drain) &&
            (waitsFor(s, drain) || rules.hasOldPages(tablesOf(s), s.held, { domain, page, span, hint })),
          effect(s, { domain, page, span, hint, drain }) {
            rules.flushPages(s.kept, domain, page, span, hint)
            markDue(s, drain, domain, (other) => isCovered(span, page, other))
            request(s, 'narrow')
          },
        },
        'driver.flushDevice': {
          does: 'Requests that a device forget translations that it holds itself.',
          args: { device: t.below(Math.max(1, ats)), page, span: t.oneOf('page', 'pair', 'block', 'everything') },
          weight: 10,
          when: (s, { device, page, span }) =>
            ats > 0 && s.queue && isFree(s) && rules.hasOldGrants(tablesOf(s), s.held, device, page, span),
          effect(s, { device, page, span }) {
            rules.flushDevice(s.kept, device, page, span)
            s.open = true
            fill(s)
          },
        },
        'driver.wait': {
          does: 'Queues a wait: it writes a status word when all before it is complete. `fence`: what comes after it waits, too.',
          args: { fence: t.flag },
          weight: 34,
          when: (s, { fence }) => mayWait(s) && (breadths === 1 || !fence),
          effect(s) {
            s.open = false
            s.waits++
          },
        },
        'driver.waitForInterrupt': {
          does: 'Queues a wait that interrupts.',
          args: { fence: t.flag },
          weight: 6,
          when: (s) => breadths === 1 && mayWait(s),
          effect(s) {
            s.open = false
            s.signal = true
          },
        },
        'driver.waitForBoth': {
          does: 'Queues a wait that does both.',
          args: { fence: t.flag },
          weight: 1.5,
          when: (s) => breadths === 1 && mayWait(s),
          effect(s) {
            s.open = false
            s.waits++
            s.signal = true
          },
        },
        'driver.fence': {
          does: 'Queues a wait that shows nothing: what comes after it waits for what is before it.',
          weight: 2,
          when: (s) => breadths === 1 && mayWait(s),
          effect: (s) => void (s.open = true),
        },
        'driver.queueMalformed': {
          does: 'Queues a descriptor that means nothing.',
          args: { defect },
          weight: 2,
          when: (s) => faults === 1 && s.queue && s.error === 'none' && s.waits === 0 && !s.signal,
          effect(s) {
            s.error = 'queued'
            s.open = true
          },
        },
        'driver.repair': {
          does: 'Replaces the descriptor at which the queue stands, and clears the error.',
          weight: 12,
          when: (s) => s.error === 'stopped',
          effect: (s) => void (s.error = 'none'),
        },
        'driver.useRegisters': {
          does: 'Switches the queue off.',
          weight: 2,
          when: (s) => registers === 1 && s.queue && isIdle(s),
          effect: (s) => void (s.queue = false),
        },
        'driver.useQueue': {
          does: 'Switches the queue on, empty. `long`: of two pages.',
          args: { long: t.flag },
          weight: 3,
          when: (s) => !s.queue && s.register === 'idle',
          effect: (s) => void (s.queue = true),
        },
        'driver.lap': {
          does: 'Queues waits that show nothing, nearly once around.',
          weight: 1.5,
          when: (s) => breadths === 1 && s.queue && isIdle(s),
        },
        'driver.readQueue': {
          does: 'Reads where the queue is, and whether it stands at an error.',
          weight: 1,
          when: (s) => s.queue && faults === 1,
        },
        'device.access': {
          does: 'Reads or writes within a page.',
          args: { requester, page, access },
          weight: 8,
          when: (_s, { requester }) => !hasSlow || requester !== slow,
        },
        'device.sweep': {
          does: 'Each device reads, or writes, each page.',
          args: { access },
          weight: 40,
          when: (s) => breadths === 1 && (!s.looked || s.open || s.waits > 0 || s.signal || s.register !== 'idle'),
          effect: (s) => void (s.looked = true),
        },
        'device.begin': {
          does: 'Begins an access that takes its time.',
          args: { page, access },
          weight: 8,
          when: (s) => hasSlow && s.flights.some((flight) => flight.is === 'none'),
          effect(s, { page, access }) {
            const flight = s.flights.at(s.flights.findIndex((one) => one.is === 'none')!)
            flight.is = access
            flight.page = page
            flight.may = noBits
            flight.due = false
            fill(s)
          },
        },
        'iommu.answer': {
          does: 'What came of an access: data moved between device and a frame, or none did.',
          args: { requester, page, access, as: outcome },
          // What is not allowed is not looked at where nothing is judged.
          when: (s, answer) => breadths === 1 || isAllowed(s, answer),
          requires: answerDuties(ghost, scope),
          effect(s, { requester, page, as }) {
            if (history === 0 || as === REFUSED) return
            if (!rules.mayRefuse(tablesOf(s), s.held, requester, page, 'read'))
              s.missed.set(requester, s.missed.at(requester).without(page))
          },
        },
        'iommu.arrive': {
          does: 'An access that took its time has come to its end.',
          args: { flight: t.below(Math.max(1, flights)), as: outcome },
          when: (s, { flight }) => hasSlow && s.flights.at(flight).is !== 'none',
          requires: {
            inAMappedPage: { clause: clause('VTD-30'), safety: true, holds: (_s, { as }) => as !== ELSEWHERE },
            whereItWasMapped: {
              clause: clause('VTD-30'),
              holds: (s, { flight, as }) => s.flights.at(flight).may.has(as),
            },
          },
          effect(s, { flight }) {
            const one = s.flights.at(flight)
            one.is = 'none'
            one.page = 0
            one.may = noBits
            one.due = false
          },
          eager(s) {
            const flight = s.flights.findIndex((one) => one.is !== 'none')
            return flight === undefined ? undefined : { flight, as: s.flights.at(flight).may.first ?? REFUSED }
          },
        },
        'iommu.finish': {
          does: 'A register says that its invalidation is done, and how much was invalidated.',
          args: { done },
          when: (s) => s.register !== 'idle',
          requires: {
            asMuchAsAsked: {
              clause: clause('VTD-20'),
              holds: (s, { done }) =>
                done !== 'nothing' && s.register !== 'idle' && BREADTHS[done] <= BREADTHS[s.register],
            },
            drained: { clause: clause('VTD-19'), holds: isDrained },
          },
          effect(s) {
            s.register = 'idle'
            complete(s)
          },
          eager: (s) => (s.register !== 'idle' ? { done: s.register } : undefined),
        },
        'iommu.stop': {
          does: 'The queue stands at an error.',
          requires: { atAMalformedOne: { clause: clause('VTD-24'), holds: (s) => s.error === 'queued' } },
          effect: (s) => void (s.error = 'stopped'),
          eager: (s) => (s.error === 'queued' ? {} : undefined),
        },
        'iommu.complete': {
          does: 'The status word of a wait is written: of the first one that is awaited, or of the second.',
          args: { second: t.flag },
          when: (s) => s.waits > 0,
          requires: {
            inOrder: { clause: clause('VTD-21'), given: (s) => s.waits > 1, holds: (_s, { second }) => !second },
            notPastAnError: {
              clause: clause('VTD-24'),
              given: (s) => faults === 1 && s.error !== 'none',
              holds: () => false,
            },
            drained: { clause: clause('VTD-19'), given: () => hasSlow, holds: isDrained },
            notBefore: { clause: clause('VTD-22'), holds: isDrained },
          },
          effect(s) {
            s.waits--
            complete(s)
          },
          eager: (s) => (s.waits > 0 && s.error === 'none' && isDrained(s) ? { second: false } : undefined),
        },
        'iommu.signal': {
          does: 'A wait has told of its completion by an interrupt.',
          requires: {
            asAsked: { clause: clause('VTD-23'), holds: (s) => s.signal },
            notPastAnError: {
              clause: clause('VTD-24'),
              given: (s) => faults === 1 && s.error !== 'none',
              holds: () => false,
            },
            drained: { clause: clause('VTD-19'), given: () => hasSlow, holds: isDrained },
          },
          effect(s) {
            s.signal = false
            complete(s)
          },
          eager: (s) => (s.signal && s.error === 'none' && s.waits === 0 && isDrained(s) ? {} : undefined),
        },
        'iommu.answerQueue': {
          does: 'Where the queue is: at its end, at the malformed descriptor, or elsewhere; and whether it stands at an error.',
          args: { at: t.oneOf('end', 'error', 'elsewhere'), error: t.flag },
          requires: {
            anErrorOnlyAtOne: { clause: clause('VTD-24'), holds: (s, { error }) => !error || s.error !== 'none' },
            standsAtTheError: {
              clause: clause('VTD-24'),
              given: (s, { error }) => error && s.error !== 'none',
              holds: (_s, { at }) => at === 'error',
            },
            atItsEnd: {
              clause: clause('VTD-21'),
              given: isIdle,
              holds: (_s, { at }) => at === 'end',
            },
          },
        },
      },
      owes: {
        'iommu.finish': { clause: clause('VTD-20'), when: (s) => s.register !== 'idle' },
        'iommu.complete': { clause: clause('VTD-23'), when: (s) => s.waits > 0 && s.error === 'none' },
        'iommu.signal': { clause: clause('VTD-23'), when: (s) => s.signal && s.error === 'none' },
        'iommu.stop': { clause: clause('VTD-24'), when: (s) => s.error === 'queued' },
      },
      fair: ['iommu.arrive'],
      breach: (s) => void (s.breached = true),
      unspecified: (s) => s.breached,
      goals: {
        anOldPage: {
          on: 'iommu.answer',
          when: (s, { requester, page, access, as }) => as !== rules.current(tablesOf(s), requester, page, access),
        },
        anUncoveredLargePage: {
          on: 'driver.flushPages',
          when: (s, { domain, page, span }) =>
            directories > 3 && span === 'page' && rules.mayBeLarge(s.held, domain, page),
        },
        aNewMapping: {
          on: 'device.access',
          when: (s, { requester, page, access }) =>
            (outcomes(s, { requester, page, access }) & (1 << REFUSED)) === 0 &&
            history === 1 &&
            s.missed.at(requester).has(page),
        },
        anAccessDuringAnInvalidation: { on: 'device.access', when: (s) => s.waits > 0 || s.signal },
        anOldRoot: { on: 'device.access', when: (s) => s.root.written !== s.root.inForce },
        aDrainedAccess: (s) => hasSlow && s.flights.some((flight) => flight.is !== 'none' && flight.due),
        aFlushedContext: {
          on: 'iommu.complete',
          when: (s) => s.held.contexts.some((held, at) => !s.kept.contexts.at(at).contains(held)),
        },
        aFlushedDirectory: {
          on: 'iommu.complete',
          when: (s) => ways > 1 && s.held.directories.some((held, at) => !s.kept.directories.at(at).contains(held)),
        },
        aFlushedLargePage: {
          on: 'iommu.complete',
          when: (s) => directories > 3 && s.held.pages.some((held, at) => held.minus(s.kept.pages.at(at)).meets(LARGE)),
        },
        aFlushedDevice: {
          on: 'iommu.complete',
          when: (s) => ats > 0 && s.held.devices.some((held, at) => !s.kept.devices.at(at).contains(held)),
        },
        anErrorRepaired: { on: 'driver.repair' },
      },
    })
  },
)
