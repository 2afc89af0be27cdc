/** `iospec list`: what there is to be checked, and on what. */
import { clauses } from '../../../spec/clauses/index.ts'
import { machines } from '../../../spec/index.ts'
import { EXIT } from '../../campaign/exit.ts'
import type { Machine, ScopedMachine } from '../../kernel/language/index.ts'
import { models } from '../../models/index.ts'
import { faults } from '../../reference/faults/index.ts'
import { columns } from '../../report/style.ts'
import { doors } from '../../targets/index.ts'
import { choose } from '../choose.ts'
import { command } from '../command.ts'

interface LawRow {
  readonly machine: string
  readonly name: string
  readonly kind: 'duty' | 'obligation' | 'leads-to' | 'invariant' | 'step'
  /** The action that owes it or is owed. */
  readonly action?: string
  readonly clause: string
}

const lawsOf = (machine: Machine): LawRow[] => [
  ...machine.actions.flatMap(({ name: action, duties }) =>
    duties.map(({ name, clause }) => ({
      machine: machine.name,
      name,
      kind: 'duty' as const,
      action,
      clause: clause.id,
    })),
  ),
  ...machine.owes.map(({ name, clause }) => ({
    machine: machine.name,
    name,
    kind: 'obligation' as const,
    action: name,
    clause: clause.id,
  })),
  ...machine.leadsTo.map(({ name, clause }) => ({
    machine: machine.name,
    name,
    kind: 'leads-to' as const,
    clause: clause.id,
  })),
  ...machine.invariants.map(({ name, clause }) => ({
    machine: machine.name,
    name,
    kind: 'invariant' as const,
    clause: clause.id,
  })),
  ...machine.steps.map(({ name, clause }) => ({
    machine: machine.name,
    name,
    kind: 'step' as const,
    clause: clause.id,
  })),
]

const goalsOf = (machine: Machine) =>
  [...machine.goals, ...machine.stepGoals].map(({ name }) => ({ machine: machine.name, name }))

const machineRow = (scoped: ScopedMachine, machine: Machine) => ({
  name: machine.name,
  // A product names the source of each of its parts.
  source: [...new Set(machine.source.split('; '))].join('; '),
  /** Whether implementations are judged by it; which ones, `iospec targets ADDRESS` tells. */
  judged: models.some((model) => model.machine.name === machine.name),
  scopes: scoped.scopes,
  actions: machine.actions.map(({ name, actor, does, hostile }) => ({ name, actor, does, hostile })),
  laws: lawsOf(machine).length,
  goals: machine.goals.length + machine.stepGoals.length,
})

/** Everything of one topic: as JSON, and as rows for people. */
const TOPICS = {
  machines: () => {
    const json = machines.map((scoped) => machineRow(scoped, scoped.at('explored')))
    const rows = json.map(({ name, source, judged, actions, laws, goals }) => [
      name,
      judged ? 'run, explore' : 'explore',
      `${actions.length} actions`,
      `${laws} laws`,
      `${goals} goals`,
      source,
    ])
    return { json, rows }
  },
  laws: () => {
    const json = machines.flatMap((machine) => lawsOf(machine.at('explored')))
    return {
      json,
      rows: json.map(({ machine, kind, action = '', name, clause }) => [machine, kind, action, name, clause]),
    }
  },
  goals: () => {
    const json = machines.flatMap((machine) => goalsOf(machine.at('explored')))
    return { json, rows: json.map(({ machine, name }) => [machine, name]) }
  },
  clauses: () => ({
    json: clauses,
    rows: clauses.map(({ id, source, section, strength, requirement }) => [
      id,
      `${source} ${section}`,
      strength,
      requirement,
    ]),
  }),
  doors: () => {
    const json = doors.map(({ scheme, summary }) => ({ scheme, summary }))
    return { json, rows: json.map(({ scheme, summary }) => [`${scheme}:`, summary]) }
  },
  faults: () => {
    const json = faults.map(({ id, area, difficulty, what, replaces }) => ({ id, area, difficulty, what, replaces }))
    return { json, rows: json.map(({ id, area, difficulty, what }) => [id, area, difficulty, what]) }
  },
} satisfies Record<string, () => { readonly json: readonly unknown[]; readonly rows: readonly string[][] }>

type Topic = keyof typeof TOPICS
const topics = Object.keys(TOPICS) as Topic[]

export const list = command({
  name: 'list',
  does: 'Show machines, laws, goals, clauses, doors to targets, or seeded faults',
  arguments: [
    { name: '[what]', does: `one of ${topics.join(', ')}; without it all of them with --json, else machines` },
  ],
  options: ['json'],
  examples: ['iospec list', 'iospec list clauses', 'iospec list --json'],
  async run({ print, printJson, style }, [what], { json }) {
    const topic = what === undefined ? undefined : choose('list', what, topics)
    if (json) {
      const asked = topic === undefined ? topics : [topic]
      printJson(Object.fromEntries(asked.map((each) => [each, TOPICS[each]().json])))
    } else {
      print(columns(TOPICS[topic ?? 'machines']().rows).join('\n'))
      // A machine fits a target, not a door: it asks for a device, and for what the target shows of it.
      if (topic === undefined || topic === 'machines' || topic === 'doors')
        print(style.dim('which machines a target can be judged by: iospec targets ADDRESS'))
    }
    return EXIT.conforms
  },
})
