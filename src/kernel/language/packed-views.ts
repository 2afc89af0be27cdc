/**
 * Views over words: the same state that `views.ts` shows over cells, for exhaustive search. The words of a state are
 * fields of one object, and each record of the schema gets a class whose accessors read and write their bits in them.
 * A state is copied by copying its words: nothing is unpacked before the author's functions run, or packed after them.
 *
 * What engines make of it: the view, its words and its children never change, so that optimised code finds them once;
 * a word is an integer field, which it keeps in a register from one accessor to the next.
 */
import { Bits } from './bits.ts'
import { ARRAY_METHODS } from './cells.ts'
import type { Layout, Node } from './layout.ts'
import { type AnyScalar, encodeScalar } from './scalar.ts'
import { bitsFor, maskOf, type Place, type WordLayout, wordLayoutOf } from './word-layout.ts'

/** The words of a state, by name: see `wordName`. */
export type Words = { [word: string]: number }

/** A state as an author sees it, and the words that it is a view over. */
export interface PackedView {
  readonly state: object
  readonly words: Words
}

/** Fields of one object, beyond which engines keep them in a dictionary. */
const WORDS_EACH = 64

/** How generated code names a word of the object that holds them all. */
export const wordName = (layout: WordLayout, word: number): string =>
  layout.words <= WORDS_EACH ? `w${word}` : `g${Math.floor(word / WORDS_EACH)}.w${word % WORDS_EACH}`

const wordsSource = (words: number): string => {
  const fields = (n: number): string => Array.from({ length: n }, (_, i) => `this.w${i}=0;`).join('')
  if (words <= WORDS_EACH) return `class{constructor(){${fields(words)}}}`
  const groups = Math.ceil(words / WORDS_EACH)
  const group = `class{constructor(){${fields(WORDS_EACH)}}}`
  return `class{constructor(){${Array.from({ length: groups }, (_, g) => `this.g${g}=new(${group});`).join('')}}}`
}

/** Text with the statements that have to come before it. */
interface Text {
  readonly before: string
  readonly text: string
}

/** Text of a word's bits beside the `width` from `shift` on. */
const cleared = (width: number, shift: string): string =>
  Number.isInteger(Number(shift)) ? String(~(maskOf(width) << Number(shift))) : `~(${maskOf(width)}<<${shift})`

/** What a view is for: a state that is written, one that is only read, or one of which it is noted what is read. */
type Access = 'write' | 'read' | 'trace'

/** Writes the text of accessors. `x` stands for the words, `i` for the number of an element among all of its column. */
class Accessors {
  readonly constants: unknown[] = []
  private readonly layout: WordLayout
  private readonly access: Access

  constructor(layout: WordLayout, access: Access) {
    this.layout = layout
    this.access = access
  }

  /** Statements that write to the state, where that is allowed. */
  writing(statements: string): string {
    return this.access === 'write' ? statements : 'refuse()'
  }

  constant(value: unknown): string {
    return `C${this.constants.push(value) - 1}`
  }

  private word(number: number): string {
    return `x.${wordName(this.layout, number)}`
  }

  /** Text that notes that `bits` of a word are read, as the beginning of an expression. */
  private noting(number: number, bits: string | number): string {
    return this.access === 'trace' ? `T.${wordName(this.layout, number)}|=${bits},` : ''
  }

  /** The raw number at a place. */
  raw({ column, offset, bits }: Place): Text {
    if (bits === 0) return { before: '', text: '0' }
    const mask = bits === 32 ? '' : `&${maskOf(bits)}`
    const first = column.shift + offset
    if (column.count === 1) {
      const shift = first === 0 ? '' : `>>>${first}`
      const noting = this.noting(column.words[0]!, maskOf(bits) << first)
      return { before: '', text: `(${noting}${this.word(column.words[0]!)}${shift}${mask})` }
    }
    if (column.words.length === 1) {
      const noting = this.noting(column.words[0]!, `${maskOf(bits)}<<i*${column.bits}+${first}`)
      return { before: '', text: `(${noting}${this.word(column.words[0]!)}>>>i*${column.bits}+${first}${mask})` }
    }
    const cases = column.words
      .map((word, w) => `case ${w}:y=(${this.noting(word, -1)}${this.word(word)});break;`)
      .join('')
    return {
      before: `let y=0;switch(i/${column.perWord}|0){${cases}}`,
      text: `(y>>>i%${column.perWord}*${column.bits}+${offset}${mask})`,
    }
  }

