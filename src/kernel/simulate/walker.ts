/** The inner loop of a simulation: draws one of the possible choices evenly, takes it, and judges what it led to. */
import type { Choice, Choices } from '../explore/choices.ts'
import type { Actor, Machine } from '../language/index.ts'
import type { Erased } from '../language/machine.ts'
import { viewOf } from '../language/views.ts'
import { type Group, groupsOf, partsOf, possibleIn } from './groups.ts'
import { Learned, TOO_WIDE, UNKNOWN } from './learned.ts'
import { Lists } from './lists.ts'
import type { Seen } from './seen.ts'

export interface Hearer {
  /** A law is broken by the walk as it is in `path`; heard once for each. */
  broken(kind: 'invariant' | 'step', law: number): void
  /** A goal is reached; heard once for each. States come before steps. */
  reached(goal: number): void
  /** Nothing is possible in the state that the walk has come to. */
  resting(): void
}

export interface WalkerOptions {
  readonly machine: Machine
  readonly choices: Choices
  readonly hostile: readonly Actor[]
  readonly walkLength: number
  readonly seed: number
  readonly seen: Seen | undefined
  readonly hearer: Hearer
}

/** A question about a state that is answered by yes or no. */
interface Predicate {
  readonly root: number
  readonly holds: (state: Erased) => boolean
  readonly failed: () => void
  /** Also asked where behaviour is unspecified. */
  readonly always: boolean
  direct: boolean
}

/** The answer yes, as a tree has it. */
const YES = ~1

export class Walker {
  readonly cells: Int32Array
  readonly state: Erased
  /** Choices of the walk so far; `length` of them count. */
  readonly path: Int32Array
  length = 0
  steps = 0
  walks = 1
  /** How often each action was taken. */
  readonly taken: Float64Array
  private readonly options: WalkerOptions
  private readonly start: Int32Array
  private readonly before: Int32Array
  private readonly beforeState: Erased
  private readonly learned: Learned
  private groups: readonly Group[]
  /** The list that each group has answered. */
  private readonly leaves: Int32Array
  private readonly effects: Int32Array
  /** Choices whose effect is called each time. */
  private readonly isWide: Uint8Array
  private readonly actionOf: Int32Array
  /** Choices that are their effect: no law over steps and no breach comes with them. */
  private readonly isPlain: Uint8Array
  private predicates: readonly Predicate[]
  /** All of them at once. */
  private calm: Predicate
  private readonly isFree: Predicate | undefined
  private stepGoals: number[]
  private readonly openSteps: Set<number>
  private random: number
  /** Answers of groups: which of their choices are possible. */
  private readonly possible = new Lists()
  /** Answers of effects: cells, each with what is written to it. */
  private readonly written = new Lists()
  private readonly isPossible: (k: number, state: Erased) => boolean

  constructor(options: WalkerOptions) {
    const { machine, choices, hostile, walkLength, seed, hearer } = options
    this.options = options
    this.cells = machine.initial()
    this.start = this.cells.slice()
    this.before = this.cells.slice()
    this.state = viewOf(machine.layout, this.cells) as Erased
    this.beforeState = viewOf(machine.layout, this.before) as Erased
    this.path = new Int32Array(walkLength)
    this.taken = new Float64Array(machine.actions.length)
    this.random = seed | 0
    this.learned = new Learned(machine, this.cells)
    const { learned } = this
    const mine = choices.all.flatMap(({ action }, k) => (!action.hostile || hostile.includes(action.actor) ? [k] : []))
    this.isPossible = possibleIn(machine, choices, hostile)
    this.groups = groupsOf(mine, learned, this.isPossible)
    this.leaves = new Int32Array(mine.length + 1)
    this.effects = Int32Array.from(choices.all, () => learned.root())
    this.isWide = new Uint8Array(choices.all.length)
    this.actionOf = Int32Array.from(choices.all, ({ action }) => action.index)
    this.isPlain = Uint8Array.from(choices.all, ({ action }) =>
      Number(machine.steps.length === 0 && action.effect !== undefined && !hostile.includes(action.actor)),
    )
    const predicate = (holds: Predicate['holds'], failed: () => void, always: boolean): Predicate => ({
      ...{ root: learned.root(), holds, failed, always, direct: false },
    })
    const free = machine.unspecified
    this.isFree = free === undefined ? undefined : predicate(free, () => undefined, true)
    this.predicates = [
      ...machine.invariants.map(({ holds, safety }, i) =>
        predicate(holds, () => hearer.broken('invariant', i), safety === true),
      ),
      ...machine.goals.map(({ holds }, i) =>
        predicate(
          (s) => !holds(s),
          () => hearer.reached(i),
          true,
        ),
      ),
    ]
    this.calm = this.calmNow()
    this.stepGoals = machine.stepGoals.map((_, i) => i)
    this.openSteps = new Set(machine.steps.keys())
  }

