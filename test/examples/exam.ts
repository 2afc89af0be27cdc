/** A scripted exam of a virtio-blk device over MMIO: what an honest one does, case by case. */

import { BLK_STATUS, BLK_TYPE } from '../../src/layout/blk.ts'
import { avail, DESC_FLAG, used } from '../../src/layout/split-ring.ts'
import { ISR, MMIO, MMIO_MAGIC, STATUS } from '../../src/layout/virtio.ts'
import { type Buffer_, Driver, EVENT_IDX, INDIRECT, VERSION_1 } from './driver.ts'

type Case = (driver: Driver, expect: (what: string, found: unknown, expected: unknown) => void) => void

const DATA = 0x8000
const STATUS_BYTE = 0x7000
const status: Buffer_ = { gpa: STATUS_BYTE, bytes: 1, write: true }

/** Carries out one request in descriptors 0, 1, 2 and returns status byte and used length. */
function request(d: Driver, type: number, sector: bigint, data?: Buffer_): { status: number; len: number | undefined } {
  d.target.store(STATUS_BYTE, Uint8Array.of(0xaa))
  const buffers = [d.header(0x6000, type, sector), ...(data ? [data] : []), status]
  d.publish(d.chain(buffers, [0, 1, 2]))
  d.kick()
  const [element] = d.collect()
  return { status: d.target.load(STATUS_BYTE, 1)[0]!, len: element?.len }
}

const flush = (d: Driver, at: number): number =>
  d.chain([d.header(0x6000 + 16 * at, BLK_TYPE.FLUSH, 0n), { ...status, gpa: STATUS_BYTE + at }], [2 * at, 2 * at + 1])

