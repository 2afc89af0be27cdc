/** The thread in which campaigns run: a bench that takes jobs by message. */
import { parentPort, workerData } from 'node:worker_threads'
import { Bench } from './bench.ts'
import type { BenchOptions } from './jobs.ts'
import { postError, type Reply, type Request } from './messages.ts'
import { Pulse } from './pulse.ts'

const { options, buffer } = workerData as { options: BenchOptions; buffer: SharedArrayBuffer }
const bench = new Bench(options, { pulse: new Pulse(buffer) })
const calls = bench as unknown as Record<string, (argument: unknown) => Promise<unknown>>

parentPort!.on('message', async ({ id, call, argument }: Request) => {
  let reply: Reply
  try {
    reply = { id, value: await calls[call]!.call(bench, argument) }
  } catch (error) {
    reply = { id, error: postError(error) }
  }
  parentPort!.postMessage(reply)
})