  /** Statements that put the variable `r` into a place; `whole`: into all bits of the element there. */
  put({ column, offset, bits }: Place, whole = false): string {
    const width = whole ? column.bits : bits
    const from = whole ? 0 : offset
    if (width === 0) return ''
    const into = (word: string, shift: string): string =>
      width === 32 ? `${word}=r;` : `${word}=${word}&${cleared(width, shift)}|${shift === '0' ? 'r' : `r<<${shift}`};`
    if (column.count === 1) return into(this.word(column.words[0]!), `${column.shift + from}`)
    if (column.words.length === 1)
      return `const z=i*${column.bits}+${column.shift + from};${into(this.word(column.words[0]!), 'z')}`
    const cases = column.words.map((word, w) => `case ${w}:${into(this.word(word), 'z')}break;`).join('')
    return `const z=i%${column.perWord}*${column.bits}+${from};switch(i/${column.perWord}|0){${cases}}`
  }

  /** The author's value of the raw number `raw`. */
  decoded(type: AnyScalar, raw: string): string {
    switch (type.kind) {
      case 'flag':
        return `${raw}===1`
      case 'enum':
        return `${this.constant(type.names)}[${raw}]`
      case 'set':
        return `new Bits(${raw})`
      case 'maybe':
        return `(r=>r===0?undefined:${this.decoded(type.of!, '(r-1)')})(${raw})`
      default:
        return type.low === 0 ? raw : `${raw}+(${type.low})`
    }
  }

  /** Statements that return what is at a place; `unless` is a condition under which it is the first value. */
  read(type: AnyScalar, place: Place, unless?: string): string {
    const { before, text } = this.raw(place)
    const raw = unless === undefined ? text : `(${unless}?0:${text})`
    return type.kind === 'maybe'
      ? `${before}const r=${raw};return r===0?undefined:${this.decoded(type.of!, '(r-1)')};`
      : `${before}return ${this.decoded(type, raw)};`
  }

  /** Statements that set `r` to the raw number of `v`, or throw. Short: what they take is taken from inlining. */
  encoded(type: AnyScalar, path: string, v: string, r: string): string {
    const slow = `${r}=${this.constant((value: unknown) => encodeScalar(type, value, path))}(${v})`
    const mask = maskOf(bitsFor(type.cells))
    switch (type.kind) {
      case 'flag':
        return `if(${v}===true)${r}=1;else if(${v}!==false)${slow};`
      case 'enum':
        return `switch(${v}){${type.names!.map((name, raw) => `case ${JSON.stringify(name)}:${r}=${raw};break;`).join('')}default:${slow}}`
      case 'set':
        return `${r}=${v} instanceof Bits?${v}.mask:-1;if((${r}&${~mask})!==0)${slow};`
      case 'maybe':
        return `if(${v}!==undefined){${this.encoded(type.of!, path, v, r)}${r}=${r}+1|0}`
      case 'mod':
        return mask === type.cells - 1
          ? `${r}=${v}&${mask};if((${v}|0)!==${v})${slow};`
          : `${r}=${v}&${mask};if(${r}!==${v}||${r}>=${type.cells})${slow};`
      default: {
        const above = mask === type.cells - 1 ? '' : `||${r}>=${type.cells}`
        return type.low === 0
          ? `${r}=${v}&${mask};if(${r}!==${v}${above})${slow};`
          : `${r}=${v}-(${type.low})&${mask};if(${r}!==${v}-(${type.low})${above})${slow};`
      }
    }
  }

  /** Statements that write the variable `v` to a place. */
  write(type: AnyScalar, place: Place, path: string): string {
    return `let r=0;${this.encoded(type, path, 'v', 'r')}${this.put(place)}`
  }

  /** Statements that write the variable `v`, the case of a variant that has tag `value`, to its place. */
  assignCase(node: Node & { kind: 'variant' }, value: number, fields: ReadonlyMap<string, Node>): string {
    const tag = this.layout.places.get(node)!
    const parts = [...fields].map(([name, field]) => {
      if (field.kind !== 'scalar') throw new TypeError(`${node.path}: a case of a variant holds scalars only`)
      const place = this.layout.places.get(field)!
      const at = `const f=v[${JSON.stringify(name)}];let q=0;${this.encoded(field.type, field.path, 'f', 'q')}`
      return place.column === tag.column ? `{${at}r|=q<<${place.offset};}` : `{${at}const r=q;${this.put(place)}}`
    })
    return `${this.clear(node)}let r=${value};${parts.join('')}${this.put(tag, true)}`
  }

