/**
 * The inner loop: all transitions of one state after another, as generated code that calls the author's functions
 * directly. Each call site sees one function only, so that V8 can inline it; nothing is allocated.
 *
 * The state that is expanded is in the words `w`, which the author's conditions see as `s`. A successor is a copy of
 * them in the words `x`, which an effect writes as `n`, and which then become a row. In all of the text `id` is the
 * number of the state, `k` that of a choice, `a` its arguments, and `o` where in `rows` the next row goes.
 */
import type { Action, Actor, Machine } from '../language/index.ts'
import { packedViewOf, wordName } from '../language/packed-views.ts'
import { wordLayoutOf } from '../language/word-layout.ts'
import type { Choices } from './choices.ts'
import { type Attempt, dispatchOf } from './dispatch.ts'
import { generate, grouped, pieced, repeat } from './source.ts'

/** What an expander meets on its way. */
export interface Hearer {
  /** An invariant does not hold in state `id`; heard once for each. */
  invariantBroken(law: number, id: number): void
  /** A goal is reached in state `id`; heard once for each. */
  goalReached(goal: number, id: number): void
  /** A transition breaks a step law: the state before, and the choice. Heard once for each law. */
  stepBroken(law: number, id: number, choice: number): void
  /** A transition is the step that a goal asks for. Heard once for each. */
  stepGoalReached(stepGoal: number, id: number): void
  /** Nothing can happen in state `id`, which `state` still shows. */
  rested(id: number, duty: boolean): void
  /** A condition or a law wrote to state `id`. */
  wroteTo(id: number): void
}

export interface ExpanderOptions {
  readonly machine: Machine
  readonly choices: Choices
  /** Actors that may break their duties and take their `hostile` actions. */
  readonly hostile: readonly Actor[]
  /** Where successors are put: the words, then the number of the state that they came from. */
  readonly rows: Int32Array
  /** Where the choice behind each row is put. With it, steps that change nothing are rows too. */
  readonly labels?: Int32Array | undefined
  readonly hearer: Hearer
}

export interface Expander {
  /** The author's view of the state that is being expanded. */
  readonly state: object
  /** Transitions of each action, in this and earlier calls. */
  readonly taken: Float64Array
  /**
   * Expands the states `first` to `end - 1` of an arena of rows, as long as the successors of one more find room; the
   * first that was not expanded. What a function of the author throws goes through.
   */
  expand(arena: Int32Array, first: number, end: number): number
  /** How many rows were filled. */
  count(): number
  /** Number of the state that was begun last. */
  at(): number
}

/** Rows that a batch is meant to have: few enough for a near cache, many enough to overlap misses of the far one. */
const BATCH_ROWS = 1_024
/** Most rows that a batch can have: one more state is expanded as long as there are less than `BATCH_ROWS`. */
export const rowsMaxOf = (choices: Choices): number => BATCH_ROWS + choices.all.length

/** Up to this many words a state is copied by statements, not by a call. */
const WORDS_INLINED = 8
/**
 * Source of the author's functions, in characters, that one loop calls: what an engine inlines into one function is
 * bounded, and what is left out then costs a call for each field that it reads.
 */
const INLINED_SOURCE = 500
/** Typed arrays of at least so many elements do not move, and optimised code knows where they are. */
const FIXED = 64

type Names = Readonly<Record<string, unknown>>

class Generator {
  private readonly machine: Machine
  private readonly choices: Choices
  private readonly hostile: readonly Actor[]
  private readonly labelled: boolean
  private readonly stride: number
  private readonly names: Names
  /** How the text names the words, in order. */
  private readonly words: readonly string[]

  constructor(options: ExpanderOptions, names: Names) {
    this.machine = options.machine
    this.choices = options.choices
    this.hostile = options.hostile
    this.labelled = options.labels !== undefined
    const layout = wordLayoutOf(options.machine.layout)
    this.stride = layout.words + 1
    this.words = Array.from({ length: layout.words }, (_, i) => wordName(layout, i))
    this.names = { ...names, copy: undefined, emit: undefined }
    const moves = {
      copy: generate('copy', '', [this.copyText()], names),
      emit: generate('emit', 'o,id,k', [`${this.emitText()}return o`], names),
    }
    this.names = { ...names, ...moves }
  }

  private each(separator: string, text: (word: string, i: number) => string): string {
    return this.words.map(text).join(separator)
  }

  private copyText(): string {
    return this.each('', (word) => `x.${word}=w.${word};`)
  }

  private emitText(): string {
    const words = this.each('', (word, i) => `rows[o+${i}]=x.${word};`)
    const put = `${words}rows[o+${this.stride - 1}]=id;o=o+${this.stride}|0;`
    if (this.labelled) return `labels[o/${this.stride}|0]=k;${put}`
    return `if(${this.each('||', (word) => `x.${word}!==w.${word}`)}){${put}}else still[0]=id;`
  }

