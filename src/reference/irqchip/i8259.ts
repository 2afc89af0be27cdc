/** One 8259A: its registers, what it requests, and what command words do to it. Levels are numbers, sets of them masks. */
import { ICW1, ICW4, IS_ICW1, IS_OCW3, OCW2, OCW3, POLL_REQUEST, VECTOR_BASE } from '../../layout/i8259.ts'

/** Plain data, as it is saved. */
export interface I8259State {
  /** Inputs that are high. */
  pins: number
  /** Inputs whose edge-sense circuit is ready: it was low since the last edge was acknowledged. */
  armed: number
  mask: number
  inService: number
  /** Level of the lowest priority; the one above it, in a circle, has the highest. */
  lowest: number
  base: number
  /** Edge/level control register of the chipset. */
  trigger: number
  /** ICW1: all inputs are level-triggered; ICW4 follows; there is no cascade. */
  levelMode: boolean
  wantsIcw4: boolean
  single: boolean
  /** ICW3 as it was written; it changes nothing, the board is wired as it is. */
  cascade: number
  mode8086: boolean
  autoEoi: boolean
  specialFullyNested: boolean
  rotateInAutoEoi: boolean
  specialMask: boolean
  readsInService: boolean
  /** A poll command was written and not read yet. */
  polled: boolean
  /** What a write to the data port means. `icw1`: it was never initialised, and requests nothing. */
  expects: 'icw1' | 'icw2' | 'icw3' | 'icw4' | 'ocw1'
}

const ALL = 0xff

export const unpowered = (): I8259State => ({
  pins: 0,
  armed: ALL,
  mask: 0,
  inService: 0,
  lowest: 7,
  base: 0,
  trigger: 0,
  levelMode: false,
  wantsIcw4: false,
  single: false,
  cascade: 0,
  mode8086: false,
  autoEoi: false,
  specialFullyNested: false,
  rotateInAutoEoi: false,
  specialMask: false,
  readsInService: false,
  polled: false,
  expects: 'icw1',
})

/** Where a chip sits: which inputs have a slave, and which lines the board lets be level-triggered. */
export interface I8259Place {
  readonly slaves: number
  readonly triggerLines: number
}

/** The level of the highest priority among some; undefined where there is none. */
export const highest = (chip: I8259State, levels: number): number | undefined => {
  for (let rank = 1; rank <= 8; rank++) {
    const level = (chip.lowest + rank) & 7
    if (((levels >>> level) & 1) === 1) return level
  }
  return undefined
}

/** Decisions of a chip, each of which a seeded fault can replace. */
export const correctChip = {
  setPin(chip: I8259State, pin: number, level: boolean): void {
    const bit = 1 << pin
    chip.pins = level ? chip.pins | bit : chip.pins & ~bit
    if (!level) chip.armed |= bit
  },

  /** IRR: levels as they are, edges until they are acknowledged; both only while the input is high. */
  requests: (chip: I8259State): number => chip.pins & (chip.armed | (chip.levelMode ? 0xff : chip.trigger)),

  /** Levels in service that hold back themselves and what is below them. */
  holding: (chip: I8259State, _place: I8259Place): number => chip.inService & ~(chip.specialMask ? chip.mask : 0),

  /** Whether a level that is in service may interrupt once more: a slave's, in special fully nested mode. */
  passesItself: (chip: I8259State, level: number, place: I8259Place): boolean =>
    chip.specialFullyNested && !chip.single && ((place.slaves >>> level) & 1) === 1,

  /** An acknowledge sets the bit in service; in automatic EOI mode it is over at once. */
  take(chip: I8259State, level: number): void {
    chip.armed &= ~(1 << level)
    if (!chip.autoEoi) chip.inService |= 1 << level
    else if (chip.rotateInAutoEoi) chip.lowest = level
  },

  /** An acknowledge without a request: level 7 is named, and nothing is in service. */
  takeNothing(_chip: I8259State): void {},

  /** The level that a non-specific EOI ends: the highest in service; special mask mode passes over masked ones. */
  toEnd: (chip: I8259State): number | undefined => highest(chip, chip.inService & ~(chip.specialMask ? chip.mask : 0)),

  end(chip: I8259State, level: number, rotate: boolean): void {
    chip.inService &= ~(1 << level)
    if (rotate) chip.lowest = level
  },

  vector: (chip: I8259State, level: number): number => (chip.base & VECTOR_BASE) | level,

  pollAnswer: (level: number | undefined): number => (level === undefined ? 0 : POLL_REQUEST | level),

  /** A poll acknowledges like INTA. */
  takePolled(chip: I8259State, level: number, take: (chip: I8259State, level: number) => void): void {
    take(chip, level)
  },

  initialise(chip: I8259State, icw1: number): void {
    chip.armed = ~chip.pins & 0xff
    chip.mask = chip.inService = 0
    chip.lowest = 7
    chip.specialMask = chip.readsInService = chip.polled = false
    chip.rotateInAutoEoi = chip.autoEoi = chip.specialFullyNested = chip.mode8086 = false
    chip.levelMode = (icw1 & ICW1.LEVEL) !== 0
    chip.single = (icw1 & ICW1.SINGLE) !== 0
    chip.wantsIcw4 = (icw1 & ICW1.ICW4) !== 0
    chip.expects = 'icw2'
  },

  setMask(chip: I8259State, mask: number): void {
    chip.mask = mask
  },

  setTrigger(chip: I8259State, value: number, place: I8259Place): void {
    chip.trigger = value & place.triggerLines
  },

  select(chip: I8259State, inService: boolean): void {
    chip.readsInService = inService
  },

  setSpecialMask(chip: I8259State, on: boolean): void {
    chip.specialMask = on
  },
}
export type I8259Parts = typeof correctChip

