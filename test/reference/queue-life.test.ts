import { describe, expect, it } from 'vitest'
import { BLK_ID_BYTES, BLK_STATUS, BLK_TYPE, SECTOR_BYTES } from '../../src/layout/blk.ts'
import { avail, DESC_FLAG, used as usedRing } from '../../src/layout/split-ring.ts'
import { FEATURE, ISR, MMIO, MMIO_MAGIC, STATUS } from '../../src/layout/virtio.ts'
import { openReference, type ReferenceOptions } from '../../src/targets/reference.ts'
import { DATA, HEADER, RawDriver, STATUS_AT } from './raw-driver.ts'

const open = (options: ReferenceOptions = {}) =>
  new RawDriver(openReference({ transport: 'mmio', queueSize: 8, ...options }))

const started = (features: readonly number[] = [], options: ReferenceOptions = {}) => {
  const driver = open(options)
  driver.start(features)
  return driver
}

describe('the registers', () => {
  it('identify a virtio-mmio block device, version 2', () => {
    const driver = open()
    expect([MMIO.magicValue, MMIO.version, MMIO.deviceId].map((at) => driver.register(at))).toEqual([MMIO_MAGIC, 2, 2])
  })

  it('answer narrow and unaligned accesses with zero and ignore such writes', () => {
    const driver = open()
    driver.target.write({ space: 'mmio', address: driver.base + MMIO.status }, 1, 1n)
    expect(driver.register(MMIO.status)).toBe(0)
    expect(driver.target.read({ space: 'mmio', address: driver.base + 2 }, 4)).toBe(0n)
    expect(driver.target.read({ space: 'mmio', address: driver.base }, 1)).toBe(0n)
    expect(driver.target.read({ space: 'mmio', address: driver.base + MMIO.config }, 1)).toBe(64n)
  })

  it('refuse FEATURES_OK without VERSION_1 and with features that were not offered', () => {
    const driver = open()
    expect(driver.negotiate([FEATURE.RING_PACKED])).toBe(false)
    expect(driver.negotiate([FEATURE.RING_EVENT_IDX])).toBe(true)
    driver.set(MMIO.status, 0)
    driver.set(MMIO.status, 3)
    driver.set(MMIO.status, 11)
    expect(driver.register(MMIO.status)).toBe(3)
  })
})

