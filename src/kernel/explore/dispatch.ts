/**
 * Which actions are worth trying in a state. A guard reads the state through accessors, so it can be asked what it
 * reads first, and what it says when it knows no more than that: `driver.at` is "wait", so `driver.add` is impossible
 * whatever else holds. From this a decision tree is made over the fields that guards read first, before the search
 * begins. It leaves out nothing that is possible, as long as a guard depends on the state and its arguments alone,
 * which the audit of transitions would find out.
 */
import type { Action, Machine } from '../language/index.ts'
import { type Field, maskOf, wordLayoutOf } from '../language/word-layout.ts'
import type { Choice, Choices } from './choices.ts'
import { Oracle } from './oracle.ts'
import type { Ways } from './ways.ts'

/** One thing to try, and whether its guard is known to hold. */
export interface Attempt {
  readonly action: Action
  /** Choices to try; undefined: all that are worth it. */
  readonly choices: readonly number[] | undefined
  readonly certain: boolean
}

export interface DispatchOptions {
  readonly machine: Machine
  readonly choices: Choices
  readonly ways: Ways
  readonly actions: readonly Action[]
  /** What has to hold beside `when`: the duties of the action, in some states or in all of them, or nothing. */
  readonly duties: (action: Action) => 'never' | 'sometimes' | 'always'
  /** Text of a word of the state. */
  readonly word: (index: number) => string
  /** Text of the calls that try something. */
  readonly call: (attempt: Attempt) => string
}

/** More values of a field than this are not told apart. */
const VALUES_MAX = 16
const DEPTH_MAX = 4
/** Choices of one action that are told apart. */
const WAYS_MAX = 16
/** Choices of one action that are asked together. */
const ASKED_MAX = 1_024
/** Guards that are asked, in all. */
const QUESTIONS_MAX = 20_000
/** A field is worth asking for when no more than so many times as many guards are left as there were before ... */
const SPREAD = 2
/** ... or no more than this part of them on average, as long as the tree is small. */
const LEFT_PART = 0.5
const SMALL_TREE = 128

/** A choice, or all choices of an action that has many: then `holds` says whether there is one that is possible. */
interface Item {
  readonly action: Action
  readonly choice: number | undefined
  readonly holds: (s: object) => boolean
}

/** The condition under which a choice is possible; `duties`: its duties are part of it. */
const conditionOf =
  ({ action, args }: Choice, duties: boolean) =>
  (s: object): boolean =>
    (action.when === undefined || action.when(s, args)) &&
    (!duties ||
      action.duties.every((duty) => (duty.given !== undefined && !duty.given(s, args)) || duty.holds(s, args)))

const itemsOf = (action: Action, choices: Choices, ways: readonly number[], duties: boolean): Item[] => {
  const one = (k: number) => conditionOf(choices.all[k]!, duties)
  if (ways.length <= WAYS_MAX) return ways.map((k) => ({ action, choice: k, holds: one(k) }))
  const asked = ways.length > ASKED_MAX ? [() => true] : ways.map(one)
  return [{ action, choice: undefined, holds: (s) => asked.some((way) => way(s)) }]
}

/** Statements that make the calls for a state in `w`, and no call for a choice that cannot be possible. */
export const dispatchOf = ({ machine, choices, ways, actions, duties, word, call }: DispatchOptions): string[] => {
  const oracle = new Oracle(machine)
  const fields = new Map(wordLayoutOf(machine.layout).fields.map((field) => [field.cell, field]))

  /** Attempts in the tree so far, about. */
  let size = 0

  const callsOf = (items: readonly Item[], certain: boolean): string[] => {
    const byAction = new Map<Action, Item[]>()
    for (const item of items) byAction.set(item.action, [...(byAction.get(item.action) ?? []), item])
    return [...byAction].map(([action, left]) => {
      const all = left.length === ways[action.index]!.length
      const some = all || left[0]!.choice === undefined ? undefined : left.map(({ choice }) => choice!)
      return call({ action, choices: some, certain })
    })
  }

  const readable = (field: Field | undefined, known: ReadonlyMap<number, number>): field is Field =>
    field !== undefined &&
    2 ** field.bits <= VALUES_MAX &&
    (field.only === undefined || known.get(field.only.tag) === field.only.value)

  const statements = (items: readonly Item[], known: ReadonlyMap<number, number>, depth: number): string[] => {
    const certain: Item[] = []
    const open: Item[] = []
    const byCell = new Map<number, Item[]>()
    for (const item of items) {
      const outcome = oracle.questions < QUESTIONS_MAX ? oracle.ask(item.holds, known) : { wants: -1 }
      if (outcome === false) continue
      if (outcome === true)
        (item.choice === undefined || duties(item.action) === 'sometimes' ? open : certain).push(item)
      else if (depth < DEPTH_MAX && readable(fields.get(outcome.wants), known))
        byCell.set(outcome.wants, [...(byCell.get(outcome.wants) ?? []), item])
      else open.push(item)
    }
    const texts: string[] = []
    for (const [cell, group] of byCell) {
      const { word: index, shift, bits } = fields.get(cell)!
      const values = machine.layout.leaves.find((leaf) => leaf.cell === cell)!.type.cells
      const cases = Array.from({ length: values }, (_, value) => {
        const more = new Map(known).set(cell, value)
        return { more, left: group.filter((item) => oracle.ask(item.holds, more) !== false) }
      })
      const left = cases.reduce((sum, each) => sum + each.left.length, 0)
      const isSmall = size + left <= SMALL_TREE && left <= LEFT_PART * group.length * values
      if (left > SPREAD * group.length && !isSmall) {
        open.push(...group)
        continue
      }
      size += left
      const text = cases.map(({ more, left }, value) =>
        left.length === 0 ? '' : `case ${value}:{${statements(left, more, depth + 1).join('')}break}`,
      )
      texts.push(`switch(${word(index)}>>>${shift}&${maskOf(bits)}){${text.join('')}}`)
    }
    return [...texts, ...callsOf(certain, true), ...callsOf(open, false)]
  }
  return statements(
    actions.flatMap((action) => itemsOf(action, choices, ways[action.index]!, duties(action) === 'always')),
    new Map(),
    0,
  )
}
