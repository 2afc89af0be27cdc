/** An IDE channel with drive 0 only, as a driver follows it. */
import { type Seen, type StateOf, t } from '../../src/kernel/language/index.ts'

/**
 * Sectors are the last ones of the medium, so that a transfer can run over its end. `lines`: the line is seen. `gates`:
 * nIEN gates the line and nothing else; without it, an interrupt of that time may be lost, and a line that is up may stay
 * up. `holdsReset`: BSY stays set as long as SRST does. `quietReset`: a software reset clears the interrupt and makes
 * none. `selects`: it selects drive 0.
 */
export interface IdeScope {
  readonly sectors: number
  readonly counts: number
  readonly values: number
  readonly lines: number
  readonly gates: number
  readonly holdsReset: number
  readonly quietReset: number
  readonly selects: number
}

export const ideState = ({ sectors, counts, values }: IdeScope) => ({
  /**
   * `busy`: a command is under way; `over`: it has interrupted, and nobody has looked yet; `held`: SRST is set;
   * `recovering`: it was cleared.
   */
  phase: t.oneOf('idle', 'busy', 'over', 'dataIn', 'dataOut', 'held', 'recovering'),
  command: t.oneOf('none', 'read', 'write', 'identify', 'other', 'refused'),
  /** The next sector of a transfer, and blocks that are left to transfer. */
  lba: t.below(sectors + counts + 1),
  left: t.below(counts + 1),
  half: t.flag,
  /** An interrupt comes with the end of `busy`. */
  due: t.flag,
  /** An interrupt that was not cleared; whether it can be known. */
  pending: t.flag,
  unsure: t.flag,
  level: t.flag,
  disabled: t.flag,
  /** Drive 1 is selected. */
  absent: t.flag,
  /** How the last command ended. */
  ended: t.oneOf('unknown', 'success', 'refused', 'beyond', 'failed'),
  /** The registers hold the signature. */
  signature: t.flag,
  medium: t.array(sectors, t.maybe(t.below(values))),
  stalled: t.flag,
  /** The back end fails, once. */
  failing: t.flag,
  asked: t.oneOf('nothing', 'status', 'alternate', 'poll', 'error', 'signature', 'block'),
})

export type Ide = StateOf<ReturnType<typeof ideState>>
export type SeenIde = Seen<Ide>

/** Of a status that is not BSY. */
export interface Status {
  readonly busy: boolean
  readonly ready: boolean
  readonly drq: boolean
  readonly failed: boolean
  readonly blank: boolean
}

/** The line, had it been told of: only where nIEN gates nothing but the line is that known. */
export const isEnabled = (s: SeenIde, { lines, gates }: IdeScope): boolean =>
  lines === 1 && !s.disabled && !(s.unsure && gates === 0)
export const isFree = (s: SeenIde): boolean => s.asked === 'nothing'
/** A command can be written. */
export const isIdle = (s: SeenIde): boolean => isFree(s) && s.phase === 'idle' && !s.absent
export const looksAtStatus = (s: SeenIde): boolean =>
  s.asked === 'status' || s.asked === 'alternate' || s.asked === 'poll'

/** The command may have come to where BSY is clear. */
const isTurning = (s: SeenIde): boolean => s.phase === 'busy' || s.phase === 'over'
const transfers = (s: SeenIde): boolean => s.command === 'read' || s.command === 'write' || s.command === 'identify'
/** It reaches beyond the medium, now or later: it may fail before it comes to that. */
export const isBeyond = (s: SeenIde, sectors: number): boolean =>
  (s.command === 'read' || s.command === 'write') && s.lba + s.left > sectors

/** What may be next where BSY is clear: a block, an error, or the end. */
export const canOffer = (s: SeenIde, { sectors }: IdeScope): boolean => {
  if (s.phase === 'dataIn' || s.phase === 'dataOut') return true
  if (!isTurning(s) || !transfers(s) || s.left === 0) return false
  // A device may take the first block of a write that it cannot store, and say so afterwards.
  return s.lba < sectors || s.command === 'identify' || (s.command === 'write' && s.lba === sectors)
}
export const canFail = (s: SeenIde, { sectors }: IdeScope): boolean =>
  s.phase === 'idle'
    ? s.ended !== 'success'
    : isTurning(s) &&
      (s.command === 'refused' || isBeyond(s, sectors) || hasTakenBeyond(s, sectors) || isMedium(s, s.failing))
const hasTakenBeyond = (s: SeenIde, sectors: number): boolean => s.command === 'write' && s.lba > sectors
const isMedium = (s: SeenIde, failing: boolean): boolean => failing && s.command !== 'identify'
export const canSucceed = (s: SeenIde, { sectors }: IdeScope): boolean =>
  s.phase === 'idle'
    ? s.ended === 'success' || s.ended === 'unknown'
    : s.phase === 'recovering' ||
      (isTurning(s) && s.left === 0 && s.command !== 'refused' && !hasTakenBeyond(s, sectors))

/** The driver has learned that BSY is clear, and what came of it. */
export const resolve = (s: Ide, { drq, failed }: Status, { sectors }: IdeScope): void => {
  if (s.phase === 'busy' && (s.due || failed)) s.pending = true
  if (s.phase === 'recovering') s.phase = 'idle'
  if (!isTurning(s)) return
  s.due = false
  if (drq) {
    s.phase = s.command === 'write' ? 'dataOut' : 'dataIn'
    return
  }
  s.phase = 'idle'
  const beyond = isBeyond(s, sectors) || hasTakenBeyond(s, sectors)
  s.ended = !failed ? 'success' : s.command === 'refused' ? 'refused' : isMedium(s, s.failing) ? 'failed' : 'beyond'
  // Where it may have been either, the medium may still fail.
  if (s.ended === 'failed' && !beyond) s.failing = false
  if (failed && s.command === 'write' && s.lba > 0) forget(s, s.lba - 1, sectors)
  s.command = 'none'
  s.lba = s.left = 0
}

/** A sector may hold what it held, or what was on its way, or half of each. */
export const forget = (s: Ide, lba: number, sectors: number): void => {
  if (lba < sectors) s.medium.set(lba, undefined)
}
