/**
 * 9P messages, as far as the back end answers them: enough 9P2000.L to complete every request, since the subject is
 * the virtqueue and not the file system.
 */

/** Message types, and the Linux error numbers that Rlerror carries. */
const NINE_P = { RLERROR: 7, TVERSION: 100, RVERSION: 101, EIO: 5, EOPNOTSUPP: 95 } as const

/** Every message begins with `size` (4 bytes), `type` (1), `tag` (2), little endian. */
const HEADER_BYTES = 7
const TYPE_OFFSET = 4
const TAG_OFFSET = 5

/** The tag of a request, read as v86 reads it: NaN where the request ends before the tag. */
export function tagOf(request: Uint8Array): number {
  const low = request[TAG_OFFSET]
  return low === undefined ? Number.NaN : low + ((request[TAG_OFFSET + 1] ?? 0) << 8)
}

/**
 * The answer to `request`: Rversion to Tversion, Rlerror to anything else, and to every request that `fails`. A request
 * without a tag cannot be answered; its chain is returned with nothing written.
 */
export function answer(request: Uint8Array, fails: boolean): Uint8Array {
  const tag = tagOf(request)
  if (Number.isNaN(tag)) return new Uint8Array(0)
  if (fails) return message(NINE_P.RLERROR, tag, wordBytes(NINE_P.EIO))
  if (request[TYPE_OFFSET] !== NINE_P.TVERSION) return message(NINE_P.RLERROR, tag, wordBytes(NINE_P.EOPNOTSUPP))
  // Rversion carries msize and version just as Tversion proposed them.
  return message(NINE_P.RVERSION, tag, request.subarray(HEADER_BYTES))
}

function message(type: number, tag: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length)
  bytes.set(wordBytes(bytes.length), 0)
  bytes[TYPE_OFFSET] = type
  bytes[TAG_OFFSET] = tag
  bytes[TAG_OFFSET + 1] = tag >> 8
  bytes.set(body, HEADER_BYTES)
  return bytes
}

function wordBytes(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8, value >> 16, value >> 24)
}
