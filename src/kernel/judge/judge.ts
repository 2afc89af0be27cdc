/**
 * The judge walks a machine along what was done and seen, and says when the side under test broke a law.
 *
 * It holds one state. What a target does not show (a descriptor fetch in a foreign process) changes no state that a law
 * depends on: such actions only add knowledge, and laws are weaker without it, never wrong.
 */
import type { Clause } from '../language/clause.ts'
import type { Action, Args, Erased, Machine } from '../language/machine.ts'
import { argsToJson } from '../language/state.ts'
import { viewOf } from '../language/views.ts'
import { Ledger } from './ledger.ts'
import type { Finding } from './verdict.ts'

/** A clause that can convict: one of the standard or of this suite, and binding. */
export const convicts = (clause: Clause): boolean => clause.strength === 'MUST' || clause.strength === 'MUST NOT'

export interface JudgeOptions {
  readonly ledger?: Ledger
  /** Laws to take no notice of, as `law@clause`: the known deviations of a target. */
  readonly tolerated?: ReadonlySet<string>
}

/** A duty with `refrains`, and its number in the ledger. */
interface Temptation {
  readonly action: Action
  readonly duty: Action['duties'][number]
  readonly law: number
}

export class Judge {
  readonly machine: Machine
  readonly ledger: Ledger
  /** The state, as cells; overwritten in place. */
  readonly cells: Int32Array
  /** The state, as authors see it. */
  readonly state: Erased
  /** Breaches of duties of the sides that we play, so far. */
  breaches = 0
  /** Known deviations that were met and tolerated. */
  readonly met = new Map<string, number>()
  private readonly first: Int32Array
  private readonly before: Int32Array
  private readonly beforeState: Erased
  private readonly tolerated: ReadonlySet<string>
  private readonly pendingOwes: Uint8Array
  private readonly goalSeen: Uint8Array
  /** By number of the action: the goals that are steps of it, with their numbers in the ledger. */
  private readonly goalsOf: readonly (readonly {
    readonly when: (s: Erased, args: Args) => boolean
    readonly number: number
  }[])[]
  /** Hardening findings of this run, each law once. */
  readonly hardening: Finding[] = []
  /** Duties that silence can keep. */
  private readonly temptations: readonly Temptation[]

  constructor(machine: Machine, options: JudgeOptions = {}) {
    this.machine = machine
    this.ledger = options.ledger ?? new Ledger(machine)
    this.tolerated = options.tolerated ?? new Set()
    this.cells = machine.initial()
    this.state = viewOf(machine.layout, this.cells)
    this.first = this.cells.slice()
    this.before = this.cells.slice()
    this.beforeState = viewOf(machine.layout, this.before)
    this.pendingOwes = new Uint8Array(machine.owes.length)
    this.goalSeen = new Uint8Array(machine.goals.length)
    const goals = machine.stepGoals.map(({ action, when }, i) => ({ action, when, number: machine.goals.length + i }))
    this.goalsOf = machine.actions.map(({ index }) => goals.filter(({ action }) => action === index))
    this.temptations = machine.actions.flatMap((action) =>
      action.duties.flatMap((duty, i) =>
        duty.refrains === undefined ? [] : [{ action, duty, law: this.ledger.book.duties[action.index]! + i }],
      ),
    )
  }

  /** Back to the initial state: a new run. */
  restart(): void {
    this.cells.set(this.first)
    this.breaches = 0
    this.hardening.length = 0
    this.pendingOwes.fill(0)
    this.goalSeen.fill(0)
  }

  /** Whether an action that we play is possible now. */
  possible(action: Action, args: Args): boolean {
    return action.when === undefined || action.when(this.state, args)
  }

  /** Whether its actor may perform it without breaking a duty. */
  allowed(action: Action, args: Args): boolean {
    for (const duty of action.duties) {
      if (duty.given !== undefined && !duty.given(this.state, args)) continue
      if (!duty.holds(this.state, args)) return false
    }
    return true
  }

  /** The actor kept no law of the standard and may do as it likes. */
  get unspecified(): boolean {
    return this.machine.unspecified?.(this.state) ?? false
  }

