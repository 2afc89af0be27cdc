/** A plan that is drawn bit by bit, in moments in which there is nothing else to do. The plan does not depend on them. */
import type { Plan } from './plan.ts'

/** Something that comes about in bits of a few microseconds. */
export type Bits<T> = Generator<undefined, T, undefined>

export class Drawing {
  private bits: Bits<Plan> | undefined
  private drawn: Plan | undefined

  constructor(bits: Bits<Plan>) {
    this.bits = bits
  }

  /** Draws one bit more; false when nothing is left to draw. */
  more(): boolean {
    const next = this.bits?.next()
    if (next?.done !== true) return next !== undefined
    this.drawn = next.value
    this.bits = undefined
    return false
  }

  /** The plan; what is left of it is drawn now. */
  plan(): Plan {
    while (this.more());
    if (this.drawn === undefined) throw new Error('drawing: expected one that goes on, found one that was given up')
    return this.drawn
  }

  /** Nothing more is drawn. A plan that is complete stays. */
  giveUp(): void {
    this.bits = undefined
  }
}
