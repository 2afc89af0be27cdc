/** The inner loops of the visited set, generated for a number of words a state. */
import { repeat } from './source.ts'

export interface Kernel {
  /** Hashes `count` rows from row `first` on. */
  hash(rows: Int32Array, first: number, count: number, hashes: Int32Array): void
  /** Appends the new ones of `n` rows to an arena of `states`; how many there are then, or `~states` at the limit. */
  insert(
    arena: Int32Array,
    slots: Int32Array,
    rows: Int32Array,
    hashes: Int32Array,
    n: number,
    states: number,
    limit: number,
  ): number
  /** The same, and says the number of each row's state. */
  insertNumbered(
    arena: Int32Array,
    slots: Int32Array,
    rows: Int32Array,
    hashes: Int32Array,
    n: number,
    states: number,
    limit: number,
    numbers: Int32Array,
  ): number
  /** Fills the slots of `count` distinct states from number `first` on. */
  place(slots: Int32Array, hashes: Int32Array, first: number, count: number): void
}

/** Odd constants with well-spread bits. */
const FACTORS = ['0x9e3779b1', '0x85ebca77', '0xc2b2ae3d', '0x27d4eb2f', '0x165667b1']
/** Above this many words the loops over them are loops. */
const UNROLLED = 16

const known = new Map<number, Kernel>()

/** One kernel for each number of words: what an engine has optimised serves the next exploration too. */
export const kernelOf = (words: number): Kernel => {
  const made = known.get(words) ?? generateKernel(words)
  known.set(words, made)
  return made
}

const generateKernel = (words: number): Kernel => {
  const stride = words + 1
  const long = words > UNROLLED
  const each = (separator: string, text: (i: number | string) => string): string =>
    long ? `for(let i=0;i<${words};i++){${text('i')}}` : repeat(words, separator, text)
  const mixed = (i: number | string): string =>
    `h=Math.imul(h^rows[p+${i}],${FACTORS[Number(i) % FACTORS.length] ?? FACTORS[0]});h^=h>>>${13 + (Number(i) % 4 || 0)};`
  const same = long
    ? `(()=>{for(let i=0;i<${words};i++)if(arena[q+i]!==rows[p+i])return false;return true})()`
    : repeat(words, '&&', (i) => `arena[q+${i}]===rows[p+${i}]`)
  const insert = (numbers: string, note: (number: string) => string): string => `
(arena,slots,rows,hashes,n,states,limit${numbers})=>{
  const mask=slots.length-1
  let touched=0
  for(let k=0;k<n;k++)touched^=slots[hashes[k]&mask]
  hashes[n]=touched
  for(let k=0,p=0;k<n;k++,p+=${stride}){
    const h=hashes[k]
    let i=h&mask,x=slots[i],known=false
    while(x!==0){
      if(((x^h)&~mask)===0){const q=Math.imul((x&mask)-1,${stride});if(${same}){known=true;break}}
      i=(i+1)&mask
      x=slots[i]
    }
    if(known){${note('(x&mask)-1')}continue}
    if(states===limit)return ~states
    const t=Math.imul(states,${stride})
    ${each('', (i) => `arena[t+${i}]=rows[p+${i}];`)}
    arena[t+${words}]=rows[p+${words}]
    ${note('states')}
    states++
    slots[i]=h&~mask|states
  }
  return states
}`
  const text = `'use strict'
const hash=(rows,first,count,hashes)=>{
  for(let k=0,p=first*${stride};k<count;k++,p+=${stride}){let h=0;${each('', mixed)}h=Math.imul(h,0x27d4eb2f);hashes[k]=h^h>>>15}
}
const insert=${insert('', () => '')}
const insertNumbered=${insert(',numbers', (number) => `numbers[k]=${number};`)}
const place=(slots,hashes,first,count)=>{
  const mask=slots.length-1
  let touched=0
  for(let k=0;k<count;k++)touched^=slots[hashes[k]&mask]
  hashes[count]=touched
  for(let k=0;k<count;k++){
    const h=hashes[k]
    let i=h&mask
    while(slots[i]!==0)i=(i+1)&mask
    slots[i]=h&~mask|(first+k+1)
  }
}
return {hash,insert,insertNumbered,place}`
  return new Function(text)() as Kernel
}
