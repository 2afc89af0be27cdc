/** What a virtio-iommu remembers of its domains, as plain data. Addresses are page numbers: 52 bits fit a number. */

/** One MAP request that succeeded. */
export interface Mapping {
  /** Pages of the IOVA, both included. */
  first: number
  last: number
  /** The page of memory that the first one is. */
  host: number
  read: boolean
  write: boolean
}

export interface Domain {
  id: number
  bypass: boolean
  /** In the order of the requests. */
  mappings: Mapping[]
}

/** An endpoint that is attached. */
export interface Attachment {
  endpoint: number
  domain: number
}

/** One page in the translation cache of an endpoint. */
export interface Cached {
  endpoint: number
  page: number
  host: number
  read: boolean
  write: boolean
}

export interface IommuState {
  /** Configuration field `bypass`. */
  bypass: number
  domains: Domain[]
  attached: Attachment[]
  cache: Cached[]
}

export const freshIommu = (bypass: number): IommuState => ({ bypass, domains: [], attached: [], cache: [] })

export const domainOf = (state: IommuState, id: number): Domain | undefined =>
  state.domains.find((domain) => domain.id === id)

/** The domain that an endpoint is attached to. */
export const domainBehind = (state: IommuState, endpoint: number): Domain | undefined => {
  const place = state.attached.find((each) => each.endpoint === endpoint)
  return place === undefined ? undefined : domainOf(state, place.domain)
}
