/**
 * The inner loop: all transitions of one state after another, as generated code that calls the author's functions
 * directly. Each call site sees one function only, so that V8 can inline it; nothing is allocated.
 *
 * The state that is expanded is in the words `w`, which the author's conditions see as `s`. A successor is a copy of
 * them in the words `x`, which an effect writes as `n`, and which then become a row.
 */
import type { Action, Actor, Machine } from '../language/index.ts'
import { type PackedView, packedViewOf, wordName } from '../language/packed-views.ts'
import { wordLayoutOf } from '../language/word-layout.ts'
import type { Choices } from './choices.ts'
import { generate, repeat } from './source.ts'

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
  /** Where the choice behind each row is put; then steps that change nothing are rows too. */
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

/** Rows that a batch is meant to have. Few enough for the nearest cache, many enough to overlap its misses. */
export const BATCH_ROWS = 2_048
/** Most rows that a batch can have: one more state is expanded as long as there are less than `BATCH_ROWS`. */
export const rowsMaxOf = (choices: Choices): number => BATCH_ROWS + choices.all.length

/** Up to this many words a state is copied by statements, not by a call. */
const INLINED_WORDS = 8

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

/** Text that is true where the duty is kept or does not apply. */
const kept = (action: Action, d: number): string => {
  const duty = action.duties[d]!
  const name = `${action.index}_${d}`
  const given = duty.given === undefined ? '' : `!given${name}(s,a)||`
  return `(${duty.safety === true ? '' : '!duty||'}${given}holds${name}(s,a))`
}

