/**
 * Views: how authors read and write a state. Each record of the schema gets a class of accessors, generated once, over
 * the cells of a state; an assignment outside a type throws and names the field. No view is allocated after `viewOf`.
 */
import { Bits } from './bits.ts'
import { CellsBase } from './cells.ts'
import type { Layout, Node } from './layout.ts'
import { type AnyScalar, decodeScalar, encodeScalar } from './scalar.ts'

type Values = Int32Array

class ScalarCells extends CellsBase<unknown> {
  private readonly values: Values
  private readonly cell: number
  private readonly type: AnyScalar

  constructor(values: Values, cell: number, length: number, type: AnyScalar, path: string) {
    super(length, path)
    this.values = values
    this.cell = cell
    this.type = type
  }
  override at(index: number): unknown {
    this.check(index)
    return decodeScalar(this.type, this.values[this.cell + index]!)
  }
  override set(index: number, value: unknown): void {
    this.check(index)
    this.values[this.cell + index] = encodeScalar(this.type, value, `${this.path}[${index}]`)
  }
}

class ViewCells extends CellsBase<object> {
  private readonly elements: readonly object[]

  constructor(elements: readonly object[], path: string) {
    super(elements.length, path)
    this.elements = elements
  }
  override at(index: number): object {
    this.check(index)
    return this.elements[index]!
  }
  override set(index: number, value: object): void {
    const element = this.at(index) as { $assign?: (value: object) => void }
    if (element.$assign === undefined)
      throw new TypeError(`${this.path}[${index}]: a record is written field by field, or emptied with clear()`)
    element.$assign(value)
  }
}

/** Source text of the getter and setter of one scalar field; `cell` is relative to the base of its record. */
const accessor = (name: string, cell: number, type: AnyScalar, constant: string): string => {
  const at = `this.$v[this.$b+${cell}]`
  const read: Record<AnyScalar['kind'], string> = {
    flag: `return ${at}===1`,
    int: `return ${at}${type.low === 0 ? '' : `+(${type.low})`}`,
    mod: `return ${at}`,
    id: `return ${at}`,
    enum: `return ${constant}.names[${at}]`,
    set: `return Bits.of(${at})`,
    maybe: `const raw=${at};return raw===0?undefined:decode(${constant}.of,raw-1)`,
  }
  const path = `this.$p+${JSON.stringify(name)}`
  const slow = `${at}=encode(${constant},x,${path})`
  const write: Partial<Record<AnyScalar['kind'], string>> = {
    flag: `if(x===true)${at}=1;else if(x===false)${at}=0;else ${slow}`,
    int: `const raw=x-(${type.low});if((raw|0)===raw&&raw>=0&&raw<${type.cells})${at}=raw;else ${slow}`,
    id: `if((x|0)===x&&x>=0&&x<${type.cells})${at}=x;else ${slow}`,
    mod: `if((x|0)===x&&x>=0&&x<${type.cells})${at}=x;else ${slow}`,
  }
  const key = JSON.stringify(name)
  return `get ${key}(){${read[type.kind]}}\nset ${key}(x){${write[type.kind] ?? slow}}`
}

type RecordClass = new (values: Values, base: number, path: string, children: readonly unknown[]) => object

const classes = new WeakMap<Node, { made: RecordClass; children: readonly Node[] }>()

/** The accessor class of a record or variant; cells are relative to the record's own start. */
const classFor = (node: Node & { kind: 'record' | 'variant' }): { made: RecordClass; children: readonly Node[] } => {
  const known = classes.get(node)
  if (known !== undefined) return known
  const constants: AnyScalar[] = []
  const children: Node[] = []
  const lines: string[] = []
  const constant = (type: AnyScalar): string => `C[${constants.push(type) - 1}]`
  const member = (name: string, field: Node): void => {
    if (field.kind === 'scalar') lines.push(accessor(name, field.cell - node.cell, field.type, constant(field.type)))
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
    lines.push(`get is(){return ${constant(node.tag)}.names[this.$v[this.$b]]}`)
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
      `$assign(x){const tag=encode(C[0],x.is,this.$p+'is');this.$v.fill(0,this.$b,this.$b+${node.cells});this.$v[this.$b]=tag;switch(x.is){${cases.join('')}}}`,
    )
  }
  const source = `return class {
constructor(v,b,p,c){this.$v=v;this.$b=b;this.$p=p;this.$c=c}
$clear(){this.$v.fill(0,this.$b,this.$b+${node.cells})}
${lines.join('\n')}
}`
  const made = new Function('C', 'Bits', 'decode', 'encode', source)(
    constants,
    Bits,
    decodeScalar,
    encodeScalar,
  ) as RecordClass
  const result = { made, children }
  classes.set(node, result)
  return result
}

const build = (node: Node, values: Values, shift: number, path: string): unknown => {
  switch (node.kind) {
    case 'scalar':
      return decodeScalar(node.type, values[node.cell + shift]!)
    case 'array':
      return node.of.kind === 'scalar'
        ? new ScalarCells(values, node.cell + shift, node.length, node.of.type, path)
        : new ViewCells(
            Array.from(
              { length: node.length },
              (_, i) => build(node.of, values, shift + i * node.stride, `${path}[${i}]`) as object,
            ),
            path,
          )
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
