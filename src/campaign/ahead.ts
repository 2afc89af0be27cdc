/** The plan of the next run, drawn while the target is busy with this one. It is the same plan as without. */
import type { Drawing } from '../kernel/play/drawing.ts'

/** Bits that are drawn in each wait: together they take about as long as a request takes another process. */
const BITS = 2

export class Ahead {
  private next: { readonly of: unknown; readonly drawing: Drawing } | undefined

  /** What comes next, and its drawing; nothing, where nothing is known to come. */
  expect(of?: unknown, drawing?: Drawing): void {
    this.next = drawing && { of, drawing }
  }

  /** The drawing, as far as it has come, if this is what was expected. */
  take(of: unknown): Drawing | undefined {
    const { next } = this
    this.next = undefined
    return next?.of === of ? next?.drawing : undefined
  }

  /** Draws a few bits. */
  readonly go = (): void => {
    try {
      for (let bits = 0; bits < BITS && this.next?.drawing.more() === true; ) bits++
    } catch {
      // The run at hand has nothing to do with it: the plan is drawn again, and fails again, in its turn.
      this.next = undefined
    }
  }
}
