/**
 * The options of every command, in one table. Parsing, help, the type and codec of the configuration file, and
 * `docs/cli.md` are all made from it.
 */
import * as t from 'io-ts'
import { RANGES } from '../campaign/options.ts'
import {
  Codec,
  either,
  fields,
  finite,
  flag,
  integer,
  listOf,
  matching,
  nearest,
  oneOf,
  text,
} from '../contract/codec.ts'
import { ACTORS } from '../kernel/language/machine.ts'

/** One option; `V` is the value that a command gets. */
export interface Option<V> {
  /** As on a command line: `-t, --target <address>`, `--json`, `--no-corpus`. */
  readonly flags: string
  /** What it is for, in one line. */
  readonly does: string
  /** Of the value in a configuration file, and of what `read` makes of a word. */
  readonly codec: Codec<V>
  /** A word of the command line or of the environment, before `codec` judges it. */
  readonly read: (word: string) => unknown
  /** May be given several times. */
  readonly repeatable: boolean
  readonly default?: V
  /** The default in words, where it is not a value. */
  readonly otherwise?: string
  /** Environment variable that stands in for the flag. */
  readonly env?: string
  /** May stand in the configuration file. */
  readonly inFile: boolean
}

type Facts<V> = Partial<Pick<Option<V>, 'default' | 'otherwise' | 'env' | 'inFile'>>

const option = <V, const F extends Facts<V>>(
  flags: string,
  does: string,
  codec: Codec<V>,
  read: (word: string) => unknown,
  facts: F,
): Option<V> & F => ({ flags, does, codec, read, repeatable: false, inFile: false, ...facts })

/** A word that is no number stays what it is, so that an error shows it. */
const numeric = (word: string): unknown => (/^-?\d+(?:\.\d+)?$/.test(word) ? Number(word) : word)
const same = (word: string): unknown => word

const word = <const F extends Facts<string>>(flags: string, does: string, facts: F) =>
  option(flags, does, text, same, facts)
/** `range`: the least that it may be, or both ends. */
const count = <const F extends Facts<number>>(
  flags: string,
  does: string,
  range: number | readonly [low: number, high: number],
  facts: F,
) => option(flags, does, typeof range === 'number' ? integer(range) : integer(...range), numeric, facts)
const choice = <const V extends string, const F extends Facts<V>>(
  flags: string,
  does: string,
  values: readonly V[],
  facts: F,
) => option<V, F>(flags, does, oneOf(...values), same, facts)
const on = (flags: string, does: string) => option(flags, does, flag, () => true, { default: false as boolean })
/** `--no-…`: true unless it is given. */
const off = <const I extends boolean>(flags: string, does: string, inFile: I) =>
  option(flags, does, flag, () => false, { default: true as boolean, inFile })
const words = <V extends string, const F extends Facts<readonly V[]>>(
  flags: string,
  does: string,
  item: Codec<V>,
  facts: F,
) => ({ ...option<readonly V[], F>(flags, does, listOf(item), same, facts), repeatable: true })

const SECONDS = { s: 1, m: 60, h: 3600 } as const
/** `90`, `90s`, `10m`, `2h`: seconds. */
const duration = (w: string): unknown => {
  const [, number, unit = 's'] = /^(\d+)([smh])?$/.exec(w) ?? []
  return number === undefined ? w : Number(number) * SECONDS[unit as keyof typeof SECONDS]
}

const UNITS = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 } as const
/** `64M`, `2G`: bytes. */
const bytes = (w: string): unknown => {
  const [, number, unit] = /^(\d+)([KMG])$/.exec(w) ?? []
  return number === undefined ? w : Number(number) * UNITS[unit as keyof typeof UNITS]
}

/** Numbers with another name and a narrower range than those of the codec. */
const numbers = (name: string, fits: (n: number) => boolean): Codec<number> => {
  const is = (u: unknown): u is number => finite.is(u) && fits(u)
  return new Codec(name, finite.schema, is, (u, c) => (is(u) ? t.success(u) : t.failure(u, c)), t.identity)
}
const seed = either(integer(...RANGES.seed), oneOf('random'))
const share = numbers('a number from 0 to 1', (n) => n >= 0 && n <= 1)
const size = numbers('a size such as 512M or 4G', (n) => Number.isSafeInteger(n) && n >= 2 ** 20)
const wholeSeconds = numbers('seconds, or a duration such as 90s, 10m, 2h', (n) => Number.isInteger(n) && n >= 1)

