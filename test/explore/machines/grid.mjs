/**
 * A walk on a grid of tokens, in what every thread can load: it has few states on each level or many, as is asked for,
 * and where it breaks a law, gets stuck, reaches a goal, throws, or ends a helping thread is given.
 */
import { isMainThread } from 'node:worker_threads'
import { machine, scoped, t } from '../../../dist/src/kernel/language/index.js'

const clause = { id: 'GRID-1' }
/** `null` in a place is anywhere. */
const isAt = (s, place) => place?.every((value, i) => value === null || s.at.at(i) === value) === true
/** `of` each place, under a name of its own. */
const named = (prefix, places, of) =>
  Object.fromEntries(places.map((place) => [`${prefix}${place.join('-')}`, of(place)]))

export const grid = ({ tokens, length, broken = [], jumped, goals = [], stuck, throwing, deadly = [] }) => {
  const advance = (i) => [
    `device.advance${i}`,
    {
      when(s) {
        if (isAt(s, throwing)) throw new TypeError('boom')
        if (!isMainThread && deadly.some((place) => isAt(s, place))) process.exit()
        return !isAt(s, stuck) && s.at.at(i) < length - 1
      },
      effect: (s) => s.at.set(i, s.at.at(i) + 1),
    },
  ]
  const body = () =>
    machine({
      source: 'GRID',
      state: { at: t.array(tokens, t.below(length)) },
      actions: Object.fromEntries(Array.from({ length: tokens }, (_, i) => advance(i))),
      invariants: named('not', broken, (place) => ({ clause, holds: (s) => !isAt(s, place) })),
      steps: { notFrom: { clause, holds: (before) => !isAt(before, jumped) } },
      goals: named('at', goals, (place) => (s) => isAt(s, place)),
      owes: { 'device.advance0': { clause, when: (s) => isAt(s, stuck) } },
      final: (s) => s.at.at(0) === length - 1,
    })
  return scoped('grid', { explored: {}, played: {} }, body).at('explored')
}
