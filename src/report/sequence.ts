/** A trace as a mermaid sequence diagram, in text: forges and many editors draw it. */
import type { Counterexample, TraceStepJson } from '../campaign/counterexample.ts'
import { argumentsText } from './steps.ts'

/** What mermaid would take for syntax, as its own entities. */
const label = (text: string): string =>
  text.replaceAll(/[#;<>{}"`%\\]/g, (c) => `#${c.codePointAt(0)};`).replaceAll(/\s+/g, ' ')

const actorOf = (action: string): string => action.slice(0, action.indexOf('.'))
const verbOf = (action: string): string => action.slice(action.indexOf('.') + 1)

/** More than that cannot be read as a picture. */
const STEPS_MAX = 200

type Performed = Exclude<TraceStepJson, { by: 'schedule' }>

/** Who an action reaches: one that names an area of memory goes there, others to the peer. */
const receiverOf = ({ action, args }: Performed): string =>
  'area' in args ? 'memory' : actorOf(action) === 'device' ? 'driver' : 'device'

const line = (step: TraceStepJson): string => {
  if (step.by === 'schedule') {
    const count = step.count === undefined ? '' : ` ${step.count}`
    return `  Note over driver,device: ${step.do}${count}`
  }
  const head = step.by === 'us' ? '->>' : '-->>'
  const text = label(`${verbOf(step.action)}${argumentsText(step.args)}`)
  return `  ${actorOf(step.action)}${head}${receiverOf(step)}: ${text}`
}

/** Ours are drawn with whole arrows, what was seen with dashed ones; equal neighbours are drawn once. */
export const sequenceDiagram = ({ trace, finding }: Pick<Counterexample, 'trace' | 'finding'>): string => {
  const actors = new Set(['driver', 'device'])
  for (const step of trace) if (step.by !== 'schedule') actors.add(actorOf(step.action)).add(receiverOf(step))
  const first = Math.max(0, trace.length - STEPS_MAX)
  const lines = ['sequenceDiagram', ...[...actors].map((actor) => `  participant ${actor}`)]
  if (first > 0) lines.push(`  Note over driver,device: ${first} steps before`)
  let times = 1
  trace.slice(first).forEach((step, i, shown) => {
    const next = shown[i + 1]
    const broken = first + i === finding.at
    if (!broken && next !== undefined && line(next) === line(step)) {
      times++
      return
    }
    lines.push(times === 1 ? line(step) : `${line(step)}, ${times} times`)
    times = 1
    if (broken) lines.push(`  Note over driver,device: BROKEN ${label(finding.law)}`)
  })
  return lines.join('\n')
}