  /** Judges the initial state: once, before the first step. */
  begin(): void {
    this.judge()
    this.options.seen?.add(this.cells)
  }

  /** Takes so many steps, over as many walks as that takes; fewer only when nothing can happen from the start. */
  run(steps: number): void {
    const { options, path, taken, cells } = this
    const { machine, hearer, seen } = options
    const { actionOf, isPlain, leaves, learned, effects } = this
    const { all: lists, at: listAt, end: listEnd } = this.possible
    const { all: writes, at: writesAt, end: writesEnd } = this.written
    const watchesSteps = machine.steps.length > 0
    // The look-ups are written out: as calls they cost as much again.
    let { tree } = learned
    for (let done = 0; done < steps; ) {
      if (this.length === path.length) this.restart()
      let total = 0
      const { groups } = this
      for (let g = 0; g < groups.length; g++) {
        let at = tree[groups[g]!.root]!
        while (at > 0) at = tree[at + 1 + cells[tree[at]!]!]!
        const list = at < 0 ? ~at : this.listOf(groups[g]!)
        if (at === UNKNOWN) {
          ;({ tree } = learned)
          // A group was split: all are asked again.
          if (this.groups !== groups) {
            total = -1
            break
          }
        }
        leaves[g] = list
        total += listEnd[list]! - listAt[list]!
      }
      if (total < 0) continue
      if (total === 0) {
        hearer.resting()
        if (this.length === 0) return
        this.restart()
        continue
      }
      let drawn = this.draw(total)
      let g = 0
      for (;;) {
        const list = leaves[g]!
        const count = listEnd[list]! - listAt[list]!
        if (drawn < count) break
        drawn -= count
        g++
      }
      const k = lists[listAt[leaves[g]!]! + drawn]!
      const action = actionOf[k]!
      if (this.stepGoals.length > 0) this.reachSteps(k, action)
      path[this.length++] = k
      taken[action]!++
      if (watchesSteps) this.before.set(cells)
      let at = isPlain[k] === 1 ? tree[effects[k]!]! : UNKNOWN
      while (at > 0) at = tree[at + 1 + cells[tree[at]!]!]!
      if (at < 0)
        for (let i = writesAt[~at]!, end = writesEnd[~at]!; i < end; i += 2) cells[writes[i]!] = writes[i + 1]!
      else {
        this.take(k)
        ;({ tree } = learned)
      }
      at = tree[this.calm.root]!
      while (at > 0) at = tree[at + 1 + cells[tree[at]!]!]!
      if (at !== YES) {
        this.judge()
        ;({ tree } = learned)
      }
      if (seen !== undefined) seen.add(cells)
      done++
      this.steps++
    }
  }

  private restart(): void {
    this.cells.set(this.start)
    this.length = 0
    this.walks++
  }

  /** Evenly from 0 to `below - 1`. */
  private draw(below: number): number {
    this.random = (this.random + 0x6d2b79f5) | 0
    const x = this.random
    let r = Math.imul(x ^ (x >>> 15), 1 | x)
    r = (r + Math.imul(r ^ (r >>> 7), 61 | r)) ^ r
    return Math.floor((((r ^ (r >>> 14)) >>> 0) * below) / 4294967296)
  }

  private lookUp(root: number): number {
    const { tree } = this.learned
    const { cells } = this
    let at = tree[root]!
    while (at > 0) at = tree[at + 1 + cells[tree[at]!]!]!
    return at
  }

  /** The list of the choices of a group that are possible now. */
  private listOf(group: Group): number {
    if (!group.direct) {
      const at = this.lookUp(group.root)
      if (at < 0) return ~at
      const list = this.learned.learn(group.root, (state) => this.listIn(group, state))
      if (list !== TOO_WIDE) return list
      const parts = partsOf(group, this.learned, this.options.choices)
      this.groups = this.groups.flatMap((each) => (each === group ? parts : [each]))
    }
    return this.listIn(group, this.state)
  }

