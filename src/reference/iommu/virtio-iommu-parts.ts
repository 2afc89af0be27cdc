/** What a virtio-iommu decides, each in a part of its own. VIRTIO 1.3 section 5.13.6. */
import { FAULT_REASON, IOMMU_STATUS, MAP_FLAG } from '../../layout/virtio-iommu.ts'
import { overlap } from './pages.ts'
import {
  type Cached,
  type Domain,
  domainBehind,
  domainOf,
  type IommuState,
  type Mapping,
} from './virtio-iommu-state.ts'

/** A 64-bit address: its page, and where in the page it is. */
export interface Place {
  readonly page: number
  readonly offset: number
}

export const PAGE_OFFSET_MAX = 0xfff
/** IOVAs that can be mapped: 48 bits. */
export const LAST_PAGE = 2 ** 36 - 1

/** Pages that cannot be mapped, both included: where interrupts go. */
export const RESERVED_PAGES = { first: 0xfee00, last: 0xfeeff } as const

export interface MapRequest {
  readonly start: Place
  readonly end: Place
  readonly phys: Place
  readonly flags: number
}

type Access = 'read' | 'write'

export interface VirtioIommuParts {
  /** Whether an endpoint of a request is one of those that are there. */
  knows(endpoints: readonly number[], endpoint: number): boolean
  /** Whether an entry of the cache is for this page of this endpoint. */
  isCachedFor(entry: Cached, endpoint: number, page: number): boolean
  /** Whether the flags of an ATTACH, a MAP are all known; `mmio`: that feature was accepted. */
  knowsAttachFlags(flags: number, bypassConfig: boolean): boolean
  knowsMapFlags(flags: number, mmio: boolean): boolean
  /** Whether the reserved field of an ATTACH is as it has to be. */
  acceptsReserved(isZero: boolean): boolean
  isAligned(request: MapRequest): boolean
  /** The mapping can be reached by addresses that the unit translates. */
  isInRange(first: number, last: number): boolean
  isReserved(first: number, last: number): boolean
  overlaps(mappings: readonly Mapping[], first: number, last: number): boolean
  mappingOf(first: number, last: number, host: number, flags: number): Mapping
  /** The status of an UNMAP of these pages, and the mappings that it takes away. */
  unmapped(
    mappings: readonly Mapping[],
    first: number,
    last: number,
  ): { readonly status: number; readonly gone: readonly Mapping[] }
  /** What is left in the cache when a domain loses a mapping. */
  afterUnmap(cache: readonly Cached[], endpoints: readonly number[], gone: Mapping): Cached[]
  /** What is left in the cache when an endpoint leaves its domain. */
  afterDetach(cache: readonly Cached[], endpoint: number): Cached[]
  /** Whether a domain ends when this endpoint leaves it. */
  endsWith(state: IommuState, domain: number, endpoint: number): boolean
  /** Whether an endpoint that is attached elsewhere leaves its domain before it joins another. */
  leavesFirst(from: Domain, to: number): boolean
  /** Whether a DETACH names the domain that the endpoint is in. */
  isMember(state: IommuState, domain: number, endpoint: number): boolean
  /** A domain for an endpoint that joins; undefined: the flag does not fit the domain that is there. */
  domainFor(state: IommuState, id: number, bypass: boolean): Domain | undefined
  permits(rights: { readonly read: boolean; readonly write: boolean }, access: Access): boolean
  hostPage(mapping: Mapping, page: number): number
  find(mappings: readonly Mapping[], page: number): Mapping | undefined
  /** The pages of an access that are looked up: of the whole, or of less. */
  reach(left: number, offset: number): number
  bypasses(state: IommuState, endpoint: number): boolean
  /** Whether an address that the endpoint says it had translated passes. */
  believes(): boolean
  /** The state after a reset of the device. */
  afterReset(state: IommuState): IommuState
  /** `reason` of a report. */
  reason(isAttached: boolean): number
  /** The endpoint that a report names. */
  reportedEndpoint(endpoint: number): number
  /** The page that a report names. */
  reportedPage(page: number): number
}

const covers = (first: number, last: number, mapping: Mapping): boolean =>
  first <= mapping.first && mapping.last <= last
const touches = (first: number, last: number, mapping: Mapping): boolean =>
  mapping.first <= last && first <= mapping.last

export const correctVirtioIommu: VirtioIommuParts = {
  knows: (endpoints, endpoint) => endpoints.includes(endpoint),
  isCachedFor: (entry, endpoint, page) => entry.endpoint === endpoint && entry.page === page,
  knowsAttachFlags: (flags, bypassConfig) => flags === 0 || (bypassConfig && flags === 1),
  knowsMapFlags: (flags, mmio) => (flags & ~(MAP_FLAG.READ | MAP_FLAG.WRITE | (mmio ? MAP_FLAG.MMIO : 0))) === 0,
  acceptsReserved: (isZero) => isZero,
  isAligned: ({ start, end, phys }) =>
    start.offset === 0 && phys.offset === 0 && end.offset === PAGE_OFFSET_MAX && start.page <= end.page,
  isInRange: (_first, last) => last <= LAST_PAGE,
  isReserved: (first, last) => first <= RESERVED_PAGES.last && RESERVED_PAGES.first <= last,
  overlaps: (mappings, first, last) => mappings.some((each) => touches(first, last, each)),
  mappingOf: (first, last, host, flags) => ({
    first,
    last,
    host,
    read: (flags & MAP_FLAG.READ) !== 0,
    write: (flags & MAP_FLAG.WRITE) !== 0,
  }),
  unmapped(mappings, first, last) {
    const touched = mappings.filter((each) => touches(first, last, each))
    return touched.every((each) => covers(first, last, each))
      ? { status: IOMMU_STATUS.OK, gone: touched }
      : { status: IOMMU_STATUS.RANGE, gone: [] }
  },
  afterUnmap: (cache, endpoints, { first, last }) =>
    cache.filter(
      ({ endpoint, page }) => !endpoints.includes(endpoint) || !overlap({ page, pages: 1 }, range(first, last)),
    ),
  afterDetach: (cache, endpoint) => cache.filter((each) => each.endpoint !== endpoint),
  endsWith: ({ attached }, domain, endpoint) =>
    !attached.some((each) => each.domain === domain && each.endpoint !== endpoint),
  leavesFirst: (from, to) => from.id !== to,
  isMember: (state, domain, endpoint) => domainBehind(state, endpoint)?.id === domain,
  domainFor(state, id, bypass) {
    const found = domainOf(state, id)
    if (found !== undefined) return found.bypass === bypass ? found : undefined
    return { id, bypass, mappings: [] }
  },
  permits: (rights, access) => rights[access],
  hostPage: ({ first, host }, page) => host + page - first,
  find: (mappings, page) => mappings.find((each) => each.first <= page && page <= each.last),
  reach: (left, offset) => Math.min(left, PAGE_OFFSET_MAX + 1 - offset),
  bypasses: (state, endpoint) => domainBehind(state, endpoint)?.bypass ?? state.bypass === 1,
  believes: () => false,
  afterReset: ({ bypass }) => ({ bypass, domains: [], attached: [], cache: [] }),
  reason: (isAttached) => (isAttached ? FAULT_REASON.MAPPING : FAULT_REASON.DOMAIN),
  reportedEndpoint: (endpoint) => endpoint,
  reportedPage: (page) => page,
}

const range = (first: number, last: number) => ({ page: first, pages: last - first + 1 })
