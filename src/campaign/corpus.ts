/** The corpus: plans that failed before. They are run first, under negative numbers, and shift no other run. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { fields, listOf, oneOf, text } from '../contract/codec.ts'
import { preview } from '../contract/explain.ts'
import type { PlanStepJson } from '../kernel/play/plan.ts'
import { type Counterexample, planStep } from './counterexample.ts'
import { UsageError } from './exit.ts'
import { readJsonFile, writeJsonFile } from './files.ts'
import type { RunItem } from './jobs.ts'
import { SCHEMA_VERSION } from './types.ts'

const entry = fields({
  schemaVersion: oneOf(SCHEMA_VERSION),
  kind: oneOf('corpus'),
  machine: text,
  bugId: text,
  law: text,
  clause: text,
  /** Name and version of the target that failed. */
  target: text,
  plan: listOf(planStep),
})

const folderOf = (directory: string, machine: string): string => path.join(directory, 'corpus', machine)

/** Plans of earlier failures, in the order of their names; what cannot be read is told and left out. */
export const readCorpus = (directory: string, machine: string, warn: (message: string) => void): RunItem[] => {
  const folder = folderOf(directory, machine)
  if (!existsSync(folder)) return []
  if (!statSync(folder).isDirectory())
    throw new UsageError(`${preview(folder)}: expected a folder for plans of the corpus, found a file`)
  const plans: (readonly PlanStepJson[])[] = []
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith('.json')) continue
    try {
      plans.push(readJsonFile(path.join(folder, name), entry, 'a plan of the corpus').plan as readonly PlanStepJson[])
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      warn(error.message)
    }
  }
  return plans.map((plan, i) => ({ run: -1 - i, plan }))
}

/** Keeps the plan of a failure; runs that have to come before it are not kept. */
export const keepInCorpus = (directory: string, found: Counterexample): void => {
  if (found.prelude !== undefined) return
  writeJsonFile(path.join(folderOf(directory, found.machine), `${found.bugId}.json`), {
    schemaVersion: SCHEMA_VERSION,
    kind: 'corpus',
    machine: found.machine,
    bugId: found.bugId,
    law: found.finding.law,
    clause: found.finding.clause.id,
    target: `${found.target.name} ${found.target.version}`,
    plan: found.plan,
  })
}
