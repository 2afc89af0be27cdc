import { describe, expect, it } from 'vitest'
import type { TargetEvent } from '../../src/contract/index.ts'
import { BLK_TYPE, SECTOR_BYTES } from '../../src/layout/blk.ts'
import { avail, DESC_FLAG } from '../../src/layout/split-ring.ts'
import { FEATURE, MMIO } from '../../src/layout/virtio.ts'
import { type Fault, faults } from '../../src/reference/faults/index.ts'
import { platformParts } from '../../src/reference/platform.ts'
import { openReference, type ReferenceOptions } from '../../src/targets/reference.ts'
import { HEADER, RawDriver, STATUS_AT } from './raw-driver.ts'

/** Those of virtio-blk that show over MMIO; boards have tests of their own. */
const own = faults.filter(({ transport, board }) => transport !== 'pci' && board === undefined)
const { IN, OUT, FLUSH } = BLK_TYPE

/** Where the drivers below note whether they were woken or served. */
const NOTES = 0x9000

/** Reads are left out: a guest does not see them. */
const visible = (event: TargetEvent): string[] => {
  if (event.kind !== 'dma') return [JSON.stringify(event)]
  return event.access === 'read' ? [] : [`write ${event.gpa.toString(16)} ${Buffer.from(event.data).toString('hex')}`]
}

/** What a guest sees while `play` runs; registers are read at the end of it. */
function transcript(fault: Fault | undefined, options: ReferenceOptions, play: (driver: RawDriver) => void): string[] {
  const target = openReference({ transport: 'mmio', queueSize: 8, ...options, ...(fault && { fault }) })
  const driver = new RawDriver(target)
  play(driver)
  const last = driver.target
  const seen = last.settle(0) === 'quiet' ? last.events().flatMap(visible) : ['no rest']
  const registers = [MMIO.status, MMIO.interruptStatus, MMIO.configGeneration, MMIO.queueReady].map((at) =>
    driver.register(at),
  )
  return [
    ...seen,
    `registers ${registers}`,
    `status bytes ${last.load(STATUS_AT, 8)}`,
    `notes ${last.load(NOTES, 20)}`,
    ...medium(driver),
  ]
}

/** Sector 2 as the next driver reads it. */
function medium(driver: RawDriver): string[] {
  driver.start()
  driver.request(0, IN, 2, SECTOR_BYTES)
  driver.submit(0)
  return driver.run().flatMap(visible)
}

const hold = (driver: RawDriver) => driver.target.control!('blk0', { do: 'hold' })
const release = (driver: RawDriver, order: 'fifo' | 'lifo' = 'fifo') => {
  driver.target.control!('blk0', { do: 'release', order })
  driver.target.settle(0)
}
const usedEvent = (driver: RawDriver, value: number) =>
  driver.put(driver.avail() + avail.usedEvent(driver.size), 2, value)
const settled = (driver: RawDriver, ...heads: number[]) => {
  driver.submit(...heads)
  driver.target.settle(0)
}
const tables = (driver: RawDriver, count: number, flags: number = DESC_FLAG.INDIRECT) => {
  for (let head = 0; head < count; head++) {
    const table = 0x8000 + head * 0x100
    driver.header(HEADER + head * 16, FLUSH)
    driver.chain(
      0,
      [
        { gpa: HEADER + head * 16, bytes: 16 },
        { gpa: STATUS_AT + head, bytes: 1, writable: true },
      ],
      table,
    )
    driver.descriptor(head, table, 32, flags)
  }
}

