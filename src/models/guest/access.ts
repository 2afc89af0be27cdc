/** How a guest reaches a target: numbers instead of bigints, and never a check of what it writes. */
import type { Gpa, Location, Space, Target } from '../../contract/target.ts'

const EIGHT_BITS = 0xff
const SIXTEEN_BITS = 0xffff
/** A 64-bit value; hostile ones do not fit a number. */
export type Wide = number | bigint

const low = (value: Wide): number => (typeof value === 'bigint' ? Number(value & 0xffff_ffffn) : value >>> 0)
const high = (value: Wide): number =>
  typeof value === 'bigint' ? Number((value >> 32n) & 0xffff_ffffn) : Math.floor(value / 2 ** 32) >>> 0

/** Eight bytes, little endian. */
export const setWide = (view: DataView, at: number, value: Wide): void => {
  view.setUint32(at, low(value), true)
  view.setUint32(at + 4, high(value), true)
}

/** A place that a CPU of the guest can name. */
export const place = (space: Space, address: number): Location => ({ space, address })

/** Reads guest memory into bytes that are there already. */
export const loadInto = (target: Target, gpa: Gpa, data: Uint8Array): void => {
  if (target.loadInto === undefined) data.set(target.load(gpa, data.length))
  else target.loadInto(gpa, data)
}

/** One CPU of a guest. The target behind it can be replaced, since a migration moves to a fresh instance. */
export class Guest {
  target: Target

  constructor(target: Target) {
    this.target = target
  }

  read(at: Location, width: 1 | 2 | 4): number {
    return Number(this.target.read(at, width))
  }
  read8(at: Location): number {
    return Number(this.target.read(at, 1))
  }
  read16(at: Location): number {
    return Number(this.target.read(at, 2))
  }
  read32(at: Location): number {
    return Number(this.target.read(at, 4))
  }

  /** A read whose answer is told to `then`: at once, or by the time the next answer that is waited for has come. */
  readLater(at: Location, width: 1 | 2 | 4, then: (value: number) => void): void {
    const { target } = this
    if (target.readLater === undefined) then(this.read(at, width))
    else target.readLater(at, width, (value) => then(Number(value)))
  }

  /** Eight bytes as two reads, high half first. */
  readWide(at: Location): number {
    let upper = 0
    this.readLater({ ...at, address: at.address + 4 }, 4, (value) => (upper = value))
    const lower = this.read32(at)
    return upper * 2 ** 32 + lower
  }

  write8(at: Location, value: number): void {
    this.target.write(at, 1, BigInt(value & EIGHT_BITS))
  }
  write16(at: Location, value: number): void {
    this.target.write(at, 2, BigInt(value & SIXTEEN_BITS))
  }
  write32(at: Location, value: number): void {
    this.target.write(at, 4, BigInt(value >>> 0))
  }
  /** A 64-bit register as two 32-bit writes, low half first: what every transport has to accept. */
  write64(at: Location, value: Wide): void {
    this.write32(at, low(value))
    this.write32({ ...at, address: at.address + 4 }, high(value))
  }

  load16(gpa: Gpa): number {
    return this.#view(gpa, 2).getUint16(0, true)
  }
  load32(gpa: Gpa): number {
    return this.#view(gpa, 4).getUint32(0, true)
  }
  store16(gpa: Gpa, value: number): void {
    this.target.store(gpa, Uint8Array.of(value & EIGHT_BITS, (value >>> 8) & EIGHT_BITS))
  }
  store32(gpa: Gpa, value: number): void {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, value >>> 0, true)
    this.target.store(gpa, bytes)
  }
  store64(gpa: Gpa, value: Wide): void {
    const bytes = new Uint8Array(8)
    setWide(new DataView(bytes.buffer), 0, value)
    this.target.store(gpa, bytes)
  }

  #view(gpa: Gpa, bytes: number): DataView {
    const data = this.target.load(gpa, bytes)
    return new DataView(data.buffer, data.byteOffset, data.byteLength)
  }
}
