/** Names given on a command line: the right one, or an error with the nearest. */
import { UsageError } from '../campaign/exit.ts'
import { hintFor } from '../contract/codec.ts'
import { preview } from '../contract/explain.ts'

/** `name` if it is one of `known`; else a `UsageError` of one line. */
export const choose = <N extends string>(what: string, name: string, known: readonly N[]): N => {
  const found = known.find((each) => each === name)
  if (found !== undefined) return found
  throw new UsageError(`no ${what} is called ${preview(name)}; ${hintFor(name, known)}`)
}
