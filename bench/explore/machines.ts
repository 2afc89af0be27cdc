/**
 * What a transition of the project's own machines costs for each word of a state, beside the reference model in the same
 * run: `npm run bench -- explore machines [NAME...]`. Start, generation of code and its first compilation are left out: each
 * search is made twice, in a process of its own, once until a third of the states is known, and the difference is what counts.
 * Of each machine the largest entry of the manifest that takes seconds; small ones are over before their code is compiled,
 * and are left out.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { machines } from '../../spec/index.ts'
import { line } from '../print.ts'
import type { Searched, Wanted } from './searched.ts'

const ROUNDS = 3
/** Fewer transitions take less than a tenth of a second. */
const TRANSITIONS_MIN = 400_000

const REFERENCE: Wanted = { machine: 'split-queue-tso', scope: 'large' }
const REFERENCE_STATES = 6_756_096

interface Entry extends Wanted {
  readonly states: number
  readonly transitions: number
  readonly long?: boolean
}

const search = (wanted: Wanted, maxStates: number): Searched => {
  const module = fileURLToPath(new URL('./searched.js', import.meta.url))
  return JSON.parse(
    execFileSync(process.execPath, [module, JSON.stringify({ ...wanted, maxStates })], { encoding: 'utf8' }),
  )
}

/** Nanoseconds of all threads for each transition and word, beyond the first third. */
class Cost {
  words = 0
  private readonly wanted: Wanted
  private readonly states: number
  private readonly starts: Searched[] = []
  private readonly wholes: Searched[] = []

  constructor(wanted: Wanted, states: number) {
    this.wanted = wanted
    this.states = states
  }

  round(): void {
    this.starts.push(search(this.wanted, Math.ceil(this.states / 3)))
    this.wholes.push(search(this.wanted, 60_000_000))
  }

  take(): { readonly perTransition: number; readonly words: number; readonly start: number } {
    const best = (of: readonly Searched[]): Searched =>
      of.reduce((least, each) => (each.processor < least.processor ? each : least))
    const start = best(this.starts)
    const whole = best(this.wholes)
    const perTransition = ((whole.processor - start.processor) * 1e9) / (whole.transitions - start.transitions)
    return { perTransition, words: whole.words, start: whole.processor * 1e9 - perTransition * whole.transitions }
  }
}

export const run = (only: readonly string[]): void => {
  const file = new URL('../../../spec/manifest.json', import.meta.url)
  const { entries } = JSON.parse(readFileSync(file, 'utf8')) as { entries: readonly Entry[] }
  const reference = new Cost(REFERENCE, REFERENCE_STATES)
  const costs = machines
    .filter(({ name }) => only.length === 0 || only.includes(name))
    .flatMap(({ name }) => {
      const [largest] = entries
        .filter((each) => each.machine === name && each.long !== true && each.transitions >= TRANSITIONS_MIN)
        .sort((a, b) => b.transitions - a.transitions)
      return largest === undefined ? [] : [{ ...largest, cost: new Cost(largest, largest.states) }]
    })
  for (let round = 0; round < ROUNDS; round++) for (const { cost } of [{ cost: reference }, ...costs]) cost.round()

  const beside = reference.take()
  const unit = beside.perTransition / beside.words
  line('reference model, large', `${unit.toFixed(1)} ns`, `a transition and word; ${beside.words} words`)
  const rows = costs.map(({ machine, scope, transitions, cost }) => ({ machine, scope, transitions, ...cost.take() }))
  const times = ({ perTransition, words }: { perTransition: number; words: number }): number =>
    perTransition / words / unit
  for (const row of rows.sort((a, b) => times(b) - times(a)))
    line(
      `${row.machine}, ${row.scope}`,
      `${times(row).toFixed(2)} x`,
      `${(row.perTransition / row.words).toFixed(1)} ns; ${row.words} words, ${(row.transitions / 1e6).toFixed(1)} M transitions, ${(row.start / 1e9).toFixed(2)} s beside`,
    )
}
