/** Descriptors of the invalidation queue, read (VT-d 4.1, section 6.5.2). */
import { DESCRIPTOR, DESCRIPTOR_HIGH, GRANULARITY, IOTLB_ADDRESS, PASID_GRANULARITY } from '../../layout/vtd.ts'
import type { ContextFlush, Dwords, PageFlush, PasidFlush } from './vtd-parts.ts'

/** Why a descriptor is none, as the queue error record tells. */
export const QUEUE_ERROR = { TAIL: 1, UNREADABLE: 2, TYPE: 3, RESERVED: 4, WIDTH: 5, ALIGNMENT: 6 } as const
/** log2 of the most pages that one invalidation names: 1 GiB. */
export const ADDRESS_MASK_MAX = 18

export type Descriptor =
  | { readonly kind: 'context'; readonly flush: ContextFlush }
  | { readonly kind: 'pages'; readonly flush: PageFlush }
  | { readonly kind: 'pasids'; readonly flush: PasidFlush }
  | { readonly kind: 'device'; readonly dwords: Dwords }
  | {
      readonly kind: 'wait'
      readonly interrupts: boolean
      /** The status that is written; undefined: none is. */
      readonly status: { readonly gpa: number; readonly value: number } | undefined
    }
  | { readonly kind: 'error'; readonly info: number }

/** Bits that are reserved, by type and dword. */
const RESERVED: Readonly<Record<number, readonly [number, number, number, number]>> = {
  [DESCRIPTOR.CONTEXT]: [0x0000_ffc0, 0xfffc_0000, 0xffff_ffff, 0xffff_ffff],
  [DESCRIPTOR.IOTLB]: [0x0000_ff00, 0xffff_ffff, 0x0000_0f80, 0],
  [DESCRIPTOR.DEVICE_TLB]: [0xffe0_0ff0, 0x000f_0000, 0x0000_0ffe, 0],
  [DESCRIPTOR.WAIT]: [0xffff_ff00, 0, 3, 0],
  [DESCRIPTOR.PASID_IOTLB]: [0x0000_ffc0, 0xfff0_0000, 0x0000_0f80, 0],
  [DESCRIPTOR.PASID_CACHE]: [0x0000_ffc0, 0xfff0_0000, 0xffff_ffff, 0xffff_ffff],
}

const error = (info: number): Descriptor => ({ kind: 'error', info })
const reserved = error(QUEUE_ERROR.RESERVED)

export const pageOf = (low: number, high: number): number => (high >>> 0) * 2 ** 20 + (low >>> 12)

/** `dwords`: 4 or 8 of them. `scalable`: descriptors of PASIDs are known. */
export const readDescriptor = (dwords: Dwords, scalable: boolean): Descriptor => {
  const [first, second, third, fourth, ...upper] = dwords as [number, number, number, number, ...number[]]
  const type = first & DESCRIPTOR.TYPE_MASK
  const masks = RESERVED[type]
  const ofPasids = type === DESCRIPTOR.PASID_IOTLB || type === DESCRIPTOR.PASID_CACHE
  if (masks === undefined || (ofPasids && !scalable)) return error(QUEUE_ERROR.TYPE)
  if (masks.some((mask, index) => (dwords[index]! & mask) !== 0) || upper.some((dword) => dword !== 0)) return reserved

  const granularity = (first >>> DESCRIPTOR.GRANULARITY_SHIFT) & DESCRIPTOR.GRANULARITY_MASK
  const domain = first >>> DESCRIPTOR.DOMAIN_SHIFT
  const mask = third & IOTLB_ADDRESS.MASK_MASK
  const page = pageOf(third, fourth)
  switch (type) {
    case DESCRIPTOR.CONTEXT: {
      if (granularity === GRANULARITY.NONE) return reserved
      const functions = (second >>> DESCRIPTOR_HIGH.FUNCTIONS_SHIFT) & DESCRIPTOR_HIGH.FUNCTIONS_MASK
      return { kind: 'context', flush: { granularity, domain, requester: second & 0xffff, functions } }
    }
    case DESCRIPTOR.IOTLB:
      if (granularity === GRANULARITY.NONE || (granularity === GRANULARITY.PAGES && mask > ADDRESS_MASK_MAX))
        return reserved
      return {
        kind: 'pages',
        flush: {
          granularity,
          domain,
          page,
          mask,
          hint: (third & IOTLB_ADDRESS.HINT) !== 0,
          drainReads: (first & DESCRIPTOR.DRAIN_READS) !== 0,
          drainWrites: (first & DESCRIPTOR.DRAIN_WRITES) !== 0,
        },
      }
    case DESCRIPTOR.PASID_IOTLB:
      if (granularity < PASID_GRANULARITY.IOTLB_PASID || mask > ADDRESS_MASK_MAX) return reserved
      // There are no translations of the first level, which alone it is for: those of the domain go, which is more.
      return {
        kind: 'pages',
        flush: {
          granularity: granularity === PASID_GRANULARITY.PAGES ? GRANULARITY.PAGES : GRANULARITY.DOMAIN,
          domain,
          page,
          mask,
          hint: (third & IOTLB_ADDRESS.HINT) !== 0,
          drainReads: true,
          drainWrites: true,
        },
      }
    case DESCRIPTOR.PASID_CACHE:
      if (granularity === 2) return reserved
      return { kind: 'pasids', flush: { granularity, domain, pasid: second & DESCRIPTOR_HIGH.PASID_MASK } }
    case DESCRIPTOR.DEVICE_TLB:
      return { kind: 'device', dwords }
    default:
      return {
        kind: 'wait',
        interrupts: (first & DESCRIPTOR.INTERRUPT) !== 0,
        status:
          (first & DESCRIPTOR.WRITE_STATUS) === 0
            ? undefined
            : { gpa: (fourth >>> 0) * 2 ** 32 + ((third & ~3) >>> 0), value: second },
      }
  }
}
