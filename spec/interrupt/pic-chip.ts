/**
 * One 8259A, as far as its registers tell: what it requests, what an acknowledge and an end of interrupt do to it, and
 * what initialisation leaves. Levels are IR0 to IR7.
 */
import { Bits, noBits, type Seen, type StateOf, t } from '../../src/kernel/language/index.ts'

export const levels = t.set(8)
export const ALL = Bits.of(0xff)
/** The master's input that the slave's output is wired to. */
export const CASCADE = 2

/** Behaviours that differ between implementations in use; 1 is what the data sheet says. */
export interface Profile {
  /** ICW1 can make all inputs level-triggered. 0: the ELCR alone decides (82371 and later). */
  readonly levelByIcw1: number
  /** An edge request goes when its line goes before it is acknowledged. 0: it stays. */
  readonly withdraws: number
  /** After ICW1 a line that is high has to go low before it can request by an edge. 0: asserting it again is enough. */
  readonly remembersLines: number
  /**
   * INT falls with each acknowledge, so that a slave with a second request makes an edge. 0: it stays up. 2: a slave that
   * requests makes an edge with every change of either chip. 3: INT falls with each acknowledge and stays down until
   * something else happens to the slave.
   */
  readonly pulses: number
  /** In special mask mode a non-specific EOI passes over masked levels. 0: it ends them. */
  readonly sparesMasked: number
  /** In special fully nested mode the slave's input is let through by itself only. 0: what is below it is, too. */
  readonly nestsSlaveOnly: number
  /**
   * Special mask mode works. 0: it is accepted and does nothing. 2: the highest level in service blocks everything while it
   * is masked.
   */
  readonly specialMask: number
  /** INT follows at once when special mask mode is entered or left. 0: with the next change of something else. */
  readonly promptSpecialMask: number
  /** INT follows at once when a chip is initialised. 0: with the next change of something else. */
  readonly promptInitialisation: number
  /**
   * A poll enters service. 0: it takes the request away, a level's too, and a slave's from the master. 2: there is no poll,
   * and the answer means nothing.
   */
  readonly pollServes: number
  /** After ICW1 a level line that is high requests on. 0: it has to be asserted again. */
  readonly keepsLevels: number
  /** ICW1 can say that there is no ICW3. 0: there always is. */
  readonly singleMode: number
  /** Special fully nested mode works. 0: it is accepted and does nothing. */
  readonly specialNesting: number
  /** ICW1 selects the request register and leaves special mask mode. 0: both stay. */
  readonly selectsRequests: number
  /** Priorities rotate. 0: never, and each OCW2 that rotates or does nothing ends the highest level in service. */
  readonly rotation: number
  /** The low bits of ICW2 mean nothing. 0: they are part of the vector. */
  readonly alignsBase: number
  /** An acknowledge of the slave that finds nothing gives its level 7. 0: it gives no vector. */
  readonly spuriousSlave: number
  /** Lines that are always edges stay so. 0: the ELCR can change them, and a driver had better not. */
  readonly guardsEdges: number
}

export const chipFields = (bases: number) => ({
  /** Inputs that are high. */
  high: levels,
  /** Requests by edges that nobody acknowledged. */
  edges: levels,
  /** Inputs asserted again would count as an edge though they are high; see `remembersLines`. */
  forgotten: levels,
  /** Level-triggered inputs that are high and yet request nothing until they are asserted again; see `keepsLevels`. */
  quiet: levels,
  /** The ELCR. */
  triggered: levels,
  masked: levels,
  /** In service; while `unsure`, all that can be. */
  served: levels,
  /**
   * The data sheet does not say that ICW1 ends what is in service, nor whether a poll ends it in automatic EOI mode. A read
   * of the in-service register decides.
   */
  unsure: t.flag,
  /** The level of the lowest priority. */
  lowest: t.below(8),
  base: t.below(bases),
  /** Low bits of the vector; see `alignsBase`. */
  low: t.below(8),
  selected: t.oneOf('requests', 'service'),
  specialMask: t.flag,
  /** Whether rotation in automatic EOI mode survives ICW1 is not said. */
  rotates: t.oneOf('off', 'on', 'unknown'),
  /** What a write to the data port means; `off`: nobody initialised it yet. */
  phase: t.oneOf('off', 'icw2', 'icw3', 'icw4', 'ready'),
  levelMode: t.flag,
  single: t.flag,
  wantsIcw4: t.flag,
  mode8086: t.flag,
  autoEoi: t.flag,
  nested: t.flag,
})
export type Chip = StateOf<ReturnType<typeof chipFields>>
export type SeenChip = Seen<Chip>

/** What it does next can be told. */
export const isKnown = (chip: SeenChip): boolean => chip.phase === 'ready' && !chip.unsure

