/** The parallel machine on a printer port: its registers, its line pulse by pulse, and a printer that can hold. */
import { BYTES, parallel } from '../../../spec/emulated/parallel.ts'
import type { Description, DeviceDescription, Target } from '../../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { CONTROL, CONTROL_MASK, PARPORT } from '../../layout/parport.ts'
import { notesOf } from '../guest/notes.ts'

const READY = (1 << CONTROL.run) | (1 << CONTROL.select)

class ParallelSession implements Session {
  readonly device: string
  readonly #base: number
  readonly #machine: Machine
  readonly #sink: Sink
  #target: Target
  /** The control register as written last: a strobe changes one bit. */
  #control = READY

  constructor(target: Target, machine: Machine, sink: Sink, device: DeviceDescription) {
    if (device.transport.kind !== 'port')
      throw new ModelError(`${device.id}: expected a device at fixed ports, found one on ${device.transport.kind}`)
    this.device = device.id
    this.#base = device.transport.base
    this.#machine = machine
    this.#sink = sink
    this.#target = target
  }

  start(): void {
    this.#target.control!(this.device, { do: 'release', order: 'fifo' })
    this.#setControl(0)
    this.#setControl(READY)
    this.#read('status')
    this.#target.settle(0)
    this.#target.events()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver, backend or bus`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.setData': ({ byte }) => this.#write('data', BYTES[byte as number]!),
    'driver.setControl': ({ bits, ones }) => this.#setControl((bits as Bits).mask, ones ? ~CONTROL_MASK & 0xff : 0),
    'driver.strobe': () => {
      this.#write('control', this.#control | (1 << CONTROL.strobe))
      this.#write('control', this.#control)
    },
    'driver.read': ({ register }) =>
      this.#sink(this.#machine.action('device.answer'), {
        bits: Bits.of(this.#read(register as keyof typeof PARPORT)),
      }),
    'backend.hold': () => this.#target.control!(this.device, { do: 'hold' }),
    'backend.release': () => this.#target.control!(this.device, { do: 'release', order: 'fifo' }),
    'bus.reset': () => {
      this.#target.reset('system')
      this.#target.control!(this.device, { do: 'release', order: 'fifo' })
      this.#control = 0
    },
  }

  collect(): void {
    for (const event of this.#target.events())
      if (event.kind === 'line' && event.device === this.device)
        this.#sink(this.#machine.action(event.level ? 'device.raise' : 'device.lower'), {})
  }

  move(target: Target): void {
    this.#target = target
  }

  remembers(): string {
    return notesOf([this.#control])
  }

  #setControl(bits: number, ones = 0): void {
    this.#control = bits
    this.#write('control', bits | ones)
  }

  #write(register: keyof typeof PARPORT, value: number): void {
    this.#target.write({ space: 'port', address: this.#base + PARPORT[register] }, 1, BigInt(value))
  }

  #read(register: keyof typeof PARPORT): number {
    return Number(this.#target.read({ space: 'port', address: this.#base + PARPORT[register] }, 1))
  }
}

const parallelOf = ({ devices }: Description): DeviceDescription | undefined =>
  devices.find(({ kind, transport }) => kind === 'parallel-port' && transport.kind === 'port')

export const parallelModel: Model = {
  machine: parallel,
  played: ['driver', 'backend', 'bus'],
  notApplicable(target) {
    if (parallelOf(target) === undefined) return 'it has no printer port'
    if (target.observes.line !== 'exact') return 'it does not show interrupt lines'
    const { controls, resets } = target.can
    if (!controls.includes('hold') || !controls.includes('release')) return 'its printer cannot be told to hold'
    return resets.includes('system') ? undefined : 'it cannot be reset'
  },
  open: (target, machine, sink) => new ParallelSession(target, machine, sink, parallelOf(target.describe())!),
}
