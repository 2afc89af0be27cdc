/** Whether QEMU can be tested here: a missing one is a counted skip, or a failure where the environment demands it. */

import { spawnSync } from 'node:child_process'

const BINARY = 'qemu-system-x86_64'

/** Why tests on QEMU are skipped, or undefined where it is installed. */
export const qemuMissing: string | undefined = (() => {
  const found = spawnSync(BINARY, ['--version'], { encoding: 'utf8' })
  if (found.status === 0) return undefined
  const reason = `${BINARY} cannot be run (${found.error?.message ?? `status ${found.status}`})`
  if (process.env.IOSPEC_REQUIRE_QEMU === '1') throw new Error(`${reason}, and IOSPEC_REQUIRE_QEMU=1 demands it`)
  console.warn(`skipped: ${reason}`)
  return reason
})()
