import { describe, expect, it } from 'vitest'
import { machineFrom } from '../../src/kernel/explore/crew/orders.ts'
import { ExploreError, type ExploreOptions, explore } from '../../src/kernel/explore/index.ts'
import { exploreWithWorkers } from '../../src/kernel/explore/with-workers.ts'

const module = (path: string): string => new URL(`../../${path}`, import.meta.url).href
const gridOf = (argument: object) => ({
  url: module('test/explore/machines/grid.mjs'),
  make: 'grid',
  argument: { tokens: 4, length: 14, ...argument },
})

/** Places in levels that several threads share, so many that each thread comes to some. */
const places = Array.from({ length: 24 }, (_, i) => [3 + (i % 8), 11 - (i % 5), 4 + (i % 3), (i * 5) % 13])

/** By one thread, and by three that share every level of more than a few states. */
const both = async (origin: Parameters<typeof machineFrom>[0], options: ExploreOptions = {}) => {
  const alone = explore(await machineFrom(origin), options)
  const together = await exploreWithWorkers({ origin, threads: 3, levelWorth: 8, patient: true }, options)
  return { alone: { ...alone, seconds: 0 }, together: { ...together, seconds: 0 } }
}

describe('several threads', () => {
  it('find what one finds', async () => {
    const { alone, together } = await both(gridOf({ goals: [...places, [9, null, null, null]] }))
    expect(together).toEqual(alone)
    expect(together).toMatchObject({ states: 38_416, transitions: 142_688, depth: 52 })
    const depths = places.map((place) => place.reduce((sum, at) => sum + at))
    expect(Object.values(together.goals)).toEqual([...depths, 9])
  })

  it('never count a state twice that two of them find at the same time', async () => {
    const { alone, together } = await both(gridOf({ tokens: 16, length: 2 }))
    expect(together).toEqual(alone)
    expect(together.states).toBe(2 ** 16)
  })

  it('show broken laws and stuck states by the same ways', async () => {
    const origin = gridOf({ broken: places, jumped: [7, 5, 9, 7], stuck: [6, 6, 8, 5] })
    const { alone, together } = await both(origin)
    expect(together).toEqual(alone)
    expect(together.violations).toHaveLength(places.length + 2)
    expect(together.stuck.count).toBe(1)
  })

  it('throw the error that one throws', async () => {
    const crew = { origin: gridOf({ throwing: [6, 7, 6, 6] }), threads: 2, levelWorth: 8, patient: true }
    const failure = await exploreWithWorkers(crew).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ExploreError)
    expect((failure as Error).message).toContain('device.advance0, when: TypeError: boom\n  in state {"at":[6,7,6,6]}')
  })

  it('are done without when they die', async () => {
    // Of so many places some helper comes to one.
    const origin = gridOf({ deadly: places })
    const crew = { origin, threads: 3, levelWorth: 8, patient: true, silenceMs: 100 }
    const together = await exploreWithWorkers(crew)
    expect(together).toMatchObject({ states: 38_416, transitions: 142_688, result: 'holds' })
  })

  it('are cut short by the same bounds', async () => {
    for (const bound of [{ maxStates: 27_777 }, { maxStates: 38_416 }, { memoryBytes: 600_000 }]) {
      const { alone, together } = await both(gridOf({}), bound)
      expect([together.result, together.cutShort, together.depth]).toEqual([alone.result, alone.cutShort, alone.depth])
      expect(together.states).toBe(alone.states)
    }
    let asked = 0
    const cut = await exploreWithWorkers(
      { origin: gridOf({}), threads: 2, levelWorth: 8, patient: true },
      { interrupted: () => asked++ > 60 },
    )
    expect(cut).toMatchObject({ result: 'cut-short', cutShort: expect.stringContaining('interrupted after') })
  })

  it('find the states of the reference model, which SPIN counts too', async () => {
    const origin = { url: module('dist/bench/explore/make.js'), make: 'splitQueueTsoAt', argument: 'explored' }
    const found = await exploreWithWorkers({ origin, threads: 2, levelWorth: 64, patient: true })
    expect(found).toMatchObject({ states: 143_328, transitions: 297_384, depth: 294, result: 'holds' })
  })

  it('say where no machine came from', async () => {
    const crew = { origin: { ...gridOf({}), make: 'gird' }, threads: 2 }
    await expect(exploreWithWorkers(crew)).rejects.toThrow('expected an exported function gird that makes a machine')
  })
})
