/** How the interrupts of a device reach the guest, and in which order they are told. */
import type { Target, TargetEvent } from '../../contract/target.ts'
import { TargetError } from '../../contract/target.ts'
import type { VirtioTransport } from '../guest/virtio-transport.ts'

/** Vectors as this suite hands them out. */
export const VECTOR = { config: 0, queue: 1, neighbour: 2 } as const

/** Events in the order in which they are to be told, and the causes that the device gives for its interrupts. */
interface Seen {
  readonly events: readonly TargetEvent[]
  readonly causes: number
}

const NOTHING: readonly TargetEvent[] = []

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
  private alongside: readonly TargetEvent[] = NOTHING

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

  /** What came, and why. */
  seen(): Seen {
    const events = this.events()
    return { events, causes: this.causes(events) }
  }

  /** What the target shows, in the order in which it is to be told. */
  private events(): readonly TargetEvent[] {
    const now = this.target.events()
    const events = this.alongside.length === 0 ? now : [...this.alongside, ...now]
    this.alongside = NOTHING
    if (this.masked || this.early.length === 0) return events
    const early = this.early
    this.early = []
    return [...early, ...events]
  }

  /**
   * Why there was an interrupt: asked for only where the line is up, or was since the last time. That it fell says
   * nothing: whoever asked for the causes made it fall.
   */
  private causes(events: readonly TargetEvent[]): number {
    if (this.transport.interrupts === 'msix') return 0
    const rose = this.follow(events) || this.lineUp || !this.showsLine
    return rose ? this.transport.interruptStatus() : 0
  }

  /**
   * The same after a poke that makes the device work. On a target in another process the read of the causes carries the
   * poke out, so that to ask at once costs nothing; to ask after the line was seen to rise is one round trip more. What
   * was acknowledged is taken back before anybody looks at the rings: a chain that came back after the causes were read
   * and before they were acknowledged has no interrupt of its own.
   */
  afterPoke(): Seen {
    if (this.synchronous || this.transport.interrupts === 'msix') return this.seen()
    const first = this.transport.interruptStatus()
    const events = this.events()
    const rose = this.follow(events)
    const again = this.lineUp || (rose && first === 0)
    return { events, causes: again ? first | this.transport.interruptStatus() : first }
  }

  isMessage(vector: number, address: number, data: number): boolean {
    const message = this.transport.messageOf?.(vector)
    return message !== undefined && message.address === address && message.data === data
  }

  /** Whatever came so far is nobody's. Where it costs a round trip, a line that is down is believed. */
  forget(): void {
    this.follow(this.target.events())
    if (this.transport.interrupts === 'msix') return
    if (this.synchronous || this.lineUp || !this.showsLine) this.transport.interruptStatus()
  }

  /** A reset: what was kept for later belongs to a life that is over. */
  forgetEarly(): void {
    this.early = []
  }

  /** Keeps the level of the line; returns whether it rose on the way. */
  private follow(events: readonly TargetEvent[]): boolean {
    let rose = false
    for (const event of events) {
      if (event.kind !== 'line' || event.device !== this.device) continue
      this.lineUp = event.level
      rose ||= event.level
    }
    return rose
  }
}

/** Takes the events away unread; only a livelock still counts. */
export const collectQuietly = (target: Target): void => {
  for (const event of target.events()) if (event.kind === 'livelock') throw new TargetError('livelock', event.detail)
}
