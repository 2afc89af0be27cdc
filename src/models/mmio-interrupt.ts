/** The mmio-interrupt machine on a virtio device: its events are used buffers and changes of capacity. */
import { mmioInterrupt } from '../../spec/mmio/interrupt.ts'
import type { Description, DeviceDescription, Target } from '../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../kernel/model.ts'
import { FEATURE, STATUS } from '../layout/virtio.ts'
import { notesOf } from './guest/notes.ts'
import { hasRequest, SingleRequest } from './guest/single-request.ts'
import { arenaOf, VirtioDriver, virtioOf } from './guest/virtio-device.ts'
import type { VirtioTransport } from './guest/virtio-transport.ts'

const VERSION_1 = 1n << BigInt(FEATURE.VERSION_1)
const MET = STATUS.ACKNOWLEDGE | STATUS.DRIVER
const AGREED = MET | STATUS.FEATURES_OK
const CAPACITIES = [64, 72] as const
/** Turns of the target that a request may take, and milliseconds that its interrupt may come later. */
const RETURN_TURNS = 20
const LATE_MS = 2

class MmioInterruptSession implements Session {
  readonly device: string
  readonly #driver: VirtioDriver
  readonly #request: SingleRequest
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #sizeMax: number
  #capacity = 0
  #running = false

  constructor(target: Target, machine: Machine, sink: Sink) {
    this.#driver = new VirtioDriver(target)
    this.#machine = machine
    this.#sink = sink
    this.device = this.#driver.device.id
    this.#request = new SingleRequest(this.#driver, arenaOf(target.describe()).start)
    this.#sizeMax = this.#driver.transport.queueSizeMax(0)
  }

  start(): void {
    this.#driver.restart()
    this.#capacity = 0
    this.#running = false
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or backend`)
    perform(args)
    this.collect()
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.start': () => this.#bringUp(),
    'driver.reset': () => {
      this.#driver.resetDevice()
      this.#running = false
    },
    'driver.submit': () => {
      this.#request.again()
      this.#driver.transport.kick(0)
      this.#awaitReturn()
    },
    'backend.resize': () => {
      this.#capacity = 1 - this.#capacity
      this.#driver.target.control!(this.device, { do: 'resize', sectors: CAPACITIES[this.#capacity]! })
      this.#awaitReturn()
    },
    'driver.readStatus': () =>
      this.#sink(this.#machine.action('device.answerStatus'), { bits: Bits.of(this.#registers.causes() & 3) }),
    'driver.acknowledge': ({ bits }) => this.#registers.acknowledge((bits as Bits).mask),
  }

  collect(): void {
    // The used index comes first: no interrupt precedes what it is about.
    for (let returns = this.#running ? this.#request.returned() : 0; returns > 0; returns--) this.#tell('device.serve')
    for (const event of this.#driver.target.events())
      if (event.kind === 'line' && event.device === this.device)
        this.#tell(event.level ? 'device.raise' : 'device.lower')
  }

  move(target: Target): void {
    this.#driver.move(target)
    this.#request.move(target)
  }

  remembers(): string {
    return notesOf([this.#capacity, this.#running, this.#request.notes()])
  }

  /** The first chain is served, and its interrupt serviced, before anything is judged. */
  #bringUp(): void {
    const { transport } = this.#driver
    transport.setStatus(MET)
    transport.setDriverFeatures(VERSION_1)
    transport.setStatus(AGREED)
    this.#request.publish(this.#driver, this.#sizeMax, undefined)
    transport.setStatus(AGREED | STATUS.DRIVER_OK)
    transport.kick(0)
    this.#awaitReturn()
    this.#request.returned()
    this.#driver.forget()
    this.#running = true
  }

  /** Waits until a chain came back; an interrupt of a target that works by itself may still be on its way. */
  #awaitReturn(): void {
    const { target } = this.#driver
    target.settle(0)
    for (let turn = 0; turn < RETURN_TURNS && this.#request.pending; turn++) target.settle(1)
    if (!target.describe().can.synchronous) target.settle(LATE_MS)
  }

  /** InterruptStatus and InterruptACK, which MMIO alone has. */
  get #registers(): Required<Pick<VirtioTransport, 'causes' | 'acknowledge'>> {
    const { transport } = this.#driver
    if (transport.kind !== 'mmio') throw new ModelError(`${this.device}: expected a device over MMIO`)
    return transport as VirtioTransport & Required<Pick<VirtioTransport, 'causes' | 'acknowledge'>>
  }

  #tell(name: string): void {
    this.#sink(this.#machine.action(name), {})
  }
}

const onMmio = (target: Description): DeviceDescription | undefined => {
  const device = virtioOf(target)
  return device?.transport.kind === 'mmio' ? device : undefined
}

export const mmioInterruptModel: Model = {
  machine: mmioInterrupt,
  played: ['driver', 'backend'],
  notApplicable(target) {
    const device = onMmio(target)
    if (device === undefined) return 'it has no virtio device over MMIO'
    if (target.observes.line !== 'exact') return 'it does not show interrupt lines, which this is about'
    return hasRequest(device) ? undefined : `no request is known that a ${device.kind} would answer`
  },
  unavailable: (target): Readonly<Record<string, string>> =>
    target.can.controls.includes('resize') ? {} : { 'backend.resize': 'its back end cannot change the capacity' },
  unreachableGoals(target): Readonly<Record<string, string>> {
    const reason = 'there is one cause of interrupts: its back end cannot change the capacity'
    return target.can.controls.includes('resize') ? {} : { bothCauses: reason, oneOfTwoAcknowledged: reason }
  },
  open: (target, machine, sink) => new MmioInterruptSession(target, machine, sink),
}
