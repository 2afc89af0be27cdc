/** What is asked of every distinct state: invariants, and goals that were not reached yet. Generated like `expand.ts`. */
import type { Machine } from '../language/index.ts'
import { generate } from './source.ts'

export interface Hearer {
  /** An invariant does not hold; heard once for each. */
  broken(invariant: number): void
  /** A goal is reached; heard once for each. */
  reached(goal: number): void
}

/** A function that judges the state that `state` shows; `duty` is false where behaviour is unspecified. */
export const checkerOf = (machine: Machine, state: object, hearer: Hearer): ((duty: boolean) => void) => {
  const lawOpen = new Uint8Array(machine.invariants.length).fill(1)
  const goalOpen = new Uint8Array(machine.goals.length).fill(1)
  const laws = machine.invariants.map(
    ({ safety }, i) =>
      `if(lawOpen[${i}]===1&&${safety === true ? '' : 'duty&&'}!law${i}(s)){lawOpen[${i}]=0;hearer.broken(${i})}`,
  )
  const goals = machine.goals.map(
    (_, i) => `if(goalOpen[${i}]===1&&goal${i}(s)){goalOpen[${i}]=0;hearer.reached(${i})}`,
  )
  return generate('duty', [...laws, ...goals], {
    ...Object.fromEntries(machine.invariants.map(({ holds }, i) => [`law${i}`, holds])),
    ...Object.fromEntries(machine.goals.map(({ holds }, i) => [`goal${i}`, holds])),
    ...{ s: state, hearer, lawOpen, goalOpen },
  })
}
