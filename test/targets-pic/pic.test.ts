/** The doors to pairs of 8259s, by one script whose answers the data sheet gives and every implementation shares. */
import { accessSync, constants } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import { I8259_PORTS, ICW1, ICW3, ICW4, IS_ICW1, IS_OCW3, OCW2, OCW3 } from '../../src/layout/i8259.ts'
import { openTarget } from '../../src/targets/index.ts'
import { closeAfterwards, temporaryFolder } from '../afterwards.ts'
import { qemuMissing } from '../targets-qemu/require-qemu.ts'

type Which = keyof typeof I8259_PORTS
type Register = keyof (typeof I8259_PORTS)[Which]
const BASES = { master: 0x20, slave: 0x28 } as const

const kvmMissing: string | undefined = (() => {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
    return undefined
  } catch (error) {
    const reason = `/dev/kvm cannot be used (${(error as NodeJS.ErrnoException).code})`
    console.warn(`skipped: ${reason}`)
    return reason
  }
})()

/** One for all: what is compiled for one test serves the others. */
const directory = temporaryFolder('test-pic')
const open = async (address: string): Promise<Target> => {
  const target = await openTarget(address, { directory, timeoutMs: 10_000 })
  closeAfterwards(() => target.close())
  return target
}

class Pair {
  readonly target: Target

  constructor(target: Target) {
    this.target = target
    for (const chip of ['master', 'slave'] as const) {
      this.command(chip, IS_ICW1 | ICW1.ICW4)
      for (const word of [BASES[chip], ICW3[chip], ICW4.MODE_8086]) this.write(chip, 'data', word)
    }
  }

  write(chip: Which, register: Register, value: number): void {
    this.target.write({ space: 'port', address: I8259_PORTS[chip][register] }, 1, BigInt(value))
  }

  command(chip: Which, value: number): void {
    this.write(chip, 'command', value)
  }

  read(chip: Which, register: Register): number {
    return Number(this.target.read({ space: 'port', address: I8259_PORTS[chip][register] }, 1))
  }

  inService(chip: Which): number {
    this.command(chip, IS_OCW3 | OCW3.READ_IN_SERVICE)
    return this.read(chip, 'command')
  }

  line(pin: number, level: boolean): void {
    this.target.setLine!('pic', pin, level)
  }

  acknowledge(): number | undefined {
    return this.target.acknowledge!(0)
  }
}

describe.each([
  ['v86:pic', undefined],
  ['qemu:pc', qemuMissing],
  ['kvm:pic', kvmMissing],
] as const)('the pair of 8259s of %s', (address, missing) => {
  test.skipIf(missing !== undefined)('gives vectors in the order of priority, and what is masked later', async () => {
    const pair = new Pair(await open(address))
    expect(pair.target.describe().devices[0]).toMatchObject({ id: 'pic', kind: 'i8259-pair' })
    expect(pair.acknowledge()).toBeUndefined()
    pair.write('master', 'data', 0x08)
    for (const pin of [3, 5, 12]) pair.line(pin, true)
    // The slave is at input 2, before 5; 3 is masked.
    expect(pair.acknowledge()).toBe(0x2c)
    expect([pair.inService('master'), pair.inService('slave')]).toEqual([0x04, 0x10])
    expect(pair.acknowledge()).toBeUndefined()
    pair.command('slave', OCW2.EOI)
    pair.command('master', OCW2.EOI)
    expect(pair.acknowledge()).toBe(0x25)
    pair.write('master', 'data', 0)
    expect([pair.acknowledge(), pair.acknowledge()]).toEqual([0x23, undefined])
    expect(pair.inService('master')).toBe(0x28)
    pair.command('master', OCW2.SPECIFIC_EOI | 3)
    pair.command('master', OCW2.SPECIFIC_EOI | 5)
    expect([pair.acknowledge(), pair.inService('master')]).toEqual([undefined, 0])
  })

  test.skipIf(missing !== undefined)('requests a level line again until it is low, and an edge once', async () => {
    const pair = new Pair(await open(address))
    pair.write('master', 'trigger', 0x20)
    pair.line(5, true)
    pair.line(1, true)
    for (const expected of [0x21, 0x25, 0x25]) {
      expect(pair.acknowledge()).toBe(expected)
      pair.command('master', OCW2.EOI)
    }
    pair.line(5, false)
    expect(pair.acknowledge()).toBeUndefined()
  })

  test.skipIf(missing !== undefined)('has vectors below 32 like any other', async () => {
    const pair = new Pair(await open(address))
    pair.command('master', IS_ICW1 | ICW1.ICW4)
    for (const word of [0, ICW3.master, ICW4.MODE_8086]) pair.write('master', 'data', word)
    for (const pin of [1, 3, 6]) {
      pair.line(pin, true)
      expect(pair.acknowledge()).toBe(pin)
      pair.command('master', OCW2.EOI)
    }
  })

  test.skipIf(missing !== undefined)('is as new after a reset, and refuses an input that is wired', async () => {
    const target = await open(address)
    const pair = new Pair(target)
    pair.line(4, true)
    target.reset('system')
    const again = new Pair(target)
    expect([again.acknowledge(), again.inService('master')]).toEqual([undefined, 0])
    again.line(4, true)
    expect(again.acknowledge()).toBe(0x24)
    for (const pin of [2, 16, -1]) expect(() => again.line(pin, true)).toThrow(/no free input/)
    expect(() => target.setLine!('other', 1, true)).toThrow(/no free input/)
  })
})

describe.each([
  ['v86:pic', undefined],
  ['kvm:pic', kvmMissing],
] as const)('a saved state of %s', (address, missing) => {
  test.skipIf(missing !== undefined)('brings back requests, service and lines', async () => {
    const target = await open(address)
    const pair = new Pair(target)
    for (const pin of [4, 6]) pair.line(pin, true)
    expect(pair.acknowledge()).toBe(0x24)
    const [saved, fingerprint] = [target.save!(), target.fingerprint!()]
    pair.command('master', OCW2.EOI)
    expect(pair.acknowledge()).toBe(0x26)
    pair.line(6, false)
    expect(target.fingerprint!()).not.toBe(fingerprint)
    target.restore!(saved)
    expect(target.fingerprint!()).toBe(fingerprint)
    expect([pair.acknowledge(), pair.inService('master')]).toEqual([undefined, 0x10])
    pair.command('master', OCW2.EOI)
    expect(pair.acknowledge()).toBe(0x26)
  })
})
