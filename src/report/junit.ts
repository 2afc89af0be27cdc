/**
 * JUnit XML as most tools read it: a suite for each machine, a case for each clause of it. A clause that is violated is
 * a `failure`, a target or adapter that broke is an `error`; what was not decided is skipped, with the reason.
 */
import type { CampaignResult, ClauseRow, MachineResult } from '../campaign/types.ts'
import { type Look, lengthText, profilesText, type Render, replayCommand } from './facts.ts'

/** Text as an attribute or an element holds it: characters that XML 1.0 cannot hold are left out. */
const xml = (text: string): string =>
  text
    .replaceAll(/[^\t\n\r -\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')

type Attributes = Readonly<Record<string, string | number>>
const tag = (name: string, attributes: Attributes, children: readonly string[] = []): string => {
  const head = `<${[name, ...Object.entries(attributes).map(([key, value]) => `${key}="${xml(String(value))}"`)].join(' ')}`
  if (children.length === 0) return `${head}/>`
  const inner = children.flatMap((child) => child.split('\n')).map((line) => `  ${line}`)
  return [`${head}>`, ...inner, `</${name}>`].join('\n')
}
const properties = (all: Attributes): string =>
  tag(
    'properties',
    {},
    Object.entries(all).map(([name, value]) => tag('property', { name, value })),
  )

interface Case {
  readonly text: string
  readonly outcome: 'passed' | 'failure' | 'error' | 'skipped'
}

const caseOf = (machine: string, name: string, about: Attributes, outcome: Case['outcome'], body: string[]): Case => ({
  outcome,
  text: tag('testcase', { classname: `iospec.${machine}`, name, time: 0 }, [properties(about), ...body]),
})

const skipped = (message: string): string[] => [tag('skipped', { message })]

const clauseCase = (row: ClauseRow, result: MachineResult, target: string, look: Look): Case => {
  const { id, status, basis, strength, exercised, decided, reason } = row
  const about = { clause: id, basis, strength, exercised, decided, status }
  const make = (outcome: Case['outcome'], body: string[] = []) => caseOf(result.machine, id, about, outcome, body)
  const broken = result.counterexamples.filter(({ clause, known }) => clause === id && !known)
  if (broken.length > 0)
    return make(
      'failure',
      broken.map((summary) => {
        const { law, verdict, expected, observed, file, bugId } = summary
        const equal = profilesText(summary.profiles)
        const found = file === undefined ? undefined : look(file)
        const lines = [
          `law: ${law}`,
          `clause: ${id}: ${summary.requirement}`,
          `expected: ${expected}`,
          `observed: ${observed}`,
          ...(equal === undefined ? [] : [equal]),
          `steps: ${lengthText(summary, found)}`,
          `bug: ${bugId}`,
          ...(file === undefined ? [] : [`replay: ${replayCommand(summary, target)}`, `file: ${file}`]),
        ]
        return `<failure message="${xml(`${law}: expected ${expected}, observed ${observed}`)}" type="${verdict}">${xml(lines.join('\n'))}</failure>`
      }),
    )
  switch (status) {
    case 'kept':
    case 'departed':
      return make('passed')
    case 'known':
      return make('skipped', skipped('a known deviation'))
    case 'not-applicable':
      return make('skipped', skipped(reason ?? 'not applicable to this target'))
    case 'violated':
    case 'undecided':
      return make('skipped', skipped('not decided in this campaign'))
  }
}

/** Whether the machine could be judged at all. */
const machineCase = (result: MachineResult): Case => {
  const { machine, verdict, reason = verdict, missed, unjudged } = result
  const make = (outcome: Case['outcome'], body: string[] = []) => caseOf(machine, 'judged', { verdict }, outcome, body)
  switch (verdict) {
    case 'adapter-error':
    case 'spec-error': {
      const words = unjudged.map(({ message, lastWords }) => `${message}\n${lastWords}`).join('\n')
      return make('error', [`<error message="${xml(reason)}" type="${verdict}">${xml(words)}</error>`])
    }
    case 'inconclusive': {
      const message = missed.length > 0 ? `goals never reached: ${missed.join(', ')}` : reason
      return make('error', [`<error message="${xml(message)}" type="inconclusive"/>`])
    }
    case 'not-applicable':
      return make('skipped', skipped(reason))
    default:
      return make('passed')
  }
}

const suite = (result: MachineResult, { target }: CampaignResult, look: Look) => {
  const cases = [machineCase(result), ...result.clauses.map((row) => clauseCase(row, result, target.address, look))]
  const count = (outcome: Case['outcome']): number => cases.filter((each) => each.outcome === outcome).length
  const counts = {
    tests: cases.length,
    failures: count('failure'),
    errors: count('error'),
    skipped: count('skipped'),
  }
  const { machine, seconds } = result
  return {
    counts,
    text: tag(
      'testsuite',
      { name: machine, ...counts, time: seconds.toFixed(3) },
      cases.map(({ text }) => text),
    ),
  }
}

export const junit: Render = (result, look) => {
  const suites = result.machines.map((machine) => suite(machine, result, look))
  const sum = (key: 'tests' | 'failures' | 'errors' | 'skipped') =>
    suites.reduce((all, { counts }) => all + counts[key], 0)
  const { name, version, address } = result.target
  const facts = properties({ target: name, version, address, seed: result.seed, exit: result.exit })
  const counts = { tests: sum('tests'), failures: sum('failures'), errors: sum('errors'), skipped: sum('skipped') }
  const [first, ...rest] = suites.map(({ text }) => text)
  // Properties of a run have their place in a suite only.
  const opened = first?.replace(
    '>\n',
    () =>
      `>\n${facts
        .split('\n')
        .map((line) => `  ${line}`)
        .join('\n')}\n`,
  )
  const root = tag(
    'testsuites',
    { name: 'iospec', ...counts, time: result.seconds.toFixed(3) },
    opened === undefined ? [] : [opened, ...rest],
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root}\n`
}
