/** Entries of the tables of a VT-d unit and descriptors of its queue, as a guest writes them (VT-d 4.1, chapters 6.5 and 9). */
import type { Gpa } from '../../contract/target.ts'
import {
  CONTEXT_ENTRY,
  CONTEXT_ENTRY_HIGH,
  DESCRIPTOR,
  DESCRIPTOR_HIGH,
  GRANULARITY,
  PASID_DIRECTORY,
  PASID_ENTRY,
  ROOT_ENTRY,
  SCALABLE_CONTEXT,
  SECOND_LEVEL,
} from '../../layout/vtd.ts'
import type { Dwords } from './vtd-registers.ts'

const low = (address: Gpa): number => (address % 2 ** 32) >>> 0
const high = (address: Gpa): number => Math.floor(address / 2 ** 32) >>> 0
const flag = (on: boolean | undefined, bit: number): number => (on === true ? bit : 0)

/** An entry that says nothing: all zero. */
export const absent = (bytes: number): Dwords => new Array<number>(bytes / 4).fill(0)

/** Of one bus, in legacy mode; of the lower half of one, in scalable mode (the upper half is `ROOT_ENTRY.upper` further). */
export const rootEntry = (contexts: Gpa): Dwords => [low(contexts) | ROOT_ENTRY.PRESENT, high(contexts), 0, 0]

export interface ContextFields {
  readonly present?: boolean
  readonly silent?: boolean
  /** One of `TRANSLATION_TYPE`. */
  readonly type: number
  /** 1: three levels, 2: four, 3: five. */
  readonly width: number
  readonly domain: number
  readonly table: Gpa
}
/** A context entry of legacy mode. */
export const contextEntry = ({ present = true, silent, type, width, domain, table }: ContextFields): Dwords => [
  low(table) |
    flag(present, CONTEXT_ENTRY.PRESENT) |
    flag(silent, CONTEXT_ENTRY.FAULTS_DISABLED) |
    (type << CONTEXT_ENTRY.TYPE_SHIFT),
  high(table),
  width | (domain << CONTEXT_ENTRY_HIGH.DOMAIN_SHIFT),
  0,
]

export interface PagingFields {
  readonly read?: boolean
  readonly write?: boolean
  /** At the levels 2 and 3: maps a page of 2 MiB or 1 GiB. */
  readonly large?: boolean
  readonly address: Gpa
}
/** A second-level entry, of whatever level; by default it lets everything through. */
export const pagingEntry = ({ read = true, write = true, large, address }: PagingFields): Dwords => [
  low(address) | flag(read, SECOND_LEVEL.READ) | flag(write, SECOND_LEVEL.WRITE) | flag(large, SECOND_LEVEL.LARGE),
  high(address),
]
/** Index into the table of a level, 1 being the last one. */
export const indexAt = (page: number, level: number): number => Math.floor(page / 512 ** (level - 1)) % 512

/** A context entry of scalable mode, with the smallest directory. `requesterPasid`: of requests that name none. */
export const scalableContext = (
  directory: Gpa,
  options: { readonly pasids?: boolean; readonly requesterPasid?: number } = {},
): Dwords => [
  low(directory) | SCALABLE_CONTEXT.PRESENT | flag(options.pasids, SCALABLE_CONTEXT.PASID),
  high(directory),
  options.requesterPasid ?? 0,
  ...[0, 0, 0, 0, 0],
]
export const directoryEntry = (table: Gpa): Dwords => [low(table) | PASID_DIRECTORY.PRESENT, high(table)]
/** `type`: one of `PASID_TYPE`. */
export const pasidEntry = ({ present = true, silent, type, width, domain, table }: ContextFields): Dwords => {
  const entry = [...absent(PASID_ENTRY.bytes)]
  entry[0] =
    low(table) |
    flag(present, PASID_ENTRY.PRESENT) |
    flag(silent, PASID_ENTRY.FAULTS_DISABLED) |
    (width << PASID_ENTRY.WIDTH_SHIFT) |
    (type << PASID_ENTRY.TYPE_SHIFT)
  entry[1] = high(table)
  entry[PASID_ENTRY.domain / 4] = domain
  return entry
}

