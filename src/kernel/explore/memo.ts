/**
 * What was found possible of an action, by what its guards read. An action of many ways asks as many guards in each state,
 * and all of them together often read a few fields only: states that agree in those agree in what is possible. Which bits
 * are read is not guessed but noted, whenever an answer is not known yet: an answer holds for all states that agree in the
 * bits that were read for it, as long as a guard depends on the state and its arguments alone, which the audit would find
 * out. Where answers seldom come again, guards are simply asked.
 */
import { type Words, wordName } from '../language/packed-views.ts'
import type { WordLayout } from '../language/word-layout.ts'
import { FIXED, type Names } from './expander-text.ts'
import { generate, repeat } from './source.ts'

/** An action with fewer ways asks as fast as it remembers. */
export const WAYS_MIN = 6

/** Appends to what was found the ways that are possible in the state that is read; the new end. */
export type Find = (o: number, id: number, duty: boolean) => number

const SLOTS = 1 << 15
/** Answers, beyond which all are forgotten. */
const ANSWERS_MAX = SLOTS / 2
const POOL = 1 << 18
/** After so many questions the memory is judged: it stays if no more than one in `MISSES` was new. */
const JUDGED = 8_192
const MISSES = 4

interface MemoOptions {
  readonly name: string
  readonly layout: WordLayout
  /** What the state is read by that notes the bits: they are in `bits` then. */
  readonly bits: Words
  /** Asks all guards. */
  readonly ask: Find
  /** Asks all guards on a view that notes the bits that it reads. */
  readonly trace: Find
  readonly waysMax: number
  readonly names: Names & { readonly found: Int32Array }
}

/** Of a machine of few words: the key is all of them. */
export const WORDS_MAX = 8

export const remembering = ({ name, layout, bits, ask, trace, waysMax, names }: MemoOptions): Find => {
  const { words } = layout
  /** Of an answer: the words under the mask, whether duties apply, and where it begins and ends in the pool. */
  const stride = words + 3
  const masks = new Int32Array(FIXED)
  const slots = new Int32Array(SLOTS)
  const answers = new Int32Array((ANSWERS_MAX + 1) * stride)
  const pool = new Int32Array(POOL)
  let count = 0
  let filled = 0
  let misses = 0
  /** How often an answer was known; and zero as soon as nothing is remembered any more. */
  const state = new Int32Array(FIXED)
  state[1] = 1
  const word = (from: string, i: number): string => `${from}.${wordName(layout, i)}`
  const bitsOf = new Function('b', `return [${Array.from({ length: words }, (_, i) => word('b', i)).join()}]`) as (
    bits: Words,
  ) => number[]
  const forgetBits = new Function(
    'b',
    repeat(words, '', (i) => `${word('b', i)}=0;`),
  ) as (bits: Words) => void
  const forget = (): void => {
    slots.fill(0)
    count = 0
    filled = 0
  }
  const { found } = names
  const miss = (o: number, id: number, duty: boolean): number => {
    forgetBits(bits)
    const end = trace(o, id, duty)
    misses++
    const calls = state[0]! + misses
    if (calls >= JUDGED) {
      if (misses * MISSES > calls) state[1] = 0
      misses = 0
      state[0] = 0
    }
    let grown = false
    bitsOf(bits).forEach((read, i) => {
      if ((read & ~masks[i]!) === 0) return
      masks[i]! |= read
      grown = true
    })
    // What is known under a smaller mask stays true, and is seldom found.
    if (grown || count === ANSWERS_MAX || filled + waysMax > POOL) forget()
    const at = ++count * stride
    let slot = key(answers, at, duty)
    while (slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1)
    slots[slot] = count
    answers[at + words + 1] = filled
    for (let i = o; i < end; i++) pool[filled++] = found[i]!
    answers[at + words + 2] = filled
    return end
  }
  const hashed = `let h=duty?1:0;${repeat(words, '', (i) => `const m${i}=${word('w', i)}&masks[${i}];h=Math.imul(h^m${i},0x9e3779b1);h^=h>>>15;`)}h&=${SLOTS - 1};`
  const visible = { ...names, masks, slots, answers, pool, state, ask, miss }
  /** Writes the key of the state that is read; its slot. */
  const key = generate<(answers: Int32Array, at: number, duty: boolean) => number>(
    `${name}Key`,
    'answers,at,duty',
    [`${hashed}${repeat(words, '', (i) => `answers[at+${i}]=m${i};`)}answers[at+${words}]=duty?1:0;return h`],
    visible,
  )
  return generate<Find>(
    `${name}Known`,
    'o,id,duty',
    [
      `if(state[1]===0)return ask(o,id,duty)
${hashed}
for(let n=slots[h];n!==0;h=h+1&${SLOTS - 1},n=slots[h]){
const q=Math.imul(n,${stride})
if(${repeat(words, '&&', (i) => `answers[q+${i}]===m${i}`)}&&answers[q+${words}]===(duty?1:0)){
state[0]++
for(let i=answers[q+${words + 1}],e=answers[q+${words + 2}];i<e;i++){found[o]=pool[i];o=o+1|0}
return o
}
}
return miss(o,id,duty)`,
    ],
    visible,
  )
}
