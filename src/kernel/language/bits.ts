/**
 * An immutable set of small whole numbers: what `t.set(n)` looks like to authors. Underneath it is one bit mask. Sets are
 * compared by `equals`: two objects may be the same set.
 */
export class Bits {
  readonly mask: number

  /** Of a mask that is known to be one: see `of` and `from` for others. */
  constructor(mask: number) {
    this.mask = mask
  }

  has(member: number): boolean {
    return ((this.mask >>> member) & 1) === 1
  }
  with(member: number): Bits {
    return new Bits(this.mask | (1 << member))
  }
  without(member: number): Bits {
    return new Bits(this.mask & ~(1 << member))
  }
  union(other: Bits): Bits {
    return new Bits(this.mask | other.mask)
  }
  minus(other: Bits): Bits {
    return new Bits(this.mask & ~other.mask)
  }
  and(other: Bits): Bits {
    return new Bits(this.mask & other.mask)
  }
  contains(other: Bits): boolean {
    return (other.mask & ~this.mask) === 0
  }
  meets(other: Bits): boolean {
    return (other.mask & this.mask) !== 0
  }
  equals(other: Bits): boolean {
    return this.mask === other.mask
  }
  get isEmpty(): boolean {
    return this.mask === 0
  }
  /** How many members there are. */
  get size(): number {
    let rest = this.mask
    let count = 0
    for (; rest !== 0; rest &= rest - 1) count++
    return count
  }
  /** The lowest member. */
  get first(): number | undefined {
    return this.mask === 0 ? undefined : 31 - Math.clz32(this.mask & -this.mask)
  }
  /** The members, ascending. */
  toArray(): number[] {
    const members: number[] = []
    for (let rest = this.mask; rest !== 0; rest &= rest - 1) members.push(31 - Math.clz32(rest & -rest))
    return members
  }
  toJSON(): number[] {
    return this.toArray()
  }

  /** One object per mask, for the masks that small scopes use: a set costs no allocation there. */
  private static readonly known: Bits[] = []

  static of(mask: number): Bits {
    if (mask >= 0 && mask < 4096) return (Bits.known[mask] ??= new Bits(mask))
    return new Bits(mask)
  }
  static from(members: Iterable<number>): Bits {
    let mask = 0
    for (const member of members) mask |= 1 << member
    return Bits.of(mask)
  }
}

export const noBits = Bits.of(0)