describe('the life of a queue', () => {
  it('shows every access of one read, in order', () => {
    const driver = started()
    driver.request(0, BLK_TYPE.IN, 3, SECTOR_BYTES)
    driver.offer(0)
    driver.publish()
    driver.kick()
    const seen = driver.run().map((event) => {
      if (event.kind === 'dma') return `${event.access} ${event.gpa.toString(16)}+${event.data.length}`
      return event.kind === 'line' ? `line ${event.level}` : event.kind
    })
    expect(seen).toEqual([
      'write 12000+2',
      'read 11002+2',
      'read 11004+2',
      'read 10000+16',
      'read 10010+16',
      'read 10020+16',
      'read 4000+16',
      'write 12000+2',
      'read 11002+2',
      'write 5000+512',
      'write 6000+1',
      'write 12004+8',
      'write 12002+2',
      'read 11000+2',
      'line true',
    ])
    expect(driver.element(0)).toEqual({ id: 0, len: SECTOR_BYTES + 1 })
    expect(driver.register(MMIO.interruptStatus)).toBe(ISR.QUEUE)
    driver.set(MMIO.interruptAck, ISR.QUEUE)
    expect(driver.target.events()).toEqual([{ kind: 'line', device: 'blk0', pin: 0, level: false }])
  })

  it('reads back what was written, whatever the split over descriptors', () => {
    const driver = started([FEATURE.RING_INDIRECT_DESC])
    const pattern = Uint8Array.from({ length: SECTOR_BYTES }, (_, at) => at * 3)
    driver.target.store(DATA, pattern)
    driver.header(HEADER, BLK_TYPE.OUT, 5)
    driver.chain(0, [
      { gpa: HEADER, bytes: 5 },
      { gpa: HEADER + 5, bytes: 11 },
      { gpa: DATA, bytes: SECTOR_BYTES },
      { gpa: STATUS_AT, bytes: 1, writable: true },
    ])
    driver.offer(0)
    driver.publish()
    driver.kick()
    driver.run()
    expect(driver.element(0)).toEqual({ id: 0, len: 1 })

    // A direct prefix, then a table; the status shares a descriptor with the end of the data.
    const table = 0x7000
    driver.header(HEADER, BLK_TYPE.IN, 5)
    driver.chain(
      0,
      [
        { gpa: DATA + 0x800, bytes: 100, writable: true },
        { gpa: DATA + 0x900, bytes: 413, writable: true },
      ],
      table,
    )
    driver.descriptor(0, HEADER, 16, DESC_FLAG.NEXT, 1)
    driver.descriptor(1, table, 32, DESC_FLAG.INDIRECT | DESC_FLAG.WRITE)
    driver.offer(0)
    driver.publish()
    driver.kick()
    driver.run()
    expect(driver.element(1)).toEqual({ id: 0, len: SECTOR_BYTES + 1 })
    const back = [...driver.target.load(DATA + 0x800, 100), ...driver.target.load(DATA + 0x900, 413)]
    expect(back).toEqual([...pattern, BLK_STATUS.OK])
  })

  it('answers each kind of request with its status and length', () => {
    const driver = started([], { capacity: 8 })
    const ask = (type: number, sector: number, bytes: number) => {
      driver.request(0, type, sector, bytes)
      driver.offer(0)
      driver.publish()
      driver.kick()
      driver.run()
      return [driver.u16(STATUS_AT) & 0xff, driver.element(driver.availIdx[0]! - 1).len]
    }
    expect(ask(BLK_TYPE.FLUSH, 0, 0)).toEqual([BLK_STATUS.OK, 1])
    expect(ask(BLK_TYPE.GET_ID, 0, BLK_ID_BYTES)).toEqual([BLK_STATUS.OK, BLK_ID_BYTES + 1])
    expect(ask(BLK_TYPE.IN, 7, SECTOR_BYTES)).toEqual([BLK_STATUS.OK, SECTOR_BYTES + 1])
    // What was not written does not count: the status comes after a gap.
    expect(ask(BLK_TYPE.IN, 8, SECTOR_BYTES)).toEqual([BLK_STATUS.IOERR, 0])
    expect(ask(BLK_TYPE.OUT, 8, SECTOR_BYTES)).toEqual([BLK_STATUS.IOERR, 1])
    expect(ask(0x77, 0, 0)).toEqual([BLK_STATUS.UNSUPP, 1])
    driver.target.control!('blk0', { do: 'fail', count: 1 })
    expect(ask(BLK_TYPE.OUT, 1, SECTOR_BYTES)).toEqual([BLK_STATUS.IOERR, 1])
    expect(ask(BLK_TYPE.OUT, 1, SECTOR_BYTES)).toEqual([BLK_STATUS.OK, 1])
  })

  it('takes a buffer that ends at the last byte of a region and none that goes past it', () => {
    for (const [gpa, healthy] of [
      [0x20_fe00, true],
      [0x20_fe01, false],
      [0x0f_fe01, false],
      [0x0f_fe00, true],
    ] as const) {
      const driver = started()
      driver.header(HEADER, BLK_TYPE.IN, 0)
      driver.chain(0, [
        { gpa: HEADER, bytes: 16 },
        { gpa, bytes: SECTOR_BYTES, writable: true },
        { gpa: STATUS_AT, bytes: 1, writable: true },
      ])
      driver.offer(0)
      driver.publish()
      driver.kick()
      driver.run()
      expect(driver.usedIdx()).toBe(healthy ? 1 : 0)
      expect((driver.register(MMIO.status) & STATUS.DEVICE_NEEDS_RESET) !== 0).toBe(!healthy)
    }
  })

  it('wraps its 16-bit indexes', () => {
    const driver = started([FEATURE.RING_EVENT_IDX], { queueSize: 4 })
    driver.request(0, BLK_TYPE.FLUSH, 0, 0)
    for (let round = 0; round < 65_540; round++) {
      driver.offer(0)
      driver.publish()
      driver.kick()
      driver.target.settle(0)
      if ((round & 0xff) === 0) driver.target.events()
    }
    expect(driver.usedIdx()).toBe(4)
    expect(driver.register(MMIO.status) & STATUS.DEVICE_NEEDS_RESET).toBe(0)
  })

  it('completes out of order on command, and in order when that was promised', () => {
    for (const features of [[], [FEATURE.IN_ORDER]]) {
      const driver = started(features, { queueSize: 8 })
      driver.size = 8
      driver.setUpQueue(0)
      driver.start(features)
      driver.target.control!('blk0', { do: 'hold' })
      for (const head of [0, 3]) {
        driver.request(head, BLK_TYPE.IN, head, SECTOR_BYTES)
        driver.offer(head)
      }
      driver.publish()
      driver.kick()
      driver.run()
      expect(driver.usedIdx()).toBe(0)
      driver.target.control!('blk0', { do: 'release', order: 'lifo' })
      driver.run()
      expect([driver.element(0).id, driver.element(1).id]).toEqual(features.length === 0 ? [3, 0] : [0, 3])
    }
  })

  it('pops no more than the back end takes, and goes on when it answered', () => {
    const driver = open({ depth: 1 })
    driver.size = 8
    driver.start()
    driver.target.control!('blk0', { do: 'hold' })
    for (const head of [0, 3]) {
      driver.request(head, BLK_TYPE.FLUSH, 0, 0)
      driver.offer(head)
    }
    driver.publish()
    driver.kick()
    driver.run()
    driver.target.control!('blk0', { do: 'release-one', index: 0 })
    driver.run()
    expect(driver.usedIdx()).toBe(1)
    driver.target.control!('blk0', { do: 'release-one', index: 0 })
    driver.run()
    expect(driver.usedIdx()).toBe(2)
  })

  it('wakes a driver that asked for interrupts at any moment, and sees a chain that was added at any moment', () => {
    for (const features of [[], [FEATURE.RING_EVENT_IDX]])
      for (let moment = 0; moment < 24; moment++) {
        const driver = started(features)
        const used = driver.used()
        const ask = (on: boolean) => {
          if (driver.eventIdx)
            driver.put(driver.avail() + avail.usedEvent(driver.size), 2, on ? driver.usedIdx() : 0x8000)
          else driver.put(driver.avail() + avail.flags, 2, on ? 0 : 1)
        }
        const wanted = (old: number) =>
          driver.eventIdx ? driver.u16(used + usedRing.availEvent(driver.size)) === old : driver.u16(used) === 0
        ask(false)
        driver.request(0, BLK_TYPE.FLUSH, 0, 0)
        driver.submit(0)
        for (let step = 0; step < moment; step++) driver.target.step!('blk0')
        driver.request(2, BLK_TYPE.FLUSH, 0, 0)
        driver.offer(2)
        driver.publish()
        if (wanted(1)) driver.kick()
        ask(true)
        const sleeps = driver.usedIdx() === 0
        driver.target.settle(0)
        expect(driver.usedIdx()).toBe(2)
        if (sleeps) expect(driver.register(MMIO.interruptStatus)).toBe(ISR.QUEUE)
      }
  })

  it('tells of a new capacity by generation and by interrupt', () => {
    const driver = started()
    const before = driver.register(MMIO.configGeneration)
    driver.target.control!('blk0', { do: 'resize', sectors: 0x1_0001 })
    expect(driver.register(MMIO.configGeneration)).not.toBe(before)
    expect(driver.register(MMIO.interruptStatus)).toBe(ISR.CONFIG)
    expect(driver.register(MMIO.config)).toBe(0x1_0001)
  })
})

