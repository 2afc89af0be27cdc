import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll } from 'vitest'

export const root = path.resolve(import.meta.dirname, '../..')
const main = path.join(root, 'dist/src/cli/main.js')
if (!existsSync(main)) throw new Error(`${main} is missing: npm run build`)

const folders: string[] = []
/** A folder that is gone after the tests of the file. */
export const temporary = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'iospec-cli-'))
  folders.push(folder)
  return folder
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Called with what was printed so far on both streams, whenever there is more. */
  readonly onOutput?: (text: string, child: ChildProcess) => void
  /** Called at once. */
  readonly onStart?: (child: ChildProcess) => void
}

/** The program as people start it, in an empty folder and a quiet environment. */
export const cli = (args: readonly string[], options: RunOptions = {}): Promise<Ran> => {
  const { cwd = temporary(), env = {}, onOutput, onStart } = options
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, [main, ...args], { cwd, env: { PATH, HOME, ...env } })
  onStart?.(child)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => {
    stdout += data
    onOutput?.(stdout + stderr, child)
  })
  child.stderr.on('data', (data) => {
    stderr += data
    onOutput?.(stdout + stderr, child)
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
}

// biome-ignore lint/suspicious/noExplicitAny: documents of many shapes, looked into by assertions
type Document = any

/** The one JSON document on standard output. */
export const json = async (
  args: readonly string[],
  options?: RunOptions,
): Promise<{ code: number | null; value: Document }> => {
  const { code, stdout, stderr } = await cli([...args, '--json'], options)
  try {
    return { code, value: JSON.parse(stdout) }
  } catch {
    throw new Error(`expected JSON, found ${stdout}, exit code ${code}, and on standard error ${stderr}`)
  }
}
