/** Whether a step of a plan is possible in a state of the judge, so that what is not need not be run. */
import type { Erased, Machine } from '../language/machine.ts'
import { viewOf } from '../language/views.ts'
import type { PlanStep } from './plan.ts'
import { resolve } from './resolve.ts'

/** Says of a step, taken literally, whether a run that has come to these cells would perform it. */
export const possibleIn = (machine: Machine): ((cells: Int32Array, step: PlanStep) => boolean) => {
  const scratch = machine.initial()
  const state = viewOf(machine.layout, scratch) as Erased
  return (cells, step) => {
    if (step.do !== 'act') return true
    scratch.set(cells)
    return resolve(state, step.action, step.args, step.hostile) === step.args
  }
}
