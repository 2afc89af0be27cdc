/** The second queue of a device, used for one plain request at a time. */
import type { Gpa, Target } from '../../contract/target.ts'
import { avail, DESC, DESC_FLAG, used } from '../../layout/split-ring.ts'
import { encodeDescriptor } from './chain.ts'
import type { MemoryMap } from './memory-map.ts'
import type { Request } from './requests.ts'

export class Neighbour {
  target: Target
  private readonly map: MemoryMap
  private idx = 0

  constructor(target: Target, map: MemoryMap) {
    this.target = target
    this.map = map
  }

  restart(): void {
    const { start, end } = this.map.neighbour
    this.target.store(start, new Uint8Array(end - start))
    this.idx = 0
  }

  /** Publishes one request in two descriptors; the caller kicks. */
  submit(request: Request): void {
    const { desc, avail: ring } = this.map.neighbour
    const buffer = this.map.neighbourBuffer
    this.target.store(buffer, request.readable)
    this.target.store(this.answerAt, new Uint8Array(request.writableBytes).fill(0xff))
    const table = new Uint8Array(2 * DESC.bytes)
    const view = new DataView(table.buffer)
    const head = this.headOf(this.idx)
    encodeDescriptor(view, 0, {
      address: buffer,
      length: request.readable.length,
      flags: DESC_FLAG.NEXT,
      next: head + 1,
    })
    encodeDescriptor(view, DESC.bytes, {
      address: this.answerAt,
      length: request.writableBytes,
      flags: DESC_FLAG.WRITE,
      next: 0,
    })
    this.target.store(desc + DESC.bytes * head, table)
    this.store16(ring + avail.ring(this.idx % this.map.size), head)
    this.idx = (this.idx + 1) & 0xffff
    this.store16(ring + avail.idx, this.idx)
  }

  /** Undefined while nothing came back; then whether it is what was asked for. */
  answer(request: Request): boolean | undefined {
    const ring = this.map.neighbour.used
    const view = this.view(ring, used.ring(this.map.size))
    const idx = view.getUint16(used.idx, true)
    if (idx === ((this.idx - 1) & 0xffff)) return undefined
    if (idx !== this.idx) return false
    const at = used.ring((this.idx - 1) % this.map.size)
    const status = this.target.load(this.answerAt + request.writableBytes - 1, 1)[0]
    const head = this.headOf(this.idx - 1)
    return view.getUint32(at, true) === head && view.getUint32(at + 4, true) <= request.writableBytes && status === 0
  }

  /** Two descriptors a request, in the order of the table, as IN_ORDER wants it. */
  private headOf(idx: number): number {
    return (2 * idx) % this.map.size
  }
  private get answerAt(): Gpa {
    return this.map.neighbourBuffer + 0x400
  }
  private view(gpa: Gpa, bytes: number): DataView {
    const data = this.target.load(gpa, bytes)
    return new DataView(data.buffer, data.byteOffset, data.byteLength)
  }
  private store16(gpa: Gpa, value: number): void {
    this.target.store(gpa, Uint8Array.of(value & 0xff, value >>> 8))
  }
}
