/**
 * What helpers that several test files share leave behind: folders go after the file, what is open closes after the
 * test. Files share a process, and so a helper that is loaded once: a hook of its own would only be one of the first file.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach } from 'vitest'

const folders: string[] = []
const open: (() => void)[] = []

/** A folder of its own; gone after the tests of the file. */
export const temporaryFolder = (prefix: string): string => {
  const folder = mkdtempSync(path.join(tmpdir(), `iospec-${prefix}-`))
  folders.push(folder)
  return folder
}

export const closeAfterwards = (close: () => void): void => void open.push(close)

/** For the setup of each test file. */
export const cleanUpAfterwards = (): void => {
  afterEach(() => {
    for (const close of open.splice(0)) close()
  })
  afterAll(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  })
}