const cases: Readonly<Record<string, Case>> = {
  registers(d, expect) {
    expect('magic', d.get(MMIO.magicValue), MMIO_MAGIC)
    expect('version', d.get(MMIO.version), 2)
    expect('device id', d.get(MMIO.deviceId), 2)
    expect('offers', d.features() & (EVENT_IDX | INDIRECT | VERSION_1), EVENT_IDX | INDIRECT | VERSION_1)
    expect('capacity', d.target.read({ space: 'mmio', address: d.base + MMIO.config }, 8), 128n)
    d.set(MMIO.queueSel, 1)
    expect('no second queue', d.get(MMIO.queueSizeMax), 0)
  },

  negotiation(d, expect) {
    expect('accepts VERSION_1', d.negotiate(VERSION_1), true)
    expect('accepts no legacy driver', d.negotiate(0n), false)
    expect('accepts nothing that was not offered', d.negotiate(VERSION_1 | (1n << 40n)), false)
  },

  'write, read, flush, id, and errors'(d, expect) {
    for (const features of [VERSION_1, VERSION_1 | EVENT_IDX | INDIRECT]) {
      d.start(features)
      const sectors = Uint8Array.from({ length: 1024 }, (_, i) => i * 31)
      d.target.store(DATA, sectors)
      expect('write', request(d, BLK_TYPE.OUT, 126n, { gpa: DATA, bytes: 1024 }), { status: BLK_STATUS.OK, len: 1 })
      const into = { gpa: DATA + 0x1000, bytes: 1024, write: true }
      expect('read', request(d, BLK_TYPE.IN, 126n, into), { status: BLK_STATUS.OK, len: 1025 })
      expect('what was written', [...d.target.load(into.gpa, 1024)], [...sectors])
      expect('flush', request(d, BLK_TYPE.FLUSH, 0n), { status: BLK_STATUS.OK, len: 1 })
      expect('id', request(d, BLK_TYPE.GET_ID, 0n, { ...into, bytes: 20 }), { status: BLK_STATUS.OK, len: 21 })
      for (const sector of [127n, 128n, 2n ** 55n, 2n ** 64n - 1n])
        expect(`read at ${sector}`, request(d, BLK_TYPE.IN, sector, into).status, BLK_STATUS.IOERR)
      expect('half a sector', request(d, BLK_TYPE.IN, 0n, { ...into, bytes: 100 }).status, BLK_STATUS.IOERR)
      expect('unknown type', request(d, 77, 0n).status, BLK_STATUS.UNSUPP)
      expect('still fine', d.get(MMIO.status) & STATUS.DEVICE_NEEDS_RESET, 0)
    }
  },

  'a used length counts what was written'(d, expect) {
    d.start(VERSION_1)
    expect('write', request(d, BLK_TYPE.OUT, 0n, { gpa: DATA, bytes: 512 }).len, 1)
  },

  'chains in any order, in pieces, and indirect'(d, expect) {
    d.start(VERSION_1 | INDIRECT)
    d.target.store(DATA, new Uint8Array(512).fill(0x5a))
    const header = d.header(0x6000, BLK_TYPE.OUT, 3n)
    const pieces = [
      { ...header, bytes: 5 },
      { gpa: header.gpa + 5, bytes: 11 },
      { gpa: DATA, bytes: 0 },
      { gpa: DATA, bytes: 512 },
      status,
    ]
    d.publish(d.chain(pieces, [6, 1, 4, 0, 3]))
    d.kick()
    expect('direct', d.collect(), [{ id: 6, len: 1 }])
    d.header(0x6000, BLK_TYPE.IN, 3n)
    const back = [
      header,
      { gpa: DATA + 0x1000, bytes: 500, write: true },
      { gpa: DATA + 0x2000, bytes: 13, write: true },
    ]
    d.chain(back, [0, 2, 1], 0x5000)
    d.descriptor(d.desc, 5, 0x5000n, 48, DESC_FLAG.INDIRECT | DESC_FLAG.WRITE, 0)
    d.publish(5)
    d.kick()
    expect('indirect', d.collect(), [{ id: 5, len: 513 }])
    expect('data', [...d.target.load(DATA + 0x2000, 13)], [...new Array(12).fill(0x5a), BLK_STATUS.OK])
  },

  'the ring goes round'(d, expect) {
    d.size = 4
    d.start(VERSION_1)
    for (let i = 0; i < 11; i++) {
      // Heads 0, 2, 0, 0, 2, 0 ...: an entry that is left from the round before is not the one that is due.
      const head = flush(d, (i % 3) % 2)
      d.publish(head)
      d.kick()
      expect(`request ${i}`, d.collect(), [{ id: head, len: 1 }])
      expect('used.idx', d.word(d.used + used.idx), i + 1)
    }
  },

  'a full ring'(d, expect) {
    d.size = 4
    d.start(VERSION_1)
    const heads = [0, 1, 2, 3].map((i) => {
      d.header(0x6000, BLK_TYPE.FLUSH, 0n)
      return i
    })
    for (const i of heads) {
      d.chain(
        [
          { gpa: 0x6000, bytes: 16 },
          { ...status, gpa: STATUS_BYTE + i },
        ],
        [0, 1],
        0x5000 + 32 * i,
      )
      d.descriptor(d.desc, i, BigInt(0x5000 + 32 * i), 32, DESC_FLAG.INDIRECT, 0)
    }
    d.start(VERSION_1 | INDIRECT)
    for (const i of heads) d.descriptor(d.desc, i, BigInt(0x5000 + 32 * i), 32, DESC_FLAG.INDIRECT, 0)
    d.publish(...heads)
    d.kick()
    expect(
      'all four',
      d.collect(),
      heads.map((id) => ({ id, len: 1 })),
    )
    expect('status', d.get(MMIO.status) & STATUS.DEVICE_NEEDS_RESET, 0)
  },

  'notification by flags'(d, expect) {
    d.start(VERSION_1)
    d.publish(flush(d, 0))
    d.kick()
    expect('raised', d.target.events(), [{ kind: 'line', device: 'blk0', pin: 0, level: true }])
    expect('interrupt status', d.get(MMIO.interruptStatus), ISR.QUEUE)
    d.set(MMIO.interruptAck, ISR.QUEUE)
    expect('lowered', d.target.events(), [{ kind: 'line', device: 'blk0', pin: 0, level: false }])
    d.setWord(d.avail + avail.flags, 1)
    d.publish(flush(d, 1))
    d.kick()
    expect('suppressed', [d.collect().length, d.target.events()], [2, []])
    d.setWord(d.avail + avail.flags, 0)
    d.publish(flush(d, 0))
    d.kick()
    expect('raised again', d.target.events().length, 1)
  },

  'notification by event index'(d, expect) {
    d.start(VERSION_1 | EVENT_IDX)
    const round = (count: number, usedEvent: number): number => {
      d.setWord(d.avail + avail.usedEvent(d.size), usedEvent)
      d.publish(...Array.from({ length: count }, (_, i) => flush(d, i)))
      d.kick()
      expect('completed', d.collect().length, count)
      expect('avail_event', d.word(d.used + used.availEvent(d.size)), d.availIdx)
      d.set(MMIO.interruptAck, ISR.QUEUE)
      return d.target.events().length
    }
    expect('1 of 3 asked for', round(3, 1), 2)
    expect('the last one asked for', round(2, 4), 2)
    expect('one of the past', round(1, 3), 0)
    expect('the first of 3', round(3, 6), 2)
    expect('a later one', round(1, 10), 0)
  },

  'a reset forgets the queue'(d, expect) {
    for (let i = 0; i < 3; i++) {
      d.start(VERSION_1)
      d.publish(flush(d, 0), flush(d, 1))
      d.kick()
      expect(`round ${i}`, d.collect().length, 2)
      expect('status', d.get(MMIO.status) & STATUS.DEVICE_NEEDS_RESET, 0)
    }
    d.set(MMIO.status, 0)
    expect('queue', d.get(MMIO.queueReady), 0)
    expect('interrupt', d.get(MMIO.interruptStatus), 0)
  },

  'hostile drivers get a device that needs a reset, and get it back'(d, expect) {
    for (const [what, attack] of Object.entries(attacks)) {
      d.size = 8
      d.start(VERSION_1 | INDIRECT | EVENT_IDX)
      d.header(0x6000, BLK_TYPE.IN, 0n)
      attack(d)
      d.kick()
      expect(`${what}: needs reset`, d.get(MMIO.status) & STATUS.DEVICE_NEEDS_RESET, STATUS.DEVICE_NEEDS_RESET)
      expect(`${what}: interrupt`, d.get(MMIO.interruptStatus) & ISR.CONFIG, ISR.CONFIG)
      d.kick()
      d.start(VERSION_1)
      expect(`${what}: after reset`, request(d, BLK_TYPE.FLUSH, 0n), { status: BLK_STATUS.OK, len: 1 })
    }
  },

  'nothing is used before DRIVER_OK'(d, expect) {
    d.start(VERSION_1)
    d.set(MMIO.status, 0)
    d.publish(flush(d, 0))
    d.kick()
    expect('used', d.collect(), [])
  },
}

