/** A virtio block device over one split queue: what `split-queue` says, and what the requests mean. */
import { compose, scoped } from '../../src/kernel/language/index.ts'
import { explored, played, seamsWith, splitQueueParts } from '../virtqueue/split-queue.ts'
import { blk } from './blk.ts'

export const virtioBlk = scoped(
  'virtio-blk',
  {
    explored: { ...explored, sectors: 1, contents: 2, readOnly: 0, kinds: 3 },
    played: { ...played, sectors: 4, contents: 8, readOnly: 0, kinds: 10 },
  },
  (bounds) =>
    compose(
      { ...splitQueueParts(bounds), blk: blk(bounds) },
      seamsWith({ shared: ['malformed', 'why', 'neighbour'], synchronised: ['driver.useNeighbour'] }),
    ),
)
