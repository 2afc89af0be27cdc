/** The serial machine on a 16550 at fixed ports: registers are written and read, and the line is watched where it is shown. */
import { serial } from '../../../spec/emulated/serial.ts'
import { BYTES, FORMATS } from '../../../spec/emulated/serial-state.ts'
import type { Description, DeviceDescription, Target } from '../../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import {
  CAUSE,
  CAUSE_MASK,
  CLOCK_HZ,
  FIFO,
  FIFO_BYTES,
  INPUTS_SHIFT,
  LINE,
  MODEM,
  TRIGGER_LEVELS,
  TRIGGER_SHIFT,
  UART,
} from '../../layout/uart.ts'
import { notesOf } from '../guest/notes.ts'

const CAUSES: ReadonlyMap<number, string> = new Map(Object.entries(CAUSE).map(([name, code]) => [code, name]))
/** Four characters at the lowest speed take 27 s. */
const WAIT_NS = 40e9
/** What a byte may need to leave, in bits: one and a half of the longest characters, and less than makes a timeout. */
const BITS_TO_LEAVE = 18
const CLOCKS_PER_BIT = 16
/** What is waited at most where time is not ours, and a look at the target every so often. */
const LEAVE_MS_MAX = 1000
const LOOK_MS = 5
/** Bits of the two registers that mean nothing. */
const ONES = { enable: 0xf0, modem: 0xe0 } as const

class SerialSession implements Session {
  readonly device: string
  readonly #base: number
  readonly #resets: boolean
  readonly #machine: Machine
  readonly #sink: Sink
  #target: Target
  /** The trigger level that was chosen last. */
  #trigger = 0
  /** Of the speed; undefined: nobody knows. */
  #divisor: number | undefined
  /** Modem outputs: the machine turns them over one by one. */
  #modem = 0
  /** The line as told last, and as seen last. */
  #told = false
  #level = false

  constructor(target: Target, machine: Machine, sink: Sink, device: DeviceDescription) {
    if (device.transport.kind !== 'port')
      throw new ModelError(`${device.id}: expected a device at fixed ports, found one on ${device.transport.kind}`)
    const { can } = target.describe()
    this.device = device.id
    this.#base = device.transport.base
    this.#resets = can.resets.includes('system') && can.synchronous
    this.#machine = machine
    this.#sink = sink
    this.#target = target
  }

