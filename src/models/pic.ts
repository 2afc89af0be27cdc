/** The pic machine on a pair of 8259As: command words go to its ports, lines are driven, INT is watched. */
import { pic } from '../../spec/interrupt/pic.ts'
import type { Description, Target, Width } from '../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../kernel/language/index.ts'
import type { Model, Session, Sink } from '../kernel/model.ts'
import {
  CASCADE_INPUT,
  ELCR_LINES,
  I8259_PORTS,
  ICW1,
  ICW3,
  ICW4,
  IS_ICW1,
  IS_OCW3,
  OCW2,
  OCW3,
  POLL_REQUEST,
} from '../layout/i8259.ts'
import { notesOf } from './guest/notes.ts'

type Which = 'master' | 'slave'
type Register = keyof (typeof I8259_PORTS)[Which]
const BOTH = ['slave', 'master'] as const
const LEVEL = { edge: 0, level: ICW1.LEVEL } as const
const MODES = {
  plain: ICW4.MODE_8086,
  nested: ICW4.MODE_8086 | ICW4.SPECIAL_FULLY_NESTED,
  autoEoi: ICW4.MODE_8086 | ICW4.AUTO_EOI,
} as const
const BYTE: Width = 1
/** Vector bases of a set-up, in eights: 0x08 and 0x70. */
const BASES = { master: 1, slave: 14 } as const

class PicSession implements Session {
  readonly device: string
  readonly #resets: boolean
  #target: Target
  readonly #machine: Machine
  readonly #sink: Sink
  /** Masks and triggers as written last: the machine changes single bits. */
  #masks = { master: 0, slave: 0 }
  #triggers = { master: 0, slave: 0 }
  /** INT as told last, and as seen last. */
  #told = false
  #int = false

  constructor(target: Target, machine: Machine, sink: Sink) {
    this.#target = target
    this.#machine = machine
    this.#sink = sink
    const description = target.describe()
    this.device = idOf(description)!
    this.#resets = description.can.resets.includes('system')
  }

