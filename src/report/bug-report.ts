/** One counterexample as Markdown, fit to be pasted into a report to the makers of an implementation. */
import type { Counterexample, TraceStepJson } from '../campaign/counterexample.ts'
import { escapeText } from '../contract/explain.ts'
import { profilesText } from './facts.ts'
import { sequenceDiagram } from './sequence.ts'
import { argumentsText, valueText } from './steps.ts'

/** Text between backticks, whatever backticks are in it. */
export const code = (text: string): string => {
  const inner = escapeText(text)
  const longest = Math.max(0, ...[...inner.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const pad = inner.startsWith('`') || inner.endsWith('`') ? ' ' : ''
  return `${fence}${pad}${inner}${pad}${fence}`
}

/** Text that means itself: no markup, no HTML, no mention of anybody. */
export const plain = (text: string): string =>
  escapeText(text)
    .replaceAll(/[\\`*_{}[\]<>|#~]/g, (c) => `\\${c}`)
    .replaceAll('@', '@\u200b')

const cell = (text: string): string => code(text).replaceAll('|', '\\|')

const stepText = (step: TraceStepJson): string => {
  if (step.by === 'schedule') {
    if (step.do === 'save') return 'the device is saved and restored'
    if (step.do === 'settle') return 'the device is left to work until it is quiet'
    return `the device takes ${step.count ?? 1} of its smallest steps`
  }
  const what = code(`${step.action}${argumentsText(step.args)}`)
  const note = step.note === undefined ? '' : ` (${plain(step.note)})`
  return `${step.by === 'us' ? '' : 'seen: '}${what}${note}`
}

const PRIVATE = [
  '> **Report this privately.** A guest can make the implementation crash, hang or work without end. Use the private',
  '> channel of its makers, and attach the counterexample file there. The steps are left out here on purpose.',
]

const steps = ({ trace, finding, prelude = [] }: Counterexample): string[] => [
  '## Steps',
  '',
  ...(prelude.length === 0
    ? []
    : [`The file has ${prelude.length} earlier runs on the same instance that have to come before these.`, '']),
  ...trace.map((step, i) => `${i + 1}. ${stepText(step)}${i === finding.at ? ' **<- here**' : ''}`),
  '',
]

const difference = ({ difference: changes }: Counterexample): string[] =>
  changes.length === 0
    ? []
    : [
        '## What the failing step changed in the state of the specification',
        '',
        '| field | before | after |',
        '| --- | --- | --- |',
        ...changes.map(
          ({ path, before, after }) => `| ${cell(path)} | ${cell(valueText(before))} | ${cell(valueText(after))} |`,
        ),
        '',
      ]

const flakiness = ({ reproduced: { times, of }, timed }: Counterexample): string => {
  const patient = timed === true ? ', with a longer wait in a fresh process' : ''
  return of <= 1 ? 'it came again at once' : `${times} of ${of} times${patient}`
}

/** `file`: how the replay command should name it. `label`: of the clause in the source of the standard. */
export const bugReport = (found: Counterexample, file: string, label?: string): string => {
  const {
    finding,
    target,
    machine,
    verdict,
    minimality,
    bugId,
    iospec,
    seed,
    run,
    shrink,
    scope,
    overlooked = [],
    also = [],
    profiles = [],
  } = found
  const { clause } = finding
  const hidden = found.disclosure === 'private'
  const hardening = clause.basis === 'hardening'
  const equal = profilesText(profiles)
  const title = hidden ? `${verdict} (${clause.id})` : `${finding.law} (${clause.id})`
  const bounds = Object.entries(scope.bounds).map(([bound, value]) => `${bound}=${value}`)
  const lines = [
    `# ${plain(target.name)}: ${plain(title)}`,
    '',
    ...(hidden ? [...PRIVATE, ''] : []),
    ...(hardening
      ? ['> No standard demands this. It is what robust devices do after a driver broke one of its duties.', '']
      : []),
    `- **Implementation:** ${plain(`${target.name} ${target.version}`)}, as ${code(target.address)}`,
    `- **Clause:** ${clause.id}, ${plain(clause.source)}, section ${plain(clause.section)}${label === undefined ? '' : `, ${code(label)}`} (${clause.strength}, ${clause.basis})`,
    `- **Verdict:** ${verdict}`,
    `- **Found by:** iospec ${plain(iospec)}, machine ${code(machine)} (${plain([scope.name, ...bounds].join(' '))}), seed ${seed}, ${run < 0 ? 'again from the corpus' : `run ${run}`}, bug ${code(bugId)}`,
    ...(equal === undefined ? [] : [`- **Profile:** ${plain(equal)}`]),
    `- **Reproduced:** ${flakiness(found)}`,
    ...(overlooked.length === 0
      ? []
      : [`- **Breaks on the way, which was overlooked:** ${plain(overlooked.join(', '))}`]),
    ...(also.length === 0
      ? []
      : [
          `- **Longer plans also break:** ${plain(also.map((one) => `${one.law}@${one.clause} in ${one.steps} steps`).join(', '))}; the same mistake, as far as can be told`,
        ]),
    '',
    '## What the standard says, in our words',
    '',
    plain(clause.requirement),
    '',
    '## Expected and observed',
    '',
    `- **Expected:** ${plain(finding.expected)}`,
    `- **Observed:** ${hidden ? `the target ${verdict}` : plain(finding.observed)}`,
    '',
  ]
  const detail = hidden
    ? []
    : [
        ...steps(found),
        `${found.steps} steps of ours, ${shrink.from} before shrinking; shortest: ${minimality}.`,
        '',
        '```mermaid',
        sequenceDiagram(found),
        '```',
        '',
        ...difference(found),
      ]
  const again = ['## See it again', '', '```sh', replayLine(file, target.address), '```', '']
  return [...lines, ...detail, ...again].join('\n')
}

const replayLine = (file: string, address: string): string => {
  const word = (text: string): string =>
    /^[\w:./@%+=,-]+$/.test(text) ? text : `'${escapeText(text).replaceAll("'", "'\\''")}'`
  return `iospec replay ${word(file)} --target ${word(address)}`
}
