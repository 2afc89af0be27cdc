import { describe, expect, it } from 'vitest'
import { type Target, TargetError } from '../../src/contract/index.ts'
import { BLK_TYPE, SECTOR_BYTES } from '../../src/layout/blk.ts'
import { FEATURE, MMIO } from '../../src/layout/virtio.ts'
import { faults } from '../../src/reference/faults/index.ts'
import { openReference } from '../../src/targets/reference.ts'
import { DATA, HEADER, RawDriver, STATUS_AT } from './raw-driver.ts'

/** A device with a read, a write over an indirect table and a flush under way, two of them out of order. */
function busy(): RawDriver {
  const driver = new RawDriver(openReference({ transport: 'mmio', queueSize: 8 }), 8)
  driver.start([FEATURE.RING_EVENT_IDX, FEATURE.RING_INDIRECT_DESC])
  driver.target.control!('blk0', { do: 'hold' })
  driver.request(0, BLK_TYPE.IN, 3, SECTOR_BYTES)
  driver.request(3, BLK_TYPE.FLUSH, 0, 0)
  const table = 0x8000
  driver.header(HEADER + 0x100, BLK_TYPE.OUT, 1)
  const parts = [
    { gpa: HEADER + 0x100, bytes: 16 },
    { gpa: DATA, bytes: SECTOR_BYTES },
    { gpa: STATUS_AT + 7, bytes: 1, writable: true },
  ]
  driver.chain(0, parts, table)
  driver.descriptor(7, table, 48, 4)
  for (const head of [0, 7, 3]) driver.offer(head)
  driver.publish()
  driver.kick()
  return driver
}

/** Lets the back end answer after `before` steps, and goes on to the end. */
function finish(target: Target, before: number): string {
  const step = (bound: number) => {
    for (let steps = 0; steps < bound && target.step!('blk0'); steps++);
  }
  step(before)
  target.control!('blk0', { do: 'release', order: 'lifo' })
  step(10_000)
  const events = target
    .events()
    .map((event) => JSON.stringify(event, (_, value) => (value instanceof Uint8Array ? [...value] : value)))
  return [...events, target.fingerprint!()].join('\n')
}

describe('a saved state', () => {
  it('goes on alike from the middle of every step, in the same instance and in a fresh one', () => {
    const total = 60
    let moments = 0
    for (let at = 0; at < total; at++) {
      const straight = busy()
      for (let step = 0; step < at; step++) straight.target.step!('blk0')
      const moved = busy()
      for (let step = 0; step < at; step++) moved.target.step!('blk0')
      const state = moved.target.save!()
      const copy = openReference({ transport: 'mmio', queueSize: 8 })
      copy.restore!(state)
      expect(copy.fingerprint!()).toBe(straight.target.fingerprint!())
      expect(Buffer.compare(copy.save!(), state)).toBe(0)
      straight.target.events()
      moved.target.events()
      const right = finish(straight.target, 3)
      expect(finish(copy, 3)).toEqual(right)
      moved.target.step!('blk0')
      moved.target.restore!(state)
      moved.target.events()
      expect(finish(moved.target, 3)).toEqual(right)
      if (!straight.target.step!('blk0')) moments++
    }
    expect(moments).toBe(total)
  })

  it('is the same after a round trip over PCI', () => {
    const target = openReference()
    const state = target.save!()
    const copy = openReference()
    copy.restore!(state)
    expect(copy.save!()).toEqual(state)
  })

  it('is refused with a reason when it does not fit', () => {
    const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
    const target = openReference({ transport: 'mmio' })
    const refusal = (state: Uint8Array) => {
      try {
        target.restore!(state)
      } catch (error) {
        if (error instanceof TargetError) return error.message
      }
      return 'accepted'
    }
    const saved = target.save!()
    expect(refusal(saved)).toBe('accepted')
    expect(refusal(saved.slice(0, -1))).toMatch(/expected JSON/)
    expect(refusal(text({ format: 'other' }))).toMatch(/member 'format' is "other", expected/)
    expect(refusal(text({ ...JSON.parse(new TextDecoder().decode(saved)), version: 9 }))).toMatch(/'version' is 9/)
    expect(refusal(openReference({ transport: 'mmio', queueSize: 4 }).save!())).toMatch(/2 queues of 256/)
    const { state, ...envelope } = JSON.parse(new TextDecoder().decode(saved))
    expect(refusal(text({ ...envelope, state: { ...state, device: null } }))).toMatch(/'state.device' is missing/)
    expect(refusal(text({ ...envelope, state: { ...state, device: { status: 0 } } }))).toMatch(
      /state.device.*'resetting'/,
    )
  })
})

