/** The states of a finished search, each as the author's functions see it. */
import type { Erased, Machine } from '../../language/index.ts'
import { packedViewOf, wordName } from '../../language/packed-views.ts'
import { wordLayoutOf } from '../../language/word-layout.ts'
import { generate, repeat } from '../source.ts'
import type { Visited } from '../visited.ts'
import type { Condition } from './expectation.ts'

/** What is marked of states. */
export const OPEN = 1
export const OPEN_AND_BEGINS = 2

/** Where an expectation is open, and where it begins; where it begins matters only where it is open. */
export interface Question {
  readonly pending: Condition
  readonly begins?: Condition
}

/** Marks the states `first` to `end - 1`: 0, `OPEN` or `OPEN_AND_BEGINS`. Where nothing is said of it, it begins. */
export type Marker = (first: number, end: number, marks: Uint8Array) => void

/** States between looks at who may interrupt. */
const STRETCH = 1 << 16

/** Somebody asked for the end of it. */
export class Interrupted extends Error {}

interface ReaderOptions {
  readonly interrupted: () => boolean
  /** Makes an error that names the function of the author that threw this one. */
  readonly explain: (error: unknown, id: number) => unknown
}

export class Reader {
  readonly states: Visited
  private readonly view: ReturnType<typeof packedViewOf>
  /** Text that shows the state that begins at `arena[p]`. */
  private readonly loadText: string
  private readonly loadRow: (arena: Int32Array, p: number) => void
  private readonly options: ReaderOptions
  /** The state that is shown. */
  private readonly begun = new Int32Array(1)

  constructor(machine: Machine, states: Visited, options: ReaderOptions) {
    this.states = states
    this.options = options
    this.view = packedViewOf(machine.layout)
    const layout = wordLayoutOf(machine.layout)
    this.loadText = repeat(layout.words, '', (i) => `w.${wordName(layout, i)}=arena[p+${i}];`)
    this.loadRow = generate('load', 'arena,p', [this.loadText], { w: this.view.words })
  }

  /** Called now and then. */
  readonly pause = (): void => {
    if (this.options.interrupted()) throw new Interrupted()
  }

  /** State `id`, until the next one is shown. */
  show(id: number): Erased {
    this.loadRow(this.states.arena, id * this.states.stride)
    return this.view.state
  }

  /** Of states that were found; more of them may be found later. */
  marker({ pending, begins }: Question): Marker {
    const mark = begins === undefined ? `${OPEN_AND_BEGINS}` : `begins(s)?${OPEN_AND_BEGINS}:${OPEN}`
    const load = `begun[0]=id;const p=Math.imul(id,${this.states.stride});${this.loadText}`
    const text = `for(;id<end;id++){${load}if(pending(s))marks[id]=${mark}}`
    const run = generate<(arena: Int32Array, id: number, end: number, marks: Uint8Array) => void>(
      'mark',
      'arena,id,end,marks',
      [text],
      { w: this.view.words, s: this.view.state, begun: this.begun, pending, begins },
    )
    return (first, end, marks) => {
      try {
        run(this.states.arena, first, end, marks)
      } catch (error) {
        throw this.options.explain(error, this.begun[0]!)
      }
    }
  }

  /** Of all states. */
  marks(question: Question): Uint8Array {
    const { count } = this.states
    const marks = new Uint8Array(count)
    const mark = this.marker(question)
    for (let first = 0; first < count; first += STRETCH) {
      this.pause()
      mark(first, Math.min(first + STRETCH, count), marks)
    }
    return marks
  }
}
