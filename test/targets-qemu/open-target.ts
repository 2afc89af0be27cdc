/** Opens targets for these tests and closes whatever a test leaves open. */

import { Worker } from 'node:worker_threads'
import type { OpenOptions, Target } from '../../src/contract/index.ts'
import { qemuDoor } from '../../src/targets/qemu/index.ts'
import { closeAfterwards, temporaryFolder } from '../afterwards.ts'

/** A QEMU that lives longer is killed: a test that waits for it blocks its thread, and no test timeout can end that. */
const LIFE_MS = 30_000

const watchdog = new Worker(
  `const { parentPort } = require('node:worker_threads')
   const timers = new Map()
   parentPort.on('message', ({ pid, watch }) => {
     clearTimeout(timers.get(pid))
     if (watch) timers.set(pid, setTimeout(() => { try { process.kill(-pid, 'SIGKILL') } catch {} }, ${LIFE_MS}))
   })`,
  { eval: true },
)
watchdog.unref()

export async function openTarget(rest: string, options: Partial<OpenOptions> = {}): Promise<Target> {
  let pid = 0
  const target = await qemuDoor.open(rest, {
    directory: temporaryFolder('test-qemu'),
    timeoutMs: 10_000,
    ...options,
    onProcessGroup: (group) => {
      pid = group
      options.onProcessGroup?.(group)
    },
  })
  watchdog.postMessage({ pid, watch: true })
  closeAfterwards(() => {
    target.close()
    watchdog.postMessage({ pid, watch: false })
  })
  return target
}

/** The error that opening fails with. */
export async function openError(rest: string, options: Partial<OpenOptions> = {}): Promise<Error> {
  return openTarget(rest, options).then(
    () => new Error('it was opened'),
    (error: Error) => error,
  )
}
