/** A small fast generator of random numbers, seeded; the seed alone decides the sequence. */
export class Random {
  private a: number
  private b: number
  private c: number
  private d: number

  constructor(seed: number) {
    // Four words out of one, by a mixing step of its own.
    let s = seed | 0
    const next = (): number => {
      s = (s + 0x9e3779b9) | 0
      let z = s
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return z ^ (z >>> 15)
    }
    this.a = next()
    this.b = next()
    this.c = next()
    this.d = next()
  }

  /** 32 random bits. */
  bits(): number {
    const t = (((this.a + this.b) | 0) + this.d) | 0
    this.d = (this.d + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + t
    return t >>> 0
  }
  /** From 0 up to, and without, 1. */
  share(): number {
    return this.bits() / 4_294_967_296
  }
  /** A whole number from 0 up to, and without, `n`. */
  below(n: number): number {
    return Math.floor(this.share() * n)
  }
  /** True with this probability. */
  chance(p: number): boolean {
    return this.bits() < p * 4_294_967_296
  }
  /** One of a non-empty list. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
}

/** A seed for run `run` of a machine: independent of workers and of what ran before. */
export const runSeed = (seed: number, machine: string, run: number): number => {
  let h = seed | 0
  const mix = (word: number): void => {
    h = Math.imul(h ^ word, 0x9e3779b1)
    h ^= h >>> 15
  }
  for (let i = 0; i < machine.length; i++) mix(machine.charCodeAt(i))
  mix(run)
  mix(run >>> 16)
  return h | 0
}
