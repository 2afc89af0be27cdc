/** The states of a finished search, each as the author's functions see it. */
import type { Erased, Machine } from '../../language/index.ts'
import { packedViewOf, wordName } from '../../language/packed-views.ts'
import { wordLayoutOf } from '../../language/word-layout.ts'
import { generate, repeat } from '../source.ts'
import type { Visited } from '../visited.ts'
import type { Condition } from './expectation.ts'

/** States between looks at who may interrupt. */
const STRETCH = 1 << 16

interface ReaderOptions {
  /** Called now and then; throws to stop. */
  readonly pause: () => void
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

  /** State `id`, until the next one is shown. */
  show(id: number): Erased {
    this.loadRow(this.states.arena, id * this.states.stride)
    return this.view.state
  }

  /** 1 for each state in which the condition holds. */
  marks(condition: Condition): Uint8Array {
    const { arena, count, stride } = this.states
    const marks = new Uint8Array(count)
    const text = `for(;id<last;id++){begun[0]=id;const p=Math.imul(id,${stride});${this.loadText}if(holds(s))marks[id]=1}`
    const mark = generate<(arena: Int32Array, id: number, last: number, marks: Uint8Array) => void>(
      'mark',
      'arena,id,last,marks',
      [text],
      { w: this.view.words, s: this.view.state, holds: condition, begun: this.begun },
    )
    for (let first = 0; first < count; first += STRETCH) {
      this.options.pause()
      try {
        mark(arena, first, Math.min(first + STRETCH, count), marks)
      } catch (error) {
        throw this.options.explain(error, this.begun[0]!)
      }
    }
    return marks
  }
}
