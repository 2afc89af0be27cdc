/**
 * Finds what is possible in one state after another, and notes it: by action, so that each is then taken in a loop of
 * its own, which an engine compiles as one piece.
 */
import type { Machine } from '../language/index.ts'
import { tracingViewOf, type Words } from '../language/packed-views.ts'
import { wordLayoutOf } from '../language/word-layout.ts'
import type { Choices } from './choices.ts'
import { type Attempt, dispatchOf } from './dispatch.ts'
import { BATCH_ROWS, type ExpanderText, FIXED, type Names, numbered } from './expander-text.ts'
import { type Find, remembering, WAYS_MIN, WORDS_MAX } from './memo.ts'
import { generate, pieced, repeat } from './source.ts'
import { waysOf } from './ways.ts'

/** What was found possible and not taken yet. */
export interface Picked {
  /** Numbers of states, those of an action next to each other, and beside each its choice. */
  readonly ids: Int32Array
  readonly ways: Int32Array
  /** Where those of each action begin, and where they end. */
  readonly starts: Int32Array
  readonly ends: Int32Array
}

export const pickedOf = ({ actions }: Machine, { starts: ways }: Choices): Picked => {
  const starts = new Int32Array(FIXED + actions.length)
  let size = 0
  for (const { index } of actions) {
    starts[index] = size
    // The last state of a batch may add all ways to what is almost full.
    size += BATCH_ROWS + ways[index + 1]! - ways[index]!
  }
  return { ids: new Int32Array(size + FIXED), ways: new Int32Array(size + FIXED), starts, ends: starts.slice() }
}

export interface Picker {
  /** Notes what is possible in the states from `id` to `last - 1`, as long as there is room; the first left out. */
  find(arena: Int32Array, id: number, last: number): number
  /** What was found: choices, state by state, and where those of each state end. */
  readonly found: Int32Array
  readonly foundEnds: Int32Array
  /** Puts the choices found in the states from `first` to `end - 1` beside those of the same action. */
  sort(first: number, end: number): void
}

/** Most states of a batch: some have no choice that takes room. */
const STATES_MAX = 4 * BATCH_ROWS

export const pickerOf = (text: ExpanderText, names: Names): Picker => {
  const { machine, choices, picked } = text
  const found = new Int32Array(FIXED + BATCH_ROWS + choices.all.length)
  const foundEnds = new Int32Array(STATES_MAX)
  const visible = { ...names, found, foundEnds, args: choices.all.map(({ args }) => args) }
  /** Functions that try all choices of an action, or one. */
  const attempts: Record<string, unknown> = {}
  const ways = waysOf(machine, choices)
  /** Tries all of `ks`. */
  const allOf = (name: string, ks: readonly number[], attempt: string): unknown => {
    const made = (name: string, s: Names): Find =>
      generate(name, 'o,id,duty', [`for(let i=0;i<${ks.length};i++){const k=ks[i];${attempt}}return o`], {
        ...visible,
        ks: Int32Array.from(ks),
        ...s,
      })
    const ask = made(name, {})
    const layout = wordLayoutOf(machine.layout)
    if (ks.length < WAYS_MIN || layout.words > WORDS_MAX) return ask
    const { state, traced } = tracingViewOf(machine.layout, names.w as Words)
    const trace = made(`${name}Traced`, { s: state })
    return remembering({ name, layout, bits: traced, ask, trace, waysMax: ks.length, names: visible })
  }
  const note = (k: number | string): string => `found[o]=${k};o=o+1|0;`
  const call = ({ action, choices: some, certain }: Attempt): string => {
    const i = action.index
    const ks = some ?? ways[i]!
    if (certain) return ks.map(note).join('')
    const attempt = `const a=args[k];if(${text.condition(action)}){${note('k')}}`
    if (some === undefined && ks.length > 1) {
      attempts[`all${i}`] ??= allOf(`all${i}`, ks, attempt)
      return `o=all${i}(o,id,duty);`
    }
    attempts[`try${i}`] ??= generate(`try${i}`, 'o,id,duty,k', [`${attempt}return o`], visible)
    return ks.map((k) => `o=try${i}(o,id,duty,${k});`).join('')
  }
  const statements = dispatchOf({
    machine,
    choices,
    ways,
    actions: machine.actions.filter((action) => !action.hostile || text.mayBreach(action)),
    duties: (action) => {
      if (action.duties.length === 0 || text.mayBreach(action)) return 'never'
      return machine.unspecified === undefined ? 'always' : 'sometimes'
    },
    word: (word) => text.words.word(word),
    call,
  })
  const body = `const from=o
o=choose(o,id,duty)
foundEnds[id-first]=o
if(o===from)hearer.rested(id,duty)`
  const loop = text.loop(`&&o<${BATCH_ROWS}`, body)
  const find = generate<Picker['find']>('find', 'arena,id,last', [`const first=id;let o=0;${loop}return id`], {
    ...visible,
    choose: chained(statements, { ...visible, ...attempts }),
  })
  const actionOf = Int32Array.from(choices.all, ({ action }) => action.index)
  const sort = (first: number, end: number): void => {
    const { ids, ways, starts, ends } = picked
    ends.set(starts)
    for (let id = first, at = 0; id < end; id++)
      for (const last = foundEnds[id - first]!; at < last; at++) {
        const k = found[at]!
        const to = ends[actionOf[k]!]!++
        ids[to] = id
        ways[to] = k
      }
  }
  return { found, foundEnds, sort, find: (arena, id, last) => find(arena, id, Math.min(last, id + STATES_MAX)) }
}

/** A function that hands its first parameter, the number of choices that were noted, from one piece to the next. */
const chained = (statements: readonly string[], names: Names): unknown => {
  const parameters = 'o,id,duty'
  const pieces = pieced(statements).map((piece, i) =>
    generate(`choose${i}`, parameters, [`${piece.join('\n')}\nreturn o`], names),
  )
  const calls = repeat(pieces.length, '', (i) => `o=choose${i}(${parameters});`)
  return generate('choose', parameters, [`${calls}return o`], numbered('choose', pieces))
}
