import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Door, OpenOptions, Target, TargetEvent } from '../../src/contract/target.ts'
import { PCI } from '../../src/layout/pci.ts'
import { DESC_FLAG } from '../../src/layout/split-ring.ts'
import { CFG_TYPE, COMMON, FEATURE, ISR, STATUS, VIRTIO_PCI } from '../../src/layout/virtio.ts'
import { v86Door, v86DoorWith } from '../../src/targets/v86/index.ts'
import { installedPackage } from '../../src/targets/v86/start.ts'
import type { Cpu, Device, Queue } from '../../src/targets/v86/surface.ts'
import { ANSWER_GPA, Guest, halfword, REQUEST_GPA, RINGS, tversion } from './guest.ts'

const options: OpenOptions = { directory: '.', timeoutMs: 10_000 }
const VERSION_1 = 1n << BigInt(FEATURE.VERSION_1)
const INDIRECT = 1n << BigInt(FEATURE.RING_INDIRECT_DESC)

const opened: Target[] = []
async function open(address = ''): Promise<Target> {
  const target = await v86Door.open(address, options)
  opened.push(target)
  return target
}
afterEach(() => {
  for (const target of opened.splice(0)) target.close()
})

/** A 9P device that is initialised, with a Tversion of the tag in descriptor `2 * n` and room for its answer behind. */
async function startedNineP(tags: readonly number[] = [7]): Promise<Guest> {
  const guest = new Guest(await open())
  expect(guest.start(VERSION_1)).toBe(STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK | STATUS.DRIVER_OK)
  tags.forEach((tag, n) => {
    const request = tversion(tag)
    guest.target.store(REQUEST_GPA + 64 * n, request)
    const [head, tail] = [2 * n, 2 * n + 1]
    guest.describeAt(head, { gpa: REQUEST_GPA + 64 * n, bytes: request.length, flags: DESC_FLAG.NEXT, next: tail })
    guest.describeAt(tail, { gpa: ANSWER_GPA + 64 * n, bytes: 64, flags: DESC_FLAG.WRITE, next: 0 })
    guest.publish(head)
  })
  return guest
}

/** A door to a v86 that `change` was applied to just before it became ready. */
function doorToChanged(version: string, change: (cpu: Cpu) => void): Door {
  return v86DoorWith(async () => {
    const real = await installedPackage()
    class Changed extends real.V86 {
      override add_listener(event: string, listener: () => void): void {
        super.add_listener(event, () => {
          change((this as unknown as { readonly v86: { readonly cpu: Cpu } }).v86.cpu)
          listener()
        })
      }
    }
    return { ...real, version, V86: Changed }
  })
}

const lines = (events: readonly TargetEvent[]) => events.filter((event) => event.kind === 'line')

describe('opening', () => {
  it.each([
    ['virtio-9p', 9, [32]],
    ['virtio-console', 3, [16, 16, 16, 16, 16, 8, 16, 8, 16, 8]],
    ['virtio-net', 1, [1024, 1024, 16]],
    ['virtio-balloon', 5, [32, 32, 2, 64]],
  ] as const)('finds %s on the PCI bus with its queues', async (name, type, sizes) => {
    const target = await open(name)
    expect(target.describe().devices).toMatchObject([{ id: name, kind: name }])
    const guest = new Guest(target)
    expect(guest.config(PCI.vendorId, 2)).toBe(VIRTIO_PCI.VENDOR)
    expect(guest.config(PCI.deviceId, 2)).toBe(VIRTIO_PCI.DEVICE_MODERN + type)
    expect(guest.features() & VERSION_1).toBe(VERSION_1)
    expect(guest.common(COMMON.numQueues, 2)).toBe(sizes.length)
    const found = sizes.map((_, queue) => {
      guest.setCommon(COMMON.queueSelect, 2, queue)
      return guest.common(COMMON.queueSize, 2)
    })
    expect(found).toEqual(sizes)
  })

  it('scans the whole bus: absent functions and offsets read as all ones', async () => {
    const target = await open()
    const present = Array.from({ length: 32 }, (_, device) => device).filter(
      (device) => target.read({ space: 'config', address: device << 15 }, 2) === BigInt(VIRTIO_PCI.VENDOR),
    )
    expect(present).toEqual([6])
    expect(target.read({ space: 'config', address: (6 << 15) + 0x100 }, 4)).toBe(0xffff_ffffn)
    expect(target.read({ space: 'port', address: 0x1_0000 }, 2)).toBe(0xffffn)
    expect(target.read({ space: 'mmio', address: 0x1_0000_0000 }, 8)).toBe(0xffff_ffff_ffff_ffffn)
  })

  it('prints nothing', async () => {
    const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    const err = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const log = vi.spyOn(console, 'log')
    try {
      const guest = await startedNineP()
      guest.kick()
      expect([out.mock.calls, err.mock.calls, log.mock.calls]).toEqual([[], [], []])
    } finally {
      vi.restoreAllMocks()
    }
  })

  it('names the devices it has when asked for another', async () => {
    await expect(open('virtio-gpu')).rejects.toMatchObject({
      reason: 'address',
      message: 'v86 has no device "virtio-gpu"; it has virtio-9p, virtio-console, virtio-net, virtio-balloon, pic',
    })
  })

  it('says how to install a missing package, in one line', async () => {
    const door = v86DoorWith(() => Promise.reject(Object.assign(new Error('x'), { code: 'ERR_MODULE_NOT_FOUND' })))
    await expect(door.open('', options)).rejects.toMatchObject({
      reason: 'address',
      message: 'the package v86 is not installed: npm install v86@0.5.462',
    })
  })

  it('names the first property that another version lacks', async () => {
    const door = doorToChanged('9.9.9', (cpu) => {
      cpu.read_blob = undefined as never
    })
    await expect(door.open('', options)).rejects.toMatchObject({
      reason: 'start',
      message:
        'v86 9.9.9 has no function cpu.read_blob, which this door needs; it knows v86 0.5.462: npm install v86@0.5.462',
    })
  })

  it('says so when the device does not pass requests to its handler', async () => {
    const door = doorToChanged('9.9.9', (cpu) => {
      cpu.io.port_write16 = () => {}
    })
    await expect(door.open('', options)).rejects.toMatchObject({
      reason: 'start',
      message: expect.stringMatching(/filesystem\.handle9p/),
    })
  })

  it('leaves nothing behind that keeps the process alive', async () => {
    const before = process.getActiveResourcesInfo()
    const target = await v86Door.open('', options)
    target.close()
    await new Promise((turn) => setImmediate(turn))
    const after = process.getActiveResourcesInfo()
    // What others hold in this process may go meanwhile.
    for (const each of before) if (after.includes(each)) after.splice(after.indexOf(each), 1)
    expect(after).toEqual([])
  })
})

