/**
 * The clause catalogue: every requirement that a machine appeals to, decoded when this module is loaded.
 *
 * The files are read rather than imported, since Node 20 warns about imports of JSON.
 */

import { readFileSync } from 'node:fs'
import type { Clause } from '../../src/kernel/language/clause.ts'
import { ClauseError, decodeClauses } from './codec.ts'
import { type ClauseId, clauseFiles } from './ids.ts'

export type { ClauseId } from './ids.ts'

const load = (file: string): readonly Clause[] =>
  decodeClauses(`spec/clauses/${file}`, readFileSync(new URL(file, import.meta.url), 'utf8'))

/** Indexes clauses by id; throws a `ClauseError` when two share one. */
export const indexClauses = (all: readonly Clause[]): ReadonlyMap<string, Clause> => {
  const byId = new Map<string, Clause>()
  for (const entry of all) {
    if (byId.has(entry.id))
      throw new ClauseError(`spec/clauses: ${entry.id}: id: expected an unused id, found it twice`)
    byId.set(entry.id, entry)
  }
  return byId
}

/** Every clause, in the order of the files. */
export const clauses: readonly Clause[] = clauseFiles.flatMap(load)

const index = indexClauses(clauses)

/** The clause called `id`. */
export const clause = (id: ClauseId): Clause => {
  const found = index.get(id)
  if (found === undefined) {
    throw new ClauseError(
      `spec/clauses: ${id}: id: expected a clause of the catalogue, found none; add it to a file there and run scripts/clause-ids.mjs`,
    )
  }
  return found
}