  /** Something is owed now, so that silence would be a finding. */
  get owing(): boolean {
    const waived = this.unspecified
    for (const debt of this.machine.owes)
      if ((!waived || debt.safety) && convicts(debt.clause) && debt.when(this.state)) return true
    return false
  }

  /** Something is owed now, if only by a recommendation, so that it is worth waiting for. */
  get expecting(): boolean {
    const waived = this.unspecified
    for (const debt of this.machine.owes) if ((!waived || debt.safety) && debt.when(this.state)) return true
    return false
  }

  /** An action that we perform. A broken duty is a breach of ours, never a finding. */
  perform(action: Action, args: Args): Finding | undefined {
    const broken: Clause[] = []
    for (const duty of action.duties)
      if ((duty.given === undefined || duty.given(this.state, args)) && !duty.holds(this.state, args))
        broken.push(duty.clause)
    const finding = this.take(action, args)
    for (const clause of broken) {
      this.breaches++
      this.machine.breach?.(this.state, clause)
    }
    if (action.effect === undefined && broken.length === 0) return finding
    return finding ?? this.settleState()
  }

  /** An action of the side under test, as it was seen. */
  observe(action: Action, args: Args): Finding | undefined {
    if (!this.possible(action, args)) {
      if (this.unspecified) return undefined
      return this.finding(
        'adapter-error',
        'impossible',
        action.name,
        undefined,
        action,
        args,
        'an action that is possible here',
      )
    }
    const finding = this.dutiesOf(action, args)
    if (finding !== undefined) return finding
    // Without an effect the state is the one that was judged already.
    return action.effect === undefined ? this.take(action, args) : (this.take(action, args) ?? this.settleState())
  }

  /** The target is quiet: nothing may be owed. */
  quiet(): Finding | undefined {
    const waived = this.unspecified
    for (let i = 0; i < this.machine.owes.length; i++) {
      const debt = this.machine.owes[i]!
      const law = this.ledger.book.owes + i
      if (this.pendingOwes[i] === 1) {
        this.ledger.decided[law]!++
        this.pendingOwes[i] = 0
      }
      if ((waived && !debt.safety) || !debt.when(this.state)) continue
      if (this.known(`owes ${debt.name}`, debt.clause)) continue
      const finding: Finding = {
        verdict: 'violates',
        hardening: debt.clause.basis === 'hardening',
        kind: 'obligation',
        law: `owes ${debt.name}`,
        clause: debt.clause,
        action: debt.name,
        args: {},
        expected: `${debt.name} before the target rests`,
        observed: 'the target is quiet and owes it',
      }
      if (finding.hardening) this.harden(law, finding)
      else if (convicts(debt.clause)) {
        this.ledger.violated[law]!++
        return finding
      } else this.ledger.departed[law]!++
    }
    return undefined
  }

  /**
   * The target has really come to rest, and nothing was found: it has kept from what it was tempted to show. Decided only
   * where that very action would break the duty here. `hidden`: actions that cannot be seen of this target.
   */
  refrained(hidden: Readonly<Record<string, string>>): void {
    for (const { action, duty, law } of this.temptations) {
      if (action.name in hidden || action.seenBy !== undefined || (this.unspecified && !duty.safety)) continue
      const args = duty.refrains!(this.state)
      if (args === undefined || !this.possible(action, args)) continue
      if ((duty.given !== undefined && !duty.given(this.state, args)) || duty.holds(this.state, args)) continue
      this.ledger.exercised[law]!++
      this.ledger.decided[law]!++
    }
  }

  private dutiesOf(action: Action, args: Args): Finding | undefined {
    const waived = this.unspecified
    const first = this.ledger.book.duties[action.index]!
    for (let i = 0; i < action.duties.length; i++) {
      const duty = action.duties[i]!
      if (waived && !duty.safety) continue
      if (duty.given !== undefined && !duty.given(this.state, args)) continue
      this.ledger.exercised[first + i]!++
      this.ledger.decided[first + i]!++
      if (duty.holds(this.state, args)) continue
      // What is known explains the whole event: that it breaks other duties too is nothing new.
      if (this.known(`${action.name}.${duty.name}`, duty.clause)) return undefined
      const finding = this.finding(
        'violates',
        'duty',
        `${action.name}.${duty.name}`,
        duty.clause,
        action,
        args,
        duty.clause.requirement,
      )
      if (finding.hardening) this.harden(first + i, finding)
      else if (convicts(duty.clause)) {
        this.ledger.violated[first + i]!++
        return finding
      } else this.ledger.departed[first + i]!++
    }
    return undefined
  }

