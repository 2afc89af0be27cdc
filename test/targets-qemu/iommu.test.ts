import { describe, expect, test } from 'vitest'
import { KnownDeviations, shippedDeviations } from '../../src/campaign/deviations.ts'
import type { Target, Width } from '../../src/contract/index.ts'
import { Ledger } from '../../src/kernel/judge/ledger.ts'
import { Drawer } from '../../src/kernel/play/draw.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import {
  CONTEXT_ENTRY_HIGH,
  DMA_FAULT,
  FAULT_RECORD,
  FAULT_STATUS,
  ROOT_ENTRY,
  SECOND_LEVEL,
  VTD,
  VTD_BASE,
  VTD_COMMAND,
} from '../../src/layout/vtd.ts'
import { isolationModel } from '../../src/models/dma/isolation.ts'
import { translationModel } from '../../src/models/dma/translation.ts'
import { openPci } from '../../src/models/guest/virtio-pci.ts'
import { openTarget } from './open-target.ts'
import { qemuMissing } from './require-qemu.ts'

/** Printed with what it breaks. */
const freshSeed = Math.floor(Math.random() * 2 ** 31)

const FRAME = 0x300000
const OTHER_FRAME = 0x301000
const IOVA = 0x12345000
const AMD = 0xfed80000

/** A unit with tables of three levels that the test itself writes. */
class Unit {
  readonly target: Target
  readonly base: number
  /** First byte of memory that no table has. */
  #free = 0x200000

  constructor(target: Target, base: number) {
    this.target = target
    this.base = base
  }

  write(register: number, value: number | bigint, width: Width = 4): void {
    this.target.write({ space: 'mmio', address: this.base + register }, width, BigInt(value))
  }

  read(register: number, width: Width = 4): bigint {
    return this.target.read({ space: 'mmio', address: this.base + register }, width)
  }

  table(pages = 1): number {
    const at = this.#free
    this.#free += pages * 4096
    this.target.store(at, new Uint8Array(pages * 4096))
    return at
  }

  entry(gpa: number, ...words: readonly (number | bigint)[]): void {
    const data = new DataView(new ArrayBuffer(8 * words.length))
    for (const [index, word] of words.entries()) data.setBigUint64(8 * index, BigInt(word), true)
    this.target.store(gpa, new Uint8Array(data.buffer))
  }

  word(gpa: number): number {
    return new DataView(this.target.load(gpa, 4).buffer).getUint32(0, true)
  }

  dmaWrite(requester: number, iova: number | bigint, ...words: readonly number[]): void {
    const data = new Uint8Array(Uint32Array.from(words).buffer)
    this.target.dma!(requester, { access: 'write', iova: BigInt(iova), bytes: data.length, data })
  }

  dmaRead(requester: number, iova: number | bigint, dwords = 1): readonly number[] {
    const { data } = this.target.dma!(requester, { access: 'read', iova: BigInt(iova), bytes: 4 * dwords })
    return [...new Uint32Array(data!.slice().buffer)]
  }
}

/** One page mapped for the requester, of three levels. `link` and `leaf` make entries; returns the top table. */
function mapPage(
  unit: Unit,
  link: (table: number, level: number) => bigint | number,
  leaf: bigint | number,
  iova = IOVA,
): number {
  const [top, middle, bottom] = [unit.table(), unit.table(), unit.table()] as const
  const index = (level: number): number => 8 * (Math.floor(iova / 2 ** (12 + 9 * (level - 1))) & 511)
  unit.entry(top + index(3), link(middle, 2))
  unit.entry(middle + index(2), link(bottom, 1))
  unit.entry(bottom + index(1), leaf)
  return top
}

