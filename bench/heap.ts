/**
 * `node dist/bench/heap.js [runs] [machine…]`: what a long campaign keeps in memory. After a collection the heap at the last run is
 * compared with that at run 10,000; anything that grows with the runs shows. Takes some minutes, so `npm run bench`
 * leaves it out.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { runHere } from '../src/campaign/main-side.ts'
import type { Model } from '../src/kernel/model.ts'
import { models } from '../src/models/index.ts'
import { openReference } from '../src/targets/reference.ts'
import { line } from './print.ts'

const EARLY = 10_000
const RUNS = 200_000
const MACHINES = ['config-space', 'split-queue']

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Heap and what hangs on it, in bytes, after a collection. */
const held = (): number => {
  for (let i = 0; i < 3; i++) collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Bytes held at run 10,000 and at the last one. */
const campaign = async (model: Model, runs: number): Promise<readonly [early: number, late: number]> => {
  let early = 0
  let late = 0
  await runHere(
    { target: 'reference:virtio-blk', machines: 'all', runs, seed: 1, write: false, corpus: false },
    { opener: async () => openReference({ queues: 2 }), models: [model] },
    (event) => {
      if (event.kind !== 'progress') return
      if (early === 0 && event.runs >= EARLY) early = held()
      // Progress comes now and then: the last time in the last runs counts.
      if (event.runs >= 0.95 * runs) late = held()
    },
  )
  return [early, late]
}

const [given = RUNS, ...named] = process.argv.slice(2)
const runs = Number(given)
for (const name of named.length > 0 ? named : MACHINES) {
  const [early, late] = await campaign(models.find(({ machine }) => machine.name === name)!, runs)
  const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
  const growth = 100 * (late / early - 1)
  line(
    `heap of ${name}`,
    `${mb(early)} to ${mb(late)} MiB`,
    `${growth.toFixed(1)} % more at run ${runs} than at ${EARLY}`,
  )
}
