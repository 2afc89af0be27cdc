/** The example devices as tests use them: honest, or with one of their documented mutations applied to a copy. */

import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { OpenOptions, Target } from '../../src/contract/target.ts'
import { moduleDoor } from '../../src/targets/module.ts'
import { openStdioWire, stdioDoor } from '../../src/targets/stdio/index.ts'

const root = path.resolve(import.meta.dirname, '../../examples')

export interface Example {
  readonly name: string
  /** The program without which it cannot run here. */
  readonly needs: string
  readonly file: string
  /** Makes what is opened, and returns the address without its scheme. */
  build(directory: string): string
  readonly door: typeof stdioDoor
  readonly wire: typeof openStdioWire | undefined
  readonly linesMax: number
  /** Runs of each machine in which the honest device conforms; with one that laps the ring, or without. */
  readonly honest: { readonly runs: number; readonly laps: boolean }
  readonly shrinkExecutions: number
}

export const examples = {
  c: {
    name: 'c',
    needs: 'gcc',
    file: 'virtio-blk-mmio.c',
    linesMax: 200,
    honest: { runs: 60, laps: true },
    shrinkExecutions: 100,
    build(directory) {
      execFileSync('make', ['-s', '-C', directory, 'CC=gcc -Werror'], { stdio: 'pipe' })
      return `'${directory}/build/virtio-blk-mmio'`
    },
    door: stdioDoor,
    wire: openStdioWire,
  },
  python: {
    name: 'python',
    needs: 'python3',
    file: 'virtio_blk_mmio.py',
    linesMax: 200,
    // A lap of the ring takes it eight seconds.
    honest: { runs: 25, laps: false },
    shrinkExecutions: 40,
    build: (directory) => `python3 '${directory}/virtio_blk_mmio.py'`,
    door: stdioDoor,
    wire: openStdioWire,
  },
  typescript: {
    name: 'typescript',
    needs: 'node',
    file: 'virtio-blk-mmio.ts',
    build: (directory) => `${directory}/virtio-blk-mmio.ts`,
    door: moduleDoor,
    wire: undefined,
    linesMax: 250,
    honest: { runs: 60, laps: true },
    shrinkExecutions: 100,
  },
} as const satisfies Record<string, Example>

/** Why an example cannot run here, if it cannot. */
export const missing = ({ needs }: Example): string | undefined =>
  spawnSync(needs, ['--version'], { stdio: 'ignore' }).status === 0 ? undefined : `${needs} is not installed`

export const folderOf = ({ name }: Example): string => path.join(root, name)

export const mutationsOf = (example: Example): string[] =>
  readdirSync(path.join(folderOf(example), 'mutations')).filter((file) => file.endsWith('.patch'))

/** A copy of an example in a directory of its own, built, perhaps with a mutation applied. */
export function prepare(
  example: Example,
  mutation?: string,
): { address: string; options: OpenOptions; remove(): void } {
  const directory = mkdtempSync(path.join(tmpdir(), 'iospec-example-'))
  const copy = path.join(directory, example.name)
  cpSync(path.join(root, example.name), copy, {
    recursive: true,
    filter: (file) => !/\/(build|__pycache__)$/.test(file),
  })
  if (mutation) apply(path.join(root, example.name, 'mutations', mutation), path.join(copy, example.file))
  return {
    address: example.build(copy),
    options: { directory, timeoutMs: 10_000 },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** Applies a patch that replaces one line; throws when it is anything else, or does not fit. */
function apply(patch: string, file: string): void {
  const lines = readFileSync(patch, 'utf8')
    .split('\n')
    .filter((line) => !/^(---|\+\+\+) /.test(line))
  const [removed, added] = ['-', '+'].map((sign) =>
    lines.filter((line) => line.startsWith(sign)).map((line) => line.slice(1)),
  )
  const before = lines.filter((line) => /^[ -]/.test(line)).map((line) => line.slice(1))
  const after = lines.filter((line) => /^[ +]/.test(line)).map((line) => line.slice(1))
  const text = readFileSync(file, 'utf8')
  const pieces = text.split(before.join('\n'))
  if (removed!.length !== 1 || added!.length !== 1) throw new Error(`${patch}: expected one line to change`)
  if (pieces.length !== 2) throw new Error(`${patch}: expected to fit once, found ${pieces.length - 1} places`)
  writeFileSync(file, pieces.join(after.join('\n')))
}

export const open = (example: Example, { address, options }: ReturnType<typeof prepare>): Promise<Target> =>
  example.door.open(address, options)
