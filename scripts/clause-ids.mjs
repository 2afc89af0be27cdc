// Regenerates spec/clauses/ids.ts, the union of all clause ids, from spec/clauses/*.json. Prints it with --print.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const folder = new URL('../spec/clauses/', import.meta.url)
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
const ids = files.flatMap((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')).map((entry) => entry.id))
const text = `// Generated from the files of this folder by scripts/clause-ids.mjs; do not edit.

/** The files of the catalogue, in reading order. */
export const clauseFiles = [
${files.map((name) => `  '${name}',\n`).join('')}] as const

/** The id of any clause. */
export type ClauseId =
${ids.map((id) => `  | '${id}'\n`).join('')}`
if (process.argv.includes('--print')) process.stdout.write(text)
else writeFileSync(new URL('ids.ts', folder), text)
