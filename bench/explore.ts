/**
 * The explorer beside SPIN and beside a model that was packed by hand, on the reference model: `npm run bench -- explore
 * [medium|large|huge]`, and what a state costs from one of these sizes to the next: `npm run bench -- explore growth`. Rounds take turns, the best of each counts, and the counts of all have to be equal. Processor
 * seconds are the steadier figure on a machine that does other things too; those of ours include the compiler threads.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run as machines } from './explore/machines.ts'
import { splitQueueTso } from './explore/split-queue-tso.ts'
import { line } from './print.ts'

const ROUNDS = 3
/** Deeper than any of the model's paths that SPIN follows. */
const DEPTH_MAX = 50_000_000

interface Taken {
  readonly states: number
  readonly transitions: number
  readonly seconds: number
  readonly processor: number
  readonly bytes: number
}
type Contender = () => Taken

interface ContenderOptions {
  threads?: number
  /** Of the engine. */
  flags?: readonly string[]
}

const contender =
  (who: string, scope: string, { threads = 1, flags = [] }: Readonly<ContenderOptions> = {}): Contender =>
  () => {
    const module = fileURLToPath(new URL('./explore/contender.js', import.meta.url))
    return JSON.parse(
      execFileSync(process.execPath, [...flags, module, who, scope, String(threads)], { encoding: 'utf8' }),
    )
  }

/** The verifier that SPIN makes of the same model, exact and depth first: its fastest way. */
const spin = (folder: string, scope: string): Contender => {
  const { outstanding, anyHead } = splitQueueTso.at(scope).scope
  const text = fileURLToPath(new URL('../../bench/explore/split-queue-tso.pml', import.meta.url))
  execFileSync('spin', ['-a', `-DOUT=${outstanding}`, `-DANY=${anyHead}`, text], { cwd: folder })
  execFileSync('gcc', ['-O2', '-w', '-DSAFETY', '-DNOCLAIM', '-DNOREDUCE', '-o', 'pan', 'pan.c'], { cwd: folder })
  return () => {
    const { stdout, stderr } = spawnSync('bash', ['-c', `time -p ./pan -m${DEPTH_MAX} -w24`], {
      cwd: folder,
      encoding: 'utf8',
    })
    const told = stdout + stderr
    const number = (pattern: RegExp): number => Number(pattern.exec(told)?.[1] ?? Number.NaN)
    if (!/errors: 0/.test(told)) throw new Error(`SPIN: expected no errors, found ${told.trim().slice(0, 200)}`)
    return {
      states: number(/(\d+) states, stored/),
      // The start of the initial state is counted as one.
      transitions: number(/(\d+) transitions \(= stored\+matched\)/) - 1,
      seconds: number(/real ([\d.]+)/),
      processor: number(/user ([\d.]+)/) + number(/sys ([\d.]+)/),
      // Of states and their table; the stack for the depth comes on top.
      bytes: number(/([\d.]+)\s+actual memory usage for states/) * 2 ** 20,
    }
  }
}

const best = (of: readonly Taken[], key: 'seconds' | 'processor'): number => Math.min(...of.map((each) => each[key]))

const SIZES = ['medium', 'large', 'huge'] as const

/** Nanoseconds a state, by size. */
const growth = (): void => {
  for (const who of ['ours', 'bare'] as const) {
    const taken: Record<string, Taken[]> = {}
    for (let round = 0; round < ROUNDS; round++)
      for (const size of SIZES) (taken[size] ??= []).push(contender(who, size)())
    const cost = (size: string, key: 'seconds' | 'processor'): number =>
      (best(taken[size]!, key) / taken[size]![0]!.states) * 1e9
    for (const size of SIZES) {
      const { states, bytes } = taken[size]![0]!
      const times = (key: 'seconds' | 'processor'): string => (cost(size, key) / cost('medium', key)).toFixed(2)
      line(
        `${who === 'ours' ? 'ours' : 'packed by hand'}, ${(states / 1e6).toFixed(1)} M states`,
        `${cost(size, 'seconds').toFixed(0)} ns a state`,
        `${times('processor')} x medium in processor time, ${times('seconds')} x by the clock, ${(bytes / states).toFixed(0)} B a state`,
      )
    }
  }
}