export const levelTriggered = (chip: SeenChip): Bits => (chip.levelMode ? ALL : chip.triggered)

/** The request register: levels as they are, and edges that were not acknowledged. */
export const requests = (chip: SeenChip): Bits => {
  const level = levelTriggered(chip)
  return chip.edges.minus(level).union(chip.high.and(level).minus(chip.quiet))
}

/** Levels in service that count in the order of priority. */
const counted = (chip: SeenChip, spares: number): Bits =>
  spares === 1 && chip.specialMask ? chip.served.minus(chip.masked) : chip.served

/** The place of a level in the order of priority, from 0. */
export const rankOf = (chip: SeenChip, level: number): number => (level + 7 - chip.lowest) % 8

/** The level of `set` with the highest priority. */
const highest = (chip: SeenChip, set: Bits): number | undefined => {
  for (let rank = 1; rank <= 8; rank++) if (set.has((chip.lowest + rank) % 8)) return (chip.lowest + rank) % 8
  return undefined
}

/** The level that is requested: unmasked, and above all that is in service. `slave`: its input that has a slave. */
export const requested = (chip: SeenChip, profile: Profile, slave?: number): number | undefined => {
  const wanted = requests(chip).minus(chip.masked)
  if (wanted.isEmpty) return undefined
  const nests = slave !== undefined && chip.nested && !chip.single && profile.specialNesting === 1
  if (profile.specialMask === 2 && chip.specialMask && chip.masked.has(highest(chip, chip.served) ?? 8))
    return undefined
  let inService = counted(chip, profile.specialMask)
  if (nests && profile.nestsSlaveOnly === 0) inService = inService.without(slave)
  for (let rank = 1; rank <= 8; rank++) {
    const level = (chip.lowest + rank) % 8
    if (inService.has(level)) return nests && level === slave && wanted.has(level) ? level : undefined
    if (wanted.has(level)) return level
  }
  return undefined
}

export const rise = (chip: Chip, pin: number): void => {
  const isEdge = !chip.high.has(pin) || chip.forgotten.has(pin)
  chip.high = chip.high.with(pin)
  chip.forgotten = chip.forgotten.without(pin)
  chip.quiet = chip.quiet.without(pin)
  if (isEdge && !levelTriggered(chip).has(pin)) chip.edges = chip.edges.with(pin)
}

export const fall = (chip: Chip, pin: number, profile: Profile): void => {
  chip.high = chip.high.without(pin)
  chip.forgotten = chip.forgotten.without(pin)
  chip.quiet = chip.quiet.without(pin)
  if (profile.withdraws === 1) chip.edges = chip.edges.without(pin)
}

/** An acknowledge of a level. */
export const take = (chip: Chip, level: number): void => {
  chip.edges = chip.edges.without(level)
  if (!chip.autoEoi) chip.served = chip.served.with(level)
  else if (chip.rotates === 'on') chip.lowest = level
}

/** A poll that finds a level. */
export const takeByPoll = (chip: Chip, level: number, profile: Profile): void => {
  chip.edges = chip.edges.without(level)
  if (profile.pollServes === 0) {
    chip.served = chip.served.without(level)
    if (chip.high.has(level)) chip.quiet = chip.quiet.with(level)
  } else {
    chip.served = chip.served.with(level)
    chip.unsure = chip.autoEoi
  }
}

/** The level that a non-specific EOI ends. */
export const endable = (chip: SeenChip, profile: Profile): number | undefined =>
  highest(chip, counted(chip, profile.sparesMasked))

export const end = (chip: Chip, level: number, rotate: boolean): void => {
  chip.served = chip.served.without(level)
  if (rotate) chip.lowest = level
}

/** ICW1. Lines that are high have to rise anew; the ELCR stays. */
export const initialise = (
  chip: Chip,
  { level, single, icw4 }: { readonly level: boolean; readonly single: boolean; readonly icw4: boolean },
  profile: Profile,
): void => {
  chip.edges = chip.masked = noBits
  chip.forgotten = profile.remembersLines === 1 ? noBits : chip.high
  if (profile.keepsLevels === 0) chip.quiet = chip.high
  chip.unsure = chip.unsure || !chip.served.isEmpty
  chip.lowest = 7
  chip.autoEoi = chip.nested = chip.mode8086 = false
  if (profile.selectsRequests === 1) {
    chip.selected = 'requests'
    chip.specialMask = false
  }
  if (chip.rotates === 'on') chip.rotates = 'unknown'
  chip.levelMode = level && profile.levelByIcw1 === 1
  chip.single = single && profile.singleMode === 1
  chip.wantsIcw4 = icw4
  chip.phase = 'icw2'
}