export class I8259 {
  state = unpowered()
  readonly #place: I8259Place
  readonly parts: I8259Parts

  constructor(place: I8259Place, parts: I8259Parts) {
    this.#place = place
    this.parts = parts
  }

  /** The level that would be acknowledged now; undefined: INT is low. */
  get requested(): number | undefined {
    const { state, parts } = this
    if (state.expects !== 'ocw1') return undefined
    const wanted = parts.requests(state) & ~state.mask
    const holding = parts.holding(state, this.#place)
    for (let rank = 1; rank <= 8; rank++) {
      const level = (state.lowest + rank) & 7
      const held = ((holding >>> level) & 1) === 1
      if (((wanted >>> level) & 1) === 1 && (!held || parts.passesItself(state, level, this.#place))) return level
      if (held) return undefined
    }
    return undefined
  }

  take(level: number): void {
    this.parts.take(this.state, level)
  }

  writeCommand(value: number): void {
    if ((value & IS_ICW1) !== 0) this.parts.initialise(this.state, value)
    else if ((value & IS_OCW3) !== 0) this.#ocw3(value)
    else this.#ocw2(value & 0xe0, value & 7)
  }

  #ocw2(command: number, level: number): void {
    const { state, parts } = this
    switch (command) {
      case OCW2.EOI:
      case OCW2.ROTATE_ON_EOI: {
        const ended = parts.toEnd(state)
        if (ended !== undefined) parts.end(state, ended, command === OCW2.ROTATE_ON_EOI)
        return
      }
      case OCW2.SPECIFIC_EOI:
      case OCW2.ROTATE_ON_SPECIFIC_EOI:
        parts.end(state, level, command === OCW2.ROTATE_ON_SPECIFIC_EOI)
        return
      case OCW2.SET_PRIORITY:
        state.lowest = level
        return
      case OCW2.ROTATE_IN_AUTO_EOI_ON:
      case OCW2.ROTATE_IN_AUTO_EOI_OFF:
        state.rotateInAutoEoi = command === OCW2.ROTATE_IN_AUTO_EOI_ON
    }
  }

  #ocw3(value: number): void {
    const { state, parts } = this
    if ((value & OCW3.READ_REQUESTS) !== 0) parts.select(state, (value & OCW3.READ_IN_SERVICE) === OCW3.READ_IN_SERVICE)
    if ((value & OCW3.SPECIAL_MASK_OFF) !== 0)
      parts.setSpecialMask(state, (value & OCW3.SPECIAL_MASK_ON) === OCW3.SPECIAL_MASK_ON)
    state.polled = (value & OCW3.POLL) !== 0
  }

  writeData(value: number): void {
    const { state, parts } = this
    switch (state.expects) {
      case 'icw2':
        state.base = value
        state.expects = !state.single ? 'icw3' : state.wantsIcw4 ? 'icw4' : 'ocw1'
        return
      case 'icw3':
        state.cascade = value
        state.expects = state.wantsIcw4 ? 'icw4' : 'ocw1'
        return
      case 'icw4':
        state.mode8086 = (value & ICW4.MODE_8086) !== 0
        state.autoEoi = (value & ICW4.AUTO_EOI) !== 0
        state.specialFullyNested = (value & ICW4.SPECIAL_FULLY_NESTED) !== 0
        state.expects = 'ocw1'
        return
      default:
        parts.setMask(state, value)
    }
  }

  /** A read of either port answers a poll first. */
  read(data: boolean): number {
    const { state, parts } = this
    if (state.polled) {
      state.polled = false
      const level = this.requested
      if (level !== undefined) parts.takePolled(state, level, parts.take)
      return parts.pollAnswer(level)
    }
    if (data) return state.mask
    return state.readsInService ? state.inService : parts.requests(state)
  }

  readTrigger(): number {
    return this.state.trigger
  }

  writeTrigger(value: number): void {
    this.parts.setTrigger(this.state, value, this.#place)
  }
}
