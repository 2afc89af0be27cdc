/**
 * The pair of 8259As of a PC as a whole: its state, the wire from the slave's INT to the master's input 2, and what an
 * acknowledge finds. The actions upon it are in `pic-pair.ts`.
 */
import { Bits, noBits, type Seen, type StateOf, t } from '../../src/kernel/language/index.ts'
import {
  ALL,
  CASCADE,
  type Chip,
  chipFields,
  end,
  endable,
  fall,
  initialise,
  isKnown,
  levelTriggered,
  type Profile,
  requested,
  requests,
  rise,
  type SeenChip,
} from './pic-chip.ts'

/** Kinds of commands that a scope has, as bits of its bound `commands`. */
export const COMMANDS = {
  masks: 1,
  ends: 2,
  rotation: 4,
  specialMask: 8,
  poll: 16,
  triggers: 32,
  initialisation: 64,
  sequences: 128,
  reads: 256,
} as const

export interface PicScope extends Profile {
  /** The lines that are driven, as a mask of 16. */
  readonly lines: number
  /** How many vector bases there are; bases are multiples of 8. */
  readonly bases: number
  readonly commands: number
  /** Trigger modes that chips are initialised in: 1 edge, 2 level; and modes: 1 plain, 2 nested, 4 automatic EOI. */
  readonly triggers: number
  readonly modes: number
  /** Whether the INT output is seen. */
  readonly int: number
}

export const chips = t.oneOf('master', 'slave')
export type Which = 'master' | 'slave'
export const line = t.id('line', 16)
/** Of ICW1. */
export const triggerModes = t.oneOf('edge', 'level')
/** Of ICW4: how interrupts end, and whether a slave in service is let through. */
export const modes = t.oneOf('plain', 'nested', 'autoEoi')
export type Mode = 'plain' | 'nested' | 'autoEoi'
/** Lines of a PC that the ELCR cannot make level-triggered. */
export const ALWAYS_EDGE = Bits.from([0, 1, 2, 8, 13])

export const pairState = (bases: number) => ({
  master: t.record(chipFields(bases)),
  slave: t.record(chipFields(bases)),
  /** What the master saw of the slave's INT; in doubt after a time in which it could not be told. */
  cascade: t.oneOf('seen', 'doubtful', 'unknown'),
  /** An acknowledge, or a poll of a chip, that was not answered yet. */
  asked: t.oneOf('nothing', 'vector', 'master', 'slave'),
  /** The INT output, as seen last. */
  int: t.flag,
  /** INT of the master may not follow yet; see `promptSpecialMask`. */
  late: t.flag,
  /** The chip that was told to end its highest level, and whose register is about to be read. */
  ended: t.oneOf('none', 'master', 'slave'),
  /** Chips that were used before they were initialised. */
  broken: t.set(2),
})
type Pair = StateOf<ReturnType<typeof pairState>>
export type SeenPair = Seen<Pair>

/** INT, and what an acknowledge finds, can be told. */
export const isSettled = (s: SeenPair): boolean =>
  isKnown(s.master) && isKnown(s.slave) && (s.cascade === 'seen' || s.master.levelMode) && s.broken.isEmpty

/** Both chips are set up as an x86 processor needs them. */
export const isInUse = ({ master, slave }: SeenPair): boolean => isSetUp(master) && isSetUp(slave)

const isSetUp = (chip: SeenChip): boolean => chip.phase === 'ready' && chip.mode8086 && !chip.single

/** An acknowledge does what the data sheet says, whichever way that is read. */
export const isPlain = (s: SeenPair): boolean => isSettled(s) && endsAsSaid(s.master) && endsAsSaid(s.slave)

const endsAsSaid = (chip: SeenChip): boolean => !chip.autoEoi || (chip.rotates !== 'unknown' && chip.served.isEmpty)

/** A chip takes command words, and nothing is to be answered first. */
export const isReady = (s: SeenPair, chip: Which): boolean => s.asked === 'nothing' && s[chip].phase === 'ready'

/** The level that a chip requests. */
export const requestedBy = (s: SeenPair, which: Which, profile: Profile): number | undefined =>
  which === 'master' ? requested(s.master, profile, CASCADE) : requested(s.slave, profile)

export const endAll = (chip: Chip): void => {
  chip.served = noBits
  chip.unsure = false
  chip.rotates = 'off'
}

export const setMode = (chip: Chip, mode: Mode): void => {
  chip.mode8086 = true
  chip.nested = mode === 'nested'
  chip.autoEoi = mode === 'autoEoi'
  chip.phase = 'ready'
}

/** ICW2. */
export const setBase = (
  chip: Chip,
  { base, low }: { readonly base: number; readonly low: number },
  profile: Profile,
): void => {
  chip.base = base
  chip.low = profile.alignsBase === 1 ? 0 : low
}

/** ICW1 to ICW4. */
export const initialiseAll = (
  s: Pair,
  which: Which,
  level: boolean,
  mode: Mode,
  vectors: { readonly base: number; readonly low: number },
  profile: Profile,
): void => {
  begin(s, which, { level, single: false, icw4: true }, profile)
  setBase(s[which], vectors, profile)
  setMode(s[which], mode)
  afterWord(s, which, profile)
}

