/** The device-status machine on a virtio device: registers written as told, answers read back as actions. */

import { deviceStatus } from '../../spec/virtqueue/device-status.ts'
import { FEATURE_WINDOWS } from '../../spec/virtqueue/feature-offer.ts'
import type { Description, DeviceDescription, Target } from '../contract/target.ts'
import type { Action, Args, Machine } from '../kernel/language/index.ts'
import { Bits } from '../kernel/language/index.ts'
import type { Model, Session, Sink } from '../kernel/model.ts'
import { FEATURE, STATUS } from '../layout/virtio.ts'
import { notesOf } from './guest/notes.ts'
import { hasRequest, QUEUE_BYTES, SingleRequest } from './guest/single-request.ts'
import { arenaOf, VIRTIO_FUNCTION, VirtioDriver, virtioOf } from './guest/virtio-device.ts'

const VERSION_1 = 1n << BigInt(FEATURE.VERSION_1)
/** Accepting them changes how rings and kicks look, which is the matter of other machines. */
const NOTIFICATION_DATA = 1n << BigInt(FEATURE.NOTIFICATION_DATA)
const OTHER_FORMATS = (1n << BigInt(FEATURE.RING_PACKED)) | NOTIFICATION_DATA
const WINDOW_SELECT: Readonly<Record<number, number>> = {
  [FEATURE_WINDOWS.high]: 1,
  [FEATURE_WINDOWS.low]: 0,
  [FEATURE_WINDOWS.beyond]: 0x40,
}
/** Queues of the last lives that are still watched: nothing may come back in them after a reset. */
const WATCHED = 4
/** More returns of one chain than this add nothing. */
const RETURNS_MAX = 3

/** A bit that was not offered: one that changes what a kick looks like, so that it shows when it takes effect. */
const oneMissing = (offered: bigint): bigint => {
  if ((offered & NOTIFICATION_DATA) === 0n) return NOTIFICATION_DATA
  let bit = VERSION_1 << 1n
  while ((offered & bit) !== 0n) bit <<= 1n
  return bit
}

class DeviceStatusSession implements Session {
  readonly device: string
  readonly #driver: VirtioDriver
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #arena: number
  #offered = 0n
  #sizeMax = 0
  #written = 0
  #needsReset = 0
  #resetting = false
  #accepted = 0n
  #lives = 0
  #queues: SingleRequest[] = []
  /** Contents of each window of the offer, in the order in which they were met. */
  #contents: number[][] = []

  constructor(target: Target, machine: Machine, sink: Sink) {
    this.#driver = new VirtioDriver(target)
    this.#machine = machine
    this.#sink = sink
    this.#arena = arenaOf(target.describe()).start
    this.device = this.#driver.device.id
  }

