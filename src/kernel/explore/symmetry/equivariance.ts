/**
 * A declared symmetry, put to the test: in states that differ by a permutation the machine must be able to do the same,
 * come to states that differ by the same permutation, and be judged the same by every law. Asked of the initial state,
 * and of a sample of states under every permutation that generates the others.
 */
import { type Actor, type Domain, type Machine, viewOf } from '../../language/index.ts'
import { stateToJson } from '../../language/state.ts'
import { type Image, permuted } from '../../language/symmetry.ts'
import { type WordLayout, wordLayoutOf } from '../../language/word-layout.ts'
import type { Choices } from '../choices.ts'
import { ExploreError } from '../error.ts'
import { diagnose } from '../retrace.ts'

interface Generator {
  readonly domain: Domain
  readonly image: Image
  readonly does: string
}

/** What a machine does in a state and how it judges it, as texts that can be compared. */
interface Reading {
  /** Names of what holds. */
  readonly holds: readonly string[]
  readonly steps: readonly { readonly action: string; readonly after: Int32Array; readonly judged: string }[]
}

const textOf = ({ action, judged }: Reading['steps'][number], after: Int32Array): string =>
  `${action} ${after.join()} ${judged}`

/** Evaluations of choices that a sample may cost. */
const SAMPLE_COST_MAX = 20_000
/** Permutations that a state of a sample is looked at under; the next state is under the next ones. */
const SAMPLE_GENERATORS = 6
/** Distances between states of a sample grow by this part of their number. */
const SPREAD = 64

const generatorsOf = (domain: Domain): Generator[] => {
  const { kind, name, size } = domain
  if (kind === 'rotation')
    return [{ domain, image: (value, count) => (value + 1) % count, does: `${name} is turned on by 1` }]
  return Array.from({ length: size - 1 }, (_, i) => ({
    domain,
    image: (value) => (value === i ? i + 1 : value === i + 1 ? i : value),
    does: `${name} ${i} and ${i + 1} are exchanged`,
  }))
}

export class SymmetryAuditor {
  private readonly machine: Machine
  private readonly choices: Choices
  private readonly hostile: readonly Actor[]
  private readonly layout: WordLayout
  private readonly generators: readonly Generator[]
  private readonly before: Int32Array
  private readonly after: Int32Array
  private readonly state: object
  private readonly next: object
  private asked = 0
  private readonly askedMax: number
  private nextId = 0
  private readonly isEvery: boolean

  constructor(machine: Machine, choices: Choices, hostile: readonly Actor[], audit: 'sample' | 'all') {
    this.machine = machine
    this.choices = choices
    this.hostile = hostile
    this.layout = wordLayoutOf(machine.layout)
    this.generators = machine.symmetry.flatMap(generatorsOf)
    this.before = new Int32Array(machine.layout.cells)
    this.after = new Int32Array(machine.layout.cells)
    this.state = viewOf(machine.layout, this.before)
    this.next = viewOf(machine.layout, this.after)
    this.isEvery = audit === 'all'
    this.askedMax = SAMPLE_COST_MAX / (choices.all.length * (Math.min(this.generators.length, SAMPLE_GENERATORS) + 1))
  }

  /** Of ids: a state that names one of them before anything has happened is not the same for all. */
  auditInitial(): void {
    const cells = this.machine.initial()
    for (const { domain, image, does } of this.generators) {
      if (domain.kind === 'rotation') continue
      const other = permuted(domain, image, cells)
      if (other.some((value, cell) => value !== cells[cell]))
        this.refuse(domain, 'the initial state is another one', does, cells)
    }
  }

  /** Those of the states `first` to `end - 1` of an arena that are in the sample. */
  audit(arena: Int32Array, stride: number, first: number, end: number): void {
    this.nextId = Math.max(this.nextId, first)
    while (this.nextId < end && (this.isEvery || this.asked < this.askedMax)) {
      const cells = new Int32Array(this.machine.layout.cells)
      this.layout.unpack(arena, this.nextId * stride, cells)
      this.auditOne(this.scattered(cells, this.asked), this.generatorsFor(this.asked))
      this.asked++
      this.nextId += this.isEvery ? 1 : 1 + Math.floor(this.nextId / SPREAD)
    }
  }

  private generatorsFor(asked: number): readonly Generator[] {
    const { generators } = this
    if (this.isEvery || generators.length <= SAMPLE_GENERATORS) return generators
    return Array.from(
      { length: SAMPLE_GENERATORS },
      (_, i) => generators[(asked * SAMPLE_GENERATORS + i) % generators.length]!,
    )
  }

