import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { Context } from '../../src/cli/command.ts'
import { runProgram } from '../../src/cli/program.ts'
import { styleOf } from '../../src/report/style.ts'
import { temporaryFolder } from '../afterwards.ts'

export const root = path.resolve(import.meta.dirname, '../..')
const main = path.join(root, 'dist/src/cli/main.js')
if (!existsSync(main)) throw new Error(`${main} is missing: npm run build`)

/** A folder that is gone after the tests of the file. */
export const temporary = (): string => temporaryFolder('cli')

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

/** The same without a process of its own: starting one takes longer than most of what a command does. */
export const here = async (args: readonly string[], options: Pick<RunOptions, 'cwd' | 'env'> = {}): Promise<Ran> => {
  const { cwd: folder = temporary(), env = {} } = options
  const written = { stdout: '', stderr: '' }
  const context: Context = {
    print: (text) => (written.stdout += `${text}\n`),
    complain: (text) => (written.stderr += `${text}\n`),
    printJson: (value) => (written.stdout += JSON.stringify(value)),
    style: styleOf(false),
    live: false,
    env,
    signal: new AbortController().signal,
    onExit: () => {},
  }
  const before = process.cwd()
  try {
    process.chdir(folder)
    return { code: await runProgram(args, context, folder), ...written }
  } finally {
    process.chdir(before)
  }
}

// biome-ignore lint/suspicious/noExplicitAny: documents of many shapes, looked into by assertions
type Document = any

interface Answer {
  readonly code: number | null
  readonly value: Document
}

const documentOf = ({ code, stdout, stderr }: Ran): Answer => {
  try {
    return { code, value: JSON.parse(stdout) }
  } catch {
    throw new Error(`expected JSON, found ${stdout}, exit code ${code}, and on standard error ${stderr}`)
  }
}

/** The one JSON document on standard output, of a program. */
export const json = async (args: readonly string[], options?: RunOptions): Promise<Answer> =>
  documentOf(await cli([...args, '--json'], options))

/** The same without a process of its own. */
export const hereJson = async (args: readonly string[], options?: Pick<RunOptions, 'cwd' | 'env'>): Promise<Answer> =>
  documentOf(await here([...args, '--json'], options))
