/**
 * Judged cases a second on v86: a case starts the device, sends six requests, takes them back and is judged to the last
 * access. Beside it a bare loop: the same pokes by a driver that neither looks at a single access nor judges.
 */

import type { Args } from '../src/kernel/language/machine.ts'
import type { Sink } from '../src/kernel/model.ts'
import type { Plan, PlanStep } from '../src/kernel/play/plan.ts'
import { Runner } from '../src/kernel/play/run.ts'
import { splitQueueModel } from '../src/models/split-queue.ts'
import { openTarget } from '../src/targets/index.ts'
import { line, timed } from './print.ts'

const BLOCKS = 12
/** Of each block. */
const CASES = 500
const WARM_UP = 1000
const REQUESTS = 6
/** Requests of one kick. */
const BATCH = 3

export const run = async (): Promise<void> => {
  const target = await openTarget('v86:virtio-9p', { directory: '.', timeoutMs: 10_000 })
  try {
    const machine = splitQueueModel.machine.at('played')
    const act = (name: string, args: Args = {}): PlanStep => ({
      do: 'act',
      action: machine.action(name),
      args,
      hostile: false,
    })
    const plan: Plan = { steps: stepsOf(act) }

    const runner = new Runner(splitQueueModel, machine, target)
    const judged = (): void => {
      const { verdict, finding } = runner.run(plan)
      if (verdict !== 'conforms')
        throw new Error(`expected a case that conforms, found ${verdict} ${finding?.law ?? ''}`)
    }
    const nothing: Sink = () => undefined
    const session = splitQueueModel.open(target, machine, nothing)
    const bare = (): void => {
      session.start()
      for (const step of plan.steps) if (step.do === 'act') session.perform(step.action, step.args)
      target.events()
    }
    for (let i = 0; i < WARM_UP; i++) {
      judged()
      bare()
    }
    let judging = 0
    let poking = 0
    // In turns, so that whatever else the machine does falls on both.
    for (let block = 0; block < BLOCKS; block++) {
      judging += timed(() => repeat(judged))[1]
      poking += timed(() => repeat(bare))[1]
    }
    line(
      'in process, v86',
      `${((BLOCKS * CASES) / judging / 1000).toFixed(1)} thousand cases/s`,
      `${(judging / poking).toFixed(1)} x a bare loop, ${runner.run(plan).commands} steps a case`,
    )
  } finally {
    target.close()
  }
}

const repeat = (work: () => void): void => {
  for (let i = 0; i < CASES; i++) work()
}

const stepsOf = (act: (name: string, args?: Args) => PlanStep): PlanStep[] => {
  const steps = [
    act('driver.start', { eventIdx: true, indirect: true, ringReset: false, inOrder: false, withQueue: true }),
  ]
  const how = { readable: 1, writable: 1, via: 'direct', place: 0, defect: 'none' }
  for (let sent = 0; sent < REQUESTS; sent += BATCH) {
    const heads = Array.from({ length: BATCH }, (_, i) => i)
    steps.push(...heads.map((head) => act('driver.add', { head, ...how })))
    steps.push(act('driver.publish'), act('driver.check'), act('driver.kick'), { do: 'settle' })
    steps.push(...heads.map((head) => act('driver.consume', { head })))
  }
  return steps
}
