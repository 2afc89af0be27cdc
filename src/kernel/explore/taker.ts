/** Takes what was found possible: for each action a loop of its own, in which the author's effect is called. */
import type { Action } from '../language/index.ts'
import { type ExpanderText, type Names, numbered } from './expander-text.ts'
import { generate } from './source.ts'

/** Takes all that was noted; how much of `rows` is filled with successors. */
export type Take = (arena: Int32Array) => number

/** Takes what was noted of one action, up to `end`. */
type TakeSome = (arena: Int32Array, o: number, end: number) => number

/** Names of an action's functions in the generated text. */
const bindings = ({ index, effect, duties }: Action): Names => ({
  [`effect${index}`]: effect,
  ...Object.fromEntries(duties.map(({ clause }, d) => [`clause${index}_${d}`, clause])),
})

/** A function that takes what was noted of an action up to `end`; undefined where that changes nothing ever. */
const takeOf = (text: ExpanderText, action: Action, names: Names): TakeSome | undefined => {
  const { machine, choices, words } = text
  const { index } = action
  const first = choices.starts[index]!
  const hasWays = choices.starts[index + 1]! - first > 1
  const breaches = text.mayBreach(action) && machine.breach !== undefined ? text.kept(action) : []
  const changes = action.effect !== undefined || breaches.length > 0 || text.labelled
  const judged = machine.steps.length > 0
  const goals = machine.stepGoals.flatMap((goal, g) => (goal.action === index ? [g] : []))
  if (!changes && !judged && goals.length === 0) return undefined
  const reach = goals.map((g) => `if(stepGoal${g}(s,a)){stepGoalOpen[${g}]=0;hearer.stepGoalReached(${g},id)}`)
  const asked = goals.map((g) => `stepGoalOpen[${g}]`).join('|')
  const reading = judged || breaches.length > 0
  const statements = [
    `const id=ids[j],p=Math.imul(id,${words.stride})${hasWays ? ',k=ways[j],a=args[k]' : ''};begun[0]=id;`,
    goals.length > 0 ? `if((${asked})!==0){${words.load()}${reach.join('')}}` : '',
    reading ? words.load() : '',
    breaches.length > 0 ? `const duty=${text.duty()};` : '',
    ...breaches.map((duty, d) => `const b${d}=!${duty};`),
    changes || judged ? words.copy() : '',
    action.effect === undefined ? '' : `effect${index}(n,a);`,
    judged ? `judge(${JSON.stringify(action.name)},k,id);` : '',
    ...breaches.map((_, d) => `if(b${d})breach(n,clause${index}_${d});`),
    changes ? words.emit() : '',
  ]
  const loop = `${hasWays ? '' : `const k=${first};`}for(let j=${text.picked.starts[index]};j<end;j++){${statements.join('')}}return o`
  const visible = hasWays ? { args: choices.all.map(({ args }) => args) } : { a: choices.all[first]!.args }
  return generate(`take${index}`, 'arena,o,end', [loop], { ...names, ...bindings(action), ...visible })
}

/** The step laws, between effect and breach; one that was broken once is not evaluated again. */
const judgeOf = (text: ExpanderText, names: Names): unknown => {
  const { steps, unspecified } = text.machine
  const laws = steps.map(
    ({ safety }, j) =>
      `if(stepOpen[${j}]===1&&${safety === true ? '' : 'duty&&'}!law${j}(s,m,by)){stepOpen[${j}]=0;hearer.stepBroken(${j},id,k)}`,
  )
  const visible = numbered(
    'law',
    steps.map(({ holds }) => holds),
  )
  const duty = unspecified === undefined ? 'true' : '!unspecified(m)'
  return generate('judge', 'by,k,id', laws, { ...names, ...visible }, `const duty=${duty};`)
}

export const takerOf = (text: ExpanderText, names: Names, taken: Float64Array): Take => {
  const { machine } = text
  const visible = {
    ...names,
    ...numbered(
      'stepGoal',
      machine.stepGoals.map(({ when }) => when),
    ),
    breach: machine.breach,
    judge: judgeOf(text, names),
  }
  const takes = machine.actions.map((action) => takeOf(text, action, visible))
  const { starts, ends } = text.picked
  // Called from one place, so that none of them is inlined: what is inlined into that has less room for its own calls.
  return (arena) => {
    let o = 0
    for (let i = 0; i < takes.length; i++) {
      const end = ends[i]!
      const start = starts[i]!
      if (end === start) continue
      taken[i]! += end - start
      o = takes[i]?.(arena, o, end) ?? o
    }
    return o
  }
}
