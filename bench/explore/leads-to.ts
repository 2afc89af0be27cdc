/** The reference model with a promise, so that what a search for loops costs beside a search for states can be told. */
import type { Clause, Erased, Machine } from '../../src/kernel/language/index.ts'
import { splitQueueTso } from './split-queue-tso.ts'

const clause = { id: 'VIO-SPLIT-TSO' } as Clause

/** States in which each promise is open: a few in a hundred, or four fifths; these hold. Or all: that one is broken. */
const promises = {
  'open-in-few': { from: (s: Erased) => s.driver.at === 'wait', to: (s: Erased) => s.driver.at !== 'wait' },
  'open-in-most': {
    from: () => true,
    to: (s: Erased) => s.driver.at === 'idle' && s.driver.store.is !== 'descriptor',
  },
  broken: { from: () => true, to: () => false },
} as const

export type Promised = keyof typeof promises

export const isPromised = (name: string): name is Promised => name in promises

export const promising = (name: Promised, scope: string): Machine => {
  const machine = splitQueueTso.at(scope)
  const fair = ['driver', 'device', 'memory'].map((actor) => ({
    name: actor,
    actions: machine.actions.filter((action) => action.actor === actor).map(({ index }) => index),
  }))
  return { ...machine, fair, leadsTo: [{ name, clause, ...promises[name] }] }
}
