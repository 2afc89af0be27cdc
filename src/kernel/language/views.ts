/**
 * Views: how authors read and write a state. Each record of the schema gets a class of accessors, generated once, over
 * the cells of a state; an assignment outside a type throws and names the field. No view is allocated after `viewOf`.
 */
import { Bits } from './bits.ts'
import { ARRAY_METHODS } from './cells.ts'
import type { Layout, Node } from './layout.ts'
import { type AnyScalar, decodeScalar, encodeScalar } from './scalar.ts'

type Values = Int32Array

/** Text that reads and writes scalars, with the constants that it names: each is generated where it is used, so that engines inline it. */
class Accessors {
  readonly constants: unknown[] = []

  constant(value: unknown): string {
    return `C${this.constants.push(value) - 1}`
  }

  /** The author's value of the raw number `raw`. */
  decoded(type: AnyScalar, raw: string): string {
    switch (type.kind) {
      case 'flag':
        return `${raw}===1`
      case 'enum':
        return `${this.constant(type.names)}[${raw}]`
      case 'set':
        return `Bits.of(${raw})`
      case 'maybe':
        return `(r=>r===0?undefined:${this.decoded(type.of!, '(r-1)')})(${raw})`
      default:
        return type.low === 0 ? raw : `${raw}+(${type.low})`
    }
  }

  /** Statements that put the raw number of `x` into `r`; `path` is text that says where, for the message of what does not fit. */
  encoded(type: AnyScalar, path: string, x = 'x', r = 'r'): string {
    const slow = `${r}=encode(${this.constant(type)},${x},${path})`
    switch (type.kind) {
      case 'flag':
        return `if(${x}===true)${r}=1;else if(${x}!==false)${slow};`
      case 'enum':
        return `switch(${x}){${type.names!.map((name, raw) => `case ${JSON.stringify(name)}:${r}=${raw};break;`).join('')}default:${slow}}`
      case 'set':
        return `if(${x} instanceof Bits&&${x}.mask>=0&&${x}.mask<${type.cells})${r}=${x}.mask;else ${slow};`
      case 'maybe':
        return `if(${x}!==undefined){${this.encoded(type.of!, path, x, r)}${r}=${r}+1}`
      default: {
        const raw = type.low === 0 ? x : `${x}-(${type.low})`
        return `${r}=${raw};if((${r}|0)!==${r}||${r}<0||${r}>=${type.cells})${slow};`
      }
    }
  }
}

/** Source text of the getter and setter of one scalar field; `cell` is relative to the base of its record. */
const accessor = (name: string, cell: number, type: AnyScalar, a: Accessors): string => {
  const at = `this.$v[this.$b+${cell}]`
  const key = JSON.stringify(name)
  return `get ${key}(){return ${a.decoded(type, at)}}
set ${key}(x){let r=0;${a.encoded(type, `this.$p+${key}`)}${at}=r}`
}

/** Source text of the class of an array: of scalars, which it holds itself, or of records and arrays. */
const arraySource = ({ length, of }: Node & { kind: 'array' }, a: Accessors): string => {
  const check = `if(!(i>=0&&i<${length}))throw new RangeError(this.$p+'['+String(i)+']: expected an index from 0 to ${length - 1}');`
  const head = `return class{constructor(v,b,p,c){this.$v=v;this.$b=b;this.$p=p;this.$c=c;this.length=${length}}`
  if (of.kind === 'scalar') {
    const path = "this.$p+'['+i+']'"
    return `${head}
at(i){${check}return ${a.decoded(of.type, 'this.$v[this.$b+i]')}}
set(i,x){${check}let r=0;${a.encoded(of.type, path)}this.$v[this.$b+i]=r}${ARRAY_METHODS}}`
  }
  const set =
    of.kind === 'variant'
      ? 'this.$c[i].$assign(x)'
      : "throw new TypeError(this.$p+'['+i+']: a record is written field by field, or emptied with clear()')"
  return `${head}
at(i){${check}return this.$c[i]}
set(i,x){${check}${set}}${ARRAY_METHODS}}`
}

type ViewClass = new (values: Values, base: number, path: string, children: readonly unknown[]) => object

const classes = new WeakMap<Node, { made: ViewClass; children: readonly Node[] }>()

