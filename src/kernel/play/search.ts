/** Whether a walk has come to the goal that its plan is led to. */
import type { Action, Args, Erased, Machine } from '../language/machine.ts'

/** A state or a step that a machine has among its goals. */
type Goal = Machine['goals'][number] | Machine['stepGoals'][number]

export class Search {
  /** The action of the step that is sought; undefined where it is a state. */
  readonly wanted: Action | undefined
  private readonly goal: Goal
  private readonly state: Erased
  /** Steps of the plan each time the goal was reached. */
  private readonly reached: number[] = []

  constructor(machine: Machine, name: string, state: Erased) {
    const goal = [...machine.goals, ...machine.stepGoals].find((one) => one.name === name)
    if (goal === undefined) throw new RangeError(`${machine.name}: no goal is called ${JSON.stringify(name)}`)
    this.goal = goal
    this.state = state
    this.wanted = 'action' in goal ? machine.actions[goal.action] : undefined
  }

  /** Before the effect of an action, the last of so many steps: whether it is the step that is sought. */
  meets(action: Action, args: Args, steps: number): boolean {
    const { goal } = this
    if (action !== this.wanted || !('action' in goal) || !goal.when(this.state, args)) return false
    this.reached.push(steps)
    return true
  }

  /** After an effect: whether the state is the one that is sought. */
  look(steps: number): void {
    if (!('action' in this.goal) && this.goal.holds(this.state)) this.reached.push(steps)
  }

  /** How often a plan that is cut to so many steps leads there. */
  arrivals(steps: number): number {
    return this.reached.filter((at) => at <= steps).length
  }
}
