/** What drawn plans come to: goals that they are led to, and moments that they come in between at. */
import { describe, expect, it } from 'vitest'
import { planToJson } from '../../src/kernel/play/plan.ts'
import type { TraceStep } from '../../src/kernel/play/run.ts'
import { deviceStatusModel } from '../../src/models/device-status.ts'
import { splitQueueModel } from '../../src/models/split-queue.ts'
import { stageOf } from './stage.ts'

describe('a drawn plan', () => {
  it('depends on the seed alone', () => {
    const [one, other] = [stageOf(splitQueueModel), stageOf(splitQueueModel)]
    other.drawer.draw(99)
    for (const toward of [undefined, 'aFullRing'])
      expect(planToJson(other.drawer.draw(7, false, toward))).toEqual(planToJson(one.drawer.draw(7, false, toward)))
  })

  it('is the same when it is drawn bit by bit', () => {
    const [one, other] = [stageOf(splitQueueModel), stageOf(splitQueueModel)]
    let most = 0
    for (let seed = 0; seed < 20; seed++) {
      const toward = seed % 5 === 0 ? 'aFullRing' : undefined
      const drawing = other.drawer.begin(seed, seed === 3, toward)
      let bits = 0
      while (drawing.more()) bits++
      most = Math.max(most, bits)
      expect(planToJson(drawing.plan())).toEqual(planToJson(one.drawer.draw(seed, seed === 3, toward)))
    }
    expect(most).toBeGreaterThan(50)
  })

  it('is given up when another one begins', () => {
    const { drawer } = stageOf(splitQueueModel)
    const drawing = drawer.begin(1)
    drawing.more()
    drawer.draw(2)
    expect(() => drawing.plan()).toThrow('found one that was given up')
  })

  it('reaches the goal that it is led to', () => {
    const { machine, ledger, runner, drawer } = stageOf(deviceStatusModel, { transport: 'mmio' })
    const goals = [...machine.goals, ...machine.stepGoals].map(({ name }) => name)
    const reached = goals.map((goal) => {
      let times = 0
      for (let seed = 0; seed < 8; seed++) {
        ledger.goals.fill(0)
        runner.run(drawer.draw(seed, false, goal))
        if (ledger.goalCounts()[goal]! > 0) times++
      }
      return [goal, times] as const
    })
    expect(reached.filter(([, times]) => times < 3)).toEqual([])
  })

  it('is led to no goal that a machine does not have', () => {
    const { drawer } = stageOf(deviceStatusModel)
    expect(() => drawer.draw(1, false, 'anEarlyKik')).toThrow('device-status: no goal is called "anEarlyKik"')
  })

  it('comes in between of all accesses of a device, with all kinds of actions', () => {
    const { runner, drawer } = stageOf(splitQueueModel)
    const places = new Map<string, Set<string>>()
    for (let seed = 0; seed < 120; seed++) {
      const { trace } = runner.run(drawer.draw(seed))
      for (const [place, act] of between(trace)) places.set(place, (places.get(place) ?? new Set()).add(act))
    }
    for (const area of ['avail', 'used', 'descriptors', 'readable', 'writable'])
      expect(places.get(area)?.size, area).toBeGreaterThan(4)
  })

  it('gives a device that stands still more to do, moment after moment', () => {
    const { drawer } = stageOf(splitQueueModel)
    const times = (seed: number): number => {
      let [stands, count] = [false, 0]
      for (const step of drawer.draw(seed).steps) {
        if (step.do !== 'act') stands = step.do === 'step' && step.seen === true
        else if (stands && step.action.name === 'driver.publish') count++
      }
      return count
    }
    // Ten of a hundred plans come in between in that way or another.
    expect(Array.from({ length: 400 }, (_, seed) => times(seed)).filter((count) => count > 7).length).toBeGreaterThan(5)
  })
})

/** What the device last touched, and what we did next before the device went on. */
const between = (trace: readonly TraceStep[]): (readonly [string, string])[] =>
  trace.flatMap((step, i) => {
    const before = trace[i - 1]
    const stepped = trace.slice(0, i).findLast((one) => one.by === 'schedule')
    if (step.by !== 'us' || before?.by !== 'target' || stepped?.by !== 'schedule' || stepped.do !== 'step') return []
    return before.action.name === 'device.touch' ? [[String(before.args.area), step.action.name] as const] : []
  })
