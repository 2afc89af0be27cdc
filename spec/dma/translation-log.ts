/**
 * What a VT-d unit has recorded, as far as software can know before it reads (VT-d 4.1, chapter 7): a list of faults in their
 * order, each of them there for certain or possibly. A unit may collapse faults of one requester into one record.
 */
import { type Bits, noBits, t } from '../../src/kernel/language/index.ts'

/** Two values that cannot be told before they are read: what is, and what may be. */
export const sure = t.oneOf('no', 'possible', 'certain')
type Sure = 'no' | 'possible' | 'certain'

export interface Fault {
  certain: boolean
  device: number
  page: number
  write: boolean
  reasons: Bits
}
interface Cells<V> {
  readonly length: number
  at(index: number): V
}
export interface Log {
  readonly entries: Cells<Fault>
  logged: number
  overflow: Sure
  /** More happened than can be followed. */
  lost: boolean
  event: Sure
}
type Seen = Omit<Log, 'entries'> & { readonly entries: { at(index: number): Readonly<Fault> } }

/** A fault record as it reads; undefined: not one that the machine knows. */
export interface Found {
  readonly reason: number | undefined
  readonly device: number | undefined
  readonly page: number | undefined
  readonly write: boolean
}

const isCertain = (s: Seen): boolean => s.overflow === 'certain' || firstCertain(s) < s.logged
const isIdle = (s: Seen): boolean => s.logged === 0 && s.overflow === 'no' && !s.lost
/** Place of the first fault that is recorded for certain; `logged`: none is. */
export const firstCertain = (s: Seen): number => {
  let at = 0
  while (at < s.logged && !s.entries.at(at).certain) at++
  return at
}

const copy = (to: Fault, from: Readonly<Fault>): void => {
  to.certain = from.certain
  to.device = from.device
  to.page = from.page
  to.write = from.write
  to.reasons = from.reasons
}
const blank = (to: Fault): void => {
  to.certain = to.write = false
  to.device = to.page = 0
  to.reasons = noBits
}

/** A fault happened; `certain`: it is to be recorded. `records`: how many the unit has room for. */
export const blame = (s: Log, records: number, fault: Readonly<Fault>): void => {
  // Nothing is recorded between an overflow and its end.
  if (s.lost && s.event === 'no') s.event = 'possible'
  if (s.overflow === 'certain' || s.lost) return
  const [wasIdle, wasPending] = [isIdle(s), isCertain(s)]
  let certains = 0
  let isSame = false
  for (let at = 0; at < s.logged; at++) {
    if (s.entries.at(at).certain) certains++
    isSame ||= s.entries.at(at).device === fault.device
  }
  const isSure = fault.certain && !isSame
  if (isSure && certains >= records) {
    s.overflow = 'certain'
  } else {
    const hasRoom = s.logged < records
    if (!hasRoom && s.overflow === 'no') s.overflow = 'possible'
    if (s.logged === s.entries.length) s.lost = true
    else {
      const isThere = isSure && hasRoom && s.overflow === 'no'
      copy(s.entries.at(s.logged++), { ...fault, certain: isThere })
    }
  }
  if (wasIdle && fault.certain) s.event = 'certain'
  else if (!wasPending && s.event === 'no') s.event = 'possible'
}

/** Whether a record that is read can be the fault at `at`; what may be read first is anything up to the first certain one. */
const isOf = (fault: Readonly<Fault>, { reason, device, page, write }: Found): boolean =>
  reason !== undefined &&
  fault.reasons.has(reason) &&
  fault.device === device &&
  fault.page === page &&
  fault.write === write
/** The fault that a record has to be of, where there is no doubt. */
export const theFirst = (s: Seen): Readonly<Fault> | undefined =>
  !s.lost && s.logged > 0 && s.entries.at(0).certain ? s.entries.at(0) : undefined
export const someCandidate = (s: Seen, test: (fault: Readonly<Fault>) => boolean): boolean => {
  const last = Math.min(firstCertain(s), s.logged - 1)
  for (let at = 0; at <= last; at++) if (test(s.entries.at(at))) return true
  return false
}

/** A record was read and freed, or none was found: what is before it was not recorded. */
export const take = (s: Log, found: Found | undefined): void => {
  let taken = s.logged
  if (found !== undefined) {
    taken = 0
    while (taken < s.logged && !isOf(s.entries.at(taken), found)) taken++
    taken = Math.min(taken + 1, s.logged)
  }
  s.logged -= taken
  for (let at = 0; at < s.entries.length; at++) {
    if (at < s.logged) copy(s.entries.at(at), s.entries.at(at + taken))
    else blank(s.entries.at(at))
  }
  if (found === undefined) s.lost = false
}

/** What the fault status says besides; a message that was held back is not due once nothing is pending. */
export const look = (s: Log, overflow: boolean): void => {
  s.overflow = overflow ? 'certain' : 'no'
}
export const calm = (s: Log): void => {
  if (isIdle(s)) s.event = 'no'
  else if (s.event === 'certain' && !isCertain(s)) s.event = 'possible'
}
