/** `iospec score`: how many of the seeded faults of the reference campaigns find, beside a plain random arm. */
import { EXIT } from '../../campaign/exit.ts'
import type { FaultScore, ScoreOptions, ScoreResult } from '../../campaign/score.ts'
import { columns, counted, lasting } from '../../report/style.ts'
import { type Context, command } from '../command.ts'
import { liveRegion } from '../live.ts'
import { inThread } from '../thread.ts'

export const score = command({
  name: 'score',
  does: 'Measure how many seeded faults of the reference are found, and how short their counterexamples are',
  arguments: [],
  options: ['faults', 'fault', 'seeds', 'scoreRuns', 'scoreSeed', 'scoreMachines', 'baseline', 'quiet', 'json'],
  examples: [
    'iospec score',
    "iospec score --faults 'vq-used*' --seeds 5",
    'iospec score --fault module:./fault.ts --json',
  ],
  async run(context, _, values) {
    const { faults, fault, seeds, scoreRuns, scoreSeed, scoreMachines, baseline, quiet, json } = values
    const options: ScoreOptions = {
      seeds,
      runs: scoreRuns,
      seed: scoreSeed,
      baseline,
      ...(scoreMachines === undefined ? {} : { machines: scoreMachines }),
      ...(fault === undefined ? {} : { modules: fault.map((each) => each.replace(/^module:/, '')) }),
      ...(faults === undefined ? {} : { faults }),
    }
    const live = liveRegion(context, quiet || json)
    const result = await inThread('score', options, {
      signal: context.signal,
      onProgress: ({ fault: now, done, of, found }) =>
        live.show([`${done} of ${of} campaigns, found in ${found}: ${now}`]),
    }).finally(live.clear)
    if (json) context.printJson(result)
    else print(context, result)
    return EXIT.conforms
  },
})

const rowOf = (row: FaultScore): string[] => [
  row.id,
  row.difficulty,
  `${row.found}/${row.seeds}`,
  `${row.baseline.found}/${row.seeds}`,
  String(row.medianRuns ?? '-'),
  String(row.p90Runs ?? '-'),
  String(row.steps ?? '-'),
  String(row.shortest ?? '-'),
  String(row.forms),
  `${row.clause ?? '-'}${row.hardening ? ' (hardening only)' : ''}`,
]

const HEAD = ['fault', 'difficulty', 'found', 'random', 'median', 'p90', 'steps', 'shortest', 'forms', 'clause']

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

const print = ({ print: line, style }: Context, result: ScoreResult): void => {
  const [head = '', ...rows] = columns([HEAD, ...result.faults.map(rowOf)])
  line([style.bold(head), ...rows].join('\n'))
  const { score: share, baseline, runs, seed, seconds, interrupted } = result
  if (interrupted) line(style.yellow('stopped: a fault whose campaigns are not over shows those that are'))
  line(
    `${style.bold(percent(share))} of ${counted(result.faults.length, 'fault')} times seeds found; ` +
      `plain random ${percent(baseline)}; ${runs} runs of each machine, seeds from ${seed}, ${lasting(seconds)}`,
  )
}
