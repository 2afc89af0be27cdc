/** Joins the end-to-end machine to an I/O APIC and the virtual CPU behind it: lines in, handlers out. */
import { endToEnd } from '../../spec/interrupt/end-to-end.ts'
import type { Description, DeviceDescription, Target, TargetEvent } from '../contract/target.ts'
import type { Action, Args, Machine } from '../kernel/language/index.ts'
import { type Model, ModelError, type Sink } from '../kernel/model.ts'
import { ENTRY, INDEX, IOAPIC } from '../layout/ioapic.ts'
import { CpuDeliverySession, cpuDeliveryModel } from './cpu-delivery.ts'

const chipOf = (target: Description): DeviceDescription | undefined =>
  target.devices.find(({ kind }) => kind === 'ioapic')

class EndToEndSession extends CpuDeliverySession {
  readonly #chip: string
  readonly #base: number
  readonly #pins: number
  /** Lines that are up. */
  readonly #up = new Set<number>()

  constructor(target: Target, machine: Machine, sink: Sink) {
    super(target, machine, sink)
    const chip = chipOf(target.describe())
    if (chip?.transport.kind !== 'chip' || chip.transport.base === undefined)
      throw new ModelError('expected an I/O APIC that says where its registers are')
    this.#chip = chip.id
    this.#base = chip.transport.base
    this.#pins = machine.scope.pins!
  }

  override start(): void {
    super.start()
    for (const pin of this.#up) this.target.setLine!(this.#chip, pin, false)
    this.#up.clear()
    for (let pin = 0; pin < this.#pins; pin++) this.#program(pin, true)
    this.target.events()
  }

  override perform(action: Action, args: Args): void {
    const pin = args.pin as number
    if (action.name === 'device.raise') this.#drive(pin, true)
    else if (action.name === 'device.lower') this.#drive(pin, false)
    else if (action.name === 'driver.mask') this.#program(pin, true)
    else if (action.name === 'driver.unmask') this.#program(pin, false)
    else super.perform(action, args)
  }

  #drive(pin: number, up: boolean): void {
    if (up) this.#up.add(pin)
    else this.#up.delete(pin)
    this.target.setLine!(this.#chip, pin, up)
  }

  /** Pins that are odd carry levels. */
  #program(pin: number, masked: boolean): void {
    const index = BigInt(INDEX.entries + 2 * pin)
    const entry = this.vectors[pin]! | (pin % 2 === 1 ? ENTRY.level : 0) | (masked ? ENTRY.masked : 0)
    this.target.write({ space: 'mmio', address: this.#base + IOAPIC.select }, 4, index)
    this.target.write({ space: 'mmio', address: this.#base + IOAPIC.window }, 4, BigInt(entry))
  }

  protected override tell(event: TargetEvent): void {
    if (event.kind === 'interrupt' && event.device === this.#chip)
      this.sink(this.machine.action('bus.message'), { vector: this.indexOf(event.vector), level: event.level })
    else super.tell(event)
  }
}

export const endToEndModel: Model = {
  machine: endToEnd,
  played: ['device', 'driver', 'guest', 'hypervisor'],
  notApplicable(target) {
    if (chipOf(target) === undefined || !target.can.lines) return 'it has no I/O APIC whose inputs could be driven'
    return cpuDeliveryModel.notApplicable(target)
  },
  open: (target, machine, sink) => new EndToEndSession(target, machine, sink),
}