/** What a driver must not do; each leaves a broken ring behind. */
const header: Buffer_ = { gpa: 0x6000, bytes: 16 }
const attacks: Readonly<Record<string, (d: Driver) => void>> = {
  'a loop': (d) => {
    d.descriptor(d.desc, 0, 0x6000n, 16, DESC_FLAG.NEXT, 1)
    d.descriptor(d.desc, 1, 0x6000n, 16, DESC_FLAG.NEXT, 0)
    d.publish(0)
  },
  'a head outside': (d) => d.publish(8),
  'a next outside': (d) => {
    d.descriptor(d.desc, 0, 0x6000n, 16, DESC_FLAG.NEXT, 8)
    d.publish(0)
  },
  'an index jump': (d) => d.setWord(d.avail + avail.idx, 9),
  'readable after writable': (d) => d.publish(d.chain([status, header], [0, 1])),
  'no status': (d) => d.publish(d.chain([header], [0])),
  'a short header': (d) => d.publish(d.chain([{ ...header, bytes: 15 }, status], [0, 1])),
  'a buffer over the end': (d) =>
    d.publish(d.chain([header, { gpa: 0xf_ff00, bytes: 512, write: true }, status], [0, 1, 2])),
  'a buffer past 2^64': (d) => {
    d.descriptor(d.desc, 0, 2n ** 64n - 8n, 16, DESC_FLAG.NEXT, 1)
    d.publish(0)
  },
  'a buffer on the registers': (d) => d.publish(d.chain([{ gpa: 0x1000_0000, bytes: 16 }, status], [0, 1])),
  'an indirect table of no entries': (d) => {
    d.descriptor(d.desc, 0, 0x5000n, 0, DESC_FLAG.INDIRECT, 0)
    d.publish(0)
  },
  'an indirect table of odd length': (d) => {
    d.descriptor(d.desc, 0, 0x5000n, 40, DESC_FLAG.INDIRECT, 0)
    d.publish(0)
  },
  'an indirect table in an indirect table': (d) => {
    d.descriptor(0x5000, 0, 0x5000n, 16, DESC_FLAG.INDIRECT, 0)
    d.descriptor(d.desc, 0, 0x5000n, 16, DESC_FLAG.INDIRECT, 0)
    d.publish(0)
  },
  'an indirect table and more': (d) => {
    d.chain([header, status], [0, 1], 0x5000)
    d.descriptor(d.desc, 0, 0x5000n, 32, DESC_FLAG.INDIRECT | DESC_FLAG.NEXT, 1)
    d.descriptor(d.desc, 1, BigInt(STATUS_BYTE), 1, DESC_FLAG.WRITE, 0)
    d.publish(0)
  },
  'a used ring outside memory': (d) => {
    d.set(MMIO.queueReady, 0)
    d.set(MMIO.queueDeviceLow, 0xf_fffc)
    d.set(MMIO.queueReady, 1)
    d.publish(flush(d, 0))
  },
  'a ring past 2^63': (d) => {
    d.set(MMIO.queueReady, 0)
    d.set(MMIO.queueDescHigh, 0xffff_ffff)
    d.set(MMIO.queueReady, 1)
    d.publish(0)
  },
  'a request that overwrites avail.idx': (d) => {
    // The status lands in avail.idx, which then claims more than the ring holds.
    d.chain([header, { gpa: d.avail + avail.idx, bytes: 1, write: true }], [0, 1])
    d.publish(0, 0)
  },
}

/** Runs every case and returns what was wrong. */
export function examine(target: Driver['target']): string[] {
  const wrong: string[] = []
  for (const [name, run] of Object.entries(cases)) {
    target.reset('system')
    target.events()
    const show = (value: unknown) => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))
    run(new Driver(target), (what, found, expected) => {
      if (show(found) !== show(expected))
        wrong.push(`${name}: ${what}: expected ${show(expected)}, found ${show(found)}`)
    })
  }
  return wrong
}