  /** Everything off and empty, eight bits, a divisor that is known, and nothing left to tell of. */
  start(): void {
    if (this.#resets) this.#target.reset('system')
    this.#setDivisor(0, 0)
    this.#write('line', FORMATS[this.#machine.scope.formats! > 1 ? 1 : 0])
    this.#write('enable', 0)
    this.#setModem(0)
    this.#write('fifoControl', FIFO.on | FIFO.clearReceiver | FIFO.clearTransmitter)
    this.#write('fifoControl', 0)
    for (const register of ['identification', 'lineStatus', 'data', 'modemStatus'] as const) this.#read(register)
    this.#trigger = 0
    this.#target.settle(0)
    this.#look()
    this.#told = false
    this.collect()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or bus`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.send': ({ byte }) => this.#send(BYTES[byte as number]),
    'driver.sendMany': ({ first, as }) => {
      const { bytes } = this.#machine.scope
      const many = as === 'full' ? FIFO_BYTES : TRIGGER_LEVELS[this.#trigger]!
      for (let i = 0; i < many; i++) this.#send(BYTES[((first as number) + i) % bytes!])
    },
    'driver.setUp': ({ bits, trigger }) => {
      this.#setDivisor(0, 0)
      this.#write('line', LINE.eightBits)
      // What becomes of a byte when the FIFOs are switched on, nobody says.
      this.#read('data')
      this.#write('enable', 0)
      this.#write('fifoControl', 0)
      this.#setFifo(trigger, true)
      this.#setModem((1 << MODEM.out2) | (1 << MODEM.loop))
      this.#read('lineStatus')
      this.#read('modemStatus')
      this.#write('enable', (bits as Bits).mask)
    },
    'driver.setFifo': ({ trigger, clear }) => this.#setFifo(trigger, clear),
    'driver.stopFifo': ({ clear }) =>
      this.#write('fifoControl', clear ? FIFO.clearReceiver | FIFO.clearTransmitter : 0),
    'driver.wait': () => this.#target.advance!(WAIT_NS),
    'driver.readData': () => this.#tell('device.answerData', { value: this.#read('data') }),
    'driver.readFull': () => {
      for (let i = 1; i < FIFO_BYTES; i++) this.#read('data')
      this.#tell('device.answerFull', { value: this.#read('data') })
    },
    'driver.readIdentification': () => {
      const value = this.#read('identification')
      this.#tell('device.answerIdentification', {
        cause: CAUSES.get(value & CAUSE_MASK) ?? 'unknown',
        high: value >>> 4,
      })
    },
    'driver.readLineStatus': () => this.#tell('device.answerLineStatus', { bits: Bits.of(this.#read('lineStatus')) }),
    'driver.readModemStatus': () => {
      const value = this.#read('modemStatus')
      const inputs = value >>> INPUTS_SHIFT
      this.#tell('device.answerModemStatus', { changes: Bits.of(value & 0xf), inputs: Bits.of(inputs) })
    },
    'driver.setEnable': ({ bits, ones }) => this.#write('enable', (bits as Bits).mask | (ones ? ONES.enable : 0)),
    'driver.setModem': ({ bits, ones }) => this.#setModem((bits as Bits).mask, ones ? ONES.modem : 0),
    'driver.turn': ({ output, ones }) => this.#setModem(this.#modem ^ (1 << (output as number)), ones ? ONES.modem : 0),
    'driver.setLine': ({ format, latch }) =>
      this.#write('line', FORMATS[format as number]! | (latch ? LINE.divisorLatch : 0)),
    'driver.setDivisor': ({ low, high }) => {
      this.#writeDivisor(low as number, high as number)
    },
    'driver.setScratch': ({ byte }) => this.#write('scratch', BYTES[byte as number]),
    'driver.readRegister': ({ register }) =>
      this.#tell('device.answerRegister', { value: this.#read(register as keyof typeof UART) }),
    'bus.reset': () => {
      this.#target.reset('system')
      this.#divisor = undefined
      this.#modem = this.#machine.scope.clearOut2 === 1 ? 0 : 1 << MODEM.out2
    },
  }

  /** The line as it is: a pulse between two levels that are equal is not told. */
  collect(): void {
    this.#look()
    if (this.#level === this.#told) return
    this.#told = this.#level
    this.#tell(this.#level ? 'device.raise' : 'device.lower', {})
  }

  #look(): void {
    for (const event of this.#target.events())
      if (event.kind === 'line' && event.device === this.device) this.#level = event.level
  }

  move(target: Target): void {
    this.#target = target
  }

  remembers(): string {
    return notesOf([this.#trigger, this.#divisor, this.#modem, this.#level, this.#told])
  }

  #setModem(outputs: number, ones = 0): void {
    this.#modem = outputs
    this.#write('modem', outputs | ones)
  }

  #setFifo(trigger: unknown, clear: unknown): void {
    this.#trigger = trigger as number
    const clears = clear === true ? FIFO.clearReceiver | FIFO.clearTransmitter : 0
    this.#write('fifoControl', FIFO.on | (this.#trigger << TRIGGER_SHIFT) | clears)
  }

  #setDivisor(low: number, high: number): void {
    this.#write('line', LINE.divisorLatch | LINE.eightBits)
    this.#writeDivisor(low, high)
  }

  #writeDivisor(low: number, high: number): void {
    this.#write('divisorLow', BYTES[low])
    this.#write('divisorHigh', BYTES[high])
    this.#divisor = BYTES[low]! + 256 * BYTES[high]!
  }

  /** Writes a byte, and waits until it has left: the line status register would say so, but forgets errors when it is read. */
  #send(byte: number | undefined): void {
    this.#write('data', byte)
    const seconds = (BITS_TO_LEAVE * CLOCKS_PER_BIT * (this.#divisor ?? 0xffff)) / CLOCK_HZ
    if (this.#machine.scope.timed === 1) {
      this.#target.advance!(Math.ceil(seconds * 1e9))
      return
    }
    const untilMs = Math.min(seconds * 1000, LEAVE_MS_MAX)
    for (let ms = 0; this.#target.settle(Math.min(ms, LOOK_MS)) === 'busy' && ms < untilMs; ms += LOOK_MS);
  }

  #write(register: keyof typeof UART, value: number | undefined): void {
    this.#target.write({ space: 'port', address: this.#base + UART[register] }, 1, BigInt(value ?? 0))
  }

  #read(register: keyof typeof UART): number {
    return Number(this.#target.read({ space: 'port', address: this.#base + UART[register] }, 1))
  }

  #tell(name: string, args: Args): void {
    this.#sink(this.#machine.action(name), args)
  }
}

const serialOf = ({ devices }: Description): DeviceDescription | undefined =>
  devices.find(({ kind, transport }) => kind === 'serial-16550' && transport.kind === 'port')

export const serialModel: Model = {
  machine: serial,
  played: ['driver', 'bus'],
  notApplicable(target) {
    if (serialOf(target) === undefined) return 'it has no 16550 serial port'
    return target.observes.line === 'exact' ? undefined : 'it does not show interrupt lines'
  },
  scope: ({ can }) => ({ scope: 'played', bounds: { timed: can.synchronous && can.advance === true ? 1 : 0 } }),
  profiles: [{ name: 'QEMU 7.2', bounds: { gate: 0, deltas: 0, clearOut2: 0 } }],
  unavailable: ({ can }): Readonly<Record<string, string>> => ({
    ...(can.advance === true ? {} : { 'driver.wait': 'time cannot be told to go by' }),
    ...(can.resets.includes('system') ? {} : { 'bus.reset': 'it cannot be reset' }),
  }),
  unreachableGoals: ({ can }): Readonly<Record<string, string>> => ({
    ...(can.advance === true
      ? {}
      : { aTimeoutThatIsRead: 'time cannot be told to go by', aNamedTimeout: 'time cannot be told to go by' }),
    ...(can.resets.includes('system')
      ? {}
      : { aResetWithData: 'it cannot be reset', aReadAfterAReset: 'it cannot be reset' }),
  }),
  open: (target, machine, sink) => new SerialSession(target, machine, sink, serialOf(target.describe())!),
}