describe('resets', () => {
  const held = () => {
    const driver = started([FEATURE.RING_RESET])
    driver.target.control!('blk0', { do: 'hold' })
    driver.request(0, BLK_TYPE.IN, 0, SECTOR_BYTES)
    driver.offer(0)
    driver.publish()
    driver.kick()
    driver.run()
    return driver
  }

  it('drop what is in flight: nothing of it reaches the next driver', () => {
    const driver = held()
    driver.set(MMIO.status, 0)
    expect(driver.register(MMIO.status)).toBe(0)
    expect(driver.register(MMIO.queueReady)).toBe(0)
    driver.start()
    driver.target.control!('blk0', { do: 'release', order: 'fifo' })
    expect(driver.run()).toEqual([])
  })

  it('of one queue leave the other alone', () => {
    const driver = held()
    driver.request(0, BLK_TYPE.FLUSH, 0, 0, 1)
    driver.offer(0, 1)
    driver.publish(1)
    driver.kick(1)
    driver.run()
    driver.set(MMIO.queueSel, 0)
    driver.set(MMIO.queueReset, 1)
    expect([driver.register(MMIO.queueReset), driver.register(MMIO.queueReady)]).toEqual([0, 0])
    driver.target.control!('blk0', { do: 'release', order: 'fifo' })
    driver.run()
    expect([driver.usedIdx(0), driver.usedIdx(1)]).toEqual([0, 1])
    driver.setUpQueue(0)
    driver.request(0, BLK_TYPE.FLUSH, 0, 0)
    driver.offer(0)
    driver.publish()
    driver.kick()
    driver.run()
    expect(driver.element(0)).toEqual({ id: 0, len: 1 })
  })

  it('that take time show a status other than zero until they are complete', () => {
    const driver = open({ resetSteps: 2 })
    driver.start()
    driver.set(MMIO.status, 0)
    expect(driver.register(MMIO.status)).not.toBe(0)
    driver.run()
    expect(driver.register(MMIO.status)).toBe(0)
  })
})

