import { describe, expect, it } from 'vitest'
import type { Counterexample } from '../../src/campaign/counterexample.ts'
import type { Crew } from '../../src/campaign/crew.ts'
import { type Deviation, KnownDeviations } from '../../src/campaign/deviations.ts'
import type { ExamineJob, Failure, Prepared } from '../../src/campaign/jobs.ts'
import { MachineCampaign } from '../../src/campaign/machine-campaign.ts'

const target = { name: 'toy', version: '1' }
const clauses = { 'TOY-A-01': 'normative', 'TOY-B-01': 'normative' }
const prepared = {
  machine: 'toy',
  scope: { name: 'played', bounds: {} },
  notApplicable: undefined,
  laws: Object.keys(clauses).map((clause) => ({ clause, reason: undefined })),
  clauses: Object.fromEntries(Object.keys(clauses).map((id) => [id, { basis: 'normative', strength: 'MUST' }])),
  goals: [],
  unreachable: {},
  cheap: true,
} as Prepared

const failure = (run: number, law: string): Failure => ({
  ...{ verdict: 'violates', law, clause: `TOY-${law}-01`, hardening: false },
  ...{ item: { run }, before: [], message: '', lastWords: '', timed: false },
})
const file = (law: string, bugId: string, also: readonly string[] = []): Counterexample =>
  ({
    ...{ verdict: 'violates', bugId, steps: 1, minimality: 'proved', reproduced: { times: 1, of: 1 }, run: 0 },
    disclosure: 'public',
    finding: { law, clause: { id: `TOY-${law}-01`, basis: 'normative', requirement: '' }, expected: '', observed: '' },
    ...(also.length === 0 ? {} : { also: also.map((each) => ({ law: each, clause: `TOY-${each}-01`, steps: 2 })) }),
  }) as unknown as Counterexample

/** A campaign whose failures, and what examining them comes to, are given. */
const campaign = async (
  failures: readonly Failure[],
  examined: (job: ExamineJob) => Counterexample,
  known: readonly Partial<Deviation>[] = [],
) => {
  const kept: Counterexample[] = []
  const jobs: ExamineJob[] = []
  const crew = {
    play: async ({ tolerated }: { tolerated: readonly string[] }) => ({
      failures: failures.filter(({ law, clause }) => !tolerated.includes(`${law}@${clause}`)),
      ...{ warnings: [], interrupted: false, unplayed: 0, stopped: undefined },
    }),
    async examine(job: ExamineJob) {
      jobs.push(job)
      return { outcome: 'counterexample', counterexample: examined(job) }
    },
  } as unknown as Crew
  const entries = known.map((each) => ({ target: '*', version: '*', machine: 'toy', reason: '', ...each }) as Deviation)
  const result = await new MachineCampaign(prepared, crew, {
    ...{ runs: 3, maxBugs: 10, maxPerLaw: 3, maxHangs: 3, untilMs: undefined, corpus: [] },
    known: new KnownDeviations([{ deviations: entries, profiles: [] }], target, '2026-01-01'),
    listener: () => {},
    keep: (found) => {
      kept.push(found)
      return `${found.bugId}.json`
    },
    interrupted: () => false,
    now: () => 0,
  }).run()
  return { result, kept, jobs }
}

describe('a machine campaign', () => {
  it('reports one mistake once, by the law that breaks with least, and lists the others', async () => {
    const failures = [failure(0, 'A'), failure(1, 'B')]
    const { result, kept } = await campaign(failures, ({ failure: { law } }) =>
      law === 'B' ? file('A', 'aaaa', ['B']) : file('A', 'aaaa'),
    )
    expect(result.counterexamples).toMatchObject([{ bugId: 'aaaa', law: 'A', also: ['B@TOY-B-01'], runs: 2 }])
    expect(kept.at(-1)).toMatchObject({ bugId: 'aaaa', also: [{ law: 'B' }] })
    expect(result.clauses.filter(({ status }) => status === 'violated').map(({ id }) => id)).toEqual(
      Object.keys(clauses),
    )
  })

  it('overlooks with a law what the same mistake breaks, so that it is not told again by that', async () => {
    const failures = [failure(0, 'B'), ...[1, 2, 3].map((run) => failure(run, 'A'))]
    const { result } = await campaign(failures, ({ failure: { law }, tolerated }) =>
      law === 'B' ? (tolerated.length > 0 ? file('B', 'bbbb') : file('A', 'aaaa', ['B'])) : file('A', 'aaaa'),
    )
    expect(result.counterexamples.map(({ bugId }) => bugId)).toEqual(['aaaa'])
  })

  it('never lets a known bug stand for a law that is not known to be broken', async () => {
    const examined = ({ keepLaw }: ExamineJob): Counterexample =>
      keepLaw ? file('B', 'bbbb') : file('A', 'aaaa', ['B'])
    const known = [{ law: 'A', clause: 'TOY-A-01', bugIds: ['aaaa'] }]
    const { result, jobs } = await campaign([failure(0, 'B')], examined, known)
    expect(jobs.map(({ keepLaw }) => keepLaw)).toEqual([undefined, true])
    expect(result).toMatchObject({ verdict: 'violates', counterexamples: [{ bugId: 'bbbb', known: false }] })
  })

  it('takes a crash that needs a run before it for the one that says the same', async () => {
    const crash = (run: number): Failure => ({ ...failure(run, 'A'), verdict: 'crashes', law: 'crashes' })
    const { result } = await campaign([crash(0), crash(1)], ({ failure: { item } }) => ({
      ...file('crashes', `crash-${item.run}`),
      verdict: 'crashes',
      ...(item.run === 1 ? { prelude: [[]] } : {}),
    }))
    expect(result.counterexamples).toMatchObject([{ bugId: 'crash-0', runs: 2 }])
  })
})