describe('a request', () => {
  it('gets its Rversion, with a used entry, an interrupt and every access to memory', async () => {
    const guest = await startedNineP([7])
    const events = guest.kick()

    const answer = tversion(7)
    answer[4] = 101
    expect(guest.usedIdx()).toBe(1)
    expect(guest.usedEntry(0)).toEqual({ id: 0, len: answer.length })
    expect(guest.target.load(ANSWER_GPA, answer.length)).toEqual(answer)

    expect(lines(events)).toEqual([{ kind: 'line', device: 'virtio-9p', pin: 0, level: true }])
    expect(guest.in(CFG_TYPE.ISR, 0, 1)).toBe(ISR.QUEUE)
    expect(guest.in(CFG_TYPE.ISR, 0, 1)).toBe(0)
    expect(lines(guest.target.events())).toMatchObject([{ level: false }])

    const seen = events
      .filter((event) => event.kind === 'dma')
      .map(({ access, gpa, data }) => [access, gpa, data.length])
    expect(seen).toContainEqual(['read', REQUEST_GPA, answer.length])
    expect(seen).toContainEqual(['write', ANSWER_GPA, answer.length])
    const writes = seen.filter(([access]) => access === 'write').map(([, gpa]) => gpa)
    // The answer, the used entry, the used index, and the event index of the next kick.
    expect(writes).toEqual([
      ANSWER_GPA,
      RINGS.used + 4,
      RINGS.used + 8,
      RINGS.used + 2,
      RINGS.used + 4 + 8 * RINGS.size,
    ])
    for (const event of events) {
      if (event.kind === 'dma' && event.access === 'write') {
        expect(guest.target.load(event.gpa, event.data.length)).toEqual(event.data)
      }
    }
  })

  it('shows every access: nothing changes in memory that was not seen', async () => {
    const guest = await startedNineP([1, 2])
    const before = guest.target.load(0x10_0000, 0x1_0000)
    for (const event of guest.kick()) {
      if (event.kind === 'dma' && event.access === 'write') before.set(event.data, event.gpa - 0x10_0000)
    }
    expect(guest.target.load(0x10_0000, 0x1_0000)).toEqual(before)
  })

  it('works through an indirect table', async () => {
    const guest = new Guest(await open())
    guest.start(VERSION_1 | INDIRECT)
    const request = tversion(3)
    guest.target.store(REQUEST_GPA, request)
    guest.describeAt(4, { gpa: REQUEST_GPA, bytes: request.length, flags: DESC_FLAG.NEXT, next: 1 })
    guest.describeAt(5, { gpa: ANSWER_GPA, bytes: 64, flags: DESC_FLAG.WRITE, next: 0 })
    guest.describeAt(0, { gpa: RINGS.descriptors + 4 * 16, bytes: 32, flags: DESC_FLAG.INDIRECT, next: 0 })
    guest.publish(0)
    guest.kick()
    expect(guest.usedEntry(0)).toEqual({ id: 0, len: request.length })
  })

  it('of console or net is returned with nothing written', async () => {
    for (const name of ['virtio-console', 'virtio-net']) {
      const guest = new Guest(await open(name))
      guest.start(VERSION_1, 1)
      guest.target.store(REQUEST_GPA, new Uint8Array(64).fill(1))
      guest.describeAt(2, { gpa: REQUEST_GPA, bytes: 64, flags: 0, next: 0 })
      guest.publish(2)
      expect(lines(guest.kick(1))).toMatchObject([{ device: name, level: true }])
      expect([guest.usedIdx(), guest.usedEntry(0)]).toEqual([1, { id: 2, len: 0 }])
    }
  })

  it('of one instance leaves another alone', async () => {
    const [first, second] = [await startedNineP([1]), await startedNineP([2])]
    first.kick()
    expect([first.usedIdx(), second.usedIdx()]).toEqual([1, 0])
    second.kick()
    expect([first.usedIdx(), second.usedIdx()]).toEqual([1, 1])
  })
})