  private mayBreach(action: Action): boolean {
    return this.hostile.includes(action.actor)
  }

  /** Text for each duty that is true where it is kept or does not apply. */
  private kept(action: Action): string[] {
    return action.duties.map(({ safety, given }, d) => {
      const applies = given === undefined ? '' : `!given${action.index}_${d}(s,a)||`
      return `(${safety === true ? '' : '!duty||'}${applies}holds${action.index}_${d}(s,a))`
    })
  }

  private condition(action: Action): string {
    const possible = action.when === undefined ? [] : [`when${action.index}(s,a)`]
    return [...possible, ...(this.mayBreach(action) ? [] : this.kept(action))].join('&&') || 'true'
  }

  /** Statements that take choice `k`. */
  private take(action: Action): string {
    const { machine } = this
    const i = action.index
    const short = this.words.length <= WORDS_INLINED
    const breaches = this.mayBreach(action) && machine.breach !== undefined ? this.kept(action) : []
    const changes = action.effect !== undefined || breaches.length > 0 || this.labelled
    const goals = machine.stepGoals.map((goal, g) =>
      goal.action === i
        ? `if(stepGoalOpen[${g}]===1&&stepGoal${g}(s,a)){stepGoalOpen[${g}]=0;hearer.stepGoalReached(${g},id)}`
        : '',
    )
    return [
      `taken[${i}]++;`,
      ...goals,
      ...breaches.map((duty, d) => `const b${d}=!${duty};`),
      changes || machine.steps.length > 0 ? (short ? this.copyText() : 'copy();') : '',
      action.effect === undefined ? '' : `effect${i}(n,a);`,
      machine.steps.length > 0 ? `judge(${JSON.stringify(action.name)},k,id);` : '',
      ...breaches.map((_, d) => `if(b${d})breach(n,clause${i}_${d});`),
      changes ? (short ? this.emitText() : 'o=emit(o,id,k);') : 'still[0]=id;',
    ].join('')
  }

  /** The step laws, between effect and breach; one that was broken once is not evaluated again. */
  private judge(): unknown {
    const { machine } = this
    const laws = machine.steps.map(
      ({ safety }, j) =>
        `if(stepOpen[${j}]===1&&${safety === true ? '' : 'duty&&'}!law${j}(s,n,by)){stepOpen[${j}]=0;hearer.stepBroken(${j},id,k)}`,
    )
    const names = {
      ...this.names,
      ...numbered(
        'law',
        machine.steps.map(({ holds }) => holds),
      ),
    }
    const duty = machine.unspecified === undefined ? 'true' : '!unspecified(n)'
    return generate('judge', 'by,k,id', laws, names, `const duty=${duty};`)
  }

  /** Text of a loop over states that are shown as `s`, one after the other. */
  private loop(condition: string, body: string): string {
    const load = this.each('', (word, i) => `w.${word}=arena[p+${i}];`)
    const written = this.each('||', (word, i) => `w.${word}!==arena[p+${i}]`)
    const duty = this.machine.unspecified === undefined ? 'true' : '!unspecified(s)'
    return `for(;id<last${condition};id++){
const p=Math.imul(id,${this.stride})
begun[0]=id
${load}
const duty=${duty}
${body}
if(${written})hearer.wroteTo(id)
}`
  }

  /** What is asked of every distinct state, in loops of their own: invariants, and goals that were not reached yet. */
  check(): unknown {
    const { invariants, goals } = this.machine
    const laws = invariants.map(({ safety, holds }, i) => ({
      holds,
      open: `lawOpen[${i}]`,
      text: `if(lawOpen[${i}]===1&&${safety === true ? '' : 'duty&&'}!law${i}(s)){lawOpen[${i}]=0;hearer.invariantBroken(${i},id)}`,
    }))
    const reached = goals.map(({ holds }, i) => ({
      holds,
      open: `goalOpen[${i}]`,
      text: `if(goalOpen[${i}]===1&&goal${i}(s)){goalOpen[${i}]=0;hearer.goalReached(${i},id)}`,
    }))
    const names = {
      ...this.names,
      ...numbered(
        'law',
        invariants.map(({ holds }) => holds),
      ),
      ...numbered(
        'goal',
        goals.map(({ holds }) => holds),
      ),
    }
    const groups = grouped([...laws, ...reached], ({ holds }) => holds.toString().length, INLINED_SOURCE)
    const loops = groups.map((group, g) => {
      const anyOpen = group.map(({ open }) => open).join('|')
      const body = this.loop('', group.map(({ text }) => text).join('\n'))
      return generate(`check${g}`, 'arena,id,last', [`if((${anyOpen})!==0)${body}`], names)
    })
    const calls = repeat(loops.length, '', (i) => `check${i}(arena,first,last);`)
    return generate('check', 'arena,first,last', [calls], numbered('check', loops))
  }