/** The class of a record, variant or array; cells are relative to its own start. */
const classFor = (node: Exclude<Node, { kind: 'scalar' }>): { made: ViewClass; children: readonly Node[] } => {
  const known = classes.get(node)
  if (known !== undefined) return known
  const a = new Accessors()
  const children: Node[] = []
  const source = node.kind === 'array' ? arraySource(node, a) : recordSource(node, children, a)
  const names = { Bits, encode: encodeScalar, ...Object.fromEntries(a.constants.map((value, i) => [`C${i}`, value])) }
  const text = `'use strict';const {${Object.keys(names).join(',')}}=N\n${source}`
  const result = { made: new Function('N', text)(names) as ViewClass, children }
  classes.set(node, result)
  return result
}

/** Source text of the class of a record or variant. What is no scalar in it is put on the list of its children. */
const recordSource = (node: Node & { kind: 'record' | 'variant' }, children: Node[], a: Accessors): string => {
  const lines: string[] = []
  const member = (name: string, field: Node): void => {
    if (field.kind === 'scalar') lines.push(accessor(name, field.cell - node.cell, field.type, a))
    else {
      const child = children.push(field) - 1
      const set =
        field.kind === 'variant'
          ? `set ${JSON.stringify(name)}(x){this.$c[${child}].$assign(x)}`
          : `set ${JSON.stringify(name)}(x){throw new TypeError(this.$p+${JSON.stringify(name)}+': an array or record is written inside, or emptied with clear()')}`
      lines.push(`get ${JSON.stringify(name)}(){return this.$c[${child}]}\n${set}`)
    }
  }
  if (node.kind === 'record') for (const [name, field] of node.fields) member(name, field)
  else {
    lines.push(`get is(){return ${a.decoded(node.tag, 'this.$v[this.$b]')}}`)
    const seen = new Set<string>()
    const cases: string[] = []
    for (const [name, fields] of node.cases) {
      const puts: string[] = []
      for (const [fieldName, field] of fields) {
        if (field.kind !== 'scalar') throw new TypeError(`${node.path}: a case of a variant holds scalars only`)
        if (fieldName === 'is' || seen.has(fieldName))
          throw new TypeError(`${node.path}.${fieldName}: field names must differ between the cases of a variant`)
        seen.add(fieldName)
        member(fieldName, field)
        puts.push(`this[${JSON.stringify(fieldName)}]=x[${JSON.stringify(fieldName)}];`)
      }
      cases.push(`case ${JSON.stringify(name)}:${puts.join('')}break;`)
    }
    lines.push(
      `$assign(x){const tag=encode(${a.constant(node.tag)},x.is,this.$p+'is');this.$v.fill(0,this.$b,this.$b+${node.cells});this.$v[this.$b]=tag;switch(x.is){${cases.join('')}}}`,
    )
  }
  return `return class {
constructor(v,b,p,c){this.$v=v;this.$b=b;this.$p=p;this.$c=c}
$clear(){this.$v.fill(0,this.$b,this.$b+${node.cells})}
${lines.join('\n')}
}`
}

const build = (node: Node, values: Values, shift: number, path: string): unknown => {
  switch (node.kind) {
    case 'scalar':
      return decodeScalar(node.type, values[node.cell + shift]!)
    case 'array': {
      const { of, length, stride } = node
      const inner = of.kind === 'scalar' ? 0 : length
      const elements = Array.from({ length: inner }, (_, i) => build(of, values, shift + i * stride, `${path}[${i}]`))
      return new (classFor(node).made)(values, node.cell + shift, path, elements)
    }
    default: {
      const { made, children } = classFor(node)
      const prefix = path === '' ? '' : `${path}.`
      const inner = children.map((child) => build(child, values, shift, prefix + (child.path.split('.').pop() ?? '')))
      return new made(values, node.cell + shift, prefix, inner)
    }
  }
}

/** The author's view over the cells of a state; the cells stay the caller's and may be overwritten at any time. */
export const viewOf = (layout: Layout, values: Int32Array): object => build(layout.root, values, 0, '') as object

/** Empties a record: every field gets the first value of its type (false, 0, the first name, nothing). */
export const clear = (record: object): void => {
  const clearable = record as { $clear?: () => void }
  if (clearable.$clear === undefined) throw new TypeError('clear: expected a record of the state')
  clearable.$clear()
}
