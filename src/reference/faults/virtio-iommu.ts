/** Faults of virtio-iommu. */
import { FAULT_REASON, IOMMU_STATUS } from '../../layout/virtio-iommu.ts'
import { virtioIommuBoard } from '../iommu/virtio-iommu-board.ts'
import { correctVirtioIommu as honest, type VirtioIommuParts } from '../iommu/virtio-iommu-parts.ts'
import { boardFault, type Fault } from './fault.ts'

interface VirtioIommuFault<Name extends keyof VirtioIommuParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  readonly part: VirtioIommuParts[Name]
}

const fault = <Name extends keyof VirtioIommuParts>({ replaces, part, ...what }: VirtioIommuFault<Name>): Fault =>
  boardFault(virtioIommuBoard, {
    ...what,
    area: 'dma',
    replaces: `virtio-iommu.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

/** The block of a page that a mask of a size makes, which is one only where the size is a power of two. */
const maskedBy = (pages: number, page: number): bigint => BigInt(page) & ~BigInt(pages - 1)

export const virtioIommuFaults: readonly Fault[] = [
  fault({
    id: 'dma-viommu-non-power-of-two-invalidate',
    difficulty: 'medium',
    what: 'An UNMAP is passed on as one invalidation with a mask: where the size is no power of two, the wrong pages are forgotten.',
    replaces: 'afterUnmap',
    part(cache, endpoints, { first, last }) {
      const pages = last - first + 1
      return cache.filter(
        ({ endpoint, page }) => !endpoints.includes(endpoint) || maskedBy(pages, page) !== maskedBy(pages, first),
      )
    },
  }),
  fault({
    id: 'dma-viommu-partial-unmap-accepted',
    difficulty: 'shallow',
    what: 'An UNMAP that would cut a mapping succeeds, and leaves mappings that begin before the range as they are.',
    replaces: 'unmapped',
    part: (mappings, first, last) => ({
      status: IOMMU_STATUS.OK,
      gone: mappings.filter((each) => first <= each.first && each.first <= last),
    }),
  }),
  fault({
    id: 'dma-viommu-first-mapping-unmapped',
    difficulty: 'shallow',
    what: 'An UNMAP over several mappings takes away the first one and reports success.',
    replaces: 'unmapped',
    part(mappings, first, last) {
      const { status, gone } = honest.unmapped(mappings, first, last)
      return { status, gone: gone.slice(0, 1) }
    },
  }),
  fault({
    id: 'dma-viommu-unmap-stops-at-hole',
    difficulty: 'medium',
    what: 'An UNMAP ends at the first page of its range that maps nothing: what comes after stays.',
    replaces: 'unmapped',
    part(mappings, first, last) {
      const { status, gone } = honest.unmapped(mappings, first, last)
      let end = first
      const sorted = [...gone].sort((a, b) => a.first - b.first)
      return { status, gone: sorted.filter((each) => each.first === end && (end = each.last + 1) > 0) }
    },
  }),
  fault({
    id: 'dma-viommu-unmap-end-exclusive',
    difficulty: 'medium',
    what: 'The last page of an UNMAP is taken for the one behind its range: a mapping of that page alone stays.',
    replaces: 'unmapped',
    part: (mappings, first, last) =>
      honest.unmapped(
        mappings.filter((each) => each.first !== last),
        first,
        last,
      ),
  }),
  fault({
    id: 'dma-viommu-one-endpoint-invalidated',
    difficulty: 'medium',
    what: 'An UNMAP is passed on to one endpoint of the domain only; others reach the pages that they used before.',
    replaces: 'afterUnmap',
    part: (cache, endpoints, gone) => honest.afterUnmap(cache, endpoints.slice(0, 1), gone),
  }),
  fault({
    id: 'dma-viommu-detach-keeps-translations',
    difficulty: 'shallow',
    what: 'An endpoint that is detached still reaches the pages that it used.',
    replaces: 'afterDetach',
    part: (cache) => [...cache],
  }),
  fault({
    id: 'dma-viommu-domain-outlives-endpoints',
    difficulty: 'medium',
    what: 'A domain keeps its mappings when the last endpoint has left: who attaches to that id later has them.',
    replaces: 'endsWith',
    part: () => false,
  }),
  fault({
    id: 'dma-viommu-domain-ends-with-any-endpoint',
    difficulty: 'medium',
    what: 'A domain ends when any endpoint leaves it: others lose their mappings.',
    replaces: 'endsWith',
    part: () => true,
  }),
  fault({
    id: 'dma-viommu-move-without-detach',
    difficulty: 'medium',
    what: 'An endpoint that moves to another domain does not leave the former one: pages that it used there still lead there.',
    replaces: 'leavesFirst',
    part: () => false,
  }),
  fault({
    id: 'dma-viommu-reset-keeps-mappings',
    difficulty: 'medium',
    what: 'A device reset leaves endpoints attached to their domains.',
    replaces: 'afterReset',
    part: (state) => state,
  }),
  fault({
    id: 'dma-viommu-reset-keeps-translations',
    difficulty: 'deep',
    what: 'A device reset leaves the translation cache as it was.',
    replaces: 'afterReset',
    part: (state) => ({ ...honest.afterReset(state), cache: state.cache }),
  }),
  fault({
    id: 'dma-viommu-write-by-read-mapping',
    difficulty: 'shallow',
    what: 'Any mapping can be written.',
    replaces: 'permits',
    part: (rights, access) => (access === 'write' ? rights.read || rights.write : rights.read),
  }),
  fault({
    id: 'dma-viommu-mapping-offset-lost',
    difficulty: 'shallow',
    what: 'Every page of a mapping leads to the first page of its memory.',
    replaces: 'hostPage',
    part: ({ host }) => host,
  }),
  fault({
    id: 'dma-viommu-last-page-not-mapped',
    difficulty: 'medium',
    what: 'The inclusive end of a mapping is taken for the first address behind it: the last page of a long one is not reached.',
    replaces: 'find',
    part: (mappings, page) =>
      mappings.find((each) => each.first <= page && (page < each.last || each.first === each.last)),
  }),
  fault({
    id: 'dma-viommu-translations-shared',
    difficulty: 'medium',
    what: 'The cache is looked up by page alone: one endpoint uses translations of another.',
    replaces: 'isCachedFor',
    part: (entry, _endpoint, page) => entry.page === page,
  }),
  fault({
    id: 'dma-viommu-bypass-for-attached',
    difficulty: 'medium',
    what: 'The bypass field lets endpoints past their domains, too.',
    replaces: 'bypasses',
    part: (state, endpoint) => state.bypass === 1 || honest.bypasses(state, endpoint),
  }),
  fault({
    id: 'dma-viommu-reserved-field-accepted',
    difficulty: 'shallow',
    what: 'The reserved field of an ATTACH is not looked at.',
    replaces: 'acceptsReserved',
    part: () => true,
  }),
  fault({
    id: 'dma-viommu-unknown-map-flag-accepted',
    difficulty: 'shallow',
    what: 'Flags of a MAP that mean nothing are ignored.',
    replaces: 'knowsMapFlags',
    part: () => true,
  }),
  fault({
    id: 'dma-viommu-unknown-endpoint-attached',
    difficulty: 'shallow',
    what: 'An endpoint that does not exist can be attached.',
    replaces: 'knows',
    part: () => true,
  }),
  fault({
    id: 'dma-viommu-report-names-other-endpoint',
    difficulty: 'shallow',
    what: 'A report names the next device of the bus instead of the one whose access was refused.',
    replaces: 'reportedEndpoint',
    part: (endpoint) => endpoint + 8,
  }),
  fault({
    id: 'dma-viommu-report-reason-swapped',
    difficulty: 'medium',
    what: 'A report of an endpoint without a domain says that a mapping is missing.',
    replaces: 'reason',
    part: () => FAULT_REASON.MAPPING,
  }),
]
