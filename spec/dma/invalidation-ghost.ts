/**
 * What is followed of a unit beside its tables: what it may hold, accesses under way, and what went before; and what all of
 * it means for an access. See `invalidation-caches`.
 */
import { Bits, type Cells, type ReadonlyCells, t } from '../../src/kernel/language/index.ts'
import { CacheRules, type Caches, type Sizes, type Tables, type WritableCaches } from './invalidation-caches.ts'
import { REFUSED, tableOfFrame } from './invalidation-tables.ts'

/** Which accesses under way an invalidation waits for. */
export const drain = t.oneOf('none', 'reads', 'writes', 'both')
export type Drain = 'none' | 'reads' | 'writes' | 'both'

export const drains = (which: Drain, kind: 'read' | 'write'): boolean => which === 'both' || which === `${kind}s`

export interface Flight {
  is: 'none' | 'read' | 'write'
  page: number
  may: Bits
  due: boolean
}
export interface Ghost {
  readonly root: { written: number; inForce: number }
  readonly contexts: ReadonlyCells<number>
  readonly directories: ReadonlyCells<number>
  readonly entries: ReadonlyCells<number>
  readonly held: WritableCaches
  readonly kept: WritableCaches
  readonly were: Cells<Bits>
  readonly missed: Cells<Bits>
  readonly flights: Cells<Flight>
  looked: boolean
}
/** The same as laws see it. */
export interface SeenGhost {
  readonly root: { readonly written: number; readonly inForce: number }
  readonly contexts: ReadonlyCells<number>
  readonly directories: ReadonlyCells<number>
  readonly entries: ReadonlyCells<number>
  readonly held: Caches
  readonly were: ReadonlyCells<Bits>
  readonly missed: ReadonlyCells<Bits>
}
/** What came of an access. */
export interface Answer {
  readonly requester: number
  readonly page: number
  readonly access: 'read' | 'write'
  readonly as: number
}

export interface GhostSizes extends Sizes {
  /** Accesses that can be under way. */
  readonly flights: number
}

/** Functions over the state of the machine, within its bounds. */
export const ghostOf = (sizes: GhostSizes) => {
  const { requesters, pages, ats, flights, history } = sizes
  const rules = new CacheRules(sizes)
  /** The requester whose accesses take their time: the one before those with a TLB. */
  const slow = requesters - ats - 1

  const tablesOf = (s: SeenGhost): Tables => ({
    root: s.root.inForce,
    contexts: s.contexts,
    directories: s.directories,
    entries: s.entries,
  })
  const outcomes = (s: SeenGhost, { requester, page, access }: Omit<Answer, 'as'>): number =>
    rules.outcomes(tablesOf(s), s.held, requester, page, access)
  const isAllowed = (s: SeenGhost, answer: Answer): boolean => ((outcomes(s, answer) >>> answer.as) & 1) === 1
  const leadsTo = (s: SeenGhost, requester: number, as: number): boolean =>
    ((rules.tablesFor(tablesOf(s), s.held, requester) >>> tableOfFrame(as)) & 1) === 1

  /** After a change, and after an invalidation was requested or completed. */
  const fill = (s: Ghost): void => {
    s.looked = false
    const now = tablesOf(s)
    rules.fill(now, s.held)
    rules.fill(now, s.kept, s.held)
    for (let i = 0; i < flights; i++) {
      const flight = s.flights.at(i)
      if (flight.is === 'none') continue
      const may = rules.outcomes(now, s.held, slow, flight.page, flight.is)
      if ((may & ~flight.may.mask) !== 0) flight.may = Bits.of(flight.may.mask | may)
    }
    if (history === 0) return
    for (let requester = 0; requester < requesters; requester++) {
      const were = s.were.at(requester).mask | rules.tablesFor(now, s.held, requester)
      s.were.set(requester, Bits.of(were))
      let missed = s.missed.at(requester).mask
      for (let page = 0; page < pages; page++)
        if (rules.mayRefuse(now, s.held, requester, page, 'read')) missed |= 1 << page
      s.missed.set(requester, Bits.of(missed))
    }
  }
  /** Accesses under way that an invalidation has to wait for: those that it covers, whatever the unit holds. */
  const markDue = (s: Ghost, which: Drain, domain: number | undefined, covers: (page: number) => boolean): void => {
    if (which === 'none') return
    const domains = rules.domainsFor(tablesOf(s), s.held, slow)
    for (let i = 0; i < flights; i++) {
      const flight = s.flights.at(i)
      if (flight.is === 'none' || !drains(which, flight.is) || !covers(flight.page)) continue
      if (flight.may.has(REFUSED) || (domain !== undefined && domains !== 1 << domain)) continue
      flight.due = true
    }
  }
  const complete = (s: Ghost): void => {
    rules.settle(s.held, s.kept)
    fill(s)
  }
  const isDrained = (s: { readonly flights: ReadonlyCells<Readonly<Flight>> }): boolean =>
    flights === 0 || !s.flights.some((flight) => flight.is !== 'none' && flight.due)

  return { rules, slow, tablesOf, outcomes, isAllowed, leadsTo, fill, markDue, complete, isDrained }
}
export type GhostRules = ReturnType<typeof ghostOf>
