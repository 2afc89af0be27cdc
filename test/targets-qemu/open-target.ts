/** Opens targets for these tests and closes whatever a test leaves open. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach } from 'vitest'
import type { OpenOptions, Target } from '../../src/contract/index.ts'
import { qemuDoor } from '../../src/targets/qemu/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'iospec-test-qemu-'))
const opened: Target[] = []

afterEach(() => {
  for (const target of opened.splice(0)) target.close()
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

export async function openTarget(rest: string, options: Partial<OpenOptions> = {}): Promise<Target> {
  const target = await qemuDoor.open(rest, { directory, timeoutMs: 10_000, ...options })
  opened.push(target)
  return target
}

/** The error that opening fails with. */
export async function openError(rest: string, options: Partial<OpenOptions> = {}): Promise<Error> {
  return openTarget(rest, options).then(
    () => new Error('it was opened'),
    (error: Error) => error,
  )
}
