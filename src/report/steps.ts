/** Steps of traces as text: for the terminal, for bug reports and for diagrams. */
import { preview } from '../contract/explain.ts'

interface Changed {
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

/** A value without quotes around words: `3`, `none`, `[0,2]`. */
export const valueText = (value: unknown): string =>
  value === null || value === undefined
    ? 'none'
    : typeof value === 'string'
      ? preview(value).slice(1, -1)
      : preview(value)

/** `(head 1, length 8)`; nothing where there are no arguments. */
export const argumentsText = (args: Readonly<Record<string, unknown>>): string => {
  const list = Object.entries(args).map(([name, value]) => `${name} ${valueText(value)}`)
  return list.length === 0 ? '' : `(${list.join(', ')})`
}

/** `queue.usedIdx: 3 -> 4` */
export const changesText = (changes: readonly Changed[]): string[] =>
  changes.map(({ path, before, after }) => `${path}: ${valueText(before)} -> ${valueText(after)}`)