  /** Tries every choice that can be possible in a state. */
  tryAll(): unknown {
    const { machine, choices } = this
    const names = {
      ...this.names,
      ...Object.fromEntries(machine.actions.flatMap(bindings)),
      ...numbered(
        'stepGoal',
        machine.stepGoals.map(({ when }) => when),
      ),
      args: choices.all.map(({ args }) => args),
      breach: machine.breach,
      judge: this.judge(),
    }
    /** Functions that try all choices of an action, or one, or take one that is known to be possible. */
    const attempts: Record<string, unknown> = {}
    const call = ({ action, choices: some, certain }: Attempt): string => {
      const i = action.index
      const first = choices.starts[i]!
      const end = choices.starts[i + 1]!
      const take = `const a=args[k];${certain ? this.take(action) : `if(${this.condition(action)}){${this.take(action)}}`}`
      if (!certain && some === undefined && end - first > 1) {
        attempts[`all${i}`] ??= generate(
          `all${i}`,
          'o,id,duty',
          [`for(let k=${first};k<${end};k++){${take}}return o`],
          names,
        )
        return `o=all${i}(o,id,duty);`
      }
      const name = `${certain ? 'take' : 'try'}${i}`
      attempts[name] ??= generate(name, 'o,id,duty,k', [`${take}return o`], names)
      const ks = some ?? Array.from({ length: end - first }, (_, j) => first + j)
      return ks.map((k) => `o=${name}(o,id,duty,${k});`).join('')
    }
    const statements = dispatchOf({
      machine,
      choices,
      actions: machine.actions.filter((action) => !action.hostile || this.mayBreach(action)),
      duties: (action) => {
        if (action.duties.length === 0 || this.mayBreach(action)) return 'never'
        return machine.unspecified === undefined ? 'always' : 'sometimes'
      },
      word: (word) => `w.${this.words[word]!}`,
      call,
    })
    return chained(statements, { ...this.names, ...attempts })
  }

  /** Tries everything in one state after another, as long as there is room. */
  expand(): unknown {
    const text = `const from=o
o=tryAll(o,id,duty)
if(o===from&&still[0]!==id)hearer.rested(id,duty)`
    const loop = this.loop(`&&o<${BATCH_ROWS * this.stride}`, text)
    return generate('expand', 'arena,id,last', [`let o=0;${loop}filled[0]=o;return id`], {
      ...this.names,
      tryAll: this.tryAll(),
    })
  }
}

/** Names of an action's functions in the generated text. */
const bindings = (action: Action): [string, unknown][] => [
  [`when${action.index}`, action.when],
  [`effect${action.index}`, action.effect],
  ...action.duties.flatMap((duty, d): [string, unknown][] => [
    [`given${action.index}_${d}`, duty.given],
    [`holds${action.index}_${d}`, duty.holds],
    [`clause${action.index}_${d}`, duty.clause],
  ]),
]

const numbered = (name: string, values: readonly unknown[]): Names =>
  Object.fromEntries(values.map((value, i) => [`${name}${i}`, value]))

/** A function that hands its first parameter, the place of the next row, from one piece to the next. */
const chained = (statements: readonly string[], names: Names): unknown => {
  const parameters = 'o,id,duty'
  const pieces = pieced(statements).map((piece, i) =>
    generate(`choose${i}`, parameters, [`${piece.join('\n')}\nreturn o`], names),
  )
  const calls = repeat(pieces.length, '', (i) => `o=choose${i}(${parameters});`)
  return generate('tryAll', parameters, [`${calls}return o`], numbered('choose', pieces))
}

export const expanderOf = (options: ExpanderOptions): Expander => {
  const { machine, rows, labels, hearer } = options
  const before = packedViewOf(machine.layout)
  const after = packedViewOf(machine.layout)
  const open = (laws: readonly unknown[]): Uint8Array => new Uint8Array(FIXED + laws.length).fill(1)
  const taken = new Float64Array(FIXED + machine.actions.length)
  const filled = new Int32Array(FIXED)
  const begun = new Int32Array(FIXED)
  const generator = new Generator(options, {
    ...{ s: before.state, w: before.words, n: after.state, x: after.words },
    ...{ rows, labels, hearer, taken, filled, begun, unspecified: machine.unspecified },
    /** The last state in which a step changed nothing. */
    still: new Int32Array(FIXED).fill(-1),
    lawOpen: open(machine.invariants),
    goalOpen: open(machine.goals),
    stepOpen: open(machine.steps),
    stepGoalOpen: open(machine.stepGoals),
  })
  const check = generator.check() as (arena: Int32Array, first: number, end: number) => void
  const expand = generator.expand() as (arena: Int32Array, first: number, end: number) => number
  const stride = wordLayoutOf(machine.layout).words + 1
  return {
    state: before.state,
    taken: taken.subarray(0, machine.actions.length),
    expand(arena, first, end) {
      const next = expand(arena, first, end)
      check(arena, first, next)
      return next
    },
    count: () => filled[0]! / stride,
    at: () => begun[0]!,
  }
}
