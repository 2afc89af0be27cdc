/** Counterexample files, as far as reports need them. */
import { readCounterexample } from '../campaign/main-side.ts'
import type { Look } from './facts.ts'

/** The file, or undefined when it cannot be read any more: the summary is all that is left of it then. */
export const look: Look = (file) => {
  try {
    return readCounterexample(file)
  } catch {
    return undefined
  }
}
