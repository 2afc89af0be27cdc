/** Asks of every distinct state what holds in it, in loops of their own: invariants, and goals that were not reached yet. */
import { type ExpanderText, type Names, numbered } from './expander-text.ts'
import { generate, grouped, repeat } from './source.ts'

/** Judges the states `first` to `last - 1`. */
export type Check = (arena: Int32Array, first: number, last: number) => void

/**
 * Source of the author's functions, in characters, that one loop calls: what an engine inlines into one function is
 * bounded, and what is left out then costs a call for each field that it reads.
 */
const INLINED_SOURCE = 500

export const checkerOf = (text: ExpanderText, names: Names): Check => {
  const { invariants, goals } = text.machine
  const laws = invariants.map(({ safety, holds }, i) => ({
    holds,
    open: `lawOpen[${i}]`,
    text: `if(lawOpen[${i}]===1&&${safety === true ? '' : 'duty&&'}!law${i}(s)){lawOpen[${i}]=0;hearer.invariantBroken(${i},id)}`,
  }))
  const reached = goals.map(({ holds }, i) => ({
    holds,
    open: `goalOpen[${i}]`,
    text: `if(goalOpen[${i}]===1&&goal${i}(s)){goalOpen[${i}]=0;hearer.goalReached(${i},id)}`,
  }))
  const visible = {
    ...names,
    ...numbered(
      'law',
      invariants.map(({ holds }) => holds),
    ),
    ...numbered(
      'goal',
      goals.map(({ holds }) => holds),
    ),
  }
  const groups = grouped([...laws, ...reached], ({ holds }) => holds.toString().length, INLINED_SOURCE)
  const loops = groups.map((group, g) => {
    const anyOpen = group.map(({ open }) => open).join('|')
    const body = text.loop('', group.map((each) => each.text).join('\n'))
    return generate(`check${g}`, 'arena,id,last', [`if((${anyOpen})!==0)${body}`], visible)
  })
  const calls = repeat(loops.length, '', (i) => `check${i}(arena,first,last);`)
  return generate('check', 'arena,first,last', [calls], numbered('check', loops))
}
