/**
 * What the machinery costs a step, beside a bare loop over the same steps: drawing plans, judging and recording. The
 * target is left out by judging traces that were recorded before.
 */

import { Judge } from '../src/kernel/judge/judge.ts'
import { Drawer } from '../src/kernel/play/draw.ts'
import { runSeed } from '../src/kernel/play/random.ts'
import { Runner, type TraceStep } from '../src/kernel/play/run.ts'
import { virtioBlkModel } from '../src/models/split-queue.ts'
import { openReference } from '../src/targets/reference.ts'
import { line, timed } from './print.ts'

const RUNS = 4000

export const run = async (): Promise<void> => {
  const machine = virtioBlkModel.machine.at('played')
  const target = openReference({ queues: 2 })
  const runner = new Runner(virtioBlkModel, machine, target)
  const drawer = new Drawer(machine, {
    played: virtioBlkModel.played,
    unavailable: new Set(Object.keys(runner.unavailable)),
    steps: true,
    saves: false,
  })
  const seeds = Array.from({ length: RUNS }, (_, i) => runSeed(1, machine.name, i))
  for (const seed of seeds.slice(0, 500)) drawer.draw(seed)
  const [plans, drawing] = timed(() => seeds.map((seed) => drawer.draw(seed)))
  const planned = plans.reduce((sum, plan) => sum + plan.steps.length, 0)

  const [results, running] = timed(() => plans.map((plan) => runner.run(plan)))
  const commands = results.reduce((sum, result) => sum + result.commands, 0)
  const traces = results.map((result) => result.trace)

  const judge = new Judge(machine)
  const [, judging] = timed(() => {
    for (const trace of traces) replay(judge, trace)
  })
  const [, bare] = timed(() => {
    for (const trace of traces) for (const step of trace) touch(step)
  })
  if (sink === 0) throw new Error('the bare loop saw no step')
  const steps = traces.reduce((sum, trace) => sum + trace.length, 0)
  const perStep = (drawing * 1e6) / steps + (judging * 1e6) / steps
  line(
    'plan, judge and record',
    `${perStep.toFixed(2)} us a step`,
    `${((drawing + judging) / bare).toFixed(0)} x a bare loop`,
  )
  line(
    '  of it drawing',
    `${((drawing * 1e6) / planned).toFixed(2)} us a planned step`,
    `${planned} planned, ${steps} done and seen`,
  )
  line('  of it judging', `${((judging * 1e6) / steps).toFixed(2)} us a step`, '')
  line(
    'in process, reference',
    `${Math.round(commands / running / 1000)} thousand steps/s`,
    `${(running / (drawing + judging)).toFixed(1)} x plan and judge`,
  )
}

/** Judging and recording again what was done and seen. */
const replay = (judge: Judge, trace: readonly TraceStep[]): void => {
  judge.restart()
  const record: TraceStep[] = []
  for (const step of trace) {
    record.push({ ...step })
    if (step.by === 'us') judge.perform(step.action, step.args)
    else if (step.by === 'target') judge.observe(step.action, step.args)
    else if (step.by === 'schedule' && step.do === 'settle') judge.quiet()
  }
}

/** What the bare loop adds up, so that it is not left out. */
let sink = 0
const touch = (step: TraceStep): void => {
  sink += step.by.length
}