describe('a migration', () => {
  it('takes unseen events along and poisons the source', () => {
    const driver = busy()
    driver.run()
    driver.target.control!('blk0', { do: 'release', order: 'fifo' })
    driver.target.settle(0)
    const source = driver.target
    driver.move()
    expect(() => source.read({ space: 'mmio', address: driver.base }, 4)).toThrow(/migrated away/)
    expect(() => source.step!('blk0')).toThrow(TargetError)
    expect(driver.target.events().some((event) => event.kind === 'line')).toBe(true)
    expect(driver.usedIdx()).toBe(3)
  })

  it('keeps the seeded fault', () => {
    const driver = new RawDriver(openReference({ fault: 'mmio-interrupt-ack-ignored' }))
    driver.move()
    driver.start()
    driver.request(0, BLK_TYPE.FLUSH, 0, 0)
    driver.submit(0)
    driver.run()
    driver.set(MMIO.interruptAck, 1)
    expect(driver.register(MMIO.interruptStatus)).toBe(1)
  })
})

describe('a fingerprint', () => {
  it('tells memory, registers and programs apart, and equal states not', () => {
    const driver = busy()
    const seen = new Set([driver.target.fingerprint!()])
    const differs = () => {
      const next = driver.target.fingerprint!()
      expect(seen.has(next)).toBe(false)
      seen.add(next)
    }
    for (let step = 0; step < 20; step++) {
      driver.target.step!('blk0')
      differs()
    }
    driver.put(0x20_0000, 1, 1)
    differs()
    driver.put(0x20_0000, 1, 0)
    driver.put(0x20_0001, 1, 1)
    differs()
    driver.put(0x20_0001, 1, 0)
    expect(seen.has(driver.target.fingerprint!())).toBe(true)
  })

  it('is that of a new machine after a system reset', () => {
    const driver = busy()
    driver.run()
    driver.target.reset('system')
    expect(driver.target.fingerprint!()).toBe(openReference({ transport: 'mmio', queueSize: 8 }).fingerprint!())
  })
})

describe('a livelock', () => {
  it('is an event, and the machine is busy', () => {
    const driver = new RawDriver(openReference({ transport: 'mmio', fault: 'vq-loop-without-end' }))
    driver.start()
    driver.descriptor(0, HEADER, 16, 1, 0)
    driver.submit(0)
    expect(driver.target.settle(0)).toBe('busy')
    expect(driver.target.events().at(-1)).toMatchObject({ kind: 'livelock', device: 'blk0' })
  })
})

describe('the door', () => {
  it('names what it does not know and what comes nearest', async () => {
    const { referenceDoor } = await import('../../src/targets/reference.ts')
    const open = (rest: string) => referenceDoor.open(rest, { directory: '', timeoutMs: 0 })
    await expect(open('virtio-blok')).rejects.toThrow("unknown device 'virtio-blok'; did you mean virtio-blk?")
    await expect(open('virtio-blk?queuesize=4')).rejects.toThrow('did you mean queueSize?')
    await expect(open('virtio-blk?queueSize=3')).rejects.toThrow(
      "expected a whole number (a power of two) from 1 to 256, found '3'",
    )
    await expect(open('virtio-blk?fault=vq-unpop-leaks-inus')).rejects.toThrow('did you mean vq-unpop-leaks-inuse?')
    await expect(open('virtio-blk-pci?fault=mmio-interrupt-ack-ignored')).rejects.toThrow('shows only over mmio')
    const target = await open('virtio-blk-mmio?queueSize=4&readOnly=1&capacity=9&queues=1')
    expect(target.describe().devices[0]).toMatchObject({ id: 'blk0', facts: { sectors: 9, readOnly: true } })
    expect(() => target.reset('bus')).toThrow(/expected system, device/)
  })

  it('opens every fault', () => {
    for (const { id } of faults) openReference({ fault: id }).close()
  })
})