const SCENES: Record<string, (driver: RawDriver) => void> = {
  'requests of every kind, two laps'(driver) {
    driver.start()
    for (const [type, sector] of [
      [IN, 1],
      [OUT, 2],
      [IN, 64],
      [OUT, 64],
      [0x99, 0],
      [IN, 2],
    ] as const) {
      driver.request(0, type, sector, SECTOR_BYTES)
      settled(driver, 0)
      driver.set(MMIO.interruptAck, 1)
    }
  },
  'three requests in one batch with event indexes, then a reset, twice'(driver) {
    for (const _ of [1, 2]) {
      driver.start([FEATURE.RING_EVENT_IDX])
      tables(driver, 0)
      driver.request(0, FLUSH, 0, 0)
      driver.request(2, FLUSH, 0, 0)
      hold(driver)
      usedEvent(driver, 0)
      settled(driver, 0, 2)
      release(driver)
      driver.set(MMIO.status, 0)
    }
  },
  'one request with event indexes, a reset, and one more'(driver) {
    for (const _ of [1, 2]) {
      driver.start([FEATURE.RING_EVENT_IDX])
      driver.request(0, FLUSH, 0, 0)
      settled(driver, 0)
    }
  },
  'two requests with event indexes, each asked for'(driver) {
    driver.start([FEATURE.RING_EVENT_IDX])
    for (const count of [0, 1]) {
      usedEvent(driver, count)
      driver.request(0, FLUSH, 0, 0)
      settled(driver, 0)
      driver.set(MMIO.interruptAck, 1)
    }
  },
  'a driver that asks for interrupts again after any number of steps, and sleeps if nothing is there'(driver) {
    for (let moment = 0; moment < 20; moment++) {
      driver.start()
      driver.put(driver.avail() + avail.flags, 2, 1)
      driver.request(0, FLUSH, 0, 0)
      driver.submit(0)
      for (let step = 0; step < moment; step++) driver.target.step!('blk0')
      driver.put(driver.avail() + avail.flags, 2, 0)
      const sleeps = driver.usedIdx() === 0
      driver.target.settle(0)
      driver.put(NOTES + moment, 1, sleeps ? driver.register(MMIO.interruptStatus) : 0xff)
    }
  },
  'a driver that adds a chain after any number of steps, and kicks only if it has to'(driver) {
    for (let moment = 0; moment < 20; moment++) {
      driver.start()
      driver.kick()
      for (let step = 0; step < moment; step++) driver.target.step!('blk0')
      driver.request(0, FLUSH, 0, 0)
      driver.offer(0)
      driver.publish()
      if (driver.u16(driver.used()) === 0) driver.kick()
      driver.target.settle(0)
      driver.put(NOTES + moment, 1, driver.usedIdx())
    }
  },
  'a full ring'(driver) {
    driver.start([FEATURE.RING_INDIRECT_DESC])
    tables(driver, 4)
    settled(driver, 0, 1, 2, 3)
  },
  'more chains than the back end takes, in rounds'(driver) {
    driver.start([FEATURE.RING_INDIRECT_DESC])
    tables(driver, 4)
    for (let round = 0; round < 6; round++) {
      hold(driver)
      settled(driver, 0, 1, 2, 3)
      release(driver)
    }
  },
  'an indirect table with the WRITE flag'(driver) {
    driver.start([FEATURE.RING_INDIRECT_DESC])
    tables(driver, 1, DESC_FLAG.INDIRECT | DESC_FLAG.WRITE)
    settled(driver, 0)
  },
  'a buffer at the end of memory'(driver) {
    driver.start()
    driver.header(HEADER, IN, 0)
    driver.chain(0, [
      { gpa: HEADER, bytes: 16 },
      { gpa: 0xffe00, bytes: SECTOR_BYTES, writable: true },
      { gpa: STATUS_AT, bytes: 1, writable: true },
    ])
    settled(driver, 0)
  },
  'a loop'(driver) {
    driver.start()
    driver.descriptor(0, HEADER, 16, DESC_FLAG.NEXT, 0)
    settled(driver, 0)
  },
  'readable after writable'(driver) {
    driver.start()
    driver.chain(0, [
      { gpa: STATUS_AT, bytes: 1, writable: true },
      { gpa: HEADER, bytes: 16 },
    ])
    settled(driver, 0)
  },
  'a jump of avail.idx'(driver) {
    driver.start([FEATURE.RING_INDIRECT_DESC])
    tables(driver, 4)
    for (const head of [0, 1, 2, 3]) driver.offer(head)
    driver.put(driver.avail() + avail.idx, 2, 5)
    driver.kick()
  },
  'the same head twice'(driver) {
    driver.start()
    driver.request(0, FLUSH, 0, 0)
    hold(driver)
    settled(driver, 0, 0)
    release(driver)
  },
  'chains that are no request'(driver) {
    driver.start()
    driver.descriptor(0, HEADER, 3, 0)
    settled(driver, 0)
  },
  'a write that fails with another behind it'(driver) {
    driver.start()
    driver.size = 4
    driver.chain(0, [
      { gpa: HEADER, bytes: 16 },
      { gpa: STATUS_AT, bytes: 1, writable: true },
    ])
    driver.chain(2, [
      { gpa: HEADER, bytes: 16 },
      { gpa: STATUS_AT + 1, bytes: 1, writable: true },
    ])
    driver.header(HEADER, OUT, 1)
    driver.target.control!('blk0', { do: 'fail', count: 1 })
    hold(driver)
    settled(driver, 0, 2)
    release(driver)
  },
  'newest first, in order'(driver) {
    driver.start([FEATURE.IN_ORDER])
    hold(driver)
    driver.request(0, FLUSH, 0, 0)
    driver.request(2, FLUSH, 0, 0)
    settled(driver, 0, 2)
    release(driver, 'lifo')
  },
  'a request in flight over a device reset'(driver) {
    driver.start()
    hold(driver)
    driver.request(0, FLUSH, 0, 0)
    settled(driver, 0)
    driver.start()
    release(driver)
  },
  'a request in flight over a queue reset'(driver) {
    driver.start([FEATURE.RING_RESET])
    driver.request(0, FLUSH, 0, 0)
    settled(driver, 0)
    hold(driver)
    settled(driver, 0)
    driver.set(MMIO.queueSel, 0)
    driver.set(MMIO.queueReset, 1)
    driver.setUpQueue(0)
    release(driver)
    driver.request(0, FLUSH, 0, 0)
    settled(driver, 0)
  },
  'a driver that forgets to set its queue up again'(driver) {
    driver.start()
    driver.negotiate()
    driver.driverOk()
    driver.kick()
  },
  'a driver that changes a length after the descriptor was fetched'(driver) {
    driver.start()
    driver.request(0, OUT, 1, SECTOR_BYTES)
    driver.submit(0)
    // Wake, suppress, index, room, head, three descriptors.
    for (let step = 0; step < 8; step++) driver.target.step!('blk0')
    driver.put(driver.desc() + 16 + 8, 4, 0x10_0000)
  },
  'a new capacity'(driver) {
    driver.start()
    driver.target.control!('blk0', { do: 'resize', sectors: 1 })
    driver.request(0, FLUSH, 0, 0)
    settled(driver, 0)
    driver.set(MMIO.interruptAck, 1)
  },
  'features that were not offered'(driver) {
    driver.negotiate([FEATURE.RING_PACKED])
  },
  'a kick before DRIVER_OK'(driver) {
    driver.negotiate()
    driver.setUpQueue(0)
    driver.request(0, FLUSH, 0, 0)
    settled(driver, 0)
  },
  'more requests than 2^16, each told'(driver) {
    driver.start([FEATURE.RING_EVENT_IDX])
    driver.request(0, FLUSH, 0, 0)
    let told = 0
    for (let count = 0; count < 0x1_0004; count++) {
      usedEvent(driver, count & 0xffff)
      settled(driver, 0)
      told += driver.target.events().filter((event) => event.kind === 'line' && event.level).length
      driver.set(MMIO.interruptAck, 1)
    }
    driver.put(NOTES, 4, told)
    driver.put(NOTES + 4, 2, driver.usedIdx())
  },
  'a migration with a request in flight'(driver) {
    driver.start()
    hold(driver)
    driver.request(0, FLUSH, 0, 0)
    settled(driver, 0)
    driver.move()
    release(driver)
  },
  'a migration between kick and service'(driver) {
    driver.start()
    driver.request(0, FLUSH, 0, 0)
    driver.submit(0)
    driver.move()
  },
  'a migration with event indexes and a request in flight'(driver) {
    driver.start([FEATURE.RING_EVENT_IDX])
    hold(driver)
    driver.request(0, FLUSH, 0, 0)
    settled(driver, 0)
    driver.move()
    release(driver)
  },
}

