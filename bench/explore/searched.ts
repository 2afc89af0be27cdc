/** One search of one of the project's machines, in a process of its own: `node searched.js WANTED`, which is JSON. */
import { machines } from '../../spec/index.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import { wordLayoutOf } from '../../src/kernel/language/word-layout.ts'
import { splitQueueTso } from './split-queue-tso.ts'

/** Which machine; the fields of an entry of the manifest. */
export interface Wanted {
  readonly machine: string
  readonly scope: string
  readonly bounds?: Readonly<Record<string, number>>
  readonly hostile?: readonly string[]
}

export interface Searched {
  readonly words: number
  readonly transitions: number
  /** Seconds of all threads. */
  readonly processor: number
}

if (process.argv[2] !== undefined) {
  const { machine, scope, bounds, hostile, maxStates } = JSON.parse(process.argv[2])
  const found = [splitQueueTso, ...machines].find(({ name }) => name === machine)
  if (found === undefined) throw new Error(`no machine is called ${machine}`)
  const searched = found.at(scope, bounds ?? {})
  const before = process.cpuUsage()
  const { transitions } = explore(searched, { maxStates, hostile: hostile ?? [], liveness: false })
  const { user, system } = process.cpuUsage(before)
  const { words } = wordLayoutOf(searched.layout)
  console.log(JSON.stringify({ words, transitions, processor: (user + system) / 1e6 } satisfies Searched))
}
