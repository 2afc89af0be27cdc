/** How the interrupts of a device reach the guest, and in which order they are told. */
import type { Target, TargetEvent } from '../../contract/target.ts'
import { TargetError } from '../../contract/target.ts'
import type { VirtioTransport } from '../guest/virtio-transport.ts'

/** Vectors as this suite hands them out. */
export const VECTOR = { config: 0, queue: 1, neighbour: 2 } as const

export class Interrupts {
  target: Target
  private readonly device: string
  private readonly transport: VirtioTransport
  private readonly synchronous: boolean
  private readonly showsLine: boolean
  /** The interrupt line is up. */
  private lineUp = false
  /** The vector of the queue is masked. */
  masked = false
  /** Interrupts of the queue that were under way when their vector was masked, and what came with them. */
  private early: TargetEvent[] = []
  private alongside: readonly TargetEvent[] = []

  constructor(target: Target, device: string, transport: VirtioTransport) {
    this.target = target
    this.device = device
    this.transport = transport
    const { can, observes } = target.describe()
    this.synchronous = can.synchronous
    this.showsLine = observes.line === 'exact'
  }

  mask(on: boolean): void {
    this.transport.maskVector!(VECTOR.queue, on)
    this.masked = on
    if (!on || this.synchronous) return
    // What was under way when the mask was written belongs before it. It is told after the unmasking, which says less
    // and nothing wrong.
    const events = this.target.events()
    const isEarly = (event: TargetEvent): boolean =>
      event.kind === 'msi' && this.isMessage(VECTOR.queue, event.address, event.data)
    this.early.push(...events.filter(isEarly))
    this.alongside = events.filter((event) => !isEarly(event))
  }

  /** Takes the mask away from a queue that is no more. */
  unmask(): void {
    if (this.masked) this.transport.maskVector?.(VECTOR.queue, false)
    this.masked = false
  }

  /** What the target shows, in the order in which it is to be told. */
  events(): readonly TargetEvent[] {
    const events = [...this.alongside, ...this.target.events()]
    this.alongside = []
    if (this.masked || this.early.length === 0) return events
    const early = this.early
    this.early = []
    return [...early, ...events]
  }

  /** Why there was an interrupt: asked for only where the line is up, or was. */
  causes(events: readonly TargetEvent[]): number {
    if (this.transport.interrupts === 'msix') return 0
    let rose = this.lineUp || !this.showsLine
    for (const event of events) {
      if (event.kind !== 'line' || event.device !== this.device) continue
      this.lineUp = event.level
      rose ||= event.level
    }
    return rose ? this.transport.interruptStatus() : 0
  }

  isMessage(vector: number, address: number, data: number): boolean {
    const message = this.transport.messageOf?.(vector)
    return message !== undefined && message.address === address && message.data === data
  }

  /** Whatever came so far is nobody's. */
  forget(): void {
    for (const event of this.target.events())
      if (event.kind === 'line' && event.device === this.device) this.lineUp = event.level
    if (this.transport.interrupts !== 'msix') this.transport.interruptStatus()
  }

  /** A reset: what was kept for later belongs to a life that is over. */
  forgetEarly(): void {
    this.early = []
  }
}

/** Takes the events away unread; only a livelock still counts. */
export const collectQuietly = (target: Target): void => {
  for (const event of target.events()) if (event.kind === 'livelock') throw new TargetError('livelock', event.detail)
}