/** Paths of the parts in which two builds differ. */
function changed(left: object, right: object, path = ''): string[] {
  return Object.entries(left).flatMap(([key, value]) => {
    const other = (right as Record<string, unknown>)[key]
    const here = path === '' ? key : `${path}.${key}`
    if (typeof value === 'object' && !Array.isArray(value)) return changed(value, other as object, here)
    const same = Array.isArray(value) ? String(value) === String(other) : value === other
    return same ? [] : [here]
  })
}

describe('a seeded fault', () => {
  const copied = (parts: object): object =>
    Object.fromEntries(
      Object.entries(parts).map(([name, part]) => [
        name,
        typeof part === 'object' && !Array.isArray(part) ? copied(part) : part,
      ]),
    )
  const built = (fault: Fault) => {
    const parts = fault.board?.parts() ?? platformParts(() => {})
    const before = copied(parts)
    fault.install(parts)
    return changed(before, parts)
  }

  it('has an id of its own', () => {
    expect(new Set(faults.map(({ id }) => id)).size).toBe(faults.length)
  })

  it.each(faults.map((fault) => [fault.id, fault] as const))(
    '%s replaces the part that it names and no other',
    (_id, fault) => {
      const replaced = built(fault)
      expect(replaced).toHaveLength(1)
      // A board may have one table of parts, whose name the fault gives all the same.
      expect(`.${fault.replaces}`.endsWith(`.${replaced[0]}`)).toBe(true)
    },
  )

  // The long scene comes last: only what no other tells apart needs it.
  const scenes = Object.entries(SCENES).sort(
    ([a], [b]) => Number(a.startsWith('more requests')) - Number(b.startsWith('more requests')),
  )
  const known = new Map<string, string>()
  const honest = (scene: string, options: ReferenceOptions): string => {
    const key = `${scene} ${JSON.stringify(options)}`
    const found = known.get(key) ?? transcript(undefined, options, SCENES[scene]!).join()
    known.set(key, found)
    return found
  }
  it.each(own.map((fault) => [fault.id, fault] as const))('%s is seen from outside', (_id, fault) => {
    const options = fault.needs ?? {}
    const tells = ([name, play]: (typeof scenes)[number]) =>
      transcript(fault, options, play).join() !== honest(name, options)
    expect(scenes.some(tells)).toBe(true)
  })

  it('is not there by itself: the same scene gives the same transcript', () => {
    for (const [name, play] of scenes) expect(transcript(undefined, {}, play).join()).toBe(honest(name, {}))
  })

  it('is medium or deep in at least half of the virtqueue cases', () => {
    const virtqueue = own.filter(({ area }) => area === 'virtqueue')
    const hard = virtqueue.filter(({ difficulty }) => difficulty !== 'shallow')
    expect(virtqueue.length).toBeGreaterThanOrEqual(20)
    expect(hard.length * 2).toBeGreaterThanOrEqual(virtqueue.length)
  })
})
