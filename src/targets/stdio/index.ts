/** The door `stdio:`: any program that speaks the wire protocol of `src/contract/wire.ts`. */

import type { Door } from '../../contract/target.ts'
import { splitCommandLine } from './command-line.ts'
import { StdioTarget } from './target.ts'

export const stdioDoor: Door = {
  scheme: 'stdio',
  summary: 'a program that speaks JSON lines on standard input and output: stdio:./device --flag',
  open: (rest, options) => StdioTarget.open(splitCommandLine(rest), options),
}
