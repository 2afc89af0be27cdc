/** A virtio block device over one split queue: what `split-queue` says, and what the requests mean. */
import { compose, machine, scoped } from '../../src/kernel/language/index.ts'
import { defect } from '../virtqueue/hostile.ts'
import { lifecycle, lifecycleState } from '../virtqueue/lifecycle.ts'
import { queue } from '../virtqueue/queue.ts'
import { explored, played, seamsWith, splitQueueParts } from '../virtqueue/split-queue.ts'
import { type BlkBounds, blk } from './blk.ts'
import { blkInCompany } from './blk-in-company.ts'

export const virtioBlk = scoped(
  'virtio-blk',
  {
    explored: { ...explored, size: 1, wrap: 2, sectors: 1, contents: 1, readOnly: 0, kinds: 1 },
    played: { ...played, sectors: 4, contents: 8, readOnly: 0, kinds: 10 },
  },
  (bounds) =>
    compose(
      { ...splitQueueParts(bounds), blk: blk(bounds), company: blkInCompany(bounds) },
      seamsWith({
        shared: ['malformed', 'why', 'neighbour', 'failing'],
        synchronised: ['backend.fail', 'driver.useNeighbour'],
      }),
    ),
)

/** A driver that builds its chains as it should. */
const wellBuilt = () =>
  machine({
    source: 'VIRTIO 1.4',
    state: {},
    actions: { 'driver.add': { args: { defect }, when: (_s, { defect }) => defect === 'none' } },
  })

/** The requests alone, over a queue without a format: several in flight at once, of every kind. */
export const blkRequests = scoped(
  'blk-requests',
  {
    explored: { size: 2, sectors: 1, contents: 2, readOnly: 0, kinds: 3, choosy: 0, picky: 0 },
    played: { ...played, sectors: 4, contents: 8, readOnly: 0, kinds: 10 },
  },
  (bounds: BlkBounds & { readonly choosy: number; readonly picky: number }) =>
    compose(
      { lifecycle: lifecycle(bounds), queue: queue(bounds), blk: blk(bounds), wellBuilt: wellBuilt() },
      {
        symmetry: { ids: ['head'] },
        shared: [...Object.keys(lifecycleState), 'chains'],
        synchronised: [
          'driver.add',
          'driver.consume',
          'device.return',
          'device.finishReset',
          'device.finishQueueReset',
        ],
      },
    ),
)
