/** Redirection entries of an I/O APIC: what each wants to send, may send, and has sent. */
import { t } from '../../src/kernel/language/index.ts'

/**
 * `unsure`: of several entries that the message may be of, nobody can say which one sent it. `switched`: in service when
 * the entry was made one of edges, where the data sheet gives the bit no meaning.
 */
export const remoteIrr = t.oneOf('clear', 'set', 'unsure', 'switched')

interface Entry {
  masked: boolean
  level: boolean
  low: boolean
  vector: number
  line: boolean
  remote: 'clear' | 'set' | 'unsure' | 'switched'
  due: number
  turned: boolean
  owed: boolean
  resting: boolean
}
interface Seen<E = Readonly<Entry>> {
  readonly entries: {
    readonly length: number
    at(index: number): E
    some(test: (entry: E, index: number) => boolean): boolean
  }
  readonly outstanding: { has(vector: number): boolean }
}
export type Written = Seen<Entry>
interface Pins {
  has(pin: number): boolean
}

export const DUE_MAX = 2

export const isAsserted = ({ line, low }: Readonly<Entry>): boolean => line !== low
/** A level entry has something to send, for all that is known. */
export const wants = (entry: Readonly<Entry>): boolean =>
  entry.level && !entry.masked && isAsserted(entry) && entry.remote === 'clear'
export const mayWant = (entry: Readonly<Entry>): boolean =>
  entry.level && !entry.masked && isAsserted(entry) && entry.remote !== 'set'
/** What was wanted and not seen may have left all the same. */
export const withdraw = (entry: Entry): void => {
  if (wants(entry)) entry.due = Math.max(entry.due, 1)
  entry.owed = false
}
/** Another trigger mode: what is due may be of the one before. */
export const turn = (entry: Entry, level: boolean): void => {
  if (entry.level !== level && entry.due > 0) entry.turned = true
  if (entry.level && !level && entry.remote !== 'clear') entry.remote = 'switched'
  entry.level = level
}
export const allow = (entry: Entry): void => void (entry.due = Math.min(entry.due + 1, DUE_MAX))
export const isJustified = (s: Seen, pins: Pins): boolean =>
  s.entries.some((entry, pin) => pins.has(pin) && (mayWant(entry) || entry.due > 0))
export const ofSome = (s: Seen, pins: Pins, test: (entry: Readonly<Entry>) => boolean): boolean =>
  s.entries.some((entry, pin) => pins.has(pin) && test(entry))
export const isOwedALevel = (s: Seen): boolean =>
  s.entries.some((entry) => wants(entry) && !entry.resting && !s.outstanding.has(entry.vector))
/** A request that meets an equal one which a CPU has not ended yet cannot be seen on every target. */
export const mayCollapse = (s: Written): void => {
  for (let pin = 0; pin < s.entries.length; pin++) {
    const entry = s.entries.at(pin)
    if (mayWant(entry) && s.outstanding.has(entry.vector)) entry.due = Math.max(entry.due, 1)
  }
}
export const end = (s: Written, vector: number): void => {
  for (let pin = 0; pin < s.entries.length; pin++) {
    const entry = s.entries.at(pin)
    if (entry.level && entry.vector === vector) entry.remote = 'clear'
  }
}

/** An input changes. */
export const drive = (s: Written, pin: number, line: boolean): void => {
  const entry = s.entries.at(pin)
  const wanted = wants(entry)
  entry.line = line
  if (!isAsserted(entry)) {
    if (wanted) entry.due = Math.max(entry.due, 1)
    return
  }
  if (!entry.level && !entry.masked) {
    allow(entry)
    entry.owed = !s.outstanding.has(entry.vector)
  }
  mayCollapse(s)
}
