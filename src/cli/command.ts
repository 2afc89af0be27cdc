/** What a command is, and what it is given. */
import type { ExitCode } from '../campaign/exit.ts'
import type { Style } from '../report/style.ts'
import type { OptionName, Values } from './options.ts'

/** Where a command prints, and how it learns that it should stop. */
export interface Context {
  /** A line, or several, on standard output; text of strangers in it is escaped already. */
  print(text: string): void
  /** A line on standard error. */
  complain(text: string): void
  /** One JSON document on standard output. */
  printJson(value: unknown): void
  readonly style: Style
  /** Standard output is a terminal that takes cursor codes. */
  readonly live: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted by Ctrl-C, and when nobody reads the output any more. A command that was cut short by it never ends with 0. */
  readonly signal: AbortSignal
  /** Done before the program ends because of a signal. */
  onExit(cleanUp: () => void): void
}

export interface Argument {
  /** `<machine...>`, `[target]`. */
  readonly name: string
  readonly does: string
}

export interface Command {
  readonly name: string
  /** One sentence without its full stop. */
  readonly does: string
  readonly arguments: readonly Argument[]
  readonly options: readonly OptionName[]
  readonly examples: readonly string[]
  run(context: Context, words: readonly string[], values: Readonly<Record<string, unknown>>): Promise<ExitCode>
}

/** A command whose `run` knows the types of its options. */
export const command = <const K extends OptionName>(
  facts: Omit<Command, 'run' | 'options'> & {
    readonly options: readonly K[]
    run(context: Context, words: readonly string[], values: Values<K>): Promise<ExitCode>
  },
): Command => facts as unknown as Command
