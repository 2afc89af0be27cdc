/** The command line: commander parses, the option table decides, and every failure is one line and an exit code. */
import { Command as Commander, CommanderError, Option as CommanderOption } from 'commander'
import { EXIT, type ExitCode, exitOfError, UsageError } from '../campaign/exit.ts'
import { packageVersion } from '../campaign/package.ts'
import { Interrupted } from '../campaign/pulse.ts'
import { hintFor } from '../contract/codec.ts'
import { clip, escapeText, preview } from '../contract/explain.ts'
import { TargetError } from '../contract/target.ts'
import { columns } from '../report/style.ts'
import type { Command, Context } from './command.ts'
import { commands } from './commands/index.ts'
import { type OptionName, optionOf } from './options.ts'
import { type Sources, settingsOf, valuesOf } from './settings.ts'
import { Stopped } from './thread.ts'

export const SUMMARY = 'Executable specifications for virtual I/O devices, and a judge of implementations'

export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.conforms, 'conforms'],
  [EXIT.violation, 'a clause is violated'],
  [EXIT.usage, 'the command line, a configuration, a file or the address of a target cannot be used'],
  [EXIT.target, 'the target or its adapter broke'],
  [EXIT.inconclusive, 'inconclusive: a goal was not reached, or the work was cut short'],
  [EXIT.interrupted, 'interrupted; what there is up to then was written'],
]

const ALWAYS: readonly OptionName[] = ['json']
const WITH_FILE: readonly OptionName[] = ['config', 'printConfig']

/** Everything that a command takes, the options of every command included. */
export const optionsOf = ({ options }: Command): readonly OptionName[] => [
  ...options,
  ...(options.some((name) => optionOf(name).inFile) ? WITH_FILE : []),
]

/** The default as help shows it. */
export const defaultOf = (name: OptionName): string | undefined => {
  const { default: value, otherwise } = optionOf(name)
  return otherwise ?? (typeof value === 'boolean' || value === undefined ? undefined : String(value))
}

const descriptionOf = (name: OptionName): string => {
  const { does, env, repeatable } = optionOf(name)
  const byDefault = defaultOf(name)
  const facts = [
    ...(byDefault === undefined ? [] : [`default: ${byDefault}`]),
    ...(env === undefined ? [] : [env]),
    ...(repeatable ? ['repeatable'] : []),
  ]
  return facts.length === 0 ? does : `${does} (${facts.join('; ')})`
}

const collect = (word: string, before: unknown): string[] => [...((before as string[] | undefined) ?? []), word]

interface Call {
  readonly command: Command
  readonly words: readonly string[]
  readonly flags: Sources['flags']
}

/** What a command line asks for; throws a `CommanderError` for help, the version, or a mistake. */
const parse = (given: readonly string[], context: Context): Call => {
  // As people know it from other programs: `help` and `help run`.
  const argv = given[0] === 'help' ? [...given.slice(1), '--help'] : given
  let call: Call | undefined
  const program = new Commander('iospec')
  program
    .description(SUMMARY)
    .version(packageVersion, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.print(text.trimEnd()), writeErr: () => {}, outputError: () => {} })
    .addHelpText('after', `\nExit codes:\n${columns(EXIT_CODES.map(([code, what]) => [`  ${code}`, what])).join('\n')}`)
  for (const command of commands) {
    const sub = program.command(command.name).description(command.does)
    for (const { name, does } of command.arguments) sub.argument(name, does)
    const byAttribute = new Map<string, OptionName>()
    for (const name of optionsOf(command)) {
      const { flags, repeatable } = optionOf(name)
      const option = new CommanderOption(flags, descriptionOf(name))
      if (repeatable) option.argParser(collect)
      sub.addOption(option)
      byAttribute.set(option.attributeName(), name)
    }
    sub.addHelpText('after', `\nExamples:\n${command.examples.map((example) => `  ${example}`).join('\n')}`)
    sub.action(() => {
      const flags: Record<string, unknown> = {}
      for (const [attribute, name] of byAttribute) {
        if (sub.getOptionValueSource(attribute) !== 'cli') continue
        const value = sub.getOptionValue(attribute)
        flags[name] = typeof value === 'boolean' ? true : value
      }
      call = { command, words: sub.args, flags: flags as Call['flags'] }
    })
  }
  if (argv.length === 0) throw new UsageError('expected a command, found none; iospec --help lists them')
  const [first] = argv
  if (first !== undefined && !first.startsWith('-') && !commands.some(({ name }) => name === first)) {
    const names = commands.map(({ name }) => name)
    throw new UsageError(`no command is called ${preview(first)}; ${hintFor(first, names)}`)
  }
  program.parse(argv, { from: 'user' })
  return call!
}

const PRINTED = new Set(['commander.helpDisplayed', 'commander.help', 'commander.version'])

/** Runs a command line and returns its exit code. Nothing is thrown. */
export const runProgram = async (argv: readonly string[], context: Context, folder: string): Promise<ExitCode> => {
  try {
    const { command, words, flags } = parse(argv, context)
    const settings = settingsOf(optionsOf(command), { flags, env: context.env, folder })
    const values = valuesOf(settings)
    if ((values as { printConfig?: boolean }).printConfig === true) {
      const shown = [...settings].filter(([name]) => !ALWAYS.includes(name) && !WITH_FILE.includes(name))
      if ((values as { json?: boolean }).json === true) context.printJson(Object.fromEntries(shown))
      else
        context.print(
          columns(shown.map(([name, { value, from }]) => [name, escapeText(asText(value)), `(${from})`])).join('\n'),
        )
      return EXIT.conforms
    }
    const code = await command.run(context, words, values as Readonly<Record<string, unknown>>)
    return code
  } catch (error) {
    if (error instanceof CommanderError && PRINTED.has(error.code)) return EXIT.conforms
    if (context.signal.aborted || error instanceof Stopped || error instanceof Interrupted) {
      context.complain('iospec: interrupted')
      return EXIT.interrupted
    }
    context.complain(`iospec: ${lineOf(error, context)}`)
    return error instanceof CommanderError ? EXIT.usage : (exitOfError(error) ?? EXIT.target)
  }
}

const asText = (value: unknown): string => (Array.isArray(value) ? value.join(' ') : String(value))

const LAST_WORDS_MAX = 200

/** One line for anything that was thrown. */
const lineOf = (error: unknown, { env }: Context): string => {
  if (error instanceof CommanderError)
    // Its suggestion stands on a line of its own.
    return escapeText(error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' '))
  if (error instanceof TargetError) {
    const last = error.lastWords.trim().split('\n').at(-1) ?? ''
    const words = last === '' || error.message.includes(last) ? '' : `; it said last: ${clip(last, LAST_WORDS_MAX)}`
    return escapeText(`${error.message}${words}`)
  }
  if (exitOfError(error) !== undefined || !(error instanceof Error)) return escapeText(String((error as Error).message))
  // A mistake of our own: the stack is asked for, since it is many lines.
  const stack = env.IOSPEC_DEBUG === undefined ? ' (IOSPEC_DEBUG=1 shows where)' : `\n${error.stack ?? ''}`
  return `${escapeText(`${error.name}: ${error.message}`)}${stack}`
}
