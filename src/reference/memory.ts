/**
 * Guest memory with a log of what devices do to it. Every access of a device is one `dma` event, every access that
 * leaves memory is one `fault` event and moves nothing. Accesses of the guest itself are not logged.
 */

import { type Gpa, TargetError, type TargetEvent } from '../contract/index.ts'

export interface Region {
  readonly start: Gpa
  /** First address past the region. */
  readonly end: Gpa
}

/** Memory as it is saved: only pages that hold anything, as hexadecimal, keyed by GPA. */
export interface SavedMemory {
  readonly regions: readonly Region[]
  readonly pages: Readonly<Record<string, string>>
}

export interface GuestMemory {
  readonly regions: readonly Region[]
  /** What a device reads, or `undefined` when any byte is outside memory. */
  read(device: string, gpa: Gpa, bytes: number): Uint8Array | undefined
  /** What a device writes; `data` is kept by the log and belongs to it from now on. False: outside memory. */
  write(device: string, gpa: Gpa, data: Uint8Array): boolean
  /** Logs an access whose address does not fit a GPA. */
  refuse(device: string, access: 'read' | 'write', iova: bigint, bytes: number): void
  /** Whether all bytes of `[gpa, gpa + bytes)` are memory. An empty range always is. */
  covers(gpa: Gpa, bytes: number): boolean
  /** The guest's own accesses. */
  load(gpa: Gpa, bytes: number): Uint8Array
  /** The same into bytes of the caller. */
  loadInto(gpa: Gpa, data: Uint8Array): void
  store(gpa: Gpa, data: Uint8Array): void
  /** All bytes become zero. */
  clear(): void
  save(): SavedMemory
  restore(saved: SavedMemory): void
  /** Another memory of the same regions takes the contents over; here nothing is left. */
  moveInto(other: GuestMemory): void
  /** Takes over what `moveInto` gives. */
  take(contents: readonly unknown[]): void
  /** Equal contents, equal numbers: two independent 32-bit sums. */
  hash(): [number, number]
}

const PAGE_BYTES = 4096

/** What is in a bank, from the first byte that is written on: until then all of it is zero, and most banks stay so. */
interface Content {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  /** Pages written since the last `clear`; the others are zero. */
  readonly touched: Uint8Array
  /** Pages whose hash below is out of date. */
  readonly stale: Uint8Array
  readonly hashes: Uint32Array
}

interface Bank {
  readonly start: Gpa
  readonly end: Gpa
  content: Content | undefined
}

const bankOf = ({ start, end }: Region): Bank => {
  const size = end - start
  const pages = size / PAGE_BYTES
  if (!Number.isInteger(pages) || pages < 1 || start % PAGE_BYTES !== 0)
    throw new TargetError('start', `memory region [${start}, ${end}) is not a whole number of ${PAGE_BYTES}-byte pages`)
  return { start, end, content: undefined }
}

const contentOf = (bank: Bank): Content => {
  if (bank.content !== undefined) return bank.content
  const size = bank.end - bank.start
  const pages = size / PAGE_BYTES
  const buffer = new ArrayBuffer(size)
  bank.content = {
    bytes: new Uint8Array(buffer),
    words: new Uint32Array(buffer),
    touched: new Uint8Array(pages),
    stale: new Uint8Array(pages),
    hashes: new Uint32Array(pages * 2),
  }
  return bank.content
}

