/**
 * The value types that a machine's state and arguments are built from.
 *
 * Every type is bounded. A state is an array of small integers ("cells"), one per scalar; what authors see are views
 * over it (`views.ts`), so that states can be copied, compared, packed, hashed and diffed without knowing a machine.
 */
import type { Bits } from './bits.ts'
import type { Cells, ReadonlyCells } from './cells.ts'

/** A value that one cell holds: the raw number runs from 0 to `cells - 1`. */
export interface Scalar<V> {
  readonly kind: 'flag' | 'int' | 'mod' | 'enum' | 'set' | 'id' | 'maybe'
  /** How many raw values there are. */
  readonly cells: number
  /** Lowest value of an `int`. */
  readonly low: number
  /** Names of an `enum`, in raw order. */
  readonly names?: readonly string[]
  /** Number of members that a `set` can have. */
  readonly members?: number
  /** What an `id` names, or what a `mod` counts: a machine may declare a domain to be symmetric. */
  readonly domain?: string
  /** What the members of a `set` are. */
  readonly by?: Scalar<number>
  /** The inner type of a `maybe`; raw 0 is "none". */
  readonly of?: Scalar<unknown>
  readonly _value?: V
}

export interface ArrayOf<T extends Type> {
  readonly kind: 'array'
  readonly length: number
  readonly of: T
  /** What it is indexed by. */
  readonly by?: Scalar<number>
}
export interface RecordOf<F extends Fields> {
  readonly kind: 'record'
  readonly fields: F
}
export interface VariantOf<C extends Record<string, Fields>> {
  readonly kind: 'variant'
  readonly cases: C
}

// biome-ignore lint/suspicious/noExplicitAny: the value type is phantom and covariant in use.
export type Type = Scalar<any> | ArrayOf<any> | RecordOf<any> | VariantOf<any>
export type Fields = { readonly [name: string]: Type }
// biome-ignore lint/suspicious/noExplicitAny: see Type.
export type ArgFields = { readonly [name: string]: Scalar<any> }

/** A free-running index: `s.idx++` wraps by itself; differences go through `distance`. */
export interface ModType extends Scalar<number> {
  readonly modulus: number
  /** How many increments lead from `from` to `to`. */
  distance(from: number, to: number): number
  /** `value + by`, wrapped. */
  plus(value: number, by: number): number
}

/** What an author reads and writes. */
export type View<T> =
  T extends Scalar<infer V>
    ? V
    : T extends ArrayOf<infer E>
      ? Cells<View<E>>
      : T extends RecordOf<infer F>
        ? StateOf<F>
        : T extends VariantOf<infer C>
          ? { [K in keyof C]: { readonly is: K } & Readonly<StateOf<C[K]>> }[keyof C]
          : never

// biome-ignore lint/suspicious/noExplicitAny: matches every scalar and variant.
type Assignable = Scalar<any> | VariantOf<any>

/** The state (or a record in it): scalars and variants can be assigned, arrays and records are written inside. */
export type StateOf<F> = { -readonly [K in keyof F as F[K] extends Assignable ? K : never]: View<F[K]> } & {
  readonly [K in keyof F as F[K] extends Assignable ? never : K]: View<F[K]>
}

/** What a condition sees: the same, unwritable at every depth. */
export type Seen<V> =
  V extends Cells<infer E>
    ? ReadonlyCells<Seen<E>>
    : V extends Bits
      ? V
      : V extends object
        ? { readonly [K in keyof V]: Seen<V[K]> }
        : V

export type ArgsOf<A> = { readonly [K in keyof A]: A[K] extends Scalar<infer V> ? V : never }

const bound = (what: string, n: number, low: number, high: number): number => {
  if (!Number.isInteger(n) || n < low || n > high)
    throw new RangeError(`t.${what}: expected a whole number from ${low} to ${high}, found ${String(n)}`)
  return n
}

const MAX_CELLS = 2 ** 31

const flag: Scalar<boolean> = { kind: 'flag', cells: 2, low: 0 }

const int = (low: number, high: number): Scalar<number> => {
  bound('int', low, -MAX_CELLS, MAX_CELLS)
  bound('int', high, low, low + MAX_CELLS - 1)
  return { kind: 'int', cells: high - low + 1, low }
}

const below = (n: number): Scalar<number> => int(0, bound('below', n, 1, MAX_CELLS) - 1)

const mod = (modulus: number, domain?: string): ModType => {
  bound('mod', modulus, 2, 2 ** 30)
  const last = modulus - 1
  const wrap =
    (modulus & last) === 0
      ? (value: number): number => value & last
      : (value: number): number => ((value % modulus) + modulus) % modulus
  return {
    kind: 'mod',
    cells: modulus,
    low: 0,
    modulus,
    ...(domain === undefined ? {} : { domain }),
    distance: (from, to) => wrap(to - from),
    plus: (value, by) => wrap(value + by),
  }
}

const oneOf = <const N extends readonly [string, ...string[]]>(...names: N): Scalar<N[number]> => {
  if (new Set(names).size !== names.length) throw new RangeError(`t.oneOf: a name occurs twice in ${names.join(', ')}`)
  return { kind: 'enum', cells: names.length, low: 0, names }
}

/** How many there are of what a set or an array is over. */
const countOf = (what: string, over: number | Scalar<number>): number => {
  if (typeof over === 'number') return over
  if (over.kind === 'id' || over.kind === 'mod') return over.cells
  throw new TypeError(`t.${what}: expected a number, a t.id or a t.mod to be over, found a type of kind ${over.kind}`)
}

const over = (by: number | Scalar<number>): { readonly by?: Scalar<number> } => (typeof by === 'number' ? {} : { by })

const set = (members: number | Scalar<number>): Scalar<Bits> => {
  const count = bound('set', countOf('set', members), 1, 31)
  return { kind: 'set', cells: 2 ** count, low: 0, members: count, ...over(members) }
}

const id = (domain: string, n: number): Scalar<number> => ({
  kind: 'id',
  cells: bound('id', n, 1, MAX_CELLS),
  low: 0,
  domain,
})

const maybe = <V>(of: Scalar<V>): Scalar<V | undefined> => ({
  kind: 'maybe',
  cells: bound('maybe', of.cells, 1, MAX_CELLS - 1) + 1,
  low: 0,
  of,
})

const array = <T extends Type>(length: number | Scalar<number>, of: T): ArrayOf<T> => ({
  kind: 'array',
  length: bound('array', countOf('array', length), 1, 65_536),
  of,
  ...over(length),
})

const record = <F extends Fields>(fields: F): RecordOf<F> => ({ kind: 'record', fields })

const variant = <C extends Record<string, Fields>>(cases: C): VariantOf<C> => ({ kind: 'variant', cases })

/**
 * The type constructors. `t.below(4)` is 0 to 3, `t.mod(8)` a free-running index, `t.set(4)` a subset of 0 to 3. An array
 * or a set over a type, as in `t.array(head, t.flag)`, has one element, or one possible member, for each value of it.
 */
export const t = { flag, int, below, mod, oneOf, set, id, maybe, array, record, variant } as const
