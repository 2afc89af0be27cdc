/** Campaigns on the toy of the fixtures. */
import { fileURLToPath } from 'node:url'
import { runCampaign, runHere } from '../../src/campaign/main-side.ts'
import type {
  CampaignEvent,
  CampaignOptions,
  CampaignResult,
  Listener,
  MachineResult,
} from '../../src/campaign/types.ts'
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

type Run = (options: CampaignOptions, listener: Listener) => Promise<CampaignResult>

const campaignBy =
  (run: Run) =>
  async (target: string, options: Partial<CampaignOptions> = {}): Promise<Toy> => {
    const events: CampaignEvent[] = []
    const result = await run(
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
      (event) => events.push(event),
    )
    return { result, machine: result.machines[0]!, events }
  }

/** A campaign of the toy machine on one of the toy targets, in a worker. */
export const campaignOn = campaignBy((options, listener) => runCampaign(options, { listener }))

/** The same in this thread: to start a worker takes longer than the campaign, and what is found is the same. */
export const campaignHere = campaignBy((options, listener) => runHere(options, {}, listener))
