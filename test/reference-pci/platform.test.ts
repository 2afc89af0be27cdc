import { describe, expect, test } from 'vitest'
import type { Space, Target, TargetEvent, Width } from '../../src/contract/index.ts'
import { BLK_TYPE } from '../../src/layout/blk.ts'
import { CAPABILITY, COMMAND, CONFIG_ADDRESS_PORT, CONFIG_DATA_PORT, EXPRESS, PCI } from '../../src/layout/pci.ts'
import { avail, DESC, DESC_FLAG, used } from '../../src/layout/split-ring.ts'
import { CFG_TYPE, COMMON } from '../../src/layout/virtio.ts'
import { openPlatform, type PlatformOptions } from '../../src/reference/index.ts'

const RING = { size: 4, desc: 0x1000, driver: 0x2000, device: 0x3000 }
const REQUEST = { header: 0x4000, data: 0x5000, status: 0x6000 }
const SLOT = 1
const MEMORY = 0xe000_0000
const IO = 0xc000

/** A driver that finds its device by configuration mechanism 1 and the capabilities, in memory or I/O BARs alike. */
class Driver {
  readonly target: Target
  constructor(target: Target) {
    this.target = target
  }
  read(space: Space, address: number, width: Width): number {
    return Number(this.target.read({ space, address }, width))
  }
  write(space: Space, address: number, width: Width, value: number): void {
    this.target.write({ space, address }, width, BigInt(value))
  }
  config(offset: number, width: Width, value?: number): number {
    this.write('port', CONFIG_ADDRESS_PORT, 4, 0x8000_0000 + SLOT * 0x800 + (offset & 0xfc))
    const port = CONFIG_DATA_PORT + (offset & 3)
    if (value !== undefined) this.write('port', port, width, value)
    return this.read('port', port, width)
  }
  capability(id: number, type?: number): number {
    for (let at = this.config(PCI.capabilities, 1); at !== 0; at = this.config(at + 1, 1))
      if (this.config(at, 1) === id && (type === undefined || this.config(at + 3, 1) === type)) return at
    throw new Error(`no capability ${id}`)
  }
  /** Sizes and places every BAR, then turns the function on. */
  enumerate(): void {
    let [memory, io] = [MEMORY, IO]
    for (let index = 0; index < 6; index++) {
      const kind = this.config(PCI.bar(index), 4, 0)
      const bits = this.config(PCI.bar(index), 4, 0xffff_ffff)
      if (bits === 0) continue
      const inPorts = (kind & 1) === 1
      const bytes = -(bits & (inPorts ? ~3 : ~15)) >>> 0
      this.config(PCI.bar(index), 4, inPorts ? io : memory)
      if (inPorts) io += Math.max(bytes, 0x100)
      else memory += Math.max(bytes, 0x1_0000)
      if ((kind & 4) === 4) this.config(PCI.bar(++index), 4, 0)
    }
    this.config(PCI.command, 2, COMMAND.IO | COMMAND.MEMORY | COMMAND.BUS_MASTER)
  }
  structure(type: number): { space: Space; address: number } {
    const at = this.capability(CAPABILITY.VENDOR, type)
    const bar = this.config(PCI.bar(this.config(at + 4, 1)), 4)
    const io = (bar & 1) === 1
    return { space: io ? 'port' : 'mmio', address: ((bar & (io ? ~3 : ~15)) >>> 0) + this.config(at + 8, 4) }
  }
  common(offset: number, width: Width, value?: number): number {
    const { space, address } = this.structure(CFG_TYPE.COMMON)
    if (value !== undefined) this.write(space, address + offset, width, value)
    return this.read(space, address + offset, width)
  }
  /** Resets, accepts VERSION_1 only, sets queue 0 up and goes live. */
  start(): void {
    this.common(COMMON.deviceStatus, 1, 0)
    this.common(COMMON.deviceStatus, 1, 3)
    this.common(COMMON.driverFeatureSelect, 4, 1)
    this.common(COMMON.driverFeature, 4, 1)
    expect(this.common(COMMON.deviceStatus, 1, 11)).toBe(11)
    this.common(COMMON.queueSelect, 2, 0)
    this.common(COMMON.queueSize, 2, RING.size)
    this.common(COMMON.queueDesc, 4, RING.desc)
    this.common(COMMON.queueDriver, 4, RING.driver)
    this.common(COMMON.queueDevice, 4, RING.device)
    this.common(COMMON.queueEnable, 2, 1)
    this.common(COMMON.deviceStatus, 1, 15)
  }
  number(gpa: number, bytes: number, value: number): void {
    const data = new Uint8Array(bytes)
    for (let byte = 0; byte < bytes && byte < 4; byte++) data[byte] = value >>> (8 * byte)
    this.target.store(gpa, data)
  }
  /** Publishes one read of sector 0 at ring position `index` and kicks. */
  submit(index: number): void {
    const descriptor = (at: number, gpa: number, bytes: number, flags: number) => {
      this.number(RING.desc + 16 * at + DESC.address, 8, gpa)
      this.number(RING.desc + 16 * at + DESC.length, 4, bytes)
      this.number(RING.desc + 16 * at + DESC.flags, 2, flags)
      this.number(RING.desc + 16 * at + DESC.next, 2, at + 1)
    }
    this.number(REQUEST.header, 16, BLK_TYPE.IN)
    descriptor(0, REQUEST.header, 16, DESC_FLAG.NEXT)
    descriptor(1, REQUEST.data, 512, DESC_FLAG.NEXT | DESC_FLAG.WRITE)
    descriptor(2, REQUEST.status, 1, DESC_FLAG.WRITE)
    this.number(RING.driver + avail.ring(index % RING.size), 2, 0)
    this.number(RING.driver + avail.idx, 2, index + 1)
    const { space, address } = this.structure(CFG_TYPE.NOTIFY)
    this.write(space, address, 2, 0)
  }
  usedIdx(): number {
    return this.target.load(RING.device + used.idx, 1)[0]!
  }
  msix(vector: number): void {
    const at = this.capability(CAPABILITY.MSIX)
    const table = ((this.config(PCI.bar(this.config(at + 4, 1) & 7), 4) & ~15) >>> 0) + 16 * vector
    this.write('mmio', table, 8, 0xfee0_0000)
    this.write('mmio', table + 8, 4, 0x41)
    this.write('mmio', table + 12, 4, 0)
    this.config(at + 2, 2, 0x8000)
    this.common(COMMON.queueSelect, 2, 0)
    expect(this.common(COMMON.queueMsixVector, 2, vector)).toBe(vector)
  }
}

