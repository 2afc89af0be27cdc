/** The fast explorer's answer in the naive explorer's form, so that the two can be compared as a whole. */
import { type Exploration, type ExploreOptions, explore } from '../../src/kernel/explore/index.ts'
import { exploreNaively, type NaiveExploration } from '../../src/kernel/explore/naive.ts'
import type { Actor, Machine } from '../../src/kernel/language/index.ts'

export const summary = (exploration: Exploration): NaiveExploration => ({
  states: exploration.states,
  transitions: exploration.transitions,
  depth: exploration.depth,
  violations: Object.fromEntries(
    exploration.violations.map(({ kind, name, steps }) => [`${kind} ${name}`, steps.length]),
  ),
  stuck: exploration.stuck.count,
  goals: exploration.goals,
  actions: exploration.actions,
})

export const both = (machine: Machine, hostile: readonly Actor[] = [], options: ExploreOptions = {}) => ({
  fast: summary(explore(machine, { audit: 'all', liveness: false, ...options, hostile })),
  naive: exploreNaively(machine, hostile),
})
