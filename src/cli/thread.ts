/**
 * Work that may take long or may block, in a thread of its own, so that this one stays free for signals and the
 * terminal. To end a thread that blocks in a read of a child, the child's process group is killed first.
 */
import { Worker } from 'node:worker_threads'
import { receiveError } from '../campaign/messages.ts'
import { compiled } from '../campaign/package.ts'
import { clip, escapeText } from '../contract/explain.ts'
import { TargetError } from '../contract/target.ts'
import { type Answers, BEATS, type FromThread, type Jobs, STOP } from './thread-jobs.ts'

/** A thread is asked to stop; when it has not stopped by then, it is ended. */
const PATIENCE_MS = 400
/** A child that neither answers nor is given up by its own door gets so much longer than one call may take. */
const GRACE_MS = 2000
const WATCH_MS = 100
const OUTPUT_MAX = 2000

export interface ThreadOptions<P> {
  readonly signal: AbortSignal
  readonly onProgress?: (progress: P) => void
  /** What a target in the thread printed, escaped. */
  readonly onOutput?: (text: string) => void
  /** One blocking call to a target that takes longer is ended by ending the target. Default: nothing is watched. */
  readonly timeoutMs?: number
}

/** The thread was ended before it had an answer. */
export class Stopped extends Error {
  override readonly name = 'Stopped'
}

/** Runs one job and returns its answer; throws what the job threw. */
export const inThread = async <K extends keyof Jobs>(
  kind: K,
  job: Jobs[K],
  { signal, onProgress, onOutput, timeoutMs }: ThreadOptions<Answers[K]['progress']>,
): Promise<Answers[K]['result']> => {
  if (signal.aborted) throw new Stopped('interrupted')
  const cells = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(compiled('src/cli/thread-main.js'), {
    workerData: { kind, job, cells },
    stdout: true,
    stderr: true,
    execArgv: [],
  })
  for (const stream of [worker.stdout, worker.stderr])
    stream.on('data', (data: Buffer) => onOutput?.(clip(escapeText(data.toString().trimEnd()), OUTPUT_MAX)))
  const groups = new Set<number>()
  const killGroups = (): void => {
    for (const group of groups) kill(group)
    groups.clear()
  }
  let hung = false
  const stop = (): void => {
    Atomics.store(cells, STOP, 1)
    setTimeout(() => {
      killGroups()
      void worker.terminate()
    }, PATIENCE_MS).unref()
  }
  signal.addEventListener('abort', stop)
  const watch =
    timeoutMs === undefined
      ? undefined
      : watchdog(cells, timeoutMs + GRACE_MS, () => {
          hung = true
          killGroups()
          // A loop in our own process answers to nothing else.
          setTimeout(() => void worker.terminate(), PATIENCE_MS).unref()
        })
  try {
    return await new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if ('group' in message) groups.add(message.group)
        else if ('progress' in message) onProgress?.(message.progress as Answers[K]['progress'])
        else if ('result' in message) resolve(message.result as Answers[K]['result'])
        else reject(receiveError(message.error))
      })
      worker.on('error', reject)
      worker.on('exit', () => {
        if (signal.aborted) reject(new Stopped('interrupted'))
        else if (hung) reject(new TargetError('hang', `the target did not answer within ${timeoutMs} ms`))
        else reject(new Error(`the thread for ${kind} ended without an answer`))
      })
    })
  } finally {
    signal.removeEventListener('abort', stop)
    clearInterval(watch)
    killGroups()
    await worker.terminate()
  }
}

/** Calls `onSilence` once when no sign of life came for so long. */
const watchdog = (cells: Int32Array, silenceMs: number, onSilence: () => void): NodeJS.Timeout => {
  let beats = Atomics.load(cells, BEATS)
  let since = performance.now()
  const timer = setInterval(() => {
    const now = Atomics.load(cells, BEATS)
    if (now !== beats) {
      beats = now
      since = performance.now()
    } else if (performance.now() - since > silenceMs) {
      clearInterval(timer)
      onSilence()
    }
  }, WATCH_MS)
  return timer
}

const kill = (group: number): void => {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
