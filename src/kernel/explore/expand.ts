/**
 * The inner loop: all transitions of one state, as generated code that calls the author's functions directly. Each call
 * site sees one function only, so that V8 can inline it; nothing is allocated.
 */
import type { Action, Actor, Machine } from '../language/index.ts'
import { viewOf } from '../language/views.ts'
import type { Choices } from './choices.ts'
import type { Packing } from './packing.ts'
import { generate } from './source.ts'

/** Successors that are collected before the visited set is asked. */
const BATCH = 4_096

export interface Expander {
  /** The state that is expanded, and the author's view of it. */
  readonly cells: Int32Array
  readonly state: object
  /** Packed successors that differ from the state they came from, and the number of that state for each. */
  readonly found: Int32Array
  readonly parents: Int32Array
  /** Transitions of each action so far. */
  readonly taken: Float64Array
  /**
   * Collects the successors of `cells`, which is state number `id`, and returns how many transitions there are.
   * `duty` is false where behaviour is unspecified: only duties of safety count there.
   */
  expand(id: number, duty: boolean): number
  /** How many successors were collected. */
  count(): number
  /** Whether one more state might not find room. */
  isFull(): boolean
  empty(): void
  /** Whether `cells` still is what the words say: false when a condition wrote to the state. */
  isIntact(words: Int32Array, at: number): boolean
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

/** Text that is true where the duty is kept or does not apply. */
const kept = (action: Action, d: number): string => {
  const duty = action.duties[d]!
  const name = `${action.index}_${d}`
  const given = duty.given === undefined ? '' : `!given${name}(s,a)||`
  return `(${duty.safety === true ? '' : '!duty||'}${given}holds${name}(s,a))`
}

/** Text of one action: tries every choice of it. */
const attempt = (machine: Machine, choices: Choices, words: number, action: Action, hostile: boolean): string => {
  const i = action.index
  const first = choices.starts[i]!
  const end = choices.starts[i + 1]!
  const duties = action.duties.map((_, d) => kept(action, d))
  const possible = action.when === undefined ? [] : [`when${i}(s,a)`]
  const condition = [...possible, ...(hostile ? [] : duties)].join('&&') || 'true'
  const breachable = hostile && machine.breach !== undefined && duties.length > 0
  const changes = action.effect !== undefined || breachable
  const taken = [
    `taken[${i}]++;local[0]++;`,
    ...machine.stepGoals.map(({ action }, g) =>
      action === i ? `if(goalOpen[${g}]===1&&goal${g}(s,a)){goalOpen[${g}]=0;hearer.reached(${g})}` : '',
    ),
    breachable ? duties.map((duty, d) => `const b${d}=!${duty};`).join('') : '',
    action.effect === undefined ? '' : `effect${i}(n,a);`,
    machine.steps.length > 0 ? `judge(${JSON.stringify(action.name)},k,id);` : '',
    breachable ? duties.map((_, d) => `if(b${d})breach(n,clause${i}_${d});`).join('') : '',
    changes ? `o=local[1]*${words};pack(after,found,o);` : '',
    changes ? 'restore(o);if(local[2]===1){local[2]=0;parents[local[1]++]=id}' : '',
  ].join('')
  const body = `const a=args[k];if(${condition}){${taken}}`
  return end - first === 1 ? `{const k=${first};${body}}` : `for(let k=${first};k<${end};k++){${body}}`
}

/** The step laws, between effect and breach; one that was broken once is not evaluated again. */
const judgeOf = (machine: Machine, before: object, after: object, hearer: StepHearer): unknown => {
  const open = new Uint8Array(machine.steps.length).fill(1)
  const statements = machine.steps.map(
    ({ safety }, j) =>
      `if(open[${j}]===1&&${safety === true ? '' : 'duty&&'}!holds${j}(s,n,by)){open[${j}]=0;hearer.broken(${j},id,k)}`,
  )
  const laws = Object.fromEntries(machine.steps.map((law, j) => [`holds${j}`, law.holds]))
  const names = { ...laws, open, hearer, s: before, n: after, unspecified: machine.unspecified }
  const duty = machine.unspecified === undefined ? 'const duty=true;' : 'const duty=!unspecified(n);'
  return generate('by,k,id', statements, names, duty)
}

export interface StepHearer {
  /** A transition breaks a step law: the state before, and the choice. Heard once for each law. */
  broken(law: number, id: number, choice: number): void
  /** A transition is the step that a goal asks for. Heard once for each. */
  reached(stepGoal: number): void
}

export const expanderOf = (
  machine: Machine,
  choices: Choices,
  packing: Packing,
  hostile: readonly Actor[],
  hearer: StepHearer,
): Expander => {
  const { words, pack } = packing
  const cells = new Int32Array(machine.layout.cells)
  const after = new Int32Array(machine.layout.cells)
  const state = viewOf(machine.layout, cells)
  const next = viewOf(machine.layout, after)
  const capacity = BATCH + choices.all.length
  const found = new Int32Array(capacity * words)
  const parents = new Int32Array(capacity)
  const source = new Int32Array(words)
  const taken = new Float64Array(machine.actions.length)
  /** Transitions of this state; successors in `found`; whether the last one differs from the state. */
  const local = new Int32Array(3)
  /** Undoes an effect: only the cells of words that changed have to be copied. */
  const restore = generate<(at: number) => void>(
    'o',
    packing.cellsOf.map((inWord, word) => {
      const copies = inWord.map((cell) => `after[${cell}]=cells[${cell}]`)
      return `if(found[o+${word}]!==source[${word}]){local[2]=1;${copies.join(';')}}`
    }),
    { found, source, after, cells, local },
  )
  const attempts = machine.actions
    .filter((action) => !action.hostile || hostile.includes(action.actor))
    .map((action) => attempt(machine, choices, words, action, hostile.includes(action.actor)))
  const tryAll = generate<(id: number, duty: boolean) => void>(
    'id,duty',
    attempts,
    {
      ...Object.fromEntries(machine.actions.flatMap(bindings)),
      args: choices.all.map(({ args }) => args),
      s: state,
      n: next,
      breach: machine.breach,
      judge: judgeOf(machine, state, next, hearer),
      ...Object.fromEntries(machine.stepGoals.map(({ when }, g) => [`goal${g}`, when])),
      goalOpen: new Uint8Array(machine.stepGoals.length).fill(1),
      hearer,
      ...{ after, found, parents, taken, local, pack, restore },
    },
    'let o=0;',
  )
  return {
    cells,
    state,
    found,
    parents,
    taken,
    expand: (id, duty) => {
      after.set(cells)
      pack(cells, source, 0)
      local[0] = 0
      tryAll(id, duty)
      return local[0]
    },
    count: () => local[1]!,
    isFull: () => local[1]! >= BATCH,
    empty: () => void (local[1] = 0),
    isIntact: (packed, at) => {
      pack(cells, source, 0)
      for (let i = 0; i < words; i++) if (packed[at + i] !== source[i]) return false
      return true
    },
  }
}