export const chipOf = (line: number): Which => (line < 8 ? 'master' : 'slave')

/** The master's input 2 is the slave's INT. */
export const follow = (s: Pair, profile: Profile): void => {
  const { master } = s
  if (profile.pulses === 2) fall(master, CASCADE, profile)
  if (!isKnown(s.slave)) {
    s.cascade = 'unknown'
    fall(master, CASCADE, profile)
    return
  }
  const up = requested(s.slave, profile) !== undefined
  if (s.cascade === 'unknown') {
    s.cascade = 'doubtful'
    master.high = up ? master.high.with(CASCADE) : master.high.without(CASCADE)
  } else if (up) {
    if (!master.high.has(CASCADE)) s.cascade = 'seen'
    rise(master, CASCADE)
  } else if (master.high.has(CASCADE)) fall(master, CASCADE, profile)
  if (s.cascade === 'doubtful' && !up && profile.withdraws === 1) s.cascade = 'seen'
}

export const after = (s: Pair, which: Which, profile: Profile): void => {
  s.late = false
  if (which === 'slave' || profile.pulses === 2) follow(s, profile)
}

/** INT of the slave falls when it is acknowledged. */
export const pulse = (s: Pair, profile: Profile): void => {
  if (profile.pulses !== 0) fall(s.master, CASCADE, profile)
  if (profile.pulses !== 3) after(s, 'slave', profile)
}

/** ICW1. A chip that was never set up, or used too early, may be in any state. */
export const begin = (s: Pair, which: Which, words: Parameters<typeof initialise>[1], profile: Profile): void => {
  const number = which === 'master' ? 0 : 1
  if (s.broken.has(number) || s[which].phase === 'off') {
    s[which].served = ALL
    s[which].rotates = 'unknown'
  }
  s.broken = s.broken.without(number)
  initialise(s[which], words, profile)
  if (which === 'master' && s.cascade === 'doubtful') s.cascade = 'seen'
  afterWord(s, which, profile)
}

export const setSpecialMask = (s: Pair, which: Which, on: boolean, profile: Profile): void => {
  s[which].specialMask = on
  if (profile.promptSpecialMask === 1) after(s, which, profile)
  else if (which === 'master') s.late = true
}

export const assert = (s: Pair, line: number, profile: Profile): void => {
  const chip = s[chipOf(line)]
  const isNews = !chip.high.has(line % 8) || chip.forgotten.has(line % 8) || levelTriggered(chip).has(line % 8)
  rise(chip, line % 8)
  if (isNews || profile.pulses !== 3) after(s, chipOf(line), profile)
}

export const release = (s: Pair, line: number, profile: Profile): void => {
  const chip = s[chipOf(line)]
  fall(chip, line % 8, profile)
  if (profile.pulses !== 3 || levelTriggered(chip).has(line % 8)) after(s, chipOf(line), profile)
}

/** An OCW2 that ends nothing. */
export const otherCommand = (s: Pair, which: Which, profile: Profile): void => {
  if (profile.rotation === 1) return
  const level = endable(s[which], profile)
  if (level !== undefined) end(s[which], level, false)
  after(s, which, profile)
}

/** After a word of an initialisation. */
export const afterWord = (s: Pair, which: Which, profile: Profile): void => {
  if (profile.promptInitialisation === 1) {
    after(s, which, profile)
    return
  }
  s.late = true
  // Restoring a state that was saved is a change, too.
  if (
    which === 'master' &&
    profile.pulses === 2 &&
    s.cascade === 'seen' &&
    requestedBy(s, 'slave', profile) !== undefined
  )
    s.cascade = 'doubtful'
  if (which === 'slave' && (!isKnown(s.slave) || s.cascade === 'unknown')) follow(s, profile)
}

/** What an acknowledge does to the pair; the level that each chip takes. */
export const answering = (s: SeenPair, profile: Profile): { readonly master?: number; readonly slave?: number } => {
  const master = requestedBy(s, 'master', profile)
  if (master === undefined) return {}
  if (master !== CASCADE) return { master }
  const slave = requestedBy(s, 'slave', profile)
  return slave === undefined ? { master } : { master, slave }
}

/** The vector of an acknowledge that finds a request; of one that finds none, level 7 of the chip that answers. */
export const vectorOf = (s: SeenPair, taken: ReturnType<typeof answering>): number => {
  if (taken.master === undefined) return vectorIn(s.master, 7)
  return taken.master === CASCADE ? vectorIn(s.slave, taken.slave ?? 7) : vectorIn(s.master, taken.master)
}

const vectorIn = (chip: SeenChip, level: number): number => 8 * chip.base + (chip.low | level)

/** INT can be judged: it follows what the master requests. */
export const isPrompt = (s: SeenPair): boolean => isSettled(s) && !s.late

/** What the vector shows to have been taken, if it is not the one that was due. */
export const evident = (s: SeenPair, vector: number): ReturnType<typeof answering> => {
  const level = vector % 8
  const base = (vector - level) / 8
  if (base === s.slave.base && requests(s.slave).has(level)) return { master: CASCADE, slave: level }
  return base === s.master.base && requests(s.master).has(level) ? { master: level } : {}
}
