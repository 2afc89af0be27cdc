/**
 * The fast reading of a state against the plain one. Generated code leaves out guards that it takes to be false and
 * writes bits in place; here every choice is asked, on views over cells, and successors are packed as a whole. What the
 * two find in a state has to be the same, or nothing that the search says is worth anything.
 */
import { type Actor, type Machine, viewOf } from '../language/index.ts'
import { stateToJson } from '../language/state.ts'
import { type WordLayout, wordLayoutOf } from '../language/word-layout.ts'
import type { Choices } from './choices.ts'
import { ExploreError } from './error.ts'

/** What was found in one state. */
export interface Reading {
  /** Transitions of each action. */
  readonly taken: readonly number[]
  /** Rows of successors that differ from the state. */
  readonly successors: readonly string[]
}

/** Evaluations of choices that a sample may cost. */
const SAMPLE_COST_MAX = 100_000
const SAMPLE_FIRST = 16

/** The states that are audited: the first ones, then one of ever more, as long as the cost is bearable. */
export function* sample(choices: Choices): Generator<number> {
  const most = Math.max(1, Math.floor(SAMPLE_COST_MAX / choices.all.length))
  for (let i = 0, id = 0; i < most; i++, id = id < SAMPLE_FIRST ? id + 1 : Math.floor((id * 3) / 2)) yield id
}

export function* everyState(): Generator<number> {
  for (let id = 0; ; id++) yield id
}

export class Auditor {
  private readonly machine: Machine
  private readonly choices: Choices
  private readonly hostile: readonly Actor[]
  private readonly layout: WordLayout
  private readonly before: Int32Array
  private readonly after: Int32Array
  private readonly state: object
  private readonly next: object

  constructor(machine: Machine, choices: Choices, hostile: readonly Actor[]) {
    this.machine = machine
    this.choices = choices
    this.hostile = hostile
    this.layout = wordLayoutOf(machine.layout)
    this.before = new Int32Array(machine.layout.cells)
    this.after = new Int32Array(machine.layout.cells)
    this.state = viewOf(machine.layout, this.before)
    this.next = viewOf(machine.layout, this.after)
  }

  /** Refuses a state that was read as `fast`; `packed` is the view over words that shows it. */
  audit(rows: Int32Array, at: number, fast: Reading, packed: object): void {
    this.layout.unpack(rows, at, this.before)
    const plain = this.read(rows.slice(at, at + this.layout.words))
    for (const { name, index } of this.machine.actions)
      if (plain.taken[index] !== fast.taken[index])
        this.refuse(`${name} is possible in ${plain.taken[index]} ways, and was taken in ${fast.taken[index]}`)
    const wanted = [...plain.successors].sort()
    const found = [...fast.successors].sort()
    if (wanted.some((row, i) => row !== found[i])) this.refuse('an effect leads to another state')
    for (const { name, holds } of [...this.machine.invariants, ...this.machine.goals])
      if (Boolean(holds(this.state)) !== Boolean(holds(packed))) this.refuse(`${name} is judged otherwise`)
  }

  private read(self: Int32Array): Reading {
    const { machine, state, next, before, after } = this
    const taken = machine.actions.map(() => 0)
    const successors: string[] = []
    const itself = self.join()
    const row = new Int32Array(this.layout.words)
    const waived = machine.unspecified?.(state) === true
    for (const { action, args } of this.choices.all) {
      const mayBreach = this.hostile.includes(action.actor)
      if ((action.hostile && !mayBreach) || (action.when !== undefined && !action.when(state, args))) continue
      const broken = action.duties.filter(
        (duty) =>
          (duty.safety === true || !waived) &&
          (duty.given === undefined || duty.given(state, args)) &&
          !duty.holds(state, args),
      )
      if (broken.length > 0 && !mayBreach) continue
      taken[action.index]!++
      after.set(before)
      action.effect?.(next, args)
      for (const { clause } of broken) machine.breach?.(next, clause)
      this.layout.pack(after, row, 0)
      const text = row.join()
      if (text !== itself) successors.push(text)
    }
    return { taken, successors }
  }

  private refuse(what: string): never {
    throw new ExploreError(
      this.machine,
      `two readings of one state differ: ${what} (fast reading against plain). Some function of the machine depends on ` +
        'more than the state, or compares two sets by === instead of equals(), or the explorer is wrong',
      { state: stateToJson(this.machine.layout, this.before) },
    )
  }
}
