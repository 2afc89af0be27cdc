/** What a search came upon: where each law was broken first, and the shortest ways there. */
import { type Actor, type Machine, viewOf } from '../language/index.ts'
import { stateToJson } from '../language/state.ts'
import type { Choice, Choices } from './choices.ts'
import type { Violation } from './exploration.ts'
import { isPossible } from './possible.ts'
import { stepOf, take } from './retrace.ts'
import type { Tracer } from './tracer.ts'

/** Where a law was broken first: in a state, or by a choice taken in it. */
interface Finding {
  readonly kind: Violation['kind']
  readonly name: string
  readonly clause: string
  readonly id: number
  readonly choice: number | undefined
}

interface FindingsOptions {
  readonly machine: Machine
  readonly choices: Choices
  readonly hostile: readonly Actor[]
  readonly tracer: Tracer
  /** States stand for others too. */
  readonly underSymmetry: boolean
}

export class Findings {
  private readonly options: FindingsOptions
  private readonly found: Finding[] = []

  constructor(options: FindingsOptions) {
    this.options = options
  }

  get count(): number {
    return this.found.length
  }

  /** Each thread finds it once, the first of them counts. */
  note(
    kind: Violation['kind'],
    law: { readonly name: string; readonly clause: { readonly id: string } },
    id: number,
    choice?: number,
  ): void {
    if (this.found.some((finding) => finding.kind === kind && finding.name === law.name)) return
    this.found.push({ kind, name: law.name, clause: law.clause.id, id, choice })
  }

  violations(): Violation[] {
    return this.found.map((finding) => this.violationOf(finding))
  }

  private violationOf({ kind, name, clause, id, choice }: Finding): Violation {
    const { machine, tracer, hostile } = this.options
    let { steps, cells } = tracer.wayTo(id)
    if (choice !== undefined) {
      const last = this.choiceThatBreaks(name, choice, cells)
      const taken = take(machine, last, cells, hostile)!
      steps = [...steps, stepOf(machine, last, cells, taken)]
      cells = taken.after
    }
    return { name, kind, clause, steps, state: stateToJson(machine.layout, cells) }
  }

  /** The choice, or under symmetry the like of it in the state that a trace has come to. */
  private choiceThatBreaks(name: string, choice: number, cells: Int32Array): Choice {
    const { machine, choices, hostile, underSymmetry } = this.options
    const found = choices.all[choice]!
    if (!underSymmetry) return found
    const { action } = found
    const { holds } = machine.steps.find((law) => law.name === name)!
    const state = viewOf(machine.layout, cells)
    const isLike = (one: Choice): boolean => {
      if (!isPossible(machine, one, state, hostile)) return false
      const after = viewOf(machine.layout, cells.slice())
      action.effect?.(after, one.args)
      return !holds(state, after, action.name)
    }
    return choices.all.slice(choices.starts[action.index], choices.starts[action.index + 1]).find(isLike)!
  }
}
