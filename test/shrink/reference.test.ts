import { describe, expect, it } from 'vitest'
import { Drawer } from '../../src/kernel/play/draw.ts'
import type { Plan } from '../../src/kernel/play/plan.ts'
import { runSeed } from '../../src/kernel/play/random.ts'
import { Runner, type RunResult } from '../../src/kernel/play/run.ts'
import { lengthOf, proveMinimal, sameFailure, shrink } from '../../src/kernel/shrink/index.ts'
import { splitQueueModel } from '../../src/models/split-queue.ts'
import { openReference } from '../../src/targets/reference.ts'
import { formOf } from './bugs.ts'

const RUNS_MAX = 600

describe('shrink, on seeded faults of the reference', () => {
  it.each(['vq-interrupt-before-used-index', 'vq-avail-event-not-last-popped', 'vq-needs-reset-without-notification'])(
    'brings %s to a proved minimum in at most two forms, from whatever seed',
    (fault) => {
      const machine = splitQueueModel.machine.at('played')
      // A fresh target each time: what a run leaves in memory is part of the state.
      const fresh = () => new Runner(splitQueueModel, machine, openReference({ fault }), { fingerprint: true })
      const execute = (plan: Plan): RunResult => fresh().run(plan)
      const drawer = new Drawer(machine, {
        played: splitQueueModel.played,
        unavailable: new Set(Object.keys(fresh().unavailable)),
        steps: true,
        saves: true,
      })
      const forms = new Map<string, { readonly plan: Plan; readonly result: RunResult }[]>()
      for (let seed = 0; seed < 4; seed++)
        for (let run = 0; run < RUNS_MAX; run++) {
          const plan = drawer.draw(runSeed(seed, machine.name, run))
          const result = execute(plan)
          if (result.verdict === 'conforms') continue
          const shrunk = shrink(machine, plan, execute, sameFailure(result))
          expect(shrunk.reproduced.times).toBe(1)
          const law = `${result.finding?.law} ${result.finding?.clause?.id}`
          forms.set(law, [...(forms.get(law) ?? []), shrunk])
          break
        }
      expect(forms.size).toBeGreaterThan(0)
      for (const [, all] of forms) {
        const [first] = all
        expect(new Set(all.map(({ plan, result }) => formOf(plan, result))).size).toBeLessThanOrEqual(2)
        const proof = proveMinimal({ plan: first!.plan, execute, same: sameFailure(first!.result) })
        expect(proof).toMatchObject({ minimality: 'proved', shortest: lengthOf(first!.plan) })
      }
    },
  )
})
