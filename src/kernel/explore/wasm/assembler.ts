/**
 * As much of WebAssembly's binary format as a small kernel needs: instructions as nested lists, operands first, and a
 * module that imports one memory and exports its functions. Sections and codes: WebAssembly Core 2.0, chapter 5.
 */

export type Code = number | readonly Code[]

export const I32 = 0x7f

const unsigned = (value: number): number[] => {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return [...bytes, rest]
}

const signed = (value: bigint): number[] => {
  const bytes: number[] = []
  let rest = value
  for (; rest < -64n || rest > 63n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return [...bytes, Number(rest & 0x7fn)]
}

const VOID = 0x40
/** Addresses are multiples of four, whatever is read there. */
const WORD_ALIGNED = 2

const binary =
  (code: number) =>
  (a: Code, b: Code): Code => [a, b, code]
const load =
  (code: number) =>
  (address: Code, offset = 0): Code => [address, code, WORD_ALIGNED, unsigned(offset)]
const store =
  (code: number) =>
  (address: Code, value: Code, offset = 0): Code => [address, value, code, WORD_ALIGNED, unsigned(offset)]

export const get = (local: number): Code => [0x20, unsigned(local)]
export const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)]
/** Sets, and is the value too. */
export const tee = (local: number, value: Code): Code => [value, 0x22, unsigned(local)]

export const block = (...body: Code[]): Code => [0x02, VOID, body, 0x0b]
export const loop = (...body: Code[]): Code => [0x03, VOID, body, 0x0b]
export const when = (condition: Code, ...body: Code[]): Code => [condition, 0x04, VOID, body, 0x0b]
/** Leaves the `depth`-th of the enclosing blocks, or goes to the start of the loop that it is. */
export const branch = (depth: number): Code => [0x0c, unsigned(depth)]
export const branchIf = (depth: number, condition: Code): Code => [condition, 0x0d, unsigned(depth)]

export const i32 = {
  of: (value: number): Code => [0x41, signed(BigInt(value | 0))],
  load: load(0x28),
  store: store(0x36),
  isZero: (a: Code): Code => [a, 0x45],
  equal: binary(0x46),
  isBelow: binary(0x49),
  add: binary(0x6a),
  subtract: binary(0x6b),
  multiply: binary(0x6c),
  and: binary(0x71),
  or: binary(0x72),
  xor: binary(0x73),
  shiftLeft: binary(0x74),
  /** Of an `i64`: its low word. */
  wrap: (a: Code): Code => [a, 0xa7],
  /** Puts `wanted` where `found` still is; is what was there. */
  compareExchange: (address: Code, found: Code, wanted: Code): Code => [address, found, wanted, 0xfe, 0x48, 2, 0],
  atomicLoad: (address: Code): Code => [address, 0xfe, 0x10, 2, 0],
} as const

export const i64 = {
  of: (value: bigint): Code => [0x42, signed(BigInt.asIntN(64, value))],
  load: load(0x29),
  /** One word, with zeros above it. */
  loadWord: load(0x35),
  store: store(0x37),
  equal: binary(0x51),
  multiply: binary(0x7e),
  xor: binary(0x85),
  shiftRight: binary(0x88),
} as const

export const I64 = 0x7e

export interface Func {
  readonly name: string
  /** Number of parameters, all of them words. */
  readonly parameters: number
  /** Types of the locals that come after them. */
  readonly locals: readonly number[]
  /** Leaves one word, the result. */
  readonly body: Code
}

const flat = (code: Code): number[] => (typeof code === 'number' ? [code] : code.flatMap(flat))
const vector = (items: readonly Code[]): Code => [unsigned(items.length), items]
const sized = (code: Code): Code => {
  const bytes = flat(code)
  return [unsigned(bytes.length), bytes]
}
const section = (id: number, content: Code): Code => [id, sized(content)]
const text = (value: string): Code => sized([...Buffer.from(value)])

/** A module that imports the shared memory `env.memory`, which has at most `pages` pages. */
export const moduleOf = (functions: readonly Func[], pages: number): Uint8Array<ArrayBuffer> => {
  const types = functions.map(({ parameters }) => [0x60, vector(Array<Code>(parameters).fill(I32)), vector([I32])])
  const imports = [[text('env'), text('memory'), 0x02, 0x03, unsigned(0), unsigned(pages)]]
  const exports = functions.map(({ name }, i) => [text(name), 0x00, unsigned(i)])
  const codes = functions.map(({ locals, body }) => sized([vector(locals.map((type) => [1, type])), body, 0x0b]))
  return Uint8Array.from(
    flat([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(1, vector(types)),
      section(2, vector(imports)),
      section(3, vector(functions.map((_, i) => unsigned(i)))),
      section(7, vector(exports)),
      section(10, vector(codes)),
    ]),
  )
}