function power(options: Partial<PlatformOptions> = {}): Driver {
  const driver = new Driver(openPlatform(options))
  driver.enumerate()
  return driver
}

const interrupts = (events: TargetEvent[]) => events.filter(({ kind }) => kind === 'msi' || kind === 'line')

describe('a block device on the bus', () => {
  test('memory BARs, MSI-X: a request is answered and announced', () => {
    const driver = power()
    driver.start()
    driver.msix(1)
    driver.submit(0)
    expect(driver.target.settle(0)).toBe('quiet')
    expect(driver.usedIdx()).toBe(1)
    expect(interrupts(driver.target.events())).toEqual([
      { kind: 'msi', device: 'blk0', address: 0xfee0_0000, data: 0x41, vector: 1 },
    ])
  })

  test('I/O BARs, INTx: the line is up until ISR is read', () => {
    const driver = power({ ioBars: true })
    expect(() => driver.capability(CAPABILITY.MSIX)).toThrow()
    driver.start()
    driver.submit(0)
    driver.target.settle(0)
    expect(driver.usedIdx()).toBe(1)
    const { space, address } = driver.structure(CFG_TYPE.ISR)
    expect([driver.read(space, address, 1), driver.read(space, address, 1)]).toEqual([1, 0])
    const levels = driver.target.events().flatMap((event) => (event.kind === 'line' ? [event.level] : []))
    expect(levels).toEqual([true, false])
  })

  test('a transitional device serves a modern driver', () => {
    const driver = power({ transitional: true })
    expect(driver.config(PCI.deviceId, 2)).toBe(0x1001)
    driver.start()
    driver.submit(0)
    driver.target.settle(0)
    expect(driver.usedIdx()).toBe(1)
  })

  test('without bus mastering nothing is read or written, and work goes on when it is back', () => {
    const driver = power()
    driver.start()
    driver.config(PCI.command, 2, COMMAND.MEMORY)
    driver.submit(0)
    driver.target.settle(0)
    expect(driver.target.events()).toEqual([])
    driver.config(PCI.command, 2, COMMAND.MEMORY | COMMAND.BUS_MASTER)
    driver.target.settle(0)
    expect(driver.usedIdx()).toBe(1)
  })

  test.each([0, 3])('function-level reset after every step of a request (a reset of %i steps)', (resetSteps) => {
    for (let steps = 0; ; steps++) {
      const driver = power({ resetSteps })
      driver.start()
      driver.msix(1)
      driver.submit(0)
      let done = 0
      while (done < steps && driver.target.step!('blk0')) done++
      driver.target.events()
      driver.config(driver.capability(CAPABILITY.EXPRESS) + EXPRESS.deviceControl, 2, 0x8000)
      driver.enumerate()
      driver.target.settle(0)
      expect(driver.config(driver.capability(CAPABILITY.EXPRESS) + EXPRESS.deviceStatus, 2)).toBe(0)
      expect(driver.target.events(), `after ${steps} steps`).toEqual([])
      driver.number(RING.device + used.idx, 2, 0)
      driver.start()
      driver.submit(0)
      driver.target.settle(0)
      expect(driver.usedIdx()).toBe(1)
      if (done < steps) break
    }
  })

  test('saved and restored after every step, the rest of the trace is the same', () => {
    const whole = () => {
      const driver = power()
      driver.start()
      driver.msix(1)
      driver.submit(0)
      return driver
    }
    const reference = whole()
    reference.target.settle(0)
    const expected = JSON.stringify(reference.target.events())
    const source = whole()
    do {
      const early = source.target.events()
      const twin = openPlatform()
      twin.restore!(source.target.save!())
      expect(twin.fingerprint!()).toBe(source.target.fingerprint!())
      twin.settle(0)
      const late = twin.events()
      expect(expected.endsWith(JSON.stringify(late).slice(1))).toBe(true)
      expect(early.length).toBeLessThanOrEqual(1)
    } while (source.target.step!('blk0'))
  })
})
