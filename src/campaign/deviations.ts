/**
 * Known deviations: laws that a target is known to break, so that anything new stands out.
 *
 * An entry names one law and its clause, never a whole clause; judging goes on as if that behaviour were allowed. With
 * bug ids it covers those bugs alone, and the law stays in force for others. A target can also follow a profile: then it is
 * judged by that, so that runs go on where it departs from the data sheet only. Lists for the targets that the project is
 * tested with lie beside this file and are used by the name and version of the target.
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fields, listOf, matching, oneOf, text } from '../contract/codec.ts'
import { UsageError } from './exit.ts'
import { TROUBLE_CLAUSES } from './failures.ts'
import { readJsonFile } from './files.ts'
import { SCHEMA_VERSION } from './types.ts'

const day = matching('a day such as "2026-12-31"', /^\d{4}-\d{2}-\d{2}$/)

const deviation = fields(
  {
    /** Name of the target; `*` stands for any characters. */
    target: text,
    /** Its version, up to the end or to a space, `+` or `-`; `*` stands for any characters. */
    version: text,
    machine: matching('a machine such as "split-queue"', /^[a-z][a-z0-9-]*$/),
    law: text,
    clause: matching('a clause such as "VIO-NTF-01"', /^[A-Z]+(?:-[A-Z]+)*-\d{2}$/),
    reason: text,
  },
  {
    bugIds: listOf(text, 1),
    /** What is observed when it shows; `*` stands for any characters. For crashes and hangs, which have many forms. */
    observed: text,
    /** What the target says last. */
    lastWords: text,
    since: day,
    expires: day,
    reference: text,
  },
)

/** A target that follows a profile of a machine, and is judged by it. */
const followed = fields(
  {
    target: text,
    version: text,
    machine: deviation.required.machine,
    profile: text,
    reason: text,
  },
  { since: day, reference: text },
)

const deviations = fields(
  {
    schemaVersion: oneOf(SCHEMA_VERSION),
    kind: oneOf('deviations'),
    deviations: listOf(deviation),
  },
  { profiles: listOf(followed, 1) },
)

export type Deviation = (typeof deviation)['_A']

/** It covers some bugs of its law, and the law stays in force for others. */
const isNarrow = ({ bugIds, observed, lastWords }: Deviation): boolean =>
  [bugIds, observed, lastWords].some((narrows) => narrows !== undefined)

export type Followed = (typeof followed)['_A']

/** Decided so often without a deviation, its clause speaks against it. */
export const STALE_AFTER = 1000

interface Identified {
  readonly name: string
  readonly version: string
}

const matches = (pattern: string, found: string, end = ''): boolean =>
  new RegExp(`^${pattern.split('*').map(literal).join('.*')}${end}$`, 's').test(found)
const literal = (part: string): string => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')

const appliesTo = ({ target, version }: Deviation | Followed, found: Identified): boolean =>
  matches(target, found.name) && matches(version, found.version, '(?:[ +-].*)?')

/** What one file says. */
export interface KnownList {
  readonly deviations: readonly Deviation[]
  readonly profiles: readonly Followed[]
}

const shippedFolder = fileURLToPath(new URL('deviations/', import.meta.url))

/** Reads one list; throws a `UsageError` of one line. */
export const readDeviations = (file: string): KnownList => {
  const { deviations: list, profiles = [] } = readJsonFile(file, deviations, 'a list of known deviations')
  const vague = list.findIndex((entry) => entry.law in TROUBLE_CLAUSES && !isNarrow(entry))
  if (vague >= 0)
    throw new UsageError(
      `${JSON.stringify(file)}: field \`deviations.${vague}.bugIds\`: expected the bugs that are known, or \`observed\`, found nothing`,
    )
  return { deviations: list, profiles }
}

/** The lists that this project ships. */
export const shippedDeviations = (): readonly KnownList[] =>
  readdirSync(shippedFolder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => readDeviations(`${shippedFolder}${name}`))

/** The lists that count in a campaign. */
export const knownLists = (options: {
  readonly known: boolean
  readonly deviations: readonly string[]
}): readonly KnownList[] => [
  ...(options.known ? shippedDeviations() : []),
  ...options.deviations.map((file) => readDeviations(file)),
]

/** The profile of a machine that a target is known to follow. */
export const followedBy = (followed: readonly Followed[], target: Identified, machine: string): string | undefined =>
  followed.find((entry) => entry.machine === machine && appliesTo(entry, target))?.profile

export const lawKey = (law: string, clause: string): string => `${law}@${clause}`

interface Found {
  readonly law: string
  readonly clause: string
  readonly bugId: string
  readonly observed: string
  readonly lastWords: string
}

/** The known deviations of one target. */
export class KnownDeviations {
  /** Entries that are past their day, each as a warning. */
  readonly expired: readonly string[]
  private readonly entries: readonly Deviation[]

  constructor(all: readonly KnownList[], target: Identified, today: string) {
    this.entries = all.flatMap(({ deviations }) => deviations.filter((entry) => appliesTo(entry, target)))
    this.expired = this.entries
      .filter(({ expires }) => expires !== undefined && expires < today)
      .map(
        ({ machine, law, clause, expires }) =>
          `known deviation ${lawKey(law, clause)} of ${machine}: expired on ${expires}`,
      )
  }

  of(machine: string): readonly Deviation[] {
    return this.entries.filter((entry) => entry.machine === machine)
  }

  /** Laws to overlook from the start, as `law@clause`. */
  tolerated(machine: string): readonly string[] {
    return this.of(machine)
      .filter((entry) => !isNarrow(entry))
      .map(({ law, clause }) => lawKey(law, clause))
  }

  /** Whether a bug is one of those that are known. */
  knows(machine: string, found: Found): boolean {
    return this.of(machine).some(
      ({ law, clause, bugIds, observed, lastWords }) =>
        law === found.law &&
        clause === found.clause &&
        (bugIds === undefined || bugIds.includes(found.bugId)) &&
        (observed === undefined || matches(observed, found.observed)) &&
        (lastWords === undefined || matches(lastWords, found.lastWords)),
    )
  }
}