/** `regions` ascend and do not overlap; they may touch each other. */
export function createMemory(regions: readonly Region[], emit: (event: TargetEvent) => void): GuestMemory {
  const banks = regions.map(bankOf)
  const first = banks[0]!

  const bankAt = (gpa: Gpa): Bank | undefined => {
    if (gpa >= first.start && gpa < first.end) return first
    for (let index = 1; index < banks.length; index++) {
      const bank = banks[index]!
      if (gpa >= bank.start && gpa < bank.end) return bank
    }
    return undefined
  }

  const covers = (gpa: Gpa, bytes: number): boolean => {
    if (bytes === 0) return true
    // Past 2^53 a sum is not exact, and there is no memory.
    if (!Number.isSafeInteger(gpa + bytes)) return false
    // A range may run over the border of two regions that touch.
    for (let at = gpa; at < gpa + bytes; ) {
      const bank = bankAt(at)
      if (bank === undefined) return false
      at = bank.end
    }
    return true
  }

  const copyOut = (gpa: Gpa, bytes: number): Uint8Array => {
    const bank = bankAt(gpa)
    if (bank !== undefined && gpa + bytes <= bank.end)
      return bank.content?.bytes.slice(gpa - bank.start, gpa - bank.start + bytes) ?? new Uint8Array(bytes)
    const out = new Uint8Array(bytes)
    for (let done = 0; done < bytes; ) {
      const part = bankAt(gpa + done)!
      const count = Math.min(bytes - done, part.end - gpa - done)
      const from = gpa + done - part.start
      if (part.content !== undefined) out.set(part.content.bytes.subarray(from, from + count), done)
      done += count
    }
    return out
  }

  const copyIn = (gpa: Gpa, data: Uint8Array): void => {
    for (let done = 0; done < data.length; ) {
      const bank = bankAt(gpa + done)!
      const count = Math.min(data.length - done, bank.end - gpa - done)
      const { bytes, touched, stale } = contentOf(bank)
      const to = gpa + done - bank.start
      if (count === 2 && data.length === 2) {
        bytes[to] = data[0]!
        bytes[to + 1] = data[1]!
      } else bytes.set(count === data.length ? data : data.subarray(done, done + count), to)
      for (let page = Math.floor(to / PAGE_BYTES); page * PAGE_BYTES < to + count; page++) {
        touched[page] = 1
        stale[page] = 1
      }
      done += count
    }
  }

  const fault = (device: string, access: 'read' | 'write', iova: bigint, bytes: number): void =>
    emit({ kind: 'fault', device, access, iova: `0x${iova.toString(16)}`, bytes })

  const demand = (gpa: Gpa, bytes: number, verb: string): void => {
    if (!covers(gpa, bytes))
      throw new TargetError(
        'protocol',
        `${verb} of ${bytes} bytes at GPA 0x${gpa.toString(16)} leaves guest memory (${regions
          .map(({ start, end }) => `[0x${start.toString(16)}, 0x${end.toString(16)})`)
          .join(', ')}); aim inside it`,
      )
  }

  return {
    regions,
    covers,
    read(device, gpa, bytes) {
      if (!covers(gpa, bytes)) return fault(device, 'read', BigInt(gpa), bytes) as undefined
      const data = copyOut(gpa, bytes)
      emit({ kind: 'dma', device, access: 'read', gpa, data })
      return data
    },
    write(device, gpa, data) {
      if (!covers(gpa, data.length)) {
        fault(device, 'write', BigInt(gpa), data.length)
        return false
      }
      copyIn(gpa, data)
      emit({ kind: 'dma', device, access: 'write', gpa, data })
      return true
    },
    refuse: fault,
    load(gpa, bytes) {
      demand(gpa, bytes, 'load')
      return copyOut(gpa, bytes)
    },
    loadInto(gpa, data) {
      const bank = bankAt(gpa)
      if (bank === undefined || gpa + data.length > bank.end) {
        demand(gpa, data.length, 'load')
        data.set(copyOut(gpa, data.length))
      } else if (bank.content === undefined) data.fill(0)
      else data.set(bank.content.bytes.subarray(gpa - bank.start, gpa - bank.start + data.length))
    },
    store(gpa, data) {
      demand(gpa, data.length, 'store')
      copyIn(gpa, data)
    },
    clear() {
      for (const { content } of banks) {
        if (content === undefined) continue
        const { bytes, touched, stale } = content
        for (let page = 0; page < touched.length; page++)
          if (touched[page] === 1) {
            bytes.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
            touched[page] = 0
            stale[page] = 1
          }
      }
    },
    save() {
      const pages: Record<string, string> = {}
      for (const { start, content } of banks) {
        if (content === undefined) continue
        const { bytes, touched } = content
        for (let page = 0; page < touched.length; page++) {
          if (touched[page] === 0) continue
          const from = page * PAGE_BYTES
          const data = bytes.subarray(from, from + PAGE_BYTES)
          if (data.some((byte) => byte !== 0))
            pages[`0x${(start + from).toString(16)}`] = Buffer.from(data).toString('hex')
        }
      }
      return { regions: regions.map(({ start, end }) => ({ start, end })), pages }
    },
    restore(saved) {
      const shape = (list: readonly Region[]) => list.map(({ start, end }) => `${start}-${end}`).join()
      if (shape(saved.regions) !== shape(regions))
        throw new TargetError(
          'protocol',
          `saved state has memory ${shape(saved.regions)}, this target ${shape(regions)}`,
        )
      this.clear()
      for (const [gpa, hex] of Object.entries(saved.pages)) this.store(Number(gpa), Buffer.from(hex, 'hex'))
    },
    moveInto(other) {
      other.take(banks.map(({ content }) => content))
      for (const bank of banks) bank.content = undefined
    },
    take(contents) {
      for (const [i, bank] of banks.entries()) bank.content = contents[i] as Content | undefined
    },
    hash() {
      let low = 0
      let high = 0
      for (const { start, content } of banks) {
        if (content === undefined) continue
        const { stale, hashes } = content
        for (let page = 0; page < stale.length; page++) {
          if (stale[page] === 1) hashPage(start, content, page)
          low = (low + hashes[page * 2]!) | 0
          high = (high + hashes[page * 2 + 1]!) | 0
        }
      }
      return [low >>> 0, high >>> 0]
    },
  }
}

/** A page of zeros hashes to zero, so that a touched empty page equals one never touched. */
function hashPage(start: Gpa, { words: all, hashes, stale }: Content, page: number): void {
  const words = PAGE_BYTES / 4
  const where = start / PAGE_BYTES + page
  let low = 0
  let high = 0
  for (let index = 0; index < words; index++) {
    const word = all[page * words + index]!
    if (word === 0) continue
    const place = Math.imul(where * words + index + 1, 0x9e3779b1)
    let mixed = Math.imul(word ^ place, 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35)
    low = (low + (mixed ^ (mixed >>> 13))) | 0
    mixed = Math.imul(word + place, 0x27d4eb2f)
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x165667b1)
    high = (high + (mixed ^ (mixed >>> 14))) | 0
  }
  hashes[page * 2] = low
  hashes[page * 2 + 1] = high
  stale[page] = 0
}