  /** Statements that hand the variable `v`, a case of a variant, to the method that writes it. */
  assign(node: Node & { kind: 'variant' }): string {
    const cases = [...node.cases.keys()].map((name, value) => `case ${JSON.stringify(name)}:this.$${value}(v);break;`)
    const refuse = this.constant((is: unknown) => encodeScalar(node.tag, is, `${node.path}.is`))
    return `switch(v.is){${cases.join('')}default:${refuse}(v.is)}`
  }

  /** Statements that give every field that does not share the bits of the tag its first value. */
  clear(node: Node & { kind: 'variant' }): string {
    const { column } = this.layout.places.get(node)!
    const others = [...node.cases.values()].flatMap((fields) =>
      [...fields.values()].map((field) => this.layout.places.get(field)!).filter((place) => place.column !== column),
    )
    return others.map((place) => `{const r=0;${this.put(place)}}`).join('')
  }
}

type ViewClass = new (words: Words, element: number, children: readonly unknown[]) => object

/** What is generated once for a schema. */
interface Classes {
  readonly words: new () => Words
  /** Which bits were read, where that is noted. */
  readonly traced: Words
  readonly views: ReadonlyMap<Node, ViewClass>
}

/** `repeated`: the node is inside an array, and has a number among its like. */
const recordSource = (node: Node & { kind: 'record' }, repeated: boolean, layout: WordLayout, a: Accessors): string => {
  const open = repeated ? 'const x=this.$,i=this.$i;' : 'const x=this.$;'
  const clears: string[] = []
  const children: string[] = []
  const members = [...node.fields].map(([name, field], child) => {
    const key = JSON.stringify(name)
    if (field.kind === 'scalar') {
      const place = layout.places.get(field)!
      clears.push(`{const r=0;${a.put(place)}}`)
      return `get ${key}(){${open}${a.read(field.type, place)}}\nset ${key}(v){${a.writing(`${open}${a.write(field.type, place, field.path)}`)}}`
    }
    children.push(`this.$${child}=children[${child}];`)
    clears.push(`this.$${child}.$clear();`)
    const set =
      field.kind === 'variant'
        ? `this.$${child}.$assign(v)`
        : `throw new TypeError(${JSON.stringify(`${field.path}: an array or record is written inside, or emptied with clear()`)})`
    return `get ${key}(){return this.$${child}}\nset ${key}(v){${set}}`
  })
  return `class{constructor(words,i,children){this.$=words;${repeated ? 'this.$i=i;' : ''}${children.join('')}}
$clear(){${a.writing(`${open}${clears.join('')}`)}}
${members.join('\n')}}`
}

const variantSource = (
  node: Node & { kind: 'variant' },
  repeated: boolean,
  layout: WordLayout,
  a: Accessors,
): string => {
  const open = repeated ? 'const x=this.$,i=this.$i;' : 'const x=this.$;'
  const tag = layout.places.get(node)!
  const { before, text } = a.raw(tag)
  const seen = new Set(['is'])
  const members = [...node.cases.values()].flatMap((fields, value) =>
    [...fields].map(([name, field]) => {
      if (field.kind !== 'scalar') throw new TypeError(`${node.path}: a case of a variant holds scalars only`)
      if (seen.has(name))
        throw new TypeError(`${node.path}.${name}: field names must differ between the cases of a variant`)
      seen.add(name)
      const place = layout.places.get(field)!
      // Bits that are shared belong to the case that the tag names; each read stands in its own block.
      const shared = place.column === tag.column && node.cases.size > 1
      const read = shared ? a.read(field.type, place, `${text}!==${value}`) : a.read(field.type, place)
      return `get ${JSON.stringify(name)}(){${open}${read}}`
    }),
  )
  // A method for each case: engines inline none that is as long as all of them together.
  const writers = [...node.cases.values()].map(
    (fields, value) => `$${value}(v){${a.writing(`${open}${a.assignCase(node, value, fields)}`)}}`,
  )
  return `class{constructor(words,i){this.$=words;${repeated ? 'this.$i=i;' : ''}}
$clear(){${a.writing(`${open}${a.clear(node)}const r=0;${a.put(tag, true)}`)}}
$assign(v){${a.assign(node)}}
${writers.join('\n')}
get is(){${open}${before}return ${a.decoded(node.tag, text)}}
${members.join('\n')}}`
}

