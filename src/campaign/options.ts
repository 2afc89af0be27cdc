/** Options of a campaign, checked and complete. */
import { preview } from '../contract/explain.ts'
import type { Followed } from './deviations.ts'
import { UsageError } from './exit.ts'
import type { BenchOptions } from './jobs.ts'
import type { CampaignOptions } from './types.ts'

const DEFAULTS = {
  runs: 300,
  workers: 1,
  timeoutMs: 5000,
  maxBugs: 10,
  maxPerLaw: 3,
  maxHangs: 3,
  shrinkExecutions: 1500,
  minimality: true,
  directory: '.iospec',
  corpus: true,
  write: true,
  known: true,
  deviations: [],
  side: 'device',
} as const satisfies Partial<CampaignOptions>

type Defaulted = keyof typeof DEFAULTS
export type FullOptions = Omit<CampaignOptions, Defaulted> & Required<Pick<CampaignOptions, Defaulted>>

/** The numbers that an option may be, both ends included. */
export const RANGES = {
  runs: [0, 2 ** 31 - 1],
  seed: [-(2 ** 31), 2 ** 32 - 1],
  workers: [1, 64],
  timeoutMs: [10, 3_600_000],
  graceMs: [1, 60_000],
  maxSteps: [1, 10_000],
  maxBugs: [1, 10_000],
  maxPerLaw: [1, 10_000],
  maxHangs: [1, 10_000],
  shrinkExecutions: [0, 1_000_000],
} as const satisfies Partial<Record<keyof CampaignOptions, readonly [low: number, high: number]>>

/** Throws a `UsageError` that names the option, what was expected and what was found. */
export const checkOptions = (given: CampaignOptions): FullOptions => {
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const options: FullOptions = { ...DEFAULTS, ...(stated as unknown as CampaignOptions) }
  for (const [name, [low, high]] of Object.entries(RANGES)) {
    const value = options[name as keyof FullOptions]
    if (value === undefined) continue
    if (!Number.isInteger(value) || (value as number) < low || (value as number) > high)
      throw new UsageError(`option ${name}: expected a whole number from ${low} to ${high}, found ${preview(value)}`)
  }
  const { hostile, seconds } = options
  if (hostile !== undefined && !(hostile >= 0 && hostile <= 1))
    throw new UsageError(`option hostile: expected a number from 0 to 1, found ${preview(hostile)}`)
  if (seconds !== undefined && !(seconds > 0))
    throw new UsageError(`option seconds: expected a number above 0, found ${preview(seconds)}`)
  return options
}

/**
 * What a bench needs of them. `directory` is for files of targets and lasts as long as the campaign. `followed`: profiles
 * that targets are known to follow, where they count.
 */
export const benchOptions = (
  options: FullOptions,
  directory: string,
  followed: readonly Followed[] = [],
): BenchOptions => {
  const { target, seed, timeoutMs, shrinkExecutions, minimality, graceMs, hostile, maxSteps } = options
  const { modelsFrom, profile } = options
  return {
    address: target,
    directory,
    seed,
    timeoutMs,
    shrinkExecutions,
    minimality,
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(hostile === undefined ? {} : { hostile }),
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...(modelsFrom === undefined ? {} : { modelsFrom }),
    ...(profile === undefined ? {} : { profile }),
    followed,
  }
}
