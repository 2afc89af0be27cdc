import { describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/index.ts'
import { MMIO } from '../../src/layout/virtio.ts'
import { openReference } from '../../src/targets/reference.ts'
import { RawDriver } from './raw-driver.ts'

const RUNS = 120
const ACTIONS = 60

/** Numerical Recipes' linear congruential generator: the same runs for the same seed. */
function generator(seed: number) {
  let state = seed >>> 0
  return (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 0x1_0000_0000) * below)
  }
}

const INTERESTING = [
  0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 32, 48, 0xff, 0x1000, 0x7fff, 0xffff, 0x4000, 0x1_0000, 0xf_fff0,
]

/** A driver without manners: registers, ring memory and back end are poked at random. */
function scribble(driver: RawDriver, pick: (below: number) => number): void {
  const value = () => INTERESTING[pick(INTERESTING.length)]!
  const near = () => [driver.desc(), driver.avail(), driver.used(), 0x4000, 0x8000][pick(5)]! + 2 * pick(40)
  const target = driver.target
  const acts: (() => void)[] = [
    () => driver.put(near(), [1, 2, 4, 8][pick(4)]!, value()),
    () => driver.put(driver.avail() + 2, 2, driver.u16(driver.avail() + 2) + pick(4)),
    () =>
      driver.descriptor(pick(4), 0x4000 + 16 * pick(9), value(), pick(8), pick(5), pick(2) ? driver.desc() : 0x8000),
    () => driver.kick(pick(3)),
    () => driver.set([...Object.values(MMIO)][pick(Object.keys(MMIO).length)]!, value()),
    () => driver.set(MMIO.queueSel, pick(2)),
    () => driver.request(pick(2), [0, 1, 4, 8, 9][pick(5)]!, pick(66), [0, 1, 20, 512][pick(4)]!),
    () => driver.submit(pick(4)),
    () => target.control!('blk0', { do: 'hold' }),
    () => target.control!('blk0', { do: 'release', order: pick(2) ? 'fifo' : 'lifo' }),
    () => target.control!('blk0', { do: 'release-one', index: pick(3) }),
    () => target.control!('blk0', { do: 'fail', count: pick(2) }),
    () => target.control!('blk0', { do: 'resize', sectors: pick(80) }),
    () => target.reset(pick(8) ? 'device' : 'system'),
    () => driver.start([28, 29, 35, 40].filter(() => pick(2))),
    () => driver.move(),
    () => void target.step!('blk0'),
    () => void target.settle(0),
  ]
  acts[pick(acts.length)]!()
}

const inMemory = (target: Target, gpa: number, bytes: number) =>
  target.describe().memory.some(({ start, end }) => gpa >= start && gpa + bytes <= end)

describe('a driver without manners', () => {
  it('brings the device to no exception, no endless work and no access outside memory', () => {
    for (let run = 0; run < RUNS; run++) {
      const pick = generator(run)
      const driver = new RawDriver(openReference({ transport: 'mmio', queueSize: 8, depth: 1 + (run % 4) }), 4)
      driver.start([28, 29, 35, 40].filter(() => pick(2)))
      for (let action = 0; action < ACTIONS; action++) scribble(driver, pick)
      expect(driver.target.settle(0), `run ${run}`).toBe('quiet')
      for (const event of driver.target.events())
        if (event.kind === 'dma') expect(inMemory(driver.target, event.gpa, event.data.length), `run ${run}`).toBe(true)
      // After all of that a reset gives a device that works.
      driver.target.control!('blk0', { do: 'release', order: 'fifo' })
      driver.target.control!('blk0', { do: 'fail', count: 0 })
      driver.start()
      driver.request(0, 4, 0, 0)
      driver.submit(0)
      driver.run()
      expect(driver.element(0), `run ${run}`).toEqual({ id: 0, len: 1 })
    }
  })
})
