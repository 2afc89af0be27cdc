/** Finding the bugs of the post office, for tests of what comes after. */
import { Drawer } from '../../src/kernel/play/draw.ts'
import type { Plan } from '../../src/kernel/play/plan.ts'
import { runSeed } from '../../src/kernel/play/random.ts'
import { Runner, type RunResult } from '../../src/kernel/play/run.ts'
import { canonicalForm } from '../../src/kernel/shrink/index.ts'
import { type Bug, OfficeTarget, officeModel, postOffice } from './post-office.ts'

export const office = postOffice.at('played')
export const drawer = new Drawer(office, { played: ['driver'], steps: true, saves: true })

export const runnerOf = (bug: Bug, flaky = false): Runner =>
  new Runner(officeModel, office, new OfficeTarget(bug, flaky), { fingerprint: true })

const RUNS_MAX = 3000

/** The first plan of a seed that does not conform. */
export const findFailure = (runner: Runner, seed: number): { readonly plan: Plan; readonly result: RunResult } => {
  for (let run = 0; run < RUNS_MAX; run++) {
    const plan = drawer.draw(runSeed(seed, office.name, run))
    const result = runner.run(plan)
    if (result.verdict !== 'conforms') return { plan, result }
  }
  throw new Error(`seed ${seed}: no failure in ${RUNS_MAX} runs`)
}

/** The lengths of the shortest plans; what `proveMinimal` says of them is a test of its own. */
export const SHORTEST = { lostCall: 6, doubleStamp: 9, heavyFourth: 5, crash: 6 } as const

/** The canonical form of what a run of the plan came to. */
export const formOf = (plan: Plan, { verdict, finding }: RunResult): string =>
  canonicalForm(plan, { verdict, law: finding?.law ?? verdict })