describe('the back end', () => {
  const ids = (guest: Guest, count: number) => Array.from({ length: count }, (_, slot) => guest.usedEntry(slot).id)

  it('holds requests and completes them in the order asked for, equal tags included', async () => {
    const guest = await startedNineP([5, 5, 6])
    guest.target.control!('virtio-9p', { do: 'hold' })
    guest.kick()
    expect(guest.usedIdx()).toBe(0)
    guest.target.control!('virtio-9p', { do: 'release-one', index: 1 })
    guest.target.control!('virtio-9p', { do: 'release-one', index: 9 })
    expect([guest.usedIdx(), ids(guest, 1)]).toEqual([1, [2]])
    guest.target.control!('virtio-9p', { do: 'release', order: 'lifo' })
    expect([guest.usedIdx(), ids(guest, 3)]).toEqual([3, [2, 4, 0]])
    guest.publish(0)
    guest.kick()
    expect(guest.usedIdx()).toBe(4)
  })

  it('fails the requests that arrive next, in whatever order they complete', async () => {
    const guest = await startedNineP([1, 2])
    guest.target.control!('virtio-9p', { do: 'hold' })
    guest.target.control!('virtio-9p', { do: 'fail', count: 1 })
    guest.kick()
    guest.target.control!('virtio-9p', { do: 'release', order: 'lifo' })
    expect(guest.target.load(ANSWER_GPA, 11)).toEqual(Uint8Array.of(11, 0, 0, 0, 7, 1, 0, 5, 0, 0, 0))
    expect(guest.target.load(ANSWER_GPA + 64 + 4, 1)).toEqual(Uint8Array.of(101))
  })

  it('answers what it does not know with an error and returns what has no tag', async () => {
    const guest = await startedNineP([1, 2])
    guest.target.store(REQUEST_GPA + 4, Uint8Array.of(110))
    guest.describeAt(2, { gpa: REQUEST_GPA, bytes: 3, flags: DESC_FLAG.NEXT, next: 3 })
    guest.kick()
    expect(guest.target.load(ANSWER_GPA, 11)).toEqual(Uint8Array.of(11, 0, 0, 0, 7, 1, 0, 95, 0, 0, 0))
    expect(guest.usedEntry(1)).toEqual({ id: 2, len: 0 })
  })

  it('is refused to devices that have none', async () => {
    const target = await open('virtio-console')
    expect(target.describe().can.controls).toEqual([])
    expect(() => target.control!('virtio-console', { do: 'hold' })).toThrow(/no control hold/)
  })
})

