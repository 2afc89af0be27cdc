/** Pieces of text that the loops of an expander share. */
import type { Action, Actor, Machine } from '../language/index.ts'
import type { Choices } from './choices.ts'
import type { Picked } from './picker.ts'
import type { WordsText } from './words-text.ts'

/** What generated text may name. */
export type Names = Readonly<Record<string, unknown>>

/** Rows that a batch is meant to have: few enough for a near cache, many enough to overlap misses of the far one. */
export const BATCH_ROWS = 1_024
/** Typed arrays of at least so many elements do not move, and optimised code knows where they are. */
export const FIXED = 64

export const numbered = (name: string, values: readonly unknown[]): Names =>
  Object.fromEntries(values.map((value, i) => [`${name}${i}`, value]))

interface ExpanderTextOptions {
  readonly machine: Machine
  readonly choices: Choices
  readonly hostile: readonly Actor[]
  readonly words: WordsText
  readonly labelled: boolean
  readonly picked: Picked
}

export class ExpanderText {
  readonly machine: Machine
  readonly choices: Choices
  readonly words: WordsText
  readonly labelled: boolean
  readonly picked: Picked
  private readonly hostile: readonly Actor[]

  constructor({ machine, choices, hostile, words, labelled, picked }: ExpanderTextOptions) {
    this.machine = machine
    this.choices = choices
    this.hostile = hostile
    this.words = words
    this.labelled = labelled
    this.picked = picked
  }

  mayBreach(action: Action): boolean {
    return this.hostile.includes(action.actor)
  }

  /** Whether duties apply in the state that is read. */
  duty(): string {
    return this.machine.unspecified === undefined ? 'true' : '!unspecified(s)'
  }

  /** Text for each duty that is true where it is kept or does not apply. */
  kept({ index, duties }: Action): string[] {
    return duties.map(({ safety, given }, d) => {
      const applies = given === undefined ? '' : `!given${index}_${d}(s,a)||`
      return `(${safety === true ? '' : '!duty||'}${applies}holds${index}_${d}(s,a))`
    })
  }

  condition(action: Action): string {
    const possible = action.when === undefined ? [] : [`when${action.index}(s,a)`]
    return [...possible, ...(this.mayBreach(action) ? [] : this.kept(action))].join('&&') || 'true'
  }

  /** Names of the functions in `condition` and `kept`. */
  conditions(): Names {
    return Object.fromEntries(
      this.machine.actions.flatMap(({ index, when, duties }) => [
        [`when${index}`, when],
        ...duties.flatMap(({ given, holds }, d) => [
          [`given${index}_${d}`, given],
          [`holds${index}_${d}`, holds],
        ]),
      ]),
    )
  }

  /** A loop over the states from `id` on that are shown as `s`, one after the other. */
  loop(condition: string, body: string): string {
    return `for(;id<last${condition};id++){
const p=Math.imul(id,${this.words.stride})
begun[0]=id
${this.words.load()}
const duty=${this.duty()}
${body}
}`
  }
}
