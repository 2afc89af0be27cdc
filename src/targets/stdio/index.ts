/** The door `stdio:`: any program that speaks the wire protocol of `src/contract/wire.ts`. */

import type { RawWire } from '../../contract/check-wire.ts'
import type { Door, OpenOptions } from '../../contract/target.ts'
import { LINE_BYTES_MAX } from '../../contract/wire.ts'
import { splitCommandLine } from './command-line.ts'
import { LineProcess } from './line-process.ts'
import { StdioTarget } from './target.ts'

export const stdioDoor: Door = {
  scheme: 'stdio',
  summary: 'a program that speaks JSON lines on standard input and output: stdio:./device --flag',
  open: (rest, options) => StdioTarget.open(splitCommandLine(rest), options),
}

/** The same program, spoken to in lines, for the adapter check. */
export const openStdioWire = (rest: string, options: OpenOptions): Promise<RawWire> =>
  LineProcess.start(splitCommandLine(rest), options, LINE_BYTES_MAX)
