/** Boards with a VT-d style unit and bare sources of DMA; their memory is that of the host. */
import type { BoardDesign } from '../boards.ts'
import { DmaSources, type Source } from './sources.ts'
import { Vtd } from './vtd.ts'
import { correctVtd, type VtdParts } from './vtd-parts.ts'

export const SOURCES: readonly Source[] = [
  { id: 'nic0', requester: 0x0018 },
  { id: 'nic1', requester: 0x0020 },
  { id: 'slow0', requester: 0x0028, delayed: true },
  { id: 'ats0', requester: 0x0030, ats: true },
  { id: 'far0', requester: 0x0500 },
]

interface Variant {
  readonly name: string
  readonly summary: string
  readonly scalable?: boolean
  /** Caching mode: with a shadow for every source. */
  readonly caches?: boolean
}

const board = ({ name, summary, scalable = false, caches = false }: Variant): BoardDesign<VtdParts> => ({
  name,
  summary,
  parts: () => ({ ...correctVtd }),
  wire: (parts) => ({
    // What a page of 2 MiB, of 1 GiB maps has to lie somewhere.
    memory: [
      { start: 0, end: 0x80_0000 },
      { start: 0x4000_0000, end: 0x4020_0000 },
    ],
    build: (services) => {
      const behind = scalable ? SOURCES.map((source) => ({ ...source, pasid: true })) : SOURCES
      const shadowed = caches ? behind.map(({ requester }) => requester) : []
      const unit = new Vtd({ services, parts, scalable, caches, shadowed, downstream: () => sources })
      const sources: DmaSources = new DmaSources(services, unit, behind)
      return [unit, sources]
    },
  }),
})

export const vtdBoard = board({
  name: 'vtd',
  summary: 'an IOMMU (VT-d) with sources of DMA behind it, DMA by requester as an input',
})
export const vtdCachingModeBoard = board({
  name: 'vtd-caching-mode',
  summary: 'the same in caching mode: what is mapped is looked at when it is invalidated',
  caches: true,
})
export const vtdScalableBoard = board({
  name: 'vtd-scalable',
  summary: 'the same in scalable mode, with process address spaces',
  scalable: true,
})
