/** virtio-blk beside the other parts of a queue: chains that a hostile driver has spoilt, and a second queue. */
import { type Bits, part, t } from '../../src/kernel/language/index.ts'
import { hostileState, refusals } from '../virtqueue/hostile.ts'
import { neighbourState } from '../virtqueue/neighbour.ts'
import { headOf } from '../virtqueue/queue.ts'
import { orderState, status } from './blk.ts'

type Malformed = { readonly malformed: Bits; readonly why: string }
type Returned = { readonly head: number | undefined; readonly status: string }

/** A robust device does not carry out what is malformed beyond doubt. */
const refusalDuties = Object.fromEntries(
  refusals.map(({ name, hardening }) => [
    `refuses${name[0]!.toUpperCase()}${name.slice(1)}`,
    {
      clause: hardening,
      given: (s: Malformed, { head }: Returned) => head !== undefined && s.malformed.has(head) && s.why === name,
      holds: (_s: unknown, { status }: Returned) => status !== 'ok',
      safety: true as const,
    },
  ]),
)

export const blkInCompany = ({ size }: { readonly size: number }) =>
  part({
    source: 'VIRTIO 1.4',
    borrows: { ...orderState, ...hostileState(size), ...neighbourState },
    state: {},
    actions: {
      'device.return': { args: { head: t.maybe(headOf(size)), status }, requires: refusalDuties },
      // The order to fail is for a request of the first queue.
      'backend.fail': { when: (s) => s.neighbour !== 'busy' },
      'driver.useNeighbour': { when: (s) => !s.failing },
    },
  })