const REPORTERS = ['default', 'json', 'junit', 'github', 'markdown'] as const
const reporterWord = matching(
  `one of ${REPORTERS.join(', ')}, with =file where it goes to a file`,
  new RegExp(`^(?:${REPORTERS.join('|')})(?:=.+)?$`),
)
const reporter = new Codec(
  reporterWord.name,
  reporterWord.schema,
  reporterWord.is,
  (u, c) => {
    if (reporterWord.is(u)) return t.success(u)
    const near = typeof u === 'string' ? nearest(u.split('=', 1)[0]!, REPORTERS) : undefined
    return t.failure(u, c, near === undefined ? reporterWord.name : `${reporterWord.name} (did you mean ${near}?)`)
  },
  t.identity,
)

export const OPTIONS = {
  json: on('--json', 'print one JSON document and nothing else on standard output'),
  config: word('--config <file>', 'the configuration file', {
    otherwise: 'iospec.config.json, here or in a folder above',
  }),
  printConfig: on('--print-config', 'print every setting of the command with where it comes from, and stop'),

  target: word('-t, --target <address>', 'the implementation under test, such as stdio:./device', {
    env: 'IOSPEC_TARGET',
    inFile: true,
    default: 'reference:virtio-blk?queues=2' as string,
  }),
  replayTarget: word('-t, --target <address>', 'where to replay it; a file never names a program to start', {
    otherwise: 'that of the file, if it is reference: or v86:',
  }),
  compareTargets: words('-t, --target <address>', 'an implementation to compare; two or more', text, {
    otherwise: 'none',
  }),
  compareRuns: count('-n, --runs <count>', 'plans to draw until the targets part', [1, RANGES.runs[1]], {
    default: 100 as number,
  }),
  runs: count('-n, --runs <count>', 'runs of each machine', [1, RANGES.runs[1]], {
    inFile: true,
    default: 300 as number,
  }),
  seed: option('-s, --seed <number>', 'what everything is drawn from; random draws one', seed, numeric, {
    env: 'IOSPEC_SEED',
    inFile: true,
    default: 1 as number,
  }),
  workers: count('-j, --workers <count>', 'threads; what is found does not depend on it', RANGES.workers, {
    inFile: true,
    otherwise: 'one for each CPU, at most 8',
  }),
  time: option(
    '--time <duration>',
    'start no run after so long, in fair shares for the machines: 90s, 10m, 2h',
    wholeSeconds,
    duration,
    {
      inFile: true,
      otherwise: 'no limit',
    },
  ),
  timeout: count(
    '--timeout <ms>',
    'how long one call to the target may take before it counts as a hang',
    RANGES.timeoutMs,
    {
      inFile: true,
      default: 5000 as number,
    },
  ),
  grace: count(
    '--grace <ms>',
    'how long an asynchronous target may stay silent before that is looked into',
    RANGES.graceMs,
    {
      inFile: true,
      otherwise: '20',
    },
  ),
  hostile: option(
    '--hostile <share>',
    'share of the runs in which the driver may break its duties, 0 to 1',
    share,
    numeric,
    { inFile: true, otherwise: '0.25' },
  ),
  steps: count('--steps <count>', 'upper bound of the length of a run', RANGES.maxSteps, {
    inFile: true,
    otherwise: '100',
  }),
  maxBugs: count('--max-bugs <count>', 'give a machine up after so many different bugs', RANGES.maxBugs, {
    inFile: true,
    otherwise: '10',
  }),
  shrink: count(
    '--shrink <count>',
    'executions that one shrinking may take; 0 leaves runs as they were found',
    RANGES.shrinkExecutions,
    {
      inFile: true,
      otherwise: '1500',
    },
  ),
  minimality: off('--no-minimality', 'do not try to prove counterexamples shortest', true),
  directory: word('--directory <folder>', 'where counterexamples and the corpus of failures go', {
    inFile: true,
    default: '.iospec' as string,
  }),
  corpus: off('--no-corpus', 'neither run earlier failures first nor keep new ones', true),
  write: off('--no-write', 'write no counterexample files', true),
  known: off('--no-known', 'leave the shipped lists of known deviations out', true),
  deviations: words('--deviations <file>', 'a further list of known deviations', text, { inFile: true }),
  side: choice('--side <side>', 'whose duties are judged in a log', ['device', 'driver', 'both'], {
    inFile: true,
    otherwise: 'device',
  }),
  models: word('--models <file>', 'a module that exports models, instead of those of this project', {}),
  profile: word('--profile <name>', 'judge by a behaviour in use, where a machine knows it', {
    inFile: true,
    otherwise: 'the standard',
  }),
  reporters: words('-r, --reporter <name[=file]>', `a report: ${REPORTERS.join(', ')}`, reporter, {
    inFile: true,
    otherwise: 'default',
  }),
  quiet: on('-q, --quiet', 'no progress'),

  scope: words('--scope <k=v>', 'a bound, or several with commas, or the name of a scope', text, {
    otherwise: 'explored',
  }),
  hostileActors: words(
    '--hostile <actor>',
    `an actor that may break its duties: ${ACTORS.join(', ')}`,
    oneOf(...ACTORS),
    {
      otherwise: 'nobody',
    },
  ),
  maxStates: count('--max-states <count>', 'distinct states after which the exploration is cut short', 1, {}),
  memory: option('--memory <size>', 'memory that states may take, such as 512M or 4G', size, bytes, {
    otherwise: 'half of the machine, at most 8G',
  }),
  exploreWorkers: count('-j, --workers <count>', 'threads; what is found does not depend on it', RANGES.workers, {
    otherwise: 'one for each CPU, at most 4',
  }),
  liveness: off('--no-liveness', 'leave out what has to come in the end: obligations and leads-to laws', false),
  symmetry: off(
    '--no-symmetry',
    'walk every state, also those that differ by a symmetry that the machine declares',
    false,
  ),
  goal: word('--goal <name>', 'look for a shortest way to this goal, and stop there', {}),
  itf: word('--itf <file>', 'write the first counterexample, or the way to --goal, as a trace in ITF', {}),
  dot: word('--dot <file>', 'write the state graph for Graphviz; of small scopes only', {}),
  simulate: count('--simulate <steps>', 'walk at random instead, so many steps', 1, {}),
  coverage: on('--coverage', 'with --simulate: how many of all states the walks saw'),
  walkTarget: word('-t, --target <address>', 'walk this implementation too, with the machine as its judge', {
    otherwise: 'the machine alone',
  }),
  depth: count('--depth <steps>', 'with --target: length of the longest plans', 1, { default: 4 as number }),
  saves: off('--no-saves', 'with --target: do not save and restore it at every point', false),
  only: words('--only <action>', 'with --target: an action to walk with, such as "driver.add(head 0)"', text, {
    otherwise: 'all but the costly ones',
  }),

  faults: word('--faults <pattern>', 'ids of faults with * for any text, or area:name; several with commas', {
    otherwise: 'all',
  }),
  fault: words('--fault <module>', 'a fault of your own: module:./fault.ts', text, {}),
  seeds: count('--seeds <count>', 'campaigns for each fault', 1, { default: 20 as number }),
  scoreRuns: count('-n, --runs <count>', 'runs of each machine in a campaign', 1, { default: 100 as number }),
  scoreSeed: count('-s, --seed <number>', 'seed of the first campaign; the others count on', 0, {
    default: 1 as number,
  }),
  scoreMachines: words('--machine <name>', 'a machine to hunt with', text, { otherwise: 'all' }),
  baseline: off('--no-baseline', 'leave the plain random arm out', false),

  output: word('-o, --output <file>', 'write it to a file', { otherwise: 'standard output' }),

  lang: choice('--lang <language>', 'language of the adapter', ['typescript', 'javascript', 'python', 'c'], {
    default: 'typescript',
  }),
  into: word('--into <folder>', 'where the files are written', { default: '.' as string }),
} as const

export type OptionName = keyof typeof OPTIONS
/** Of one option, as a command sees it. */
export type ValueOf<K extends OptionName> = (typeof OPTIONS)[K] extends Option<infer V> ? V : never
/** The values of some options; those with a default are always there. */
export type Values<K extends OptionName> = {
  readonly [N in K]: (typeof OPTIONS)[N] extends { readonly default: unknown } ? ValueOf<N> : ValueOf<N> | undefined
}

/** The table, whatever the types of its rows. */
export const optionOf = (name: OptionName): Option<unknown> => OPTIONS[name] as unknown as Option<unknown>
export const optionNames = Object.keys(OPTIONS) as readonly OptionName[]

/** Options that may stand in a configuration file, by name. */
type FileName = { [K in OptionName]: (typeof OPTIONS)[K] extends { readonly inFile: true } ? K : never }[OptionName]
export type Config = { readonly [K in FileName]?: ValueOf<K> }

const inFile = Object.fromEntries(
  optionNames.filter((name) => optionOf(name).inFile).map((name) => [name, optionOf(name).codec]),
)
/** Codec of `iospec.config.json`. */
export const config = fields({}, { $schema: text, ...inFile })
