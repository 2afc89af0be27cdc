/**
 * The ways to take an action that are worth a question. Of a product of arguments most members may be impossible whatever
 * the state: a part of the guard says so that looks at the arguments alone.
 */

import { conjunctsOf } from '../language/compose.ts'
import type { Machine } from '../language/index.ts'
import type { Choices } from './choices.ts'
import { Oracle } from './oracle.ts'

/** By action: numbers of choices, in order. */
export type Ways = readonly (readonly number[])[]

/** More choices than this are not asked beforehand: it takes a few microseconds each. */
const ASKED_MAX = 16_384

export const waysOf = (machine: Machine, { all, starts }: Choices): Ways => {
  const oracle = new Oracle(machine)
  return machine.actions.map(({ index, when }) => {
    const choices = Array.from({ length: starts[index + 1]! - starts[index]! }, (_, i) => starts[index]! + i)
    if (when === undefined || choices.length === 1 || all.length > ASKED_MAX) return choices
    const parts = conjunctsOf(when)
    const nothing = new Map<number, number>()
    return choices.filter((k) => parts.every((part) => oracle.ask((s) => part(s, all[k]!.args), nothing) !== false))
  })
}
