/** Campaigns on the toy of the fixtures, in workers. */
import { fileURLToPath } from 'node:url'
import { runCampaign } from '../../src/campaign/main-side.ts'
import type { CampaignEvent, CampaignOptions, CampaignResult, MachineResult } from '../../src/campaign/types.ts'
import { temporaryFolder } from '../afterwards.ts'

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/campaign/${name}.mjs`, import.meta.url))
export const toyModels = fixture('toy-models')
export const toyAddress = (name: string): string => `module:${fixture(name)}`

/** Gone after the tests of the file. */
export const freshFolder = (): string => temporaryFolder('test-campaign')

export interface Toy {
  readonly result: CampaignResult
  readonly machine: MachineResult
  readonly events: readonly CampaignEvent[]
}

/** A campaign of the toy machine on one of the toy targets. */
export const campaignOn = async (target: string, options: Partial<CampaignOptions> = {}): Promise<Toy> => {
  const events: CampaignEvent[] = []
  const result = await runCampaign(
    {
      target: toyAddress(target),
      machines: ['toy'],
      runs: 150,
      seed: 1,
      modelsFrom: toyModels,
      directory: freshFolder(),
      corpus: false,
      ...options,
    },
    { listener: (event) => events.push(event) },
  )
  return { result, machine: result.machines[0]!, events }
}