describe('state', () => {
  it('restored into a fresh instance goes on where it was, held requests and moved base addresses included', async () => {
    const guest = await startedNineP([1, 2])
    guest.writeConfig(PCI.bar(0), 4, 0xd000)
    guest.ports.set(CFG_TYPE.COMMON, 0xd000)
    guest.target.control!('virtio-9p', { do: 'hold' })
    guest.kick()
    guest.target.control!('virtio-9p', { do: 'release-one', index: 1 })
    const status = guest.common(COMMON.deviceStatus, 1)
    expect(status).toBe(15)
    const state = guest.target.save!()
    const fingerprint = guest.target.fingerprint!()

    const copy = await open()
    expect(copy.fingerprint!()).not.toBe(fingerprint)
    copy.restore!(state)
    expect(copy.save!()).toEqual(state)
    expect(copy.fingerprint!()).toBe(fingerprint)

    const other = new Guest(copy)
    expect(other.ports.get(CFG_TYPE.COMMON)).toBe(0xd000)
    expect(other.common(COMMON.deviceStatus, 1)).toBe(status)
    copy.control!('virtio-9p', { do: 'release', order: 'fifo' })
    expect([other.usedIdx(), other.usedEntry(1).id, guest.usedIdx()]).toEqual([2, 0, 1])
    expect(other.in(CFG_TYPE.ISR, 0, 1)).toBe(ISR.QUEUE)
    expect(lines(copy.events())).toMatchObject([{ level: false }])
  })

  it('goes back within one instance', async () => {
    const guest = await startedNineP([1])
    const state = guest.target.save!()
    const first = guest.kick()
    guest.target.restore!(state)
    expect(guest.usedIdx()).toBe(0)
    expect(guest.kick()).toEqual(first)
  })

  it('of another device or of noise is refused and changes nothing', async () => {
    const console = await open('virtio-console')
    const nineP = await open()
    const before = nineP.fingerprint!()
    for (const state of [
      console.save!(),
      Uint8Array.of(1, 2),
      new Uint8Array(64).fill(0xff),
      nineP.save!().slice(0, -1),
    ]) {
      expect(() => nineP.restore!(state)).toThrow(/^restore: expected a state of v86:virtio-9p, format 1, found /)
    }
    expect(nineP.fingerprint!()).toBe(before)
  })

  it('is gone after a system reset, and the balloon, which v86 does not reset, offers none', async () => {
    const guest = await startedNineP([1])
    guest.target.control!('virtio-9p', { do: 'hold' })
    guest.kick()
    guest.target.reset('system')
    expect(guest.common(COMMON.deviceStatus, 1)).toBe(0)
    guest.target.control!('virtio-9p', { do: 'release', order: 'fifo' })
    expect(guest.target.events()).toEqual([])
    expect((await open('virtio-balloon')).describe().can.resets).toEqual([])
    expect(() => guest.target.reset('bus')).toThrow(/no reset of kind bus/)
  })
})

describe('the end of a target', () => {
  const afterKick = async (change: (cpu: Cpu) => void): Promise<Guest> => {
    const target = await doorToChanged('changed', change).open('virtio-console', options)
    opened.push(target)
    const guest = new Guest(target)
    guest.start(VERSION_1, 1)
    guest.describeAt(0, { gpa: REQUEST_GPA, bytes: 64, flags: 0, next: 0 })
    guest.publish(0)
    return guest
  }

  it('is an exception out of the device: dead, with its words, from then on', async () => {
    const guest = await afterKick((cpu) => {
      cpu.read_blob = () => {
        throw new RangeError('a seeded exception')
      }
    })
    const words = expect.objectContaining({ reason: 'dead', lastWords: 'RangeError: a seeded exception' })
    expect(() => guest.kick(1)).toThrow(words)
    expect(() => guest.common(COMMON.deviceStatus, 1)).toThrow(words)
    expect(guest.target.settle(0)).toBe('dead')
    expect(guest.target.events().length).toBeGreaterThan(0)
  })

  it('is work that does not end: a hang, and the record of it stays small', async () => {
    const guest = await afterKick((cpu) => {
      const read16 = cpu.read16
      const queue = (cpu.devices.virtio_console as Device).virtio.queues[1] as Queue & {
        readonly avail_last_idx: number
      }
      // The available index runs away from the device for ever.
      cpu.read16 = (gpa) => (gpa === RINGS.avail + 2 ? (queue.avail_last_idx + 1) & 0xffff : read16(gpa))
    })
    expect(() => guest.kick(1)).toThrow(expect.objectContaining({ reason: 'hang' }))
    expect(guest.target.settle(0)).toBe('dead')
    expect(guest.target.events().length).toBeLessThan(200_000)
  })

  it('is an exception where the device is asynchronous too', async () => {
    const target = await doorToChanged('changed', (cpu) => {
      cpu.read_blob = () => {
        throw new RangeError('a seeded exception')
      }
    }).open('', options)
    opened.push(target)
    const guest = new Guest(target)
    guest.start(VERSION_1)
    guest.describeAt(0, { gpa: REQUEST_GPA, bytes: 8, flags: 0, next: 0 })
    guest.publish(0)
    expect(() => guest.kick()).toThrow(expect.objectContaining({ reason: 'dead' }))
  })

  it('is close, after which every call is refused', async () => {
    const target = await open()
    target.close()
    expect(() => target.load(0, 1)).toThrow(expect.objectContaining({ reason: 'poisoned' }))
    expect(() => target.read({ space: 'port', address: 0x80 }, 1)).toThrow(/was closed/)
  })

  it('is not an access of the harness outside guest memory', async () => {
    const target = await open()
    expect(() => target.load(0x9_ffff, 2)).toThrow(/guest memory is \[0x0, 0xa0000\) and \[0x100000, 0x400000\)/)
    expect(() => target.store(-1, halfword(0))).toThrow(/not 2 bytes at -0x1/)
    expect(target.settle(0)).toBe('quiet')
  })
})
