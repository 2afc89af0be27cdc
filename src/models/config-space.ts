/** The config-space machine on a virtio-blk device whose back end can change its capacity. */

import { configSpace } from '../../spec/paravirtual/config-space.ts'
import type { Description, Target } from '../contract/target.ts'
import type { Action, Args, Machine } from '../kernel/language/index.ts'
import type { Model, Session, Sink } from '../kernel/model.ts'
import { BLK_CONFIG } from '../layout/blk.ts'
import { FEATURE, STATUS } from '../layout/virtio.ts'
import { notesOf } from './guest/notes.ts'
import { VirtioDriver, virtioOf } from './guest/virtio-device.ts'

const VERSION_1 = 1n << BigInt(FEATURE.VERSION_1)
/** Sectors between two contents of the low half. */
const LOW_STEP = 8
/** Content 0 of the low half, in sectors: small enough for any image. */
const LOW_BASE = 64
const MET = STATUS.ACKNOWLEDGE | STATUS.DRIVER
const AGREED = MET | STATUS.FEATURES_OK
/** What the counter counts modulo, as far as the machine follows it: 8 bits on PCI, 32 on MMIO. */
const GENERATIONS = { pci: 256, mmio: 65_536 } as const

class ConfigSpaceSession implements Session {
  readonly device: string
  readonly #driver: VirtioDriver
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #generations: number

  constructor(target: Target, machine: Machine, sink: Sink) {
    this.#driver = new VirtioDriver(target)
    this.#machine = machine
    this.#sink = sink
    this.#generations = GENERATIONS[this.#driver.transport.kind]
    this.device = this.#driver.device.id
  }

  start(): void {
    this.#driver.restart()
    this.#resize(0, 0)
    this.#driver.forget()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or backend`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.meet': () => {
      this.#driver.transport.setStatus(STATUS.ACKNOWLEDGE)
      this.#driver.transport.setStatus(MET)
    },
    'driver.start': () => {
      const { transport } = this.#driver
      transport.setDriverFeatures(VERSION_1)
      transport.setStatus(AGREED)
      this.#driver.mapConfig()
      transport.setStatus(AGREED | STATUS.DRIVER_OK)
    },
    'driver.reset': () => {
      this.#driver.resetDevice()
      this.#driver.forget()
    },
    'backend.resize': ({ low, high }) => this.#resize(low as number, high as number),
    'driver.readGeneration': () => {
      const value = this.#driver.transport.configGeneration() % this.#generations
      this.#tell('device.answerGeneration', { value })
    },
    'driver.readCapacity': ({ half }) => this.#answerCapacity(half as 'low' | 'high'),
  }

  collect(): void {
    const { config } = this.#driver.interrupts()
    for (let i = 0; i < config; i++) this.#tell('device.configInterrupt')
  }

  move(target: Target): void {
    this.#driver.move(target)
  }

  remembers(): string {
    return notesOf(this.#driver.notes())
  }

  #resize(low: number, high: number): void {
    const sectors = high * 2 ** 32 + LOW_BASE + LOW_STEP * low
    const { target } = this.#driver
    target.control!(this.device, { do: 'resize', sectors })
    // The medium has changed when the device has heard of it.
    target.settle(0)
  }

  #answerCapacity(half: 'low' | 'high'): void {
    const { lows = 1, highs = 1 } = this.#machine.scope
    const value = this.#driver.transport.readConfig(BLK_CONFIG.capacity + (half === 'low' ? 0 : 4), 4)
    const word = half === 'low' ? (value - LOW_BASE) / LOW_STEP : value
    const known = Number.isInteger(word) && word >= 0 && word < (half === 'low' ? lows : highs)
    const note = known ? undefined : `${half} half: 0x${value.toString(16)}`
    this.#tell('device.answerCapacity', { word: known ? word : undefined }, note)
  }

  #tell(name: string, args: Args = {}, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

export const configSpaceModel: Model = {
  machine: configSpace,
  played: ['driver', 'backend'],
  notApplicable(target: Description) {
    const device = virtioOf(target)
    if (device?.kind !== 'virtio-blk') return 'it has no virtio-blk device, whose capacity this is about'
    return target.can.controls.includes('resize')
      ? undefined
      : 'its back end cannot change the capacity (control `resize`)'
  },
  scope(target) {
    const device = virtioOf(target)
    const kind = device?.transport.kind === 'mmio' ? 'mmio' : 'pci'
    return { scope: 'played', bounds: { mmio: kind === 'mmio' ? 1 : 0, generations: GENERATIONS[kind] } }
  },
  open: (target, machine, sink) => new ConfigSpaceSession(target, machine, sink),
}
