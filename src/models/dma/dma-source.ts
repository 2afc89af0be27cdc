/** Devices that access memory when they are told to, under requester ids of their own. */
import type { Description, Gpa, RequesterId } from '../../contract/target.ts'

const KIND = 'dma-source'

export interface DmaSource {
  readonly id: string
  readonly requester: RequesterId
  readonly reads: boolean
  readonly writes: boolean
  /** What an access has to be a multiple of, in bytes, and how long it may be. */
  readonly align: number
  readonly bytesMax: number
  /** Its accesses move only when it is stepped. */
  readonly delayed: boolean
  /** It has a device TLB of its own. */
  readonly ats: boolean
  /** It can say that it had an address translated. */
  readonly claims: boolean
  /** It can name a process address space. */
  readonly pasid: boolean
  /** IOVAs below this alone can be put on the bus. */
  readonly iovaEnd: number
  /** Addresses that it needs for itself, where IOVA and GPA have to be equal. */
  readonly window: { readonly start: Gpa; readonly bytes: number } | undefined
}

const numberOf = (fact: string | number | boolean | undefined, otherwise: number): number =>
  typeof fact === 'number' ? fact : otherwise

/** The sources of a target, in the order in which it tells of them. */
export const sourcesOf = (target: Description): readonly DmaSource[] =>
  target.devices.flatMap(({ id, kind, transport, facts = {} }) => {
    if (kind !== KIND || transport.kind !== 'pci') return []
    const windowBytes = numberOf(facts.windowBytes, 0)
    return [
      {
        id,
        requester: (transport.bus << 8) | (transport.device << 3) | transport.function,
        reads: facts.reads !== false,
        writes: facts.writes !== false,
        align: numberOf(facts.align, 1),
        bytesMax: numberOf(facts.bytesMax, 4096),
        delayed: facts.delayed === true,
        ats: facts.ats === true,
        claims: facts.claims === true,
        pasid: facts.pasid === true,
        iovaEnd: numberOf(facts.iovaEnd, 2 ** 53),
        window: windowBytes === 0 ? undefined : { start: numberOf(facts.windowStart, 0), bytes: windowBytes },
      },
    ]
  })
