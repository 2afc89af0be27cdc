/** How a device that is behind a unit comes from an address to places in memory, one question each. */
import type { TranslationRequest } from './iommu.ts'

/** What an access is to. */
export type Area = 'desc' | 'driver' | 'device' | 'table' | 'buffer'

/** A run of addresses and where the first one is in memory. */
export interface Run {
  readonly first: bigint
  /** The last address, not the one after it: all 64-bit addresses are a run. */
  readonly last: bigint
  readonly gpa: number
}

/** What is asked of the unit for an access, or the rest of one. */
export interface Ask {
  readonly area: Area
  /** Where the area starts; of buffers and tables the page of the access. */
  readonly base: bigint
  readonly access: TranslationRequest['access']
  readonly at: bigint
  readonly left: number
  /** Bytes of the access that have their place already. */
  readonly done: number
}

/** A translation that is used again. */
export interface Kept {
  readonly area: Area
  readonly base: string
  readonly access: TranslationRequest['access']
  readonly page: number
  readonly gpa: number
}

export type Translate = (at: bigint, bytes: number, access: TranslationRequest['access']) => number | undefined

/** How a device keeps translations. */
export interface Keeping {
  /** Buffers are translated when their descriptor is read. */
  readonly looksAhead: boolean
  keeps(ask: Ask): boolean
  /** The kept translation that an access is led by. */
  recall(kept: readonly Kept[], ask: Ask, translate: Translate): Kept | undefined
  /** Whether what is kept is used on after a device reset, and after the device came to rest without a request. */
  outlives(event: 'reset' | 'rest'): boolean
}

const KEEPS_NOTHING: Keeping = {
  looksAhead: false,
  keeps: () => false,
  recall: () => undefined,
  outlives: () => false,
}

const PAGE_BYTES = 4096n
const pageEnd = (at: bigint): bigint => at - (at % PAGE_BYTES) + PAGE_BYTES

export const correctBehind = () => ({
  /** Whether addresses are the unit's to translate. `accepted`: ACCESS_PLATFORM. */
  isTranslated: (accepted: boolean): boolean => accepted,

  /** Whether an access of a device whose addresses are translated is. */
  goesThrough: (_ask: Ask): boolean => true,

  /** What the access has to be allowed to do. */
  asked: ({ access }: Ask): TranslationRequest['access'] => access,

  /** Addresses that one answer of the unit is good for. */
  last: ({ at, left }: Ask): bigint => {
    const end = at + BigInt(left) < pageEnd(at) ? at + BigInt(left) : pageEnd(at)
    return end - 1n
  },

  /** Bytes from an address on to the end of its run. */
  rest: ({ last }: Run, at: bigint): bigint => last - at + 1n,

  /** How translations are kept, to be used without asking again. */
  keeping: (): Keeping => KEEPS_NOTHING,
})

export type BehindParts = ReturnType<typeof correctBehind>