  /** The effect, with the laws over the step. */
  private take(action: Action, args: Args): Finding | undefined {
    const { machine, ledger } = this
    for (const { when, number } of this.goalsOf[action.index]!) if (when(this.state, args)) ledger.goals[number]!++
    if (machine.steps.length > 0) this.before.set(this.cells)
    try {
      action.effect?.(this.state, args)
    } catch (error) {
      return this.finding(
        'spec-error',
        'throws',
        action.name,
        undefined,
        action,
        args,
        'an effect inside its types',
        String(error),
      )
    }
    if (machine.steps.length === 0) return undefined
    const waived = this.unspecified
    for (let i = 0; i < machine.steps.length; i++) {
      const law = machine.steps[i]!
      if (waived && !law.safety) continue
      ledger.exercised[ledger.book.steps + i]!++
      ledger.decided[ledger.book.steps + i]!++
      if (law.holds(this.beforeState, this.state, action.name) || this.known(law.name, law.clause)) continue
      ledger.violated[ledger.book.steps + i]!++
      return this.finding('violates', 'step', law.name, law.clause, action, args, law.clause.requirement)
    }
    return undefined
  }

  /** Invariants, goals and new debts of the state that was reached. */
  private settleState(): Finding | undefined {
    const { machine, ledger } = this
    const waived = this.unspecified
    for (let i = 0; i < machine.invariants.length; i++) {
      const law = machine.invariants[i]!
      if (waived && !law.safety) continue
      ledger.exercised[ledger.book.invariants + i]!++
      ledger.decided[ledger.book.invariants + i]!++
      if (law.holds(this.state) || this.known(law.name, law.clause)) continue
      ledger.violated[ledger.book.invariants + i]!++
      return {
        verdict: 'violates',
        hardening: false,
        kind: 'invariant',
        law: law.name,
        clause: law.clause,
        action: '',
        args: {},
        expected: law.clause.requirement,
        observed: 'a state in which that does not hold',
      }
    }
    for (let i = 0; i < machine.goals.length; i++)
      if (this.goalSeen[i] === 0 && machine.goals[i]!.holds(this.state)) {
        this.goalSeen[i] = 1
        ledger.goals[i]!++
      }
    for (let i = 0; i < machine.owes.length; i++) {
      const debt = machine.owes[i]!
      if (this.pendingOwes[i] === 1 || (waived && !debt.safety) || !debt.when(this.state)) continue
      this.pendingOwes[i] = 1
      ledger.exercised[ledger.book.owes + i]!++
    }
    return undefined
  }

  private known(law: string, clause: Clause): boolean {
    if (this.tolerated.size === 0) return false
    const key = `${law}@${clause.id}`
    if (!this.tolerated.has(key)) return false
    this.met.set(key, (this.met.get(key) ?? 0) + 1)
    return true
  }

  private harden(law: number, finding: Finding): void {
    this.ledger.violated[law]!++
    if (!this.hardening.some((other) => other.law === finding.law)) this.hardening.push(finding)
  }

  private finding(
    verdict: Finding['verdict'],
    kind: Finding['kind'],
    law: string,
    clause: Clause | undefined,
    action: Action,
    args: Args,
    expected: string,
    observed = describe(action, args),
  ): Finding {
    return {
      verdict,
      hardening: clause?.basis === 'hardening',
      kind,
      law,
      clause,
      action: action.name,
      args,
      expected,
      observed,
    }
  }
}

/** An action as people read it: `device.return(head 3, len 513)`. */
export const describe = (action: Action, args: Args): string => {
  const json = argsToJson(action, args)
  const list = Object.entries(json).map(
    ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return list.length === 0 ? action.name : `${action.name}(${list.join(', ')})`
}
