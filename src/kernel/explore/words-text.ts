/** Text that moves the words of states between rows and the objects that the author's views are over. */
import type { Machine } from '../language/index.ts'
import { wordName } from '../language/packed-views.ts'
import { wordLayoutOf } from '../language/word-layout.ts'
import { generate } from './source.ts'

/** Up to this many words a state is moved by statements, not by a call. */
const WORDS_INLINED = 8

/**
 * In all of the text the words of the state that is read are in `w`, which the author's conditions see as `s`, and those
 * of its successor in `x`, which an effect writes as `n`. `p` is where the state begins in `arena`, `id` its number, and
 * `o` where in `rows` the next row goes.
 */
export class WordsText {
  /** From one row to the next. */
  readonly stride: number
  private readonly words: readonly string[]
  private readonly labelled: boolean

  constructor(machine: Machine, labelled: boolean) {
    const layout = wordLayoutOf(machine.layout)
    this.stride = layout.words + 1
    this.words = Array.from({ length: layout.words }, (_, i) => wordName(layout, i))
    this.labelled = labelled
  }

  /** Functions that the text calls. */
  functions(names: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    if (this.isShort()) return {}
    return {
      load: generate('load', 'arena,p', [this.loadText()], names),
      copy: generate('copy', 'arena,p', [this.copyText()], names),
      emit: generate('emit', 'arena,p,o,id,k', [`${this.emitText()}return o`], names),
    }
  }

  /** How the text names a word of the state that is read. */
  word(index: number): string {
    return `w.${this.words[index]!}`
  }

  load(): string {
    return this.isShort() ? this.loadText() : 'load(arena,p);'
  }

  copy(): string {
    return this.isShort() ? this.copyText() : 'copy(arena,p);'
  }

  /** Makes a row of the successor by choice `k`: of one that is the state itself only where rows are labelled. */
  emit(): string {
    return this.isShort() ? this.emitText() : 'o=emit(arena,p,o,id,k);'
  }

  private isShort(): boolean {
    return this.words.length <= WORDS_INLINED
  }

  private each(separator: string, text: (word: string, i: number) => string): string {
    return this.words.map(text).join(separator)
  }

  private loadText(): string {
    return this.each('', (word, i) => `w.${word}=arena[p+${i}];`)
  }

  private copyText(): string {
    return this.each('', (word, i) => `x.${word}=arena[p+${i}];`)
  }

  private emitText(): string {
    const words = this.each('', (word, i) => `rows[o+${i}]=x.${word};`)
    const put = `${words}rows[o+${this.stride - 1}]=id;o=o+${this.stride}|0;`
    if (this.labelled) return `labels[o/${this.stride}|0]=k;${put}`
    return `if(${this.each('||', (word, i) => `x.${word}!==arena[p+${i}]`)}){${put}}`
  }
}
