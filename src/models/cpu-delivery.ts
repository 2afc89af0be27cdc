/** Joins the cpu-delivery machine to a virtual CPU that takes messages and executes what it is told. */
import { cpuDelivery } from '../../spec/interrupt/cpu-delivery.ts'
import type { Description, DeviceDescription, Instruction, Target, TargetEvent } from '../contract/target.ts'
import type { Action, Args, Machine } from '../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../kernel/model.ts'
import { DEFAULT_BASE, LAPIC, MESSAGE, MESSAGE_DATA } from '../layout/lapic.ts'

/** Of a priority class each, and mostly two of a class. */
const SINGLE = [0x31, 0x52, 0x73] as const
const PAIRED = [0x31, 0x3a, 0x72, 0x7b, 0xc4] as const
const CPU = 0

/** What the guest executes; `eoi` is a write of the EOI register. */
type Executed = Instruction | 'eoi'
const INSTRUCTIONS: Readonly<Record<string, Executed>> = {
  'guest.nop': 'nop',
  'guest.sti': 'sti',
  'guest.stiAgain': 'sti',
  'guest.cli': 'cli',
  'guest.hlt': 'hlt',
  'guest.stop': 'hlt',
  'guest.eoi': 'eoi',
  'guest.eoiOfNothing': 'eoi',
}

const vcpuOf = (target: Description): DeviceDescription | undefined =>
  target.devices.find(({ kind }) => kind === 'vcpu')

export class CpuDeliverySession implements Session {
  readonly device: string
  protected readonly machine: Machine
  protected readonly sink: Sink
  protected readonly vectors: readonly number[]
  protected target: Target

  constructor(target: Target, machine: Machine, sink: Sink) {
    const device = vcpuOf(target.describe())
    if (device === undefined) throw new ModelError('expected a virtual CPU')
    this.device = device.id
    this.target = target
    this.machine = machine
    this.sink = sink
    this.vectors = machine.scope.pairs === 1 ? PAIRED : SINGLE
  }

  start(): void {
    this.target.reset('system')
    this.target.events()
  }

  perform(action: Action, args: Args): void {
    const instruction = INSTRUCTIONS[action.name]
    if (instruction !== undefined) {
      this.#execute(instruction)
      return
    }
    switch (action.name) {
      case 'bus.message': {
        const trigger = args.level === true ? MESSAGE_DATA.level | MESSAGE_DATA.assert : 0
        this.target.message!(0, MESSAGE.base, this.vectors[args.vector as number]! | trigger)
        return
      }
      case 'hypervisor.preempt':
        this.target.schedule!(CPU, 'preempted', 0)
        return
      case 'hypervisor.reset':
        this.start()
        return
      case 'hypervisor.resume':
        this.target.schedule!(CPU, 'running', 0)
        return
      default:
        throw new TypeError(`${action.name}: not an action that is played`)
    }
  }

  /** What was on its way comes before the instruction; only the broadcast of an end comes of it. */
  #execute(instruction: Executed): void {
    if (instruction === 'eoi')
      this.target.write({ space: 'mmio', address: DEFAULT_BASE + LAPIC.endOfInterrupt, cpu: CPU }, 4, 0n)
    else this.target.execute!(CPU, instruction)
    const events = this.target.events()
    const broadcast = events.findIndex(({ kind }) => kind === 'eoi')
    const retired = broadcast < 0 ? events.length : broadcast
    for (let i = 0; i < retired; i++) this.tell(events[i]!)
    this.sink(this.machine.action('cpu.retire'), {})
    for (let i = retired; i < events.length; i++) this.tell(events[i]!)
  }

  collect(): void {
    for (const event of this.target.events()) this.tell(event)
  }

  protected tell(event: TargetEvent): void {
    if (event.kind === 'taken') this.sink(this.machine.action('cpu.take'), { vector: this.indexOf(event.vector) })
    else if (event.kind === 'eoi')
      this.sink(this.machine.action('irqchip.broadcast'), { vector: this.indexOf(event.vector) })
    else if (event.kind === 'exit') this.sink(this.machine.action('cpu.exit'), {})
    else if (event.kind === 'wake') this.sink(this.machine.action('cpu.wake'), {})
  }

  /** Vectors that nobody sends are one. */
  protected indexOf(vector: number): number {
    const index = this.vectors.indexOf(vector)
    return index < 0 ? this.vectors.length : index
  }

  move(target: Target): void {
    this.target = target
  }
}

export const cpuDeliveryModel: Model = {
  machine: cpuDelivery,
  played: ['bus', 'guest', 'hypervisor'],
  notApplicable({ devices, can, observes }) {
    if (!devices.some(({ kind }) => kind === 'vcpu')) return 'it has no virtual CPU by itself'
    if (!can.message || !can.execute || !can.schedule)
      return 'its virtual CPU cannot be sent messages, told what to execute, and scheduled'
    return observes.interrupt === 'exact' && can.step
      ? undefined
      : 'it does not show, step by step, which interrupts its CPU takes'
  },
  open: (target, machine, sink) => new CpuDeliverySession(target, machine, sink),
}