export const expanderOf = ({ machine, choices, hostile, rows, labels, hearer }: ExpanderOptions): Expander => {
  const layout = wordLayoutOf(machine.layout)
  const stride = layout.words + 1
  const before: PackedView = packedViewOf(machine.layout)
  const after: PackedView = packedViewOf(machine.layout)
  const taken = new Float64Array(machine.actions.length)
  const lasting = {
    s: before.state,
    w: before.words,
    n: after.state,
    x: after.words,
    rows,
    labels,
    hearer,
    taken,
    /** The state whose last step changed nothing; the state that was begun last; rows so far, in words. */
    still: new Int32Array(64).fill(-1),
    begun: new Int32Array(64),
    end: new Int32Array(64),
    lawOpen: new Uint8Array(64 + machine.invariants.length).fill(1),
    goalOpen: new Uint8Array(64 + machine.goals.length).fill(1),
    stepOpen: new Uint8Array(64 + machine.steps.length).fill(1),
    stepGoalOpen: new Uint8Array(64 + machine.stepGoals.length).fill(1),
  }
  const each = (separator: string, text: (name: string, i: number) => string): string =>
    repeat(layout.words, separator, (i) => text(wordName(layout, i), i))
  const short = layout.words <= INLINED_WORDS
  const copyText = each('', (name) => `x.${name}=w.${name};`)
  const differs = each('||', (name) => `x.${name}!==w.${name}`)
  const putText = `${each('', (name, i) => `rows[o+${i}]=x.${name};`)}rows[o+${layout.words}]=id;o=o+${stride}|0;`
  const emitText =
    labels === undefined
      ? `if(${differs}){${putText}}else still[0]=id;`
      : `labels[o/${stride}|0]=k;still[0]=id;${putText}`
  const copy = short ? copyText : 'copy();'
  const emit = short ? emitText : 'o=emit(o,id,k);'
  const moves = {
    copy: generate('', [`${copyText}`], lasting),
    emit: generate('o,id,k', [`${emitText}return o;`], lasting),
  }

  const judgeSteps = machine.steps.map(
    ({ safety }, j) =>
      `if(stepOpen[${j}]===1&&${safety === true ? '' : 'duty&&'}!holds${j}(s,n,by)){stepOpen[${j}]=0;hearer.stepBroken(${j},id,k)}`,
  )
  const judge = generate(
    'by,k,id',
    judgeSteps,
    {
      ...lasting,
      ...Object.fromEntries(machine.steps.map((law, j) => [`holds${j}`, law.holds])),
      unspecified: machine.unspecified,
    },
    machine.unspecified === undefined ? 'const duty=true;' : 'const duty=!unspecified(n);',
  )

  /** Text of one action: tries every choice of it, and returns where the next row goes. */
  const attempt = (action: Action): string => {
    const i = action.index
    const mayBreach = hostile.includes(action.actor)
    const first = choices.starts[i]!
    const end = choices.starts[i + 1]!
    const duties = action.duties.map((_, d) => kept(action, d))
    const possible = action.when === undefined ? [] : [`when${i}(s,a)`]
    const condition = [...possible, ...(mayBreach ? [] : duties)].join('&&') || 'true'
    const breachable = mayBreach && machine.breach !== undefined && duties.length > 0
    const changes = action.effect !== undefined || breachable || labels !== undefined
    const body = [
      `taken[${i}]++;`,
      ...machine.stepGoals.map(({ action }, g) =>
        action === i
          ? `if(stepGoalOpen[${g}]===1&&stepGoal${g}(s,a)){stepGoalOpen[${g}]=0;hearer.stepGoalReached(${g},id)}`
          : '',
      ),
      breachable ? duties.map((duty, d) => `const b${d}=!${duty};`).join('') : '',
      changes || machine.steps.length > 0 ? copy : '',
      action.effect === undefined ? '' : `effect${i}(n,a);`,
      machine.steps.length > 0 ? `judge(${JSON.stringify(action.name)},k,id);` : '',
      breachable ? duties.map((_, d) => `if(b${d})breach(n,clause${i}_${d});`).join('') : '',
      changes ? emit : 'still[0]=id;',
    ].join('')
    const one = `const a=args[k];if(${condition}){${body}}`
    const all = end - first === 1 ? `const k=${first};${one}` : `for(let k=${first};k<${end};k++){${one}}`
    return `(o,id,duty)=>{${all}return o}`
  }
  const names = {
    ...lasting,
    ...moves,
    ...Object.fromEntries(machine.actions.flatMap(bindings)),
    ...Object.fromEntries(machine.stepGoals.map(({ when }, g) => [`stepGoal${g}`, when])),
    args: choices.all.map(({ args }) => args),
    breach: machine.breach,
    judge,
  }
  const attempts = machine.actions.filter((action) => !action.hostile || hostile.includes(action.actor)).map(attempt)
  const tryAll = chain(attempts, names)

  const laws = machine.invariants.map(
    ({ safety }, i) =>
      `if(lawOpen[${i}]===1&&${safety === true ? '' : 'duty&&'}!law${i}(s)){lawOpen[${i}]=0;hearer.invariantBroken(${i},id)}`,
  )
  const goals = machine.goals.map(
    (_, i) => `if(goalOpen[${i}]===1&&goal${i}(s)){goalOpen[${i}]=0;hearer.goalReached(${i},id)}`,
  )
  const check = generate('id,duty', [...laws, ...goals], {
    ...lasting,
    ...Object.fromEntries(machine.invariants.map(({ holds }, i) => [`law${i}`, holds])),
    ...Object.fromEntries(machine.goals.map(({ holds }, i) => [`goal${i}`, holds])),
  })
  const visit = `
let id=first,o=end[0]
for(;id<last&&o<${BATCH_ROWS * stride};id++){
  const p=Math.imul(id,${stride})
  begun[0]=id
  load(arena,p)
  const duty=${machine.unspecified === undefined ? 'true' : '!unspecified(s)'}
  check(id,duty)
  const from=o
  o=tryAll(o,id,duty)
  if(o===from&&still[0]!==id)hearer.rested(id,duty)
  if(written(arena,p))hearer.wroteTo(id)
}
end[0]=o
return id`
  const load = generate('arena,p', [each('', (name, i) => `w.${name}=arena[p+${i}];`)], lasting)
  const written = generate('arena,p', [`return ${each('||', (name, i) => `w.${name}!==arena[p+${i}]`)}`], lasting)
  const expand = generate<Expander['expand']>('arena,first,last', [visit], {
    ...lasting,
    ...{ load, written, check, tryAll, unspecified: machine.unspecified },
  })
  return {
    state: before.state,
    taken,
    expand: (arena, first, last) => {
      lasting.end[0] = 0
      return expand(arena, first, last)
    },
    count: () => lasting.end[0]! / stride,
    at: () => lasting.begun[0]!,
  }
}

/** A function that hands its first parameter, the place of the next row, from one function to the next. */
const chain = (
  functions: readonly string[],
  names: Readonly<Record<string, unknown>>,
): ((o: number, id: number, duty: boolean) => number) => {
  const all = Object.fromEntries(
    functions.map((text, i) => [`act${i}`, (generate('', [`return ${text}`], names) as () => unknown)()]),
  )
  const calls = functions.map((_, i) => `o=act${i}(o,id,duty);`)
  const groups: string[][] = []
  for (const [i, call] of calls.entries()) {
    if (i % 64 === 0) groups.push([])
    groups.at(-1)!.push(call)
  }
  const outer = Object.fromEntries(
    groups.map((group, g) => [`all${g}`, generate('o,id,duty', [`${group.join('')}return o`], all)]),
  )
  return generate('o,id,duty', [`${groups.map((_, g) => `o=all${g}(o,id,duty);`).join('')}return o`], outer)
}
