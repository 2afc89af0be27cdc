/** Joins the posted machine to a poster and a virtual CPU whose descriptor is in memory that both show their accesses to. */
import { posted } from '../../spec/interrupt/posted.ts'
import type { Description, DeviceDescription, Target, TargetEvent } from '../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../kernel/model.ts'
import { DEFAULT_BASE, LAPIC } from '../layout/lapic.ts'
import { DESCRIPTOR, POSTING, REMAPPABLE, URGENT_HANDLE } from '../layout/posted-interrupt.ts'

/** Of three priority classes: two in one word of the request bitmap, and one in the last. */
const VECTORS = [0x45, 0x52, 0xe3] as const
const CPU = 0

const posterOf = (target: Description): DeviceDescription | undefined =>
  target.devices.find(({ kind }) => kind === 'posted-interrupts')

class PostedSession implements Session {
  readonly device: string
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #gpa: number
  readonly #active: number
  readonly #wake: number
  #target: Target
  /** The descriptor as the accesses so far left it. */
  #line: Uint8Array

  constructor(target: Target, machine: Machine, sink: Sink) {
    const poster = posterOf(target.describe())
    if (poster === undefined) throw new ModelError('expected a poster of interrupts')
    this.device = poster.id
    this.#target = target
    this.#machine = machine
    this.#sink = sink
    this.#gpa = factOf(poster, 'descriptor')
    this.#active = factOf(poster, 'activeVector')
    this.#wake = factOf(poster, 'wakeVector')
    this.#line = new Uint8Array(DESCRIPTOR.BYTES)
  }

  start(): void {
    this.#target.reset('system')
    this.#target.settle(0)
    this.#target.events()
    this.#line = this.#target.load(this.#gpa, DESCRIPTOR.BYTES)
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of device, guest or hypervisor`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'device.post': ({ vector, urgent }) => {
      const handle = VECTORS[vector as number]! | (urgent === true ? URGENT_HANDLE : 0)
      this.#target.message!(0, REMAPPABLE.BASE + (handle << REMAPPABLE.HANDLE_SHIFT), 0)
    },
    'guest.hlt': () => {
      this.#target.execute!(CPU, 'hlt')
      this.#retire()
    },
    'guest.setPriority': ({ priority }) => {
      const masked = VECTORS[(priority as number) - 1] ?? 0
      this.#target.write(
        { space: 'mmio', address: DEFAULT_BASE + LAPIC.taskPriority, cpu: CPU },
        4,
        BigInt(masked & 0xf0),
      )
      this.#retire()
    },
    'hypervisor.preempt': () => this.#target.schedule!(CPU, 'preempted', 0),
    'hypervisor.run': ({ host }) => this.#target.schedule!(CPU, 'running', host as number),
    'hypervisor.reset': () => this.start(),
  }

  /** What was on its way came before the instruction. */
  #retire(): void {
    this.collect()
    this.#sink(this.#machine.action('cpu.retire'), {})
  }

  collect(): void {
    for (const event of this.#target.events()) this.#tell(event)
  }

  #tell(event: TargetEvent): void {
    if (event.kind === 'taken') this.#sink(this.#machine.action('cpu.take'), { vector: indexOf(event.vector) })
    else if (event.kind === 'wake') this.#sink(this.#machine.action('cpu.wake'), {})
    else if (event.kind === 'interrupt' && event.device === this.device)
      this.#sink(this.#machine.action('iommu.notify'), {
        vector: this.#notifies(event.vector),
        destination: Math.min(event.destination, this.#machine.scope.hosts! - 1),
      })
    else if (event.kind === 'dma' && event.access === 'write') this.#written(event)
  }

  #written({ device, gpa, data }: TargetEvent & { readonly kind: 'dma' }): void {
    const at = gpa - this.#gpa
    if (at < 0 || at + data.length > DESCRIPTOR.BYTES) return
    const before = this.#line
    const after = before.slice()
    after.set(data, at)
    this.#line = after
    const { outstanding, suppressed, notifies, destination } = this.#controlOf(after)
    if (device === this.device) {
      const requests = requestsOf(after)
      const intact = onlyRequestsDiffer(before, after)
      this.#sink(this.#machine.action('iommu.record'), { requests, outstanding, intact })
      return
    }
    const gone = requestsOf(before).minus(requestsOf(after))
    if (!gone.isEmpty) this.#sink(this.#machine.action('cpu.merge'), { requests: gone })
    const changed = after.subarray(DESCRIPTOR.CONTROL).some((byte, i) => byte !== before[DESCRIPTOR.CONTROL + i])
    if (changed) this.#sink(this.#machine.action('cpu.aim'), { outstanding, suppressed, notifies, destination })
  }

  #controlOf(line: Uint8Array): Record<string, unknown> {
    const view = new DataView(line.buffer, line.byteOffset)
    return {
      outstanding: (line[DESCRIPTOR.CONTROL]! & POSTING.ON) !== 0,
      suppressed: (line[DESCRIPTOR.CONTROL]! & POSTING.SN) !== 0,
      notifies: this.#notifies(line[DESCRIPTOR.VECTOR]!),
      destination: Math.min(view.getUint32(DESCRIPTOR.DESTINATION, true), this.#machine.scope.hosts! - 1),
    }
  }

  #notifies(vector: number): string {
    return vector === this.#active ? 'active' : vector === this.#wake ? 'wake' : 'other'
  }

  move(target: Target): void {
    this.#target = target
  }
}

const factOf = ({ id, facts }: DeviceDescription, name: string): number => {
  const value = facts?.[name]
  if (typeof value !== 'number') throw new ModelError(`${id}: facts.${name}: expected a number, found ${String(value)}`)
  return value
}

const requestsOf = (line: Uint8Array): Bits =>
  Bits.from([...VECTORS.keys()].filter((i) => ((line[VECTORS[i]! >> 3]! >> (VECTORS[i]! & 7)) & 1) === 1))

/** Whether nothing but requests of vectors in use, and the outstanding bit, differs. */
const onlyRequestsDiffer = (before: Uint8Array, after: Uint8Array): boolean =>
  after.every((byte, at) => {
    const free = VECTORS.reduce((mask, vector) => (vector >> 3 === at ? mask | (1 << (vector & 7)) : mask), 0)
    return ((byte ^ before[at]!) & ~(at === DESCRIPTOR.CONTROL ? POSTING.ON : free) & 0xff) === 0
  })

/** Vectors that nobody posts are one. */
const indexOf = (vector: number): number => {
  const index = (VECTORS as readonly number[]).indexOf(vector)
  return index < 0 ? VECTORS.length : index
}

export const postedModel: Model = {
  machine: posted,
  played: ['device', 'guest', 'hypervisor'],
  notApplicable(target) {
    if (posterOf(target) === undefined) return 'it posts no interrupts'
    const { can, observes } = target
    if (!can.message || !can.execute || !can.schedule) return 'it cannot be sent messages and scheduled'
    return observes.interrupt === 'exact' && observes.dma === 'exact' && can.step
      ? undefined
      : 'it does not show each access to the descriptor'
  },
  open: (target, machine, sink) => new PostedSession(target, machine, sink),
}
