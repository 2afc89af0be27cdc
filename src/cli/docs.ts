/** The page `docs/cli.md`, made from the commands and the option table. */
import type { Command } from './command.ts'
import { commands } from './commands/index.ts'
import { type OptionName, optionNames, optionOf } from './options.ts'
import { defaultOf, EXIT_CODES, optionsOf } from './program.ts'

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}
const code = (text: string): string => `\`${text}\``

const optionRow = (name: OptionName): string[] => {
  const { flags, does, env, repeatable } = optionOf(name)
  const byDefault = defaultOf(name)
  return [
    code(flags),
    `${does}${repeatable ? '; repeatable' : ''}`,
    byDefault ?? '',
    env === undefined ? '' : code(env),
  ]
}

const section = (command: Command): string[] => {
  const { name, does, arguments: args, examples } = command
  const usage = ['iospec', name, ...args.map((argument) => argument.name), '[options]'].join(' ')
  return [
    `## iospec ${name}`,
    '',
    `${does}.`,
    '',
    '```sh',
    usage,
    '```',
    '',
    ...args.map((argument) => `- ${code(argument.name)}: ${argument.does}`),
    ...(args.length > 0 ? [''] : []),
    ...table(['option', 'meaning', 'default', 'environment'], optionsOf(command).map(optionRow)),
    '',
    ...examples.map((example) => `    ${example}`),
    '',
  ]
}

export const cliPage = (): string =>
  [
    '# The command line',
    '',
    '<!-- Made by scripts/cli-page.mjs from src/cli/options.ts and src/cli/commands; do not edit. -->',
    '',
    'Every command takes `--json`; standard output then carries one JSON document and nothing else, and errors are one',
    'line on standard error. Ctrl-C ends every command within a second.',
    '',
    ...table(
      ['exit code', 'meaning'],
      EXIT_CODES.map(([exit, meaning]) => [String(exit), meaning]),
    ),
    '',
    'Where several hold, 2 comes before 1, then 3, 4, 0.',
    '',
    ...commands.flatMap(section),
    '## Configuration',
    '',
    '`iospec.config.json`, here or in a folder above. Flags come before environment variables, these before the file, and',
    'the file before defaults; `--print-config` shows every setting and where it comes from. A file never names a program',
    'to start: `target` may be `reference:`, `v86:` or `log:` there, others are given by `--target` or `IOSPEC_TARGET`.',
    '',
    ...table(
      ['field', 'like', 'meaning'],
      optionNames
        .filter((name) => optionOf(name).inFile)
        .map((name) => [
          code(name),
          code(optionOf(name).flags),
          `${optionOf(name).does}; ${optionOf(name).codec.name}`,
        ]),
    ),
    '',
    '`NO_COLOR`, `FORCE_COLOR`, `TERM=dumb` and `CI` are respected. `IOSPEC_DEBUG=1` shows where a mistake of iospec',
    'itself comes from.',
    '',
  ].join('\n')