  private listIn({ choices }: Group, state: Erased): number {
    return this.possible.numberOf(choices.filter((k) => this.isPossible(k, state)))
  }

  /** The effect of a choice, with the laws over the step and what follows from a breach. */
  private take(k: number): void {
    const { machine, choices, hostile } = this.options
    const { action } = choices.all[k]!
    const breachable = machine.breach !== undefined && action.duties.length > 0 && hostile.includes(action.actor)
    const broken = breachable ? this.brokenBy(choices.all[k]!) : []
    if (action.effect !== undefined) this.apply(k)
    if (this.openSteps.size > 0) this.judgeStep(action.name)
    for (const clause of broken) machine.breach!(this.state, clause)
  }

  private brokenBy({ action, args }: Choice) {
    const isFree = this.options.machine.unspecified?.(this.state) === true
    return action.duties
      .filter(
        ({ safety, given, holds }) =>
          (!isFree || safety === true) && (given?.(this.state, args) ?? true) && !holds(this.state, args),
      )
      .map(({ clause }) => clause)
  }

  private apply(k: number): void {
    const { action, args } = this.options.choices.all[k]!
    if (this.isWide[k] === 0) {
      let leaf = ~this.lookUp(this.effects[k]!)
      if (leaf < 0) leaf = this.learnEffect(k)
      if (leaf !== TOO_WIDE) {
        const { cells } = this
        const { all: writes, at, end: ends } = this.written
        const end = ends[leaf]!
        for (let i = at[leaf]!; i < end; i += 2) cells[writes[i]!] = writes[i + 1]!
        return
      }
      this.isWide[k] = 1
    }
    action.effect!(this.state, args)
  }

  private learnEffect(k: number): number {
    const { action, args } = this.options.choices.all[k]!
    return this.learned.learn(this.effects[k]!, (state, writes) => {
      action.effect!(state, args)
      return this.written.numberOf([...writes].flat())
    })
  }

  private judgeStep(by: string): void {
    const { machine, hearer } = this.options
    const isFree = machine.unspecified?.(this.state) === true
    for (const j of this.openSteps) {
      const law = machine.steps[j]!
      if ((isFree && law.safety !== true) || law.holds(this.beforeState, this.state, by)) continue
      this.openSteps.delete(j)
      hearer.broken('step', j)
    }
  }

  private reachSteps(k: number, action: number): void {
    const { machine, choices, hearer } = this.options
    const reached = this.stepGoals.filter((g) => {
      const goal = machine.stepGoals[g]!
      return goal.action === action && goal.when(this.state, choices.all[k]!.args)
    })
    if (reached.length === 0) return
    this.stepGoals = this.stepGoals.filter((g) => !reached.includes(g))
    for (const g of reached) hearer.reached(machine.goals.length + g)
  }

  /** Invariants and goals; what was broken or reached once is not asked again. */
  private judge(): void {
    if (!this.calm.direct && this.answer(this.calm)) return
    const isFree = this.isFree !== undefined && this.answer(this.isFree)
    for (const each of this.predicates) {
      if ((isFree && !each.always) || this.answer(each)) continue
      this.predicates = this.predicates.filter((other) => other !== each)
      this.calm = this.calmNow()
      each.failed()
    }
  }

  /** Whether nothing is to be told of a state: what is asked mostly, and answered by one look-up. */
  private calmNow(): Predicate {
    const { predicates, learned } = this
    const { unspecified } = this.options.machine
    const holds = (state: Erased): boolean => {
      const isFree = unspecified?.(state) === true
      return predicates.every((each) => (isFree && !each.always) || each.holds(state))
    }
    return { root: learned.root(), holds, failed: () => undefined, always: true, direct: false }
  }

  private answer(predicate: Predicate): boolean {
    if (!predicate.direct) {
      const at = this.lookUp(predicate.root)
      if (at < 0) return at === YES
      const answer = this.learned.learn(predicate.root, (state) => Number(predicate.holds(state)))
      if (answer !== TOO_WIDE) return answer === 1
      predicate.direct = true
    }
    return predicate.holds(this.state)
  }
}