  /** Lines low, nothing latched, nothing in service. The machine begins before it knows that. */
  start(): void {
    // What an initialisation leaves as it was would make a run depend on those before it.
    if (this.#resets) this.#target.reset('system')
    for (let line = 0; line < 16; line++) if (line !== CASCADE_INPUT) this.#target.setLine!(this.device, line, false)
    for (const chip of BOTH) this.#write(chip, 'trigger', 0)
    this.#triggers = { master: 0, slave: 0 }
    this.#setUp('plain')
    this.#target.settle(0)
    this.#look()
    this.#told = false
    this.collect()
  }

  #setUp(mode: unknown): void {
    const trigger = (this.#machine.scope.triggers! & 1) !== 0 ? 'edge' : 'level'
    this.#initialise('slave', { trigger, mode: mode === 'nested' ? 'plain' : mode, base: BASES.slave, low: 0 })
    this.#endAll('slave')
    this.#initialise('master', { trigger, mode, base: BASES.master, low: 0 })
    this.#endAll('master')
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or device`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'device.raise': ({ line }) => this.#target.setLine!(this.device, line as number, true),
    'device.outrank': ({ line }) => this.#target.setLine!(this.device, line as number, true),
    'device.raiseAgain': ({ line }) => this.#target.setLine!(this.device, line as number, true),
    'device.lower': ({ line }) => this.#target.setLine!(this.device, line as number, false),
    'driver.setUp': ({ mode }) => this.#setUp(mode),
    'driver.mask': ({ line }) => this.#setMask(line, true),
    'driver.unmask': ({ line }) => this.#setMask(line, false),
    'driver.endOfInterrupt': ({ chip, rotate, look }) => {
      this.#command(chip as Which, rotate ? OCW2.ROTATE_ON_EOI : OCW2.EOI)
      if (look) for (const each of BOTH) this.#lookAtService(each)
    },
    'driver.endLevel': ({ line, rotate }) =>
      this.#commandFor(line, rotate ? OCW2.ROTATE_ON_SPECIFIC_EOI : OCW2.SPECIFIC_EOI),
    'driver.endAll': ({ chip }) => this.#endAll(chip as Which),
    'driver.setPriority': ({ line }) => this.#commandFor(line, OCW2.SET_PRIORITY),
    'driver.yield': ({ line }) => this.#commandFor(line, OCW2.SET_PRIORITY),
    'driver.command': ({ line }) => this.#commandFor(line, OCW2.NO_OPERATION),
    'driver.rotateAutomatically': ({ chip, on }) =>
      this.#command(chip as Which, on ? OCW2.ROTATE_IN_AUTO_EOI_ON : OCW2.ROTATE_IN_AUTO_EOI_OFF),
    'driver.setSpecialMask': ({ chip, on }) =>
      this.#command(chip as Which, IS_OCW3 | (on ? OCW3.SPECIAL_MASK_ON : OCW3.SPECIAL_MASK_OFF)),
    'driver.commandNothing': ({ chip, register, mask }) =>
      this.#command(
        chip as Which,
        IS_OCW3 |
          (register ? OCW3.READ_IN_SERVICE & ~OCW3.READ_REQUESTS : 0) |
          (mask ? OCW3.SPECIAL_MASK_ON & ~OCW3.SPECIAL_MASK_OFF : 0),
      ),
    'driver.maskServed': ({ chip, nothing }) => {
      if (nothing) this.#command(chip as Which, IS_OCW3 | (OCW3.SPECIAL_MASK_ON & ~OCW3.SPECIAL_MASK_OFF))
      this.#maskServed(chip as Which)
    },
    'driver.letLowerThrough': ({ chip }) => {
      this.#maskServed(chip as Which)
      this.#command(chip as Which, IS_OCW3 | OCW3.SPECIAL_MASK_ON)
    },
    'driver.select': ({ chip, register }) =>
      this.#command(chip as Which, IS_OCW3 | (register === 'service' ? OCW3.READ_IN_SERVICE : OCW3.READ_REQUESTS)),
    'driver.setTrigger': ({ line, level: isLevel, others }) => {
      const { chip, level } = at(line)
      this.#triggers[chip] = withBit(this.#triggers[chip], level, isLevel as boolean)
      this.#write(chip, 'trigger', this.#triggers[chip] | (others ? ~ELCR_LINES[chip] & 0xff : 0))
    },
    'driver.initialiseMaster': (args) => this.#initialise('master', args),
    'driver.initialiseSlave': (args) => this.#initialise('slave', args),
    'driver.initialiseShort': ({ chip, trigger, mode, base }) => {
      this.#initialise(chip as Which, { trigger, mode, base, low: 0 })
      this.#begin(chip as Which, LEVEL[trigger as keyof typeof LEVEL])
      this.#write(chip as Which, 'data', 8 * (base as number))
      this.#write(chip as Which, 'data', ICW3[chip as Which])
    },
    'driver.beginInitialisation': ({ chip, trigger, single, icw4 }) => {
      const words = (single ? ICW1.SINGLE : 0) | (icw4 ? ICW1.ICW4 : 0)
      this.#begin(chip as Which, words | LEVEL[trigger as keyof typeof LEVEL])
    },
    'driver.setBase': ({ chip, base, low }) =>
      this.#write(chip as Which, 'data', 8 * (base as number) + (low as number)),
    'driver.setCascade': ({ chip }) => this.#write(chip as Which, 'data', ICW3[chip as Which]),
    'driver.setMode': ({ chip, mode }) => this.#write(chip as Which, 'data', MODES[mode as keyof typeof MODES]),
    'driver.acknowledge': () => this.#acknowledge(),
    'driver.acknowledgeNothing': () => this.#acknowledge(),
    'driver.poll': ({ chip, port }) => {
      this.#command(chip as Which, IS_OCW3 | OCW3.POLL)
      const answer = this.#read(chip as Which, port as Register)
      this.#tell('irqchip.answerPoll', { chip, level: (answer & POLL_REQUEST) === 0 ? undefined : answer & 7 })
    },
    'driver.readRegister': ({ chip }) => this.#answer('irqchip.answerRegister', chip as Which, 'command'),
    'driver.readMask': ({ chip }) => this.#answer('irqchip.answerMask', chip as Which, 'data'),
    'driver.readTrigger': ({ chip }) => this.#answer('irqchip.answerTrigger', chip as Which, 'trigger'),
  }

  /** The INT output as it is: a pulse between two levels that are equal is not told. */
  collect(): void {
    this.#look()
    if (this.#int === this.#told) return
    this.#told = this.#int
    this.#tell(this.#int ? 'irqchip.raise' : 'irqchip.lower', {})
  }

  #look(): void {
    for (const event of this.#target.events())
      if (event.kind === 'line' && event.device === this.device) this.#int = event.level
  }

  move(target: Target): void {
    this.#target = target
  }

  remembers(): string {
    const { master, slave } = this.#masks
    return notesOf([master, slave, this.#triggers.master, this.#triggers.slave, this.#int, this.#told])
  }

  #initialise(chip: Which, { trigger, mode, base, low, anew }: Args): void {
    if (anew === true) {
      this.#command(chip, IS_OCW3 | OCW3.SPECIAL_MASK_ON)
      this.#command(chip, IS_OCW3 | OCW3.READ_IN_SERVICE)
    }
    this.#begin(chip, ICW1.ICW4 | LEVEL[trigger as keyof typeof LEVEL])
    this.#write(chip, 'data', 8 * (base as number) + (low as number))
    this.#write(chip, 'data', ICW3[chip])
    this.#write(chip, 'data', MODES[mode as keyof typeof MODES])
  }

  #setMask(line: unknown, masked: boolean): void {
    const { chip, level } = at(line)
    this.#masks[chip] = withBit(this.#masks[chip], level, masked)
    this.#write(chip, 'data', this.#masks[chip])
  }

  #maskServed(chip: Which): void {
    this.#masks[chip] |= this.#lookAtService(chip)
    this.#write(chip, 'data', this.#masks[chip])
  }

  #begin(chip: Which, words: number): void {
    this.#masks[chip] = 0
    this.#command(chip, IS_ICW1 | words)
  }

  #lookAtService(chip: Which): number {
    this.#command(chip, IS_OCW3 | OCW3.READ_IN_SERVICE)
    return this.#answer('irqchip.answerRegister', chip, 'command')
  }

  #acknowledge(): void {
    this.#tell('irqchip.answerVector', { vector: this.#target.acknowledge!(0) })
  }

  #answer(name: string, chip: Which, register: Register): number {
    const value = this.#read(chip, register)
    this.#tell(name, { chip, levels: Bits.of(value) })
    return value
  }

  #endAll(chip: Which): void {
    for (let level = 0; level < 8; level++) this.#command(chip, OCW2.SPECIFIC_EOI | level)
    this.#command(chip, OCW2.ROTATE_IN_AUTO_EOI_OFF)
  }

  #commandFor(line: unknown, value: number): void {
    const { chip, level } = at(line)
    this.#command(chip, value | level)
  }

  #command(chip: Which, value: number): void {
    this.#write(chip, 'command', value)
  }

  #write(chip: Which, register: Register, value: number): void {
    this.#target.write({ space: 'port', address: I8259_PORTS[chip][register] }, BYTE, BigInt(value))
  }

  #read(chip: Which, register: Register): number {
    return Number(this.#target.read({ space: 'port', address: I8259_PORTS[chip][register] }, BYTE))
  }

  #tell(name: string, args: Args): void {
    this.#sink(this.#machine.action(name), args)
  }
}

const at = (line: unknown): { readonly chip: Which; readonly level: number } => ({
  chip: (line as number) < 8 ? 'master' : 'slave',
  level: (line as number) % 8,
})

const withBit = (mask: number, bit: number, on: boolean): number => (on ? mask | (1 << bit) : mask & ~(1 << bit))

const idOf = (target: Description): string | undefined => target.devices.find(({ kind }) => kind === 'i8259-pair')?.id

export const picModel: Model = {
  machine: pic,
  played: ['driver', 'device'],
  notApplicable(target) {
    if (idOf(target) === undefined) return 'it has no pair of 8259 interrupt controllers'
    if (target.can.lines !== true) return 'its lines cannot be driven'
    return target.can.acknowledge === true ? undefined : 'it performs no interrupt-acknowledge cycle'
  },
  unreachableGoals: (_target, { scope }): Readonly<Record<string, string>> => ({
    ...(scope.specialMask === 2 ? { aLevelBelowAMaskedOne: 'what is masked in service blocks by this profile' } : {}),
    ...(scope.spuriousSlave === 1 ? {} : { aSpuriousInterrupt: 'nothing gives no vector by this profile' }),
    ...(scope.specialNesting === 1 ? {} : { aSecondInterruptOfTheSlave: 'the slave is not nested by this profile' }),
    ...(scope.rotation === 1 ? {} : { anEndInRotatedOrder: 'nothing rotates by this profile' }),
  }),
  scope: ({ observes }) => ({ scope: 'played', ...(observes.line === 'exact' ? {} : { bounds: { int: 0 } }) }),
  profiles: [
    { name: 'PIIX and ICH', bounds: { levelByIcw1: 0 } },
    {
      name: 'QEMU 7.2',
      bounds: {
        levelByIcw1: 0,
        withdraws: 0,
        remembersLines: 0,
        pulses: 0,
        sparesMasked: 0,
        nestsSlaveOnly: 0,
        promptSpecialMask: 0,
      },
    },
    {
      name: 'KVM',
      bounds: {
        levelByIcw1: 0,
        withdraws: 0,
        remembersLines: 0,
        pulses: 2,
        sparesMasked: 0,
        nestsSlaveOnly: 0,
        specialMask: 0,
        promptSpecialMask: 0,
        promptInitialisation: 0,
        pollServes: 0,
        singleMode: 0,
      },
    },
    {
      name: 'v86 0.5',
      bounds: {
        levelByIcw1: 0,
        withdraws: 0,
        remembersLines: 0,
        pulses: 3,
        sparesMasked: 0,
        specialMask: 2,
        promptSpecialMask: 0,
        promptInitialisation: 0,
        pollServes: 2,
        keepsLevels: 0,
        singleMode: 0,
        specialNesting: 0,
        selectsRequests: 0,
        rotation: 0,
        alignsBase: 0,
        spuriousSlave: 0,
        guardsEdges: 0,
      },
    },
  ],
  open: (target, machine, sink) => new PicSession(target, machine, sink),
}