const arraySource = (node: Node & { kind: 'array' }, layout: WordLayout, a: Accessors): string => {
  const { length, of, path } = node
  const check = `if((i|0)!==i||i<0||i>=${length})throw new RangeError(${JSON.stringify(path)}+'['+String(i)+']: expected an index from 0 to ${length - 1}');`
  const head = `class{constructor(words,i,children){this.$=words;this.$f=i*${length};this.length=${length};this.$c=children}`
  if (of.kind === 'scalar') {
    const place = layout.places.get(of)!
    const open = `${check}const x=this.$;i=i+this.$f|0;`
    const put = `${open}${a.write(of.type, place, of.path)}`
    return `${head}
$clear(){${a.writing(`const x=this.$;for(let j=0;j<${length};j++){const i=j+this.$f,r=0;${a.put(place)}}`)}}
at(i){${open}${a.read(of.type, place)}}
set(i,v){${a.writing(put)}}${ARRAY_METHODS}}`
  }
  const set =
    of.kind === 'variant'
      ? 'this.$c[i].$assign(v)'
      : `throw new TypeError(${JSON.stringify(path)}+'['+i+']: a record is written field by field, or emptied with clear()')`
  return `${head}
$clear(){for(let i=0;i<${length};i++)this.$c[i].$clear()}
at(i){${check}return this.$c[i]}
set(i,v){${check}${set}}${ARRAY_METHODS}}`
}

/** Thrown where somebody writes to a state that is only to be read. */
export class ReadOnlyError extends Error {
  override readonly name = 'ReadOnlyError'
}

const refuse = (): never => {
  throw new ReadOnlyError('this state is only to be read')
}

const makeClasses = (layout: Layout, access: Access): Classes => {
  const words = wordLayoutOf(layout)
  const a = new Accessors(words, access)
  const nodes: Node[] = []
  const sources: string[] = []
  const visit = (node: Node, repeated: boolean): void => {
    if (node.kind === 'scalar') return
    nodes.push(node)
    if (node.kind === 'record') {
      sources.push(recordSource(node, repeated, words, a))
      for (const field of node.fields.values()) visit(field, repeated)
    } else if (node.kind === 'variant') sources.push(variantSource(node, repeated, words, a))
    else {
      sources.push(arraySource(node, words, a))
      visit(node.of, true)
    }
  }
  visit(layout.root, false)
  const names = { Bits, refuse }
  const constants = Object.fromEntries(a.constants.map((constant, i) => [`C${i}`, constant]))
  const text = `'use strict';const {${Object.keys({ ...names, ...constants }).join(',')}}=N
const W=${wordsSource(words.words)},T=new W
return {words:W,traced:T,views:[${sources.join(',\n')}]}`
  const generated = new Function('N', text)({ ...names, ...constants }) as {
    words: Classes['words']
    traced: Words
    views: ViewClass[]
  }
  return {
    words: generated.words,
    traced: generated.traced,
    views: new Map(nodes.map((node, i) => [node, generated.views[i]!])),
  }
}

const known: Readonly<Record<Access, WeakMap<Layout, Classes>>> = {
  write: new WeakMap(),
  read: new WeakMap(),
  trace: new WeakMap(),
}

const viewsOf = (layout: Layout, access: Access, given?: Words): PackedView & { readonly traced: Words } => {
  const ours = known[access]
  const classes = ours.get(layout) ?? makeClasses(layout, access)
  ours.set(layout, classes)
  const words = given ?? new classes.words()
  const build = (node: Node, element: number): object => {
    const children: object[] = []
    if (node.kind === 'record') {
      for (const field of node.fields.values())
        children.push(...(field.kind === 'scalar' ? [{}] : [build(field, element)]))
    } else if (node.kind === 'array' && node.of.kind !== 'scalar')
      for (let i = 0; i < node.length; i++) children.push(build(node.of, element * node.length + i))
    return new (classes.views.get(node)!)(words, element, children)
  }
  return { state: build(layout.root, 0), words, traced: classes.traced }
}

/** A view over words of its own, all zero: the first value of every type. */
export const packedViewOf = (layout: Layout): PackedView => viewsOf(layout, 'write')

/** A view, over words of its own or over given ones, that throws a `ReadOnlyError` where an author writes. */
export const readOnlyViewOf = (layout: Layout, words?: Words): PackedView => viewsOf(layout, 'read', words)

/**
 * A view over given words that throws a `ReadOnlyError` where an author writes, and notes in `traced` which bits are read.
 * All such views of a layout share what they note.
 */
export const tracingViewOf = (layout: Layout, words: Words): { readonly state: object; readonly traced: Words } =>
  viewsOf(layout, 'trace', words)
