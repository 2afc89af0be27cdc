/** Colour, columns and numbers of what is printed for people. */
import { styleText } from 'node:util'

type Paint = (text: string) => string
export interface Style {
  readonly bold: Paint
  readonly dim: Paint
  readonly red: Paint
  readonly green: Paint
  readonly yellow: Paint
  readonly cyan: Paint
}

/** A stream as far as colour goes. */
export interface Screen {
  readonly isTTY?: boolean
  /** 0 where the size of the terminal is not known. */
  readonly rows?: number
}

type Environment = Readonly<Record<string, string | undefined>>

/** NO_COLOR, then FORCE_COLOR, then whether a terminal is there that knows colours. */
export const wantsColour = (env: Environment, screen: Screen): boolean => {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return screen.isTTY === true && env.TERM !== 'dumb'
}

/** Whether a region may be redrawn: a terminal that takes cursor codes, and nobody who keeps a log of it. */
export const wantsLive = (env: Environment, screen: Screen): boolean =>
  screen.isTTY === true &&
  screen.rows !== 0 &&
  env.TERM !== 'dumb' &&
  (env.CI === undefined || env.CI === '' || env.CI === 'false')

const plain: Paint = (text) => text

export const styleOf = (colour: boolean): Style => {
  // The decision is made already: `styleText` is not asked to look at a stream.
  const paint = (format: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'): Paint =>
    colour ? (text) => (text === '' ? '' : styleText(format, text, { validateStream: false })) : plain
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  }
}

/** 12345678 → `12 345 678`. */
export const grouped = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ' ')

/** `1 run`, `2 runs`. */
export const counted = (n: number, noun: string): string => `${grouped(n)} ${noun}${n === 1 ? '' : 's'}`

/** Seconds as people say them: `0.4 s`, `12 s`, `3 min 20 s`. */
export const lasting = (seconds: number): string => {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** Rows with columns of equal width, separated by two spaces; the last column is as long as it is. */
export const columns = (rows: readonly (readonly string[])[]): string[] => {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}

/** Words in lines of at most `width` characters, each after `indent` spaces. */
export const wrapped = (text: string, width = 100, indent = 0): string => {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width - indent) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  return lines.map((each) => ' '.repeat(indent) + each).join('\n')
}