function openVtd(target: Target, requester: number, rights: number): Unit {
  const unit = new Unit(target, VTD_BASE)
  const [root, context] = [unit.table(), unit.table()] as const
  const top = mapPage(unit, (table) => table | 3, FRAME | rights)
  unit.entry(root + (requester >> 8) * ROOT_ENTRY.bytes, context | ROOT_ENTRY.PRESENT)
  unit.entry(context + (requester & 0xff) * 16, top | 1, (5 << CONTEXT_ENTRY_HIGH.DOMAIN_SHIFT) | 1)
  unit.write(VTD.rootAddress, root, 8)
  unit.write(VTD.command, VTD_COMMAND.SET_ROOT)
  unit.write(VTD.command, VTD_COMMAND.TRANSLATE >>> 0)
  return unit
}

describe.skipIf(qemuMissing !== undefined)('qemu: bare IOMMUs', () => {
  test('a source moves dwords wherever a unit that is off lets it', async () => {
    const unit = new Unit(await openTarget('intel-iommu'), VTD_BASE)
    const { devices, can } = unit.target.describe()
    expect([devices.map(({ id }) => id), can.dma]).toEqual([['iommu', 'nic0', 'nic1', 'far0'], true])
    for (const requester of [0x18, 0x20, 0x500]) {
      unit.dmaWrite(requester, FRAME + 0x7c, requester + 1, 2, 0xffffffff)
      expect(unit.dmaRead(requester, FRAME + 0x7c, 3)).toEqual([requester + 1, 2, 0xffffffff])
    }
    // Where there is no memory.
    expect(unit.dmaRead(0x18, 0xa0_0000_0000)).toEqual([0])
    expect(() => unit.target.dma!(0x18, { access: 'read', iova: 2n, bytes: 4 })).toThrow('expects 1 to 16 dwords')
    expect(() => unit.dmaRead(0x19, 0)).toThrow('expects a requester 0x18, 0x20, 0x500, found 0x19')
  })

  test.each([0x18, 0x20, 0x500])('intel-iommu translates for requester %i', async (requester) => {
    const target = await openTarget('intel-iommu')
    const unit = openVtd(target, requester, SECOND_LEVEL.READ)
    unit.entry(FRAME, 0x1122334455667788n)
    unit.dmaWrite(requester, IOVA, 1)
    expect(unit.dmaRead(requester, IOVA, 2)).toEqual([0x55667788, 0x11223344])
    expect([unit.word(FRAME), unit.dmaRead(requester, IOVA + 4096)]).toEqual([0x55667788, [0]])
    expect(unit.read(VTD.faultStatus) & BigInt(FAULT_STATUS.PENDING)).toBe(BigInt(FAULT_STATUS.PENDING))
    const record = 16 * Number((unit.read(VTD.capability, 8) >> 24n) & 0x3ffn)
    expect(unit.read(record + FAULT_RECORD.page)).toBe(BigInt(IOVA))
    expect(unit.read(record + FAULT_RECORD.requester)).toBe(BigInt(requester))
    expect(unit.read(record + FAULT_RECORD.reason) & 0xffn).toBe(BigInt(DMA_FAULT.WRITE))
    // Another requester has no context entry.
    expect(unit.dmaRead(requester === 0x18 ? 0x20 : 0x18, IOVA)).toEqual([0])
    target.reset('system')
    expect([unit.read(VTD.status), unit.read(VTD.faultStatus), unit.read(VTD.rootAddress, 8)]).toEqual([0n, 0n, 0n])
    expect(unit.dmaRead(requester, FRAME)).toEqual([0x55667788])
  })

  test('a source reaches addresses of 64 bits', async () => {
    const target = await openTarget('intel-iommu?awBits=48')
    const unit = openVtd(target, 0x18, SECOND_LEVEL.READ | SECOND_LEVEL.WRITE)
    for (const iova of [2n ** 48n, 2n ** 63n, 2n ** 64n - 4n]) {
      unit.dmaWrite(0x18, iova + 0n, 7)
      const record = 16 * Number((unit.read(VTD.capability, 8) >> 24n) & 0x3ffn)
      expect(unit.read(record + FAULT_RECORD.page, 8)).toBe(iova & ~4095n)
      unit.write(record + FAULT_RECORD.reason, 2 ** 31)
      expect(unit.dmaRead(0x18, iova)).toEqual([0])
      unit.write(record + FAULT_RECORD.reason, 2 ** 31)
    }
  })

  test('amd-iommu translates, and refuses', async () => {
    const target = await openTarget('amd-iommu')
    const unit = new Unit(target, AMD)
    const rights = (1n << 61n) | (1n << 62n)
    const top = mapPage(
      unit,
      (table, level) => BigInt(table | (level << 9) | 1) | rights,
      BigInt(FRAME | 1) | (1n << 61n),
    )
    const devices = unit.table(512)
    unit.entry(devices + 32 * 0x18, BigInt(top | (3 << 9) | 3) | rights, 5n)
    unit.write(0, devices | 511, 8)
    unit.write(0x18, 1, 8)
    unit.entry(FRAME, 0x99)
    unit.entry(OTHER_FRAME, 0x77)
    unit.dmaWrite(0x18, IOVA, 1)
    expect(unit.dmaRead(0x18, IOVA)).toEqual([0x99])
    expect([unit.word(FRAME), unit.word(OTHER_FRAME)]).toEqual([0x99, 0x77])
  })

  test('virtio-iommu translates, and refuses', async () => {
    const target = await openTarget('virtio-iommu')
    const device = target.describe().devices[0]!
    const driver = openPci(target, device)
    const unit = new Unit(target, 0)
    const rings = unit.table(4)
    // ACKNOWLEDGE, DRIVER; VERSION_1, MAP_UNMAP.
    for (const status of [0, 1, 3]) driver.setStatus(status)
    driver.setDriverFeatures((1n << 32n) | 4n)
    driver.setStatus(11)
    driver.setUpQueue(0, 8, rings, rings + 0x400, rings + 0x800)
    driver.setStatus(15)
    let requests = 0
    const request = (...words: readonly number[]): number => {
      const [bytes, at] = [4 * words.length, rings + 0x1000] as const
      target.store(at, new Uint8Array(Uint32Array.from(words).buffer))
      unit.entry(rings, at, BigInt(bytes) | (1n << 32n) | (1n << 48n))
      unit.entry(rings + 16, rings + 0x2000, 4n | (2n << 32n))
      target.store(rings + 0x2000, Uint8Array.of(0xff))
      requests++
      target.store(rings + 0x400, Uint8Array.of(0, 0, requests, 0))
      driver.kick(0)
      expect(target.settle(0)).toBe('quiet')
      expect(unit.word(rings + 0x800) >>> 16).toBe(requests)
      return unit.word(rings + 0x2000) & 0xff
    }
    const [attach, map, detach] = [1, 3, 2] as const
    expect(request(attach, 7, 0x18, 0, 0)).toBe(0)
    expect(request(map, 7, IOVA, 0, IOVA + 4095, 0, FRAME, 0, 1)).toBe(0)
    expect(target.events()).toContainEqual({ kind: 'line', device: 'iommu', pin: 0, level: true })
    unit.entry(FRAME, 0x99)
    unit.dmaWrite(0x18, IOVA, 1)
    expect([unit.dmaRead(0x18, IOVA), unit.dmaRead(0x18, IOVA + 4096)]).toEqual([[0x99], [0]])
    expect(request(detach, 7, 0x18, 0, 0)).toBe(0)
    unit.dmaWrite(0x18, FRAME, 1)
    expect(unit.word(FRAME)).toBe(1)
  })

  test.each(['intel-iommu', 'amd-iommu', 'virtio-iommu'])(
    'a disk behind %s asks for addresses of its own',
    async (unit) => {
      const target = await openTarget(`virtio-blk?iommu=${unit}&ats=1`)
      const { devices } = target.describe()
      expect(devices.map(({ id }) => id)).toEqual(['disk', 'iommu'])
      expect(devices[0]!.facts).toMatchObject({ behind: 'iommu', ats: true })
      const driver = openPci(target, devices[0]!)
      for (const accepts of [true, false]) {
        for (const status of [0, 1, 3]) driver.setStatus(status)
        driver.setDriverFeatures((1n << 32n) | (accepts ? 1n << 33n : 0n))
        driver.setStatus(11)
        expect(driver.status()).toBe(accepts ? 11 : 3)
      }
    },
  )

  // What crashes the program ends a run, and is told in the findings.
  test.each([translationModel, isolationModel])(
    'intel-iommu breaks no law that is not known: $machine.name',
    async (model) => {
      const target = await openTarget('intel-iommu')
      const description = target.describe()
      const chosen = model.scope!(description)
      const machine = model.machine.at(chosen.scope, chosen.bounds)
      const known = new KnownDeviations(shippedDeviations(), description, '2026-11-20')
      const ledger = new Ledger(machine)
      const runner = new Runner(model, machine, target, { ledger, tolerated: new Set(known.tolerated(machine.name)) })
      const drawer = new Drawer(machine, {
        played: model.played,
        unavailable: new Set(Object.keys(runner.unavailable)),
      })
      for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, freshSeed]) {
        const { verdict, finding } = runner.run(drawer.draw(seed))
        expect([seed, verdict, finding?.law]).toEqual([seed, 'conforms', undefined])
      }
    },
  )

  test.each(['nvme-sriov', 'nvme-sriov?iommu=intel-iommu'])('%s has virtual functions', async (rest) => {
    const target = await openTarget(rest)
    const at = (offset: number, devfn = 0) =>
      ({ space: 'config', address: (1 << 20) + (devfn << 12) + offset }) as const
    const capability = 0x120
    const barOfAll = 0xd1000000n
    for (let times = 0; times < 2; times++) {
      expect(target.read(at(0), 4)).toBe(0x00101b36n)
      expect([target.read(at(capability), 2), target.read(at(capability + 0x0c), 2)]).toEqual([0x10n, 4n])
      // Two of them, with memory space.
      target.write(at(capability + 0x10), 2, 2n)
      target.write(at(capability + 0x24), 4, barOfAll)
      target.write(at(capability + 0x08), 2, 9n)
      const isThere = [1, 2, 3].map((devfn) => target.read(at(8, devfn), 4) !== 0xffffffffn)
      expect(isThere).toEqual([true, true, false])
      expect(target.read({ space: 'mmio', address: Number(barOfAll) }, 8) & 0xffffn).not.toBe(0xffffn)
      target.reset('system')
      expect(target.read(at(8, 1), 4)).toBe(0xffffffffn)
    }
    target.store(target.describe().memory[0]!.end + 16, Uint8Array.of(7))
    expect(target.events()).toMatchObject([{ kind: 'msi', device: 'nvme', vector: 1, data: 7 }])
    expect(target.events()).toEqual([])
    expect(() => target.dma!(8, { access: 'read', iova: 0n, bytes: 4 })).toThrow('no sources')
  })

  test('options are those of the unit', async () => {
    const capability = async (rest: string) => new Unit(await openTarget(rest), VTD_BASE).read(VTD.capability, 8)
    expect((await capability('intel-iommu?cachingMode=1')) & 0x80n).toBe(0x80n)
    await expect(openTarget('amd-iommu?awBits=48')).rejects.toThrow("unknown option 'awBits'")
    await expect(openTarget('virtio-blk?ats=1')).rejects.toThrow('needs the option iommu')
    await expect(openTarget('virtio-blk-mmio?iommu=amd-iommu')).rejects.toThrow('does not have the option iommu')
    await expect(openTarget('intel-iommu?awBits=40')).rejects.toThrow("expects one of 39, 48, found '40'")
  })
})