/** What an invalidation of context entries is about. */
export type ContextScope =
  | 'global'
  | { readonly domain: number }
  /** `functions`: 0 to 3, low bits of the function number that are left out of the comparison. */
  | { readonly domain: number; readonly requester: number; readonly functions?: number }
/** What an invalidation of translations is about: everything, a domain, or 2^mask pages of one. `hint`: only last-level entries changed. */
export type IotlbScope =
  | 'global'
  | { readonly domain: number }
  | { readonly domain: number; readonly page: number; readonly mask: number; readonly hint?: boolean }
/** Accesses under way that it waits for. */
export interface Drains {
  readonly reads?: boolean
  readonly writes?: boolean
}

/** The granularity that a scope asks for. */
export const granularityOf = (scope: ContextScope | IotlbScope): number =>
  scope === 'global'
    ? GRANULARITY.GLOBAL
    : 'requester' in scope
      ? GRANULARITY.DEVICE
      : 'page' in scope
        ? GRANULARITY.PAGES
        : GRANULARITY.DOMAIN
const domainOf = (scope: ContextScope | IotlbScope): number => (scope === 'global' ? 0 : scope.domain)

export const contextInvalidation = (scope: ContextScope): Dwords => {
  const first =
    DESCRIPTOR.CONTEXT |
    (granularityOf(scope) << DESCRIPTOR.GRANULARITY_SHIFT) |
    (domainOf(scope) << DESCRIPTOR.DOMAIN_SHIFT)
  if (scope === 'global' || !('requester' in scope)) return [first, 0, 0, 0]
  return [first, scope.requester | ((scope.functions ?? 0) << DESCRIPTOR_HIGH.FUNCTIONS_SHIFT), 0, 0]
}

export const iotlbInvalidation = (scope: IotlbScope, { reads, writes }: Drains = {}): Dwords => {
  const first =
    DESCRIPTOR.IOTLB |
    (granularityOf(scope) << DESCRIPTOR.GRANULARITY_SHIFT) |
    flag(reads, DESCRIPTOR.DRAIN_READS) |
    flag(writes, DESCRIPTOR.DRAIN_WRITES) |
    (domainOf(scope) << DESCRIPTOR.DOMAIN_SHIFT)
  return [first, 0, ...iotlbAddress(scope)]
}

/** Address, mask and hint, as registers and descriptors have them. */
export const iotlbAddress = (scope: IotlbScope): Dwords => {
  if (scope === 'global' || !('page' in scope)) return [0, 0]
  const address = scope.page * 4096
  return [low(address) | scope.mask | flag(scope.hint, 1 << 6), high(address)]
}

/** Of what a device holds itself: 2^mask pages. */
export const deviceTlbInvalidation = (requester: number, page: number, mask: number): Dwords => {
  // The lowest zero bit of the address, from bit 12 on, is what tells the size.
  const address = mask === 0 ? page * 4096 : (Math.floor(page / 2 ** mask) * 2 ** mask + 2 ** (mask - 1) - 1) * 4096
  return [DESCRIPTOR.DEVICE_TLB, requester, low(address) | (mask === 0 ? 0 : 1), high(address)]
}

export const pasidCacheInvalidation = (domain: number, granularity: number, pasid: number): Dwords => [
  DESCRIPTOR.PASID_CACHE | (granularity << DESCRIPTOR.GRANULARITY_SHIFT) | (domain << DESCRIPTOR.DOMAIN_SHIFT),
  pasid,
  0,
  0,
]
/** Tells when everything before it is done. */
export interface Wait {
  /** A word that is written, and where. */
  readonly status?: { readonly at: Gpa; readonly value: number }
  readonly interrupt?: boolean
  readonly fence?: boolean
}
export const waitDescriptor = ({ status, interrupt, fence }: Wait): Dwords => [
  DESCRIPTOR.WAIT |
    flag(interrupt, DESCRIPTOR.INTERRUPT) |
    flag(status !== undefined, DESCRIPTOR.WRITE_STATUS) |
    flag(fence, DESCRIPTOR.FENCE),
  status?.value ?? 0,
  low(status?.at ?? 0),
  high(status?.at ?? 0),
]