  /** Another state of the same orbit: canonical ones alone would be a sample of the orderly. */
  private scattered(cells: Int32Array, seed: number): Int32Array {
    return this.machine.symmetry.reduce((now, domain) => {
      const turned: Image = (value, size) => (value + seed) % size
      const image: Image = (value, size) =>
        turned(domain.kind === 'ids' && seed % 2 === 1 ? size - 1 - value : value, size)
      return permuted(domain, image, now)
    }, cells)
  }

  private auditOne(cells: Int32Array, generators: readonly Generator[]): void {
    const here = this.attempt(cells, (error) => diagnose(this.machine, this.choices.all, cells, this.hostile, error))
    for (const { domain, image, does } of generators) {
      const there = this.attempt(permuted(domain, image, cells), (error) =>
        this.refuse(domain, `an error is thrown (${error instanceof Error ? error.message : error})`, does, cells),
      )
      const law =
        here.holds.find((name) => !there.holds.includes(name)) ?? there.holds.find((n) => !here.holds.includes(n))
      if (law !== undefined) this.refuse(domain, `${law} is judged otherwise`, does, cells)
      const wanted = here.steps.map((step) => textOf(step, permuted(domain, image, step.after))).sort()
      const found = there.steps.map((step) => textOf(step, step.after)).sort()
      if (wanted.length === found.length && wanted.every((text, i) => text === found[i])) continue
      const count = (steps: Reading['steps'], name: string): number =>
        steps.filter(({ action }) => action === name).length
      for (const { name } of this.machine.actions) {
        const [ways, other] = [count(here.steps, name), count(there.steps, name)]
        if (ways !== other) this.refuse(domain, `${name} is possible in ${other} ways instead of ${ways}`, does, cells)
      }
      const [name] = wanted.find((text, i) => text !== found[i])!.split(' ')
      this.refuse(domain, `${name} leads elsewhere or is judged otherwise`, does, cells)
    }
  }

  private attempt(cells: Int32Array, otherwise: (error: unknown) => never): Reading {
    try {
      return this.read(cells)
    } catch (error) {
      return otherwise(error)
    }
  }

  private read(cells: Int32Array): Reading {
    const { machine, hostile, state, next } = this
    this.before.set(cells)
    const waived = machine.unspecified?.(state) === true
    const holds = [
      ...machine.invariants.map(
        ({ name, holds, safety }) => [name, (waived && safety !== true) || holds(state)] as const,
      ),
      ...machine.goals.map(({ name, holds }) => [name, holds(state)] as const),
      ...machine.owes.map(({ name, when }, i) => [`what is owed by ${name} (${i + 1})`, when(state)] as const),
      ...machine.leadsTo.flatMap(({ name, from, to }) => [
        [`${name} (from)`, from(state)] as const,
        [`${name} (to)`, to(state)] as const,
      ]),
      ...(['final', 'unspecified'] as const).map((name) => [name, machine[name]?.(state) === true] as const),
    ].flatMap(([name, isTrue]) => (isTrue ? [name] : []))
    const steps = this.choices.all.flatMap(({ action, args }) => {
      const mayBreach = hostile.includes(action.actor)
      if ((action.hostile && !mayBreach) || !(action.when?.(state, args) ?? true)) return []
      const broken = action.duties.filter(
        ({ safety, given, holds }) =>
          (safety === true || !waived) && (given?.(state, args) ?? true) && !holds(state, args),
      )
      if (broken.length > 0 && !mayBreach) return []
      this.after.set(cells)
      const goals = machine.stepGoals.filter((goal) => goal.action === action.index && goal.when(state, args))
      action.effect?.(next, args)
      const isFree = machine.unspecified?.(next) === true
      const laws = machine.steps.filter(
        ({ holds, safety }) => (isFree && safety !== true) || holds(state, next, action.name),
      )
      for (const { clause } of broken) machine.breach?.(next, clause)
      const judged = [...goals, ...laws, ...broken].map(({ name }) => name).join()
      return [{ action: action.name, after: this.after.slice(), judged }]
    })
    return { holds, steps }
  }

  private refuse({ name }: Domain, what: string, when: string, cells: Int32Array): never {
    throw new ExploreError(
      this.machine,
      `symmetry: ${name} is declared to be interchangeable and is not: ${what} when ${when}. Ids may be compared by === ` +
        'only and indexes by their distance; arrays and sets over them are declared as t.array(id, …) and t.set(id); an id ' +
        'that is no longer meant is to be undefined, of type t.maybe. Or leave the domain out of the declaration',
      { state: stateToJson(this.machine.layout, cells) },
    )
  }
}