describe('a driver that breaks the rules', () => {
  const breaches: Record<string, (driver: RawDriver) => void> = {
    'loops a chain': (driver) => driver.descriptor(0, HEADER, 16, DESC_FLAG.NEXT, 0),
    'names a next out of range': (driver) => driver.descriptor(0, HEADER, 16, DESC_FLAG.NEXT, 4),
    'names a head out of range': (driver) => driver.put(driver.avail() + 4, 2, 4),
    'puts readable after writable': (driver) =>
      driver.chain(0, [
        { gpa: STATUS_AT, bytes: 1, writable: true },
        { gpa: HEADER, bytes: 16 },
      ]),
    'jumps avail.idx': (driver) => driver.put(driver.avail() + 2, 2, 5),
    'points past 2^64': (driver) => {
      driver.descriptor(0, 0, 0x20, 0)
      driver.put(driver.desc(), 4, 0xffff_fff0)
      driver.put(driver.desc() + 4, 4, 0xffff_ffff)
    },
    'points at the registers of the device': (driver) => driver.descriptor(0, driver.base, 16, 0),
    'gives an empty indirect table': (driver) => driver.descriptor(0, 0x7000, 0, DESC_FLAG.INDIRECT),
    'gives a crooked indirect table': (driver) => driver.descriptor(0, 0x7000, 24, DESC_FLAG.INDIRECT),
    'chains on after an indirect table': (driver) =>
      driver.descriptor(0, 0x7000, 16, DESC_FLAG.INDIRECT | DESC_FLAG.NEXT, 1),
    'nests indirect tables': (driver) => {
      driver.descriptor(0, 0x7000, 16, DESC_FLAG.INDIRECT)
      driver.descriptor(0, 0x7000, 16, DESC_FLAG.INDIRECT, 0, 0x7000)
    },
    'offers one head twice': (driver) => {
      driver.request(0, BLK_TYPE.FLUSH, 0, 0)
      driver.offer(0)
      driver.publish()
      driver.target.control!('blk0', { do: 'hold' })
    },
  }

  it.each(Object.keys(breaches))('%s: the queue stops, the driver is told, the other queue works', (name) => {
    const driver = started([FEATURE.RING_INDIRECT_DESC])
    driver.descriptor(0, HEADER, 16, 0)
    driver.offer(0)
    driver.publish()
    breaches[name]!(driver)
    driver.kick()
    driver.run()
    expect(driver.register(MMIO.status) & STATUS.DEVICE_NEEDS_RESET).toBe(STATUS.DEVICE_NEEDS_RESET)
    expect(driver.register(MMIO.interruptStatus)).toBe(ISR.CONFIG)
    expect(driver.usedIdx()).toBe(0)

    driver.target.control!('blk0', { do: 'release', order: 'fifo' })
    driver.request(0, BLK_TYPE.FLUSH, 0, 0, 1)
    driver.offer(0, 1)
    driver.publish(1)
    driver.kick(1)
    driver.run()
    expect([driver.usedIdx(0), driver.usedIdx(1)]).toEqual([0, 1])
  })

  it('rings outside memory are a refused access, whatever their address', () => {
    const driver = open()
    driver.negotiate()
    driver.setUpQueue(0)
    driver.set(MMIO.queueReady, 0)
    driver.set(MMIO.queueDriverLow, 0xffff_fffe)
    driver.set(MMIO.queueDriverHigh, 0xffff_ffff)
    driver.set(MMIO.queueReady, 1)
    driver.driverOk()
    driver.kick()
    expect(driver.run().find((event) => event.kind === 'fault')).toEqual({
      kind: 'fault',
      device: 'blk0',
      access: 'read',
      iova: '0x0',
      bytes: 2,
    })
  })

  it('chains that are no request are given back', () => {
    const driver = started()
    driver.put(STATUS_AT, 1, 0xff)
    driver.chain(0, [
      { gpa: HEADER, bytes: 3 },
      { gpa: STATUS_AT, bytes: 1, writable: true },
    ])
    driver.offer(0)
    driver.descriptor(2, HEADER, 16, 0)
    driver.offer(2)
    driver.publish()
    driver.kick()
    driver.run()
    expect([driver.element(0), driver.element(1)]).toEqual([
      { id: 0, len: 1 },
      { id: 2, len: 0 },
    ])
    expect(driver.u16(STATUS_AT) & 0xff).toBe(BLK_STATUS.IOERR)
  })
})
