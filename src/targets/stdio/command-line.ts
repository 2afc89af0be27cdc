/** Splits a command line into words as a shell does, without being one: no variables, no globs, no pipes. */

import { clip, escapeText } from '../../contract/explain.ts'
import { TargetError } from '../../contract/target.ts'

/**
 * Words are separated by spaces. `'...'` is literal; inside `"..."` a backslash escapes `"` and `\`; outside quotes it
 * escapes any character. Throws when a quote is left open or nothing is left.
 */
export function splitCommandLine(line: string): readonly string[] {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!
    if (quote === undefined && /\s/.test(c)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (quote === undefined && (c === '"' || c === "'")) {
      quote = c
      word ??= ''
    } else if (c === quote) {
      quote = undefined
    } else if (c === '\\' && quote !== "'" && (quote === undefined || '"\\'.includes(line[i + 1] ?? ''))) {
      if (i + 1 === line.length) throw refuse(line, 'ends in a backslash')
      word = (word ?? '') + line[++i]
    } else {
      word = (word ?? '') + c
    }
  }
  if (quote !== undefined) throw refuse(line, `has an open ${quote}`)
  if (word !== undefined) words.push(word)
  if (words.length === 0) throw refuse(line, 'names no program')
  return words
}

const refuse = (line: string, why: string): TargetError =>
  new TargetError(
    'address',
    `expected a command line such as \`./device --flag\`; \`${clip(escapeText(line), 80)}\` ${why}`,
  )