  start(): void {
    const { transport } = this.#driver
    this.#driver.restart()
    this.#offered = transport.deviceFeatures()
    this.#sizeMax = transport.queueSizeMax(0)
    this.#written = this.#needsReset = this.#lives = 0
    this.#resetting = false
    this.#accepted = 0n
    this.#queues = []
    this.#contents = []
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of the driver`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.setStatus': ({ bit }) => {
      if (this.#written === 0) this.#driver.mapConfig()
      this.#resetting = false
      this.#written |= STATUS[bit as keyof typeof STATUS]
      // A driver keeps the bits that it has read, DEVICE_NEEDS_RESET as well.
      this.#driver.transport.setStatus(this.#written | this.#needsReset)
    },
    'driver.giveUp': () => {
      this.#written |= STATUS.FAILED
      this.#driver.transport.setStatus(this.#written | this.#needsReset)
    },
    'driver.clearStatus': ({ bit }) =>
      this.#driver.transport.setStatus((this.#written & ~STATUS[bit as keyof typeof STATUS]) | this.#needsReset),
    'driver.reset': () => {
      this.#written = this.#needsReset = 0
      this.#accepted = 0n
      this.#resetting = true
      this.#driver.transport.setStatus(0)
    },
    'driver.readStatus': () => this.#answerStatus(),
    'driver.readOffer': ({ window }) => this.#answerOffer(window as number),
    'driver.acceptFeatures': ({ choice }) => {
      this.#accepted = this.#choose(choice as string)
      this.#driver.transport.setDriverFeatures(this.#accepted)
    },
    'driver.readAccepted': () => this.#answerAccepted(),
    'driver.publish': ({ chain }) => this.#publish(chain === 'looped'),
    'driver.kick': () => this.#driver.transport.kick(0),
  }

  collect(): void {
    // In this order: what is read later may be newer, and nothing may seem to come after a reset that came before it.
    const isReset = this.#resetting && this.#driver.transport.status() === 0
    const { queue, config } = this.#driver.interrupts()
    const returns = this.#queues.reduce((sum, each) => sum + Math.min(each.returned(), RETURNS_MAX), 0)
    for (let i = 0; i < returns; i++) this.#tell('device.use')
    for (let i = 0; i < queue; i++) this.#tell('device.queueInterrupt')
    for (let i = 0; i < config; i++) this.#tell('device.configInterrupt')
    if (!isReset) return
    this.#resetting = false
    this.#lives++
    this.#tell('device.finishReset')
  }

  move(target: Target): void {
    this.#driver.move(target)
    for (const queue of this.#queues) queue.move(target)
  }

  remembers(): string {
    return notesOf([
      ...[this.#offered, this.#sizeMax, this.#written, this.#needsReset, this.#resetting, this.#accepted, this.#lives],
      ...[this.#contents, this.#driver.notes(), this.#queues.map((queue) => queue.notes())],
    ])
  }

  #answerStatus(): void {
    const status = this.#driver.transport.status()
    if (status === 0 && this.#resetting) this.collect()
    if (this.#written !== 0) this.#needsReset |= status & STATUS.DEVICE_NEEDS_RESET
    this.#tell('device.answerStatus', { bits: Bits.of(status & 0xff) })
  }

  #answerOffer(window: number): void {
    const value = this.#driver.transport.readDeviceFeatures(WINDOW_SELECT[window]!)
    const met = (this.#contents[window] ??= [])
    if (!met.includes(value)) met.push(value)
    const values = this.#machine.scope.values ?? 1
    this.#tell('device.answerOffer', {
      content: Math.min(met.indexOf(value), values - 1),
      version1: window === FEATURE_WINDOWS.high && (value & 1) === 1,
      zero: value === 0,
    })
  }

  #answerAccepted(): void {
    const read = this.#driver.transport.readDriverFeatures?.bind(this.#driver.transport)
    if (read === undefined) throw new TypeError('driver.readAccepted: the transport has no register for it')
    const shown = BigInt(read(0)) | (BigInt(read(1)) << 32n)
    this.#tell('device.answerAccepted', { lacks: (this.#accepted & this.#offered & ~shown) !== 0n })
  }

  #choose(choice: string): bigint {
    const offered = this.#offered & ~OTHER_FORMATS
    switch (choice) {
      case 'offered':
        return offered
      case 'versionOnly':
        return VERSION_1
      case 'withoutVersion':
        return offered & ~VERSION_1
      case 'notOffered':
        return VERSION_1 | oneMissing(this.#offered)
      default:
        return 0n
    }
  }

  #publish(looped: boolean): void {
    const queue = new SingleRequest(this.#driver, this.#arena + (this.#lives % WATCHED) * QUEUE_BYTES)
    this.#queues = [...this.#queues.filter(({ base }) => base !== queue.base), queue]
    queue.publish(this.#driver, this.#sizeMax, this.#driver.queueVector, looped)
  }

  #tell(name: string, args: Args = {}): void {
    this.#sink(this.#machine.action(name), args)
  }
}

const withoutRequest = (device: DeviceDescription): Readonly<Record<string, string>> => {
  const reason = `no request is known that a ${device.kind} would answer`
  return { 'driver.publish': reason, 'driver.kick': reason, 'device.use': reason, 'device.queueInterrupt': reason }
}
const withoutReadBack = 'the MMIO transport does not let a driver read what it has accepted'

export const deviceStatusModel: Model = {
  machine: deviceStatus,
  played: ['driver'],
  notApplicable(target: Description) {
    const device = virtioOf(target)
    if (device === undefined) return 'it has no virtio device'
    return device.kind === VIRTIO_FUNCTION ? 'its virtio device is there as a PCI function alone' : undefined
  },
  scope: (target) => ({
    scope: 'played',
    bounds: { mmio: virtioOf(target)?.transport.kind === 'mmio' ? 1 : 0 },
  }),
  unavailable(target) {
    const device = virtioOf(target)
    if (device === undefined) return {}
    return {
      ...(hasRequest(device) ? {} : withoutRequest(device)),
      ...(device.transport.kind === 'mmio'
        ? { 'driver.readAccepted': withoutReadBack, 'device.answerAccepted': withoutReadBack }
        : {}),
    }
  },
  open: (target, machine, sink) => new DeviceStatusSession(target, machine, sink),
}
