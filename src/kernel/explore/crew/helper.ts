/** Entry of a thread that helps to expand levels: makes the machine, then obeys orders until it is ended. */
import { workerData } from 'node:worker_threads'
import { choicesOf } from '../choices.ts'
import { expanderOf, rowsMaxOf } from '../expand.ts'
import { canoniserOf } from '../symmetry/canonical.ts'
import { arenaOf } from '../wasm/ground.ts'
import { Hand } from './hand.ts'
import { CELLS, type Heard, type HelperData, machineFrom } from './orders.ts'

type Open<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer V)[] ? V[] : T[K] }

const { origin, ground, hostile, symmetry, lane, lanes, cells, taken, rest, port } = workerData as HelperData

const nothing = (): Open<Heard> => ({ broken: [], goals: [], stepGoals: [], stuck: [] })
let heard = nothing()
let stuck = 0
let firstStuck = 0

const tell = (what: Heard): void => {
  port.postMessage(what)
  Atomics.add(cells, CELLS.told, 1)
}

const machine = await machineFrom(origin).catch((error: unknown) => {
  tell({ ...nothing(), error: String(error) })
  throw error
})
const choices = choicesOf(machine)
const rows = new Int32Array(rowsMaxOf(choices) * (ground.words + 1))
const owed = new Set<number>()

const rested = (id: number, duty: boolean): void => {
  machine.owes.forEach(({ safety, when }, law) => {
    if (owed.has(law) || (!duty && safety !== true) || !when(expander.state)) return
    owed.add(law)
    heard.broken.push({ kind: 'obligation', law, id })
  })
  if (machine.final?.(expander.state) === true) return
  if (stuck === 0) firstStuck = id
  stuck += canoniser?.orbitAt(arena, id * (ground.words + 1)) ?? 1
}

const expander = expanderOf({
  ...{ machine, choices, hostile, rows },
  hearer: {
    invariantBroken: (law, id) => heard.broken.push({ kind: 'invariant', law, id }),
    stepBroken: (law, id, choice) => heard.broken.push({ kind: 'step', law, id, choice }),
    goalReached: (goal) => heard.goals.push(goal),
    stepGoalReached: (goal) => heard.stepGoals.push(goal),
    rested,
  },
})
const canoniser = symmetry ? canoniserOf(machine) : undefined
const arena = arenaOf(ground)
const hand = new Hand({ ground, lane, lanes, cells, rows, expander, canoniser })

const obey = (): void => {
  try {
    hand.work()
  } catch (error) {
    heard.error = String(error)
    Atomics.store(cells, CELLS.stop, 1)
  }
  if (stuck > 0) heard.stuck.push({ count: stuck, first: firstStuck })
  taken.set(expander.taken)
  rest[0] = hand.from
  rest[1] = hand.to
  if (Object.values(heard).some(({ length }) => length > 0)) {
    tell(heard)
    heard = nothing()
    stuck = 0
  }
}

let order = 0
Atomics.add(cells, CELLS.ready, 1)
Atomics.notify(cells, CELLS.ready)
for (;;) {
  Atomics.wait(cells, CELLS.order, order)
  const given = Atomics.load(cells, CELLS.order)
  if (given === order) continue
  order = given
  obey()
  Atomics.sub(cells, CELLS.busy, 1)
  Atomics.notify(cells, CELLS.busy)
}