/** What comes beside the search for states: promises, as times its cost, and walks, as steps a second. */
const beside = (scope: string): void => {
  const names = ['ours', 'open-in-few', 'open-in-most', 'broken', 'walks', 'counted-walks']
  const taken: Record<string, Taken[]> = {}
  for (let round = 0; round < ROUNDS; round++)
    for (const name of names) (taken[name] ??= []).push(contender(name, scope)())
  for (const [name, key] of [
    ['a promise open in few states', 'open-in-few'],
    ['a promise open in most states', 'open-in-most'],
    ['a broken one, open in all', 'broken'],
  ] as const) {
    const times = (by: 'seconds' | 'processor'): string => (best(taken[key]!, by) / best(taken.ours!, by)).toFixed(2)
    line(name, `${times('processor')} x the search`, `in processor time; ${times('seconds')} x by the clock`)
  }
  for (const [name, key] of [
    ['random walks', 'walks'],
    ['random walks, distinct states', 'counted-walks'],
  ] as const) {
    const steps = (by: 'seconds' | 'processor'): string =>
      (taken[key]![0]!.transitions / best(taken[key]!, by) / 1e6).toFixed(2)
    line(name, `${steps('seconds')} M steps/s`, `${steps('processor')} M a processor second`)
  }
}

export const run = async ([scope = 'medium', ...names]: readonly string[] = []): Promise<void> => {
  if (scope === 'growth') return growth()
  if (scope === 'machines') return machines(names)
  if (!(scope in splitQueueTso.scopes))
    throw new Error(`no scope is called ${scope}; there are medium, large, huge, and growth`)
  const folder = mkdtempSync(join(tmpdir(), 'iospec-bench-'))
  try {
    const contenders: Record<string, Contender> = {
      ours: contender('ours', scope),
      'ours, two threads': contender('ours', scope, { threads: 2 }),
      'ours, no WebAssembly': contender('ours', scope, { flags: ['--no-expose-wasm'] }),
      'packed by hand': contender('bare', scope),
    }
    if (spawnSync('spin', ['-V']).error === undefined) contenders.SPIN = spin(folder, scope)
    else console.log('  SPIN is not installed (apt-get install --no-install-recommends spin gcc)')
    const taken: Record<string, Taken[]> = {}
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, take] of Object.entries(contenders)) (taken[name] ??= []).push(take())

    const ours = taken.ours!
    for (const [name, all] of Object.entries(taken)) {
      const { states, transitions, bytes } = all[0]!
      if (states !== ours[0]!.states || transitions !== ours[0]!.transitions)
        throw new Error(
          `${name}: expected ${ours[0]!.states} states and ${ours[0]!.transitions} transitions, found ${states} and ${transitions}`,
        )
      const speed = (key: 'seconds' | 'processor'): string => (best(all, key) / best(ours, key)).toFixed(2)
      line(
        `${name}, ${scope}`,
        `${(states / best(all, 'seconds') / 1e6).toFixed(2)} M states/s`,
        `${speed('processor')} x ours in processor time, ${speed('seconds')} x by the clock, ${(bytes / states).toFixed(0)} B a state`,
      )
    }
    beside(scope)
    for (const [who, what] of [
      ['many', '320 actions'],
      ['wide', '32 words a state'],
    ] as const) {
      const { states, seconds, processor } = contender(who, scope)()
      line(
        what,
        `${(states / seconds / 1e6).toFixed(2)} M states/s`,
        `${(states / processor / 1e6).toFixed(2)} M a processor second`,
      )
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
