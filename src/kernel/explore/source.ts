/** Generated functions, cut into pieces: V8 does not optimise a function above 60 kB of bytecode, and slows before. */

/** Source length, in characters, that a generated function stays below unless one statement is longer. */
const PIECE = 8_000

const NAME = /[A-Za-z_$][\w$]*/g

/** Groups things so that the sizes of a group add up to less than `most`, unless there is one only. */
export const grouped = <T>(things: readonly T[], sizeOf: (thing: T) => number, most: number): T[][] => {
  const groups: T[][] = []
  let size = most
  for (const thing of things) {
    if (size + sizeOf(thing) >= most) {
      groups.push([])
      size = 0
    }
    groups.at(-1)!.push(thing)
    size += sizeOf(thing)
  }
  return groups
}

/** Groups texts so that each group stays below `PIECE`. */
export const pieced = (texts: readonly string[]): string[][] => grouped(texts, (text) => text.length, PIECE)

/**
 * A function, called `name` in profiles, that runs the statements in order. `names` are visible to them as constants;
 * `head` opens every piece, for variables that no statement hands to the next.
 */
export const generate = <F>(
  name: string,
  parameters: string,
  statements: readonly string[],
  names: Readonly<Record<string, unknown>> = {},
  head = '',
): F => {
  const groups = pieced(statements)
  const parts = groups.map((group, i) => `const ${name}_${i}=(${parameters})=>{${head}\n${group.join('\n')}}`)
  const whole =
    groups.length === 1
      ? `${name}_0`
      : `(${parameters})=>{${groups.map((_, i) => `${name}_${i}(${parameters})`).join(';')}}`
  const body = parts.join('\n')
  const used = new Set(body.match(NAME))
  const text = `'use strict';const {${Object.keys(names).filter((each) => used.has(each))}}=N\n${body}\nreturn ${whole}`
  return new Function('N', text)(names) as F
}

/** `each(0)`, `each(1)` ... up to `n`, joined. */
export const repeat = (n: number, separator: string, each: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => each(i)).join(separator)
