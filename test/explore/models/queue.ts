/** A bounded first-in first-out queue of numbers, for models of channels. Places that hold nothing are zero. */
import { type Cells, type Scalar, t } from '../../../src/kernel/language/index.ts'

interface Queue {
  length: number
  readonly items: Cells<number>
}
type SeenQueue = { readonly length: number; readonly items: Pick<Cells<number>, 'at'> }

export const queue = (capacity: number, of: Scalar<number>) => ({
  type: t.record({ length: t.below(capacity + 1), items: t.array(capacity, of) }),
  isEmpty: (q: SeenQueue): boolean => q.length === 0,
  isFull: (q: SeenQueue): boolean => q.length === capacity,
  first: (q: SeenQueue): number => q.items.at(0),
  push(q: Queue, item: number): void {
    q.items.set(q.length, item)
    q.length++
  },
  shift(q: Queue): void {
    q.length--
    for (let i = 0; i < q.length; i++) q.items.set(i, q.items.at(i + 1))
    q.items.set(q.length, 0)
  },
})
