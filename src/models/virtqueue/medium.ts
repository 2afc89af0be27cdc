/**
 * Contents of sectors: pattern `n` of a sector is filled so that it names run, sector and content. Content 0 is what
 * the medium held before this run wrote to it; it is learnt at the first read, for no target can be told it.
 */
import { SECTOR_BYTES } from '../../layout/blk.ts'
import { UNWRITTEN } from './driver.ts'

export class Medium {
  private readonly patterns: Uint8Array[][]
  private readonly views: DataView[]
  /** What the sectors held before, where it was read. */
  readonly learnt: (Uint8Array | undefined)[]

  constructor(sectors: number, contents: number) {
    this.patterns = Array.from({ length: sectors }, (_, sector) =>
      Array.from({ length: contents }, (_, content) => fill(sector, content)),
    )
    this.views = this.patterns.flat().map((pattern) => new DataView(pattern.buffer))
    this.learnt = new Array<Uint8Array | undefined>(sectors).fill(undefined)
  }

  /** A new run: every pattern changes, so that what an old run wrote is not taken for this one's. */
  restart(run: number): void {
    this.learnt.fill(undefined)
    for (const view of this.views) view.setUint32(0, run, true)
  }

  /** The bytes of a content; content 0 is never written. */
  pattern(sector: number, content: number): Uint8Array {
    return this.patterns[sector]![content]!
  }

  /** Which content these bytes are; undefined when they are none. */
  recognise(sector: number, bytes: Uint8Array): number | undefined {
    const contents = this.patterns[sector]!
    for (let content = 1; content < contents.length; content++) if (same(contents[content]!, bytes)) return content
    // Bytes that the device left as they were are no content of any medium.
    if (bytes[0] === UNWRITTEN && bytes.every((byte) => byte === UNWRITTEN)) return undefined
    const known = this.learnt[sector]
    // A copy: these may be a view of what is read into again, of which `slice` would make another.
    if (known === undefined) this.learnt[sector] = new Uint8Array(bytes)
    return known === undefined || same(known, bytes) ? 0 : undefined
  }
}

const fill = (sector: number, content: number): Uint8Array => {
  const bytes = new Uint8Array(SECTOR_BYTES)
  for (let i = 8; i < SECTOR_BYTES; i++) bytes[i] = (sector * 31 + content * 7 + i) % 160
  bytes[4] = sector
  bytes[5] = content
  bytes[6] = 0x5a
  return bytes
}

const same = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
