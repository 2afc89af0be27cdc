/** A file never names a program that gets started: that is for the command line and the environment. */
import { UsageError } from '../campaign/exit.ts'
import { escapeText } from '../contract/explain.ts'

/** Doors that start no program and load no code of anybody else. */
const HARMLESS: readonly string[] = ['reference', 'v86', 'log']

/** The address, if a file may name it; else a `UsageError` that says how to go on. */
export const addressFromFile = (address: string, file: string): string => {
  if (HARMLESS.includes(address.split(':', 1)[0]!)) return address
  const shown = escapeText(address)
  throw new UsageError(
    `${file}: target ${shown}: a file never names a program to start; add --target '${shown}' if you trust it`,
  )
}
