/**
 * virtio-iommu (VIRTIO 1.3, 5.13): domains of mappings, changed by requests whose status is known, and what each
 * endpoint reaches by them. There is no stale window: what a request changes is changed when the request is back.
 *
 * A mapping is what one MAP request made, and goes as a whole. Of a domain that a request left in a state which the
 * standard does not tell (`murky`), and of an endpoint that may or may not be attached (`lost`), nothing is judged
 * until a later request clears that up.
 */
import {
  type Bits,
  type Cells,
  machine,
  noBits,
  type ReadonlyCells,
  scoped,
  t,
} from '../../src/kernel/language/index.ts'
import { IOMMU_STATUS } from '../../src/layout/virtio-iommu.ts'
import { clause } from '../clauses/index.ts'

const { OK, IOERR, UNSUPP, DEVERR, INVAL, RANGE, NOENT, NOMEM } = IOMMU_STATUS
/** One more than any status: the request came back with nothing written. */
const UNWRITTEN = 9
const statuses = 10
/** A device that does these things may all the same be unable to. */
const UNABLE: readonly number[] = [IOERR, UNSUPP, DEVERR, NOMEM]

const right = t.oneOf('both', 'read', 'write', 'none')
type Right = 'both' | 'read' | 'write' | 'none'
/** What is special about a request. `bypass`, `mmio`: a flag that a feature makes known. `pastInput`, `reservedRegion`: other addresses. */
const how = t.oneOf(
  'plain',
  'bypass',
  'mmio',
  'reserved',
  'flag',
  'startInPage',
  'endInPage',
  'physInPage',
  'pastInput',
  'reservedRegion',
)
type How =
  | 'plain'
  | 'bypass'
  | 'mmio'
  | 'reserved'
  | 'flag'
  | 'startInPage'
  | 'endInPage'
  | 'physInPage'
  | 'pastInput'
  | 'reservedRegion'
/** What is under way: a request by its type, `unknown` or `short`, a look at the configuration, an access. */
const asked = t.oneOf(
  'nothing',
  'attach',
  'detach',
  'map',
  'unmap',
  'probe',
  'unknown',
  'short',
  'look',
  'access',
  'direct',
)
type Asked =
  | 'nothing'
  | 'attach'
  | 'detach'
  | 'map'
  | 'unmap'
  | 'probe'
  | 'unknown'
  | 'short'
  | 'look'
  | 'access'
  | 'direct'
const MISALIGNED: readonly string[] = ['startInPage', 'endInPage', 'physInPage']
/** The request is about none of the pages that are looked at. */
const ELSEWHERE_MAPS: readonly string[] = ['pastInput', 'reservedRegion']

interface Cell {
  /** First page of the mapping that this page is part of; undefined: there is none. */
  start: number | undefined
  frame: number
  right: Right
  /** A request may have taken the mapping away: one that was free to, one that should have left it, an ATTACH to the same domain. */
  doubt: 'none' | 'free' | 'kept' | 'again'
}

const permits = (right: Right, write: boolean): boolean => right === 'both' || right === (write ? 'write' : 'read')
/** Where an architecture has no write-only mappings, such a mapping may be read. */
const mayBeRead = (right: Right): boolean => right === 'write'

export const virtioIommu = scoped(
  'virtio-iommu',
  {
    /** One endpoint and two domains that it moves between. */
    explored: {
      domains: 2,
      endpoints: 1,
      pages: 1,
      frames: 1,
      rights: 3,
      odd: 1,
      bypassConfig: 1,
      probe: 0,
      reports: 0,
      history: 0,
    },
    /** Mappings of several pages. */
    pages: {
      domains: 1,
      endpoints: 1,
      pages: 3,
      frames: 3,
      rights: 1,
      odd: 0,
      bypassConfig: 0,
      probe: 0,
      reports: 0,
      history: 0,
    },
    /** Endpoints that share a domain, and leave it one after the other. */
    endpoints: {
      domains: 2,
      endpoints: 2,
      pages: 1,
      frames: 1,
      rights: 1,
      odd: 0,
      bypassConfig: 0,
      probe: 0,
      reports: 0,
      history: 0,
    },
    played: {
      domains: 2,
      endpoints: 3,
      pages: 8,
      frames: 12,
      rights: 3,
      odd: 1,
      bypassConfig: 1,
      probe: 1,
      reports: 1,
      history: 1,
    },
  },
  ({ domains, endpoints, pages, frames, rights, odd, bypassConfig, probe, reports, history }) => {
    const domain = t.id('domain', domains)
    const endpoint = t.id('endpoint', endpoints)
    const page = t.below(pages)
    const frame = t.below(frames)
    /** Addresses that a report can name: pages, frames by their own address, and one for any other. */
    const places = pages + frames + 1
    const rightsUsed = (one: Right): boolean => ['both', 'read', 'write', 'none'].indexOf(one) < rights
    const cellOf = (d: number, p: number): number => d * pages + p

    interface Book {
      readonly bypass: boolean
      readonly unread: boolean
      readonly up: boolean
      readonly attached: ReadonlyCells<number | undefined>
      readonly lost: Bits
      readonly bypassing: Bits
      readonly murky: Bits
      readonly map: ReadonlyCells<Readonly<Cell>>
    }
    interface Request {
      readonly asked: Asked
      readonly how: How
      readonly domain: number
      readonly endpoint: number | undefined
      readonly page: number
      readonly last: number
      readonly frame: number
      readonly right: Right
      readonly write: boolean
    }
    type State = Book & Request

    const exists = (s: Book, d: number): boolean => s.attached.some((each) => each === d)
    const range = (s: Request): number[] => Array.from({ length: s.last - s.page + 1 }, (_, at) => s.page + at)
    const isMapped = (s: State, p: number): boolean => s.map.at(cellOf(s.domain, p)).start !== undefined
    const overlaps = (s: State): boolean => !ELSEWHERE_MAPS.includes(s.how) && range(s).some((p) => isMapped(s, p))
    /** The range ends in the middle of a mapping that is there for certain. */
    const cuts = (s: State): boolean => {
      const at = (p: number) => s.map.at(cellOf(s.domain, p))
      const joined = (p: number): boolean =>
        p > 0 && p < pages && at(p).start !== undefined && at(p).start === at(p - 1).start
      return joined(s.page) || joined(s.last + 1) || (s.how === 'startInPage' && at(s.page).start !== undefined)
    }
    const hasDoubt = (s: State): boolean => range(s).some((p) => s.map.at(cellOf(s.domain, p)).doubt !== 'none')

    /** Statuses that say what is wrong with the request. */
    const wrongs = (s: State): number[] => {
      const found: number[] = []
      const mends = s.asked === 'map' || s.asked === 'unmap'
      if (s.asked === 'attach') {
        if (s.how === 'reserved' || s.how === 'flag') found.push(INVAL)
        if (s.how === 'bypass' && bypassConfig === 0) found.push(INVAL)
        if (exists(s, s.domain) && s.bypassing.has(s.domain) !== (s.how === 'bypass')) found.push(INVAL)
      }
      if ((s.asked === 'attach' || s.asked === 'detach' || s.asked === 'probe') && s.endpoint === undefined)
        found.push(NOENT)
      if (s.asked === 'detach' && s.endpoint !== undefined && s.attached.at(s.endpoint) !== s.domain)
        found.push(INVAL, NOENT)
      if (mends && !exists(s, s.domain)) found.push(NOENT)
      if (mends && s.bypassing.has(s.domain)) found.push(INVAL)
      if (s.asked === 'map') {
        if (s.how === 'flag' || s.how === 'mmio') found.push(INVAL)
        if (MISALIGNED.includes(s.how) || s.how === 'pastInput') found.push(RANGE)
        if (s.how === 'pastInput' || s.how === 'reservedRegion') found.push(INVAL)
        if (overlaps(s)) found.push(INVAL)
        // Not every architecture has these.
        if (s.right === 'write' || s.right === 'none') found.push(INVAL)
      }
      if (s.asked === 'unmap') {
        if (s.how === 'reserved') found.push(INVAL)
        if (cuts(s) || s.how === 'startInPage') found.push(RANGE)
      }
      if (s.asked === 'probe' && s.how === 'reserved') found.push(INVAL)
      return found
    }
    /** Whether the state that the request meets is known. */
    const isClear = (s: State): boolean =>
      !(s.asked !== 'probe' && s.murky.has(s.domain)) &&
      !(s.endpoint !== undefined && (s.asked === 'attach' || s.asked === 'detach') && s.lost.has(s.endpoint)) &&
      !((s.asked === 'map' || s.asked === 'unmap') && hasDoubt(s))

    /** Behind which domain an endpoint is, and whether that is certain. */
    const isCertain = (s: Book, e: number): boolean => {
      const d = s.attached.at(e)
      return !s.lost.has(e) && !(d !== undefined && s.murky.has(d))
    }
    const behind = (s: State): number | undefined => s.attached.at(s.endpoint!)
    const isBypassed = (s: State): boolean => {
      const d = behind(s)
      return d === undefined ? s.bypass && !s.unread : s.bypassing.has(d)
    }
    /** What the page of an access is in the domain of its endpoint. */
    const target = (s: State): Readonly<Cell> | undefined => {
      const d = behind(s)
      const cell = d === undefined || s.bypassing.has(d) ? undefined : s.map.at(cellOf(d, s.page))
      return cell?.start === undefined ? undefined : cell
    }
    const foreign = (s: State): Bits => {
      let found = noBits
      for (let d = 0; d < domains; d++) {
        const cell = s.map.at(cellOf(d, s.page))
        if (d !== behind(s) && cell.start !== undefined) found = found.with(cell.frame)
      }
      const own = target(s)
      return own === undefined ? found : found.without(own.frame)
    }
    const isAccess = (s: Request): boolean => s.asked === 'access' || s.asked === 'direct'
    const isRequest = (s: Request): boolean => s.asked !== 'nothing' && s.asked !== 'look' && !isAccess(s)

    interface Writable {
      readonly attached: Cells<number | undefined>
      lost: Bits
      bypassing: Bits
      murky: Bits
      readonly map: Cells<Cell>
    }
    const clear = (cell: Cell): void => {
      cell.start = undefined
      cell.frame = 0
      cell.right = 'both'
      cell.doubt = 'none'
    }
    /** A domain ends with the last endpoint that leaves it. */
    const leave = (s: Writable & Book, e: number): void => {
      const d = s.attached.at(e)
      s.attached.set(e, undefined)
      s.lost = s.lost.without(e)
      if (d === undefined || exists(s, d)) return
      for (let p = 0; p < pages; p++) clear(s.map.at(cellOf(d, p)))
      s.bypassing = s.bypassing.without(d)
      s.murky = s.murky.without(d)
    }
    /** The endpoint may have left its domain, and the domain may have ended by that. */
    const lose = (s: Writable & Book, e: number): void => {
      const d = s.attached.at(e)
      if (d === undefined) return
      s.lost = s.lost.with(e)
      if (!s.attached.some((each, other) => each === d && !s.lost.has(other))) s.murky = s.murky.with(d)
    }
    type Pending = { -readonly [K in keyof Request]: Request[K] }
    const idle = (s: Pending): void => {
      s.asked = 'nothing'
      s.how = 'plain'
      s.domain = s.page = s.last = s.frame = 0
      s.endpoint = undefined
      s.right = 'both'
      s.write = false
    }
    /** What is under way; what is not said of it is as it is when nothing is. */
    const ask = (s: Pending, asked: Asked, args: Partial<Request>): void => void Object.assign(s, { asked, ...args })
    const startOf = (s: Book, d: number, p: number): number | undefined => s.map.at(cellOf(d, p)).start
    /** The run begins and ends where mappings do. */
    const isWhole = (s: Book, d: number, first: number, last: number): boolean =>
      startOf(s, d, first) === first &&
      startOf(s, d, last) !== undefined &&
      (last + 1 === pages || startOf(s, d, last + 1) !== startOf(s, d, last))
    const isFree = (s: Book, d: number, first: number, last: number): boolean => {
      for (let p = first; p <= last; p++) if (s.map.at(cellOf(d, p)).start !== undefined) return false
      return true
    }
    const canAsk = (s: Request & { readonly up: boolean }): boolean => s.up && s.asked === 'nothing'

    return machine({
      source: 'VIRTIO 1.4',
      state: {
        /** The driver has set DRIVER_OK. */
        up: t.flag,
        /** The configuration field, and that a reset came since it was read. */
        bypass: t.flag,
        unread: t.flag,
        attached: t.array(endpoint, t.maybe(domain)),
        lost: t.set(endpoint),
        /** Domains that were made for endpoints in bypass mode. */
        bypassing: t.set(domain),
        murky: t.set(domain),
        map: t.array(
          domains * pages,
          t.record({ start: t.maybe(page), frame, right, doubt: t.oneOf('none', 'free', 'kept', 'again') }),
        ),
        /** Pages that an endpoint reached, or lost by an UNMAP, and was not refused since. */
        used: t.array(history === 1 ? endpoint : 1, t.set(pages)),
        /** What is under way. */
        asked,
        how,
        domain,
        /** Undefined: one that does not exist. */
        endpoint: t.maybe(endpoint),
        page,
        last: page,
        frame,
        right,
        write: t.flag,
        /** By endpoint: its last access, where that was refused; what a report may be about. */
        refused: t.array(endpoint, t.record({ place: t.maybe(t.below(places)), write: t.flag, attached: t.flag })),
      },
      initial: (s) => void (s.up = true),
      actions: {
        'driver.attach': {
          does: 'Attaches an endpoint to a domain, from none or from another one.',
          args: { endpoint, domain },
          weight: 4,
          when: (s, { endpoint, domain }) =>
            canAsk(s) && s.attached.at(endpoint) !== domain && !s.bypassing.has(domain),
          effect: (s, args) => ask(s, 'attach', args),
        },
        'driver.attachToBypass': {
          does: 'The same with a domain that is, or is to be, for endpoints in bypass mode.',
          args: { endpoint, domain },
          weight: 1,
          when: (s, { endpoint, domain }) =>
            bypassConfig === 1 &&
            canAsk(s) &&
            s.attached.at(endpoint) !== domain &&
            (!exists(s, domain) || s.bypassing.has(domain)),
          effect: (s, args) => ask(s, 'attach', { ...args, how: 'bypass' }),
        },
        'driver.attachOddly': {
          does: 'Names the domain that the endpoint is in, or an endpoint that does not exist, or says what has to be rejected.',
          args: { endpoint: t.maybe(endpoint), domain, how },
          weight: 2,
          when: (s, { endpoint, domain, how }) =>
            odd === 1 &&
            canAsk(s) &&
            (how === 'reserved' ||
              how === 'flag' ||
              ((how === 'plain' || (how === 'bypass' && bypassConfig === 1)) &&
                (endpoint === undefined ||
                  s.attached.at(endpoint) === domain ||
                  (exists(s, domain) && s.bypassing.has(domain) !== (how === 'bypass'))))),
          effect: (s, args) => ask(s, 'attach', args),
        },
        'driver.detach': {
          args: { endpoint, domain },
          weight: 2,
          when: (s, { endpoint, domain }) => canAsk(s) && s.attached.at(endpoint) === domain,
          effect: (s, args) => ask(s, 'detach', args),
        },
        'driver.detachOddly': {
          does: 'Names a domain that the endpoint is not in, or none that exists, or fills the reserved field, which means nothing.',
          args: { endpoint: t.maybe(endpoint), domain, how },
          weight: 1,
          when: (s, { endpoint, domain, how }) =>
            odd === 1 &&
            canAsk(s) &&
            (how === 'reserved' || (how === 'plain' && (endpoint === undefined || s.attached.at(endpoint) !== domain))),
          effect: (s, args) => ask(s, 'detach', args),
        },
        'driver.map': {
          does: 'Maps a run of pages to a run of frames.',
          args: { domain, page, last: page, frame, right },
          weight: 12,
          when: (s, { domain, page, last, frame, right }) =>
            canAsk(s) &&
            page <= last &&
            frame + last - page < frames &&
            rightsUsed(right) &&
            exists(s, domain) &&
            !s.bypassing.has(domain) &&
            isFree(s, domain, page, last),
          effect: (s, args) => ask(s, 'map', args),
        },
        'driver.mapOddly': {
          does: 'Maps what is mapped, or in no domain, or with something wrong, or special, about the request.',
          args: { domain, page, last: page, frame, how },
          weight: 5,
          when: (s, { domain, page, last, frame, how }) =>
            canAsk(s) &&
            page <= last &&
            frame + last - page < frames &&
            (how === 'plain'
              ? !exists(s, domain) || s.bypassing.has(domain) || !isFree(s, domain, page, last)
              : odd === 1 && how !== 'bypass' && how !== 'reserved'),
          effect: (s, args) => ask(s, 'map', args),
        },
        'driver.unmap': {
          does: 'Asks for a mapping, from its first page to its last.',
          args: { domain, page, last: page },
          weight: 10,
          when: (s, { domain, page, last }) =>
            canAsk(s) && page <= last && isWhole(s, domain, page, last) && startOf(s, domain, last) === page,
          effect: (s, args) => ask(s, 'unmap', args),
        },
        'driver.unmapSeveral': {
          does: 'Asks for a run of pages from the first page of one mapping to the last page of another.',
          args: { domain, page, last: page },
          weight: 6,
          when: (s, { domain, page, last }) =>
            canAsk(s) && page <= last && isWhole(s, domain, page, last) && startOf(s, domain, last) !== page,
          effect: (s, args) => ask(s, 'unmap', args),
        },
        'driver.unmapRest': {
          does: 'Asks for a mapping without its first pages.',
          args: { domain, page, last: page },
          weight: 3,
          when(s, { domain, page, last }) {
            const start = startOf(s, domain, page)
            return (
              canAsk(s) && page <= last && start !== undefined && start !== page && startOf(s, domain, last) === start
            )
          },
          effect: (s, args) => ask(s, 'unmap', args),
        },
        'driver.unmapOddly': {
          does: 'Asks for any run of pages: with holes, through mappings, in no domain; or fills the reserved field.',
          args: { domain, page, last: page, how },
          weight: 4,
          when: (s, { page, last, how }) =>
            canAsk(s) &&
            page <= last &&
            (how === 'plain' || (odd === 1 && (how === 'reserved' || how === 'startInPage'))),
          effect: (s, args) => ask(s, 'unmap', args),
        },
        'driver.probe': {
          does: 'Asks what is special about an endpoint; `reserved`: with less room than there has to be.',
          args: { endpoint: t.maybe(endpoint), how },
          weight: 1,
          when: (s, { how }) => probe === 1 && canAsk(s) && (how === 'plain' || how === 'reserved'),
          effect: (s, args) => ask(s, 'probe', args),
        },
        'driver.askOddly': {
          does: 'Sends a request of a type that is none, or one that ends too early.',
          args: { what: t.oneOf('unknown', 'short') },
          weight: 1,
          when: (s) => odd === 1 && canAsk(s),
          effect: (s, { what }) => void (s.asked = what),
        },
        'driver.setBypass': {
          args: { on: t.flag },
          weight: 2,
          when: (s, { on }) => bypassConfig === 1 && canAsk(s) && (s.bypass !== on || s.unread),
          effect(s, { on }) {
            s.bypass = on
            s.unread = false
          },
        },
        'driver.readBypass': {
          weight: 2,
          when: (s) => bypassConfig === 1 && s.asked === 'nothing',
          effect: (s) => void (s.asked = 'look'),
        },
        'driver.reset': {
          does: 'Resets the device; then nothing is attached.',
          weight: 1,
          when: (s) => canAsk(s),
          effect(s) {
            s.up = false
            for (let e = 0; e < endpoints; e++) {
              leave(s, e)
              s.refused.at(e).place = undefined
            }
            s.unread = bypassConfig === 1
          },
        },
        'driver.start': {
          does: 'Brings the device up again.',
          weight: 20,
          when: (s) => !s.up && s.asked === 'nothing',
          effect: (s) => void (s.up = true),
        },
        'device.access': {
          does: 'Reads or writes in a page that is mapped for it, and that it has not reached yet.',
          args: { endpoint, page, write: t.flag },
          weight: 60,
          when(s, { endpoint, page, write }) {
            const d = s.attached.at(endpoint)
            const cell = d === undefined ? undefined : s.map.at(cellOf(d, page))
            const isNew = history === 0 || !s.used.at(endpoint).has(page)
            return s.asked === 'nothing' && isNew && cell?.start !== undefined && permits(cell.right, write)
          },
          effect: (s, args) => ask(s, 'access', args),
        },
        'device.accessAgain': {
          args: { endpoint, page, write: t.flag },
          weight: 6,
          when(s, { endpoint, page, write }) {
            const d = s.attached.at(endpoint)
            const cell = d === undefined ? undefined : s.map.at(cellOf(d, page))
            if (history === 0 || !s.used.at(endpoint).has(page)) return false
            return s.asked === 'nothing' && cell?.start !== undefined && permits(cell.right, write)
          },
          effect: (s, args) => ask(s, 'access', args),
        },
        'device.revisit': {
          does: 'Goes back to a page that was mapped for it, and is not any more, or should not be, or may not be.',
          args: { endpoint, page, write: t.flag },
          weight: 50,
          when(s, { endpoint, page }) {
            if (history === 0 || s.asked !== 'nothing' || !s.used.at(endpoint).has(page)) return false
            const d = s.attached.at(endpoint)
            const cell = d === undefined ? undefined : s.map.at(cellOf(d, page))
            return cell?.start === undefined || cell.doubt !== 'none'
          },
          effect(s, args) {
            ask(s, 'access', args)
            s.used.set(args.endpoint, s.used.at(args.endpoint).without(args.page))
          },
        },
        'device.stray': {
          does: 'Reads or writes in a page as it likes.',
          args: { endpoint, page, write: t.flag },
          weight: 6,
          when(s, { endpoint, page, write }) {
            const d = s.attached.at(endpoint)
            const cell = d === undefined ? undefined : s.map.at(cellOf(d, page))
            return s.asked === 'nothing' && !(cell?.start !== undefined && permits(cell.right, write))
          },
          effect: (s, args) => ask(s, 'access', args),
        },
        'device.direct': {
          does: 'Names the address of a frame itself.',
          args: { endpoint, frame, write: t.flag },
          weight: 4,
          when: (s) => s.asked === 'nothing',
          effect: (s, args) => ask(s, 'direct', args),
        },
        'iommu.answer': {
          does: 'A request comes back with its status; one too many: with nothing written.',
          args: { status: t.below(statuses) },
          when: isRequest,
          requires: {
            knowsNoSuchEndpoint: {
              clause: clause('VIO-IOMMU-08'),
              given: (s) => (s.asked === 'attach' || s.asked === 'detach') && s.endpoint === undefined,
              holds: (s, { status }) => wrongs(s).includes(status),
            },
            rejectsReservedFields: {
              clause: clause('VIO-IOMMU-07'),
              given: (s) => s.asked === 'attach' && s.how === 'reserved',
              holds: (s, { status }) => wrongs(s).includes(status),
            },
            rejectsUnknownAttachFlags: {
              clause: clause('VIO-IOMMU-07'),
              given: (s) => s.asked === 'attach' && s.how === 'flag',
              holds: (s, { status }) => wrongs(s).includes(status),
            },
            rejectsUnknownFlags: {
              clause: clause('VIO-IOMMU-09'),
              given: (s) => s.asked === 'map' && s.how === 'flag',
              holds: (s, { status }) => wrongs(s).includes(status),
            },
            misalignedOrMappedAlready: {
              clause: clause('VIO-IOMMU-03'),
              given: (s) => s.asked === 'map' && isClear(s) && (MISALIGNED.includes(s.how) || overlaps(s)),
              holds: (s, { status }) => wrongs(s).includes(status),
            },
            cutsNoMapping: {
              clause: clause('VIO-IOMMU-04'),
              given: (s) => s.asked === 'unmap' && isClear(s) && cuts(s),
              holds: (s, { status }) => wrongs(s).includes(status),
            },
            inNoDomain: {
              clause: clause('VIO-IOMMU-18'),
              given: (s) => (s.asked === 'map' || s.asked === 'unmap') && isClear(s) && !exists(s, s.domain),
              holds: (s, { status }) => wrongs(s).includes(status),
            },
            asItsDomainIs: {
              clause: clause('VIO-IOMMU-19'),
              given: (s) =>
                isClear(s) &&
                exists(s, s.domain) &&
                (s.asked === 'attach'
                  ? s.bypassing.has(s.domain) !== (s.how === 'bypass')
                  : (s.asked === 'map' || s.asked === 'unmap') && s.bypassing.has(s.domain)),
              holds: (s, { status }) => wrongs(s).includes(status),
            },
            notInAReservedRegion: {
              clause: clause('VIO-IOMMU-23'),
              given: (s) => s.asked === 'map' && s.how === 'reservedRegion',
              holds: (_s, { status }) => status !== OK,
            },
            probesWithRoom: {
              clause: clause('VIO-IOMMU-25'),
              given: (s) => s.asked === 'probe' && wrongs(s).length > 0,
              holds: (s, { status }) => wrongs(s).includes(status),
            },
            nothingForWhatIsNoRequest: {
              clause: clause('VIO-IOMMU-27'),
              given: (s) => s.asked === 'unknown' || s.asked === 'short',
              holds: (_s, { status }) => status === UNWRITTEN,
            },
            forACause: {
              clause: clause('VIO-IOMMU-17'),
              given: (s) => s.asked !== 'unknown' && s.asked !== 'short' && isClear(s) && wrongs(s).length === 0,
              holds: (_s, { status }) => status === OK || UNABLE.includes(status),
            },
          },
          effect(s, { status }) {
            const { endpoint, domain, how, frame, right } = s
            const done = status === OK
            const wasClear = isClear(s)
            const at = (p: number) => s.map.at(cellOf(domain, p))
            if (s.asked === 'attach' && endpoint !== undefined) {
              const isNew = !exists(s, domain)
              const before = s.attached.at(endpoint)
              if (done) {
                if (before !== domain) leave(s, endpoint)
                else if (s.attached.every((d, e) => d !== domain || e === endpoint || s.lost.has(e)))
                  for (let p = 0; p < pages; p++)
                    if (at(p).start !== undefined && at(p).doubt === 'none') at(p).doubt = 'again'
                s.attached.set(endpoint, domain)
                s.lost = s.lost.without(endpoint)
                if (isNew && how === 'bypass') s.bypassing = s.bypassing.with(domain)
                else if (s.bypassing.has(domain) !== (how === 'bypass')) s.murky = s.murky.with(domain)
              } else if (how !== 'reserved' && how !== 'flag') lose(s, endpoint)
            }
            if (s.asked === 'detach' && endpoint !== undefined && done) {
              if (s.attached.at(endpoint) === domain) leave(s, endpoint)
              else lose(s, endpoint)
            }
            if (s.asked === 'map' && done && !ELSEWHERE_MAPS.includes(how) && exists(s, domain)) {
              if (!wasClear || overlaps(s) || MISALIGNED.includes(how) || s.bypassing.has(domain))
                s.murky = s.murky.with(domain)
              else
                for (const p of range(s)) {
                  const cell = at(p)
                  cell.start = s.page
                  cell.frame = frame + p - s.page
                  cell.right = right
                  if (history === 1)
                    for (let e = 0; e < endpoints; e++)
                      if (s.attached.at(e) === domain) s.used.set(e, s.used.at(e).without(p))
                }
            }
            if (s.asked === 'unmap' && exists(s, domain)) {
              const isCut = !done && cuts(s)
              const mayHave = isCut || (how === 'reserved' && status === INVAL)
              const gone = range(s).filter((p) => at(p).start !== undefined)
              const starts = gone.map((p) => at(p).start)
              if (history === 1 && (done || isCut))
                for (let e = 0; e < endpoints; e++)
                  if (s.attached.at(e) === domain)
                    s.used.set(
                      e,
                      gone.reduce((used, p) => used.with(p), s.used.at(e)),
                    )
              if (done && how === 'startInPage') {
                if (gone.length > 0) s.murky = s.murky.with(domain)
              } else if (done || mayHave)
                for (let p = 0; p < pages; p++) {
                  if (done && gone.includes(p)) clear(at(p))
                  else if (starts.includes(at(p).start)) at(p).doubt = isCut ? 'kept' : 'free'
                }
            }
            idle(s)
          },
          eager(s) {
            if (!isRequest(s)) return undefined
            if (s.asked === 'unknown' || s.asked === 'short') return { status: UNWRITTEN }
            if (s.asked === 'map' && s.how === 'mmio' && wrongs(s).length === 1) return { status: OK }
            if (s.asked === 'map' && !rightMatters(s) && wrongs(s).length === 1) return { status: OK }
            return { status: wrongs(s)[0] ?? OK }
          },
        },
        'iommu.properties': {
          does: 'What a probe request brought: whether each property ends where the next begins, and whether the rest is zero.',
          args: { linked: t.flag, tidy: t.flag },
          when: (s) => s.asked === 'probe',
          requires: {
            oneAfterTheOther: { clause: clause('VIO-IOMMU-26'), holds: (_s, { linked }) => linked },
            andZeros: { clause: clause('VIO-IOMMU-25'), holds: (_s, { tidy }) => tidy },
          },
        },
        'iommu.bypass': {
          does: 'The field as it reads; 2: something else.',
          args: { value: t.below(3) },
          when: (s) => s.asked === 'look',
          requires: {
            aFlag: { clause: clause('VIO-IOMMU-15'), holds: (_s, { value }) => value < 2 },
            asItWas: {
              clause: clause('VIO-IOMMU-20'),
              given: (s) => s.unread,
              holds: (s, { value }) => value === (s.bypass ? 1 : 0),
            },
            asItWasWritten: {
              clause: clause('VIO-IOMMU-14'),
              given: (s) => !s.unread,
              holds: (s, { value }) => value === (s.bypass ? 1 : 0),
            },
          },
          effect(s, { value }) {
            s.bypass = value === 1
            s.unread = false
            s.asked = 'nothing'
          },
          eager: (s) => (s.asked === 'look' ? { value: s.bypass ? 1 : 0 } : undefined),
        },
        'iommu.reach': {
          does: 'An access reaches a frame at the offset that it has in its page, or nothing; or, as a frame too many, something else.',
          args: { frame: t.maybe(t.below(frames + 1)) },
          when: isAccess,
          requires: {
            writesWhereItMay: {
              clause: clause('VIO-IOMMU-02'),
              given: (s) =>
                s.asked === 'access' &&
                s.write &&
                isCertain(s, s.endpoint!) &&
                target(s) !== undefined &&
                !permits(target(s)!.right, true),
              holds: (s, { frame }) => frame !== target(s)!.frame,
            },
            notAfterAReset: {
              clause: clause('VIO-IOMMU-13'),
              given: (s) => s.asked === 'access' && !s.up,
              holds: (_s, { frame }) => frame === undefined,
            },
            notWhenItIsDetached: {
              clause: clause('VIO-IOMMU-01'),
              given: (s) => s.asked === 'access' && s.up && behind(s) === undefined,
              holds: (_s, { frame }) => frame === undefined,
            },
            notInAnotherDomain: {
              clause: clause('VIO-IOMMU-16'),
              given: (s) => s.asked === 'access' && isCertain(s, s.endpoint!) && !foreign(s).isEmpty,
              holds: (s, { frame }) => frame === undefined || !foreign(s).has(frame),
            },
            notWhereNothingIsMapped: {
              clause: clause('VIO-IOMMU-11'),
              given: (s) =>
                s.asked === 'access' && isCertain(s, s.endpoint!) && behind(s) !== undefined && target(s) === undefined,
              holds: (_s, { frame }) => frame === undefined,
            },
            whereItIsMapped: {
              clause: clause('VIO-IOMMU-10'),
              given: (s) => s.asked === 'access' && isCertain(s, s.endpoint!) && target(s) !== undefined,
              holds(s, { frame }) {
                const cell = target(s)!
                const may = permits(cell.right, s.write) || (!s.write && mayBeRead(cell.right))
                const must = permits(cell.right, s.write) && cell.doubt === 'none'
                return frame === undefined ? !must : may && frame === cell.frame
              },
            },
            afterAnotherAttach: {
              clause: clause('VIO-IOMMU-12'),
              given: (s) =>
                s.asked === 'access' &&
                isCertain(s, s.endpoint!) &&
                target(s)?.doubt === 'again' &&
                permits(target(s)!.right, s.write),
              holds: (s, { frame }) => frame === target(s)!.frame,
            },
            asItWasLeft: {
              clause: clause('VIO-IOMMU-04'),
              given: (s) =>
                s.asked === 'access' &&
                isCertain(s, s.endpoint!) &&
                target(s)?.doubt === 'kept' &&
                permits(target(s)!.right, s.write),
              holds: (s, { frame }) => frame === target(s)!.frame,
            },
            itself: {
              clause: clause('VIO-IOMMU-14'),
              given: (s) => s.asked === 'direct' && isCertain(s, s.endpoint!) && isBypassed(s),
              holds: (s, { frame }) => frame === s.frame,
            },
            notByItsOwnAddress: {
              clause: clause('VIO-IOMMU-10'),
              given: (s) =>
                s.asked === 'direct' && isCertain(s, s.endpoint!) && behind(s) !== undefined && !isBypassed(s),
              holds: (_s, { frame }) => frame === undefined,
            },
            notWithoutADomain: {
              clause: clause('VIO-IOMMU-06'),
              given: (s) =>
                s.asked === 'direct' && !s.lost.has(s.endpoint!) && behind(s) === undefined && !s.bypass && !s.unread,
              holds: (_s, { frame }) => frame === undefined,
            },
          },
          effect(s, { frame }) {
            const e = s.endpoint!
            if (history === 1 && s.asked === 'access' && frame !== undefined) s.used.set(e, s.used.at(e).with(s.page))
            const refused = s.refused.at(e)
            refused.place =
              frame !== undefined || !s.up || reports === 0
                ? undefined
                : s.asked === 'direct'
                  ? pages + s.frame
                  : s.page
            refused.write = refused.place !== undefined && s.write
            refused.attached = refused.place !== undefined && s.attached.at(e) !== undefined
            idle(s)
          },
          eager(s) {
            if (!isAccess(s)) return undefined
            if (s.asked === 'direct') return { frame: isBypassed(s) ? s.frame : undefined }
            const cell = target(s)
            return { frame: cell !== undefined && permits(cell.right, s.write) ? cell.frame : undefined }
          },
        },
        'iommu.report': {
          does: 'Reports an access that was refused. Page and direction may be left out.',
          args: {
            endpoint: t.maybe(endpoint),
            place: t.maybe(t.below(places)),
            direction: t.oneOf('untold', 'read', 'write', 'both'),
            reason: t.oneOf('unknown', 'domain', 'mapping', 'another'),
            plain: t.flag,
          },
          // Where accesses pass, a report would be about none of them.
          when: (s) => s.asked === 'nothing',
          requires: {
            inItsForm: {
              clause: clause('VIO-IOMMU-21'),
              holds: (_s, { endpoint, plain }) => plain && endpoint !== undefined,
            },
            ofAnAccess: {
              clause: clause('VIO-IOMMU-22'),
              holds(s, { endpoint, place, direction }) {
                if (endpoint === undefined) return true
                const refused = s.refused.at(endpoint)
                return (
                  refused.place !== undefined &&
                  (place === undefined || place === refused.place) &&
                  (direction === 'untold' || direction === (refused.write ? 'write' : 'read'))
                )
              },
            },
            forAReason: {
              clause: clause('VIO-IOMMU-22'),
              given: (s, { endpoint, reason }) =>
                endpoint !== undefined && reason !== 'unknown' && !s.lost.has(endpoint),
              holds: (s, { endpoint, reason }) => reason === (s.refused.at(endpoint!).attached ? 'mapping' : 'domain'),
            },
          },
        },
        'iommu.stray': {
          does: 'Memory that no access was about changes.',
          requires: { onlyWhatIsAsked: { clause: clause('VIO-IOMMU-10'), holds: () => false } },
        },
      },
      owes: {
        'iommu.answer': { clause: clause('VIO-IOMMU-28'), when: isRequest },
      },
      goals: {
        anAccessThroughALongMapping: {
          on: 'iommu.reach',
          when: (s, { frame }) =>
            frame !== undefined && s.asked === 'access' && (target(s)?.start ?? s.page) !== s.page,
        },
        aRefusedWrite: {
          on: 'iommu.reach',
          when: (s, { frame }) => frame === undefined && s.write && target(s) !== undefined,
        },
        aDomainThatEnds: {
          on: 'iommu.answer',
          when: (s, { status }) =>
            status === OK && s.asked === 'detach' && s.map.some((cell) => cell.start !== undefined) && isLastOf(s),
        },
        anEndpointThatMoves: {
          on: 'iommu.answer',
          when: (s, { status }) =>
            status === OK &&
            s.asked === 'attach' &&
            s.attached.at(s.endpoint!) !== undefined &&
            s.attached.at(s.endpoint!) !== s.domain,
        },
        aSharedDomain: (s) =>
          s.attached.some((d, e) => d !== undefined && s.attached.some((other, f) => f !== e && other === d)),
        severalMappingsUnmappedAtOnce: {
          on: 'iommu.answer',
          when: (s, { status }) =>
            status === OK &&
            s.asked === 'unmap' &&
            new Set(range(s).map((p) => s.map.at(cellOf(s.domain, p)).start)).size > 2,
        },
        aMappingThatWouldBeCut: { on: 'iommu.answer', when: (s) => s.asked === 'unmap' && cuts(s) },
        anOverlap: { on: 'iommu.answer', when: (s) => s.asked === 'map' && s.how === 'plain' && overlaps(s) },
        memoryInBypassMode: { on: 'iommu.reach', when: (s, { frame }) => s.asked === 'direct' && frame !== undefined },
        anUnknownEndpoint: { on: 'iommu.answer', when: (s) => s.asked === 'attach' && s.endpoint === undefined },
        anAccessWhileReset: { on: 'device.stray', when: (s) => !s.up },
        aMisalignedMapping: { on: 'iommu.answer', when: (s) => MISALIGNED.includes(s.how) && exists(s, s.domain) },
      },
    })

    function isLastOf(s: State): boolean {
      return s.endpoint !== undefined && s.attached.every((d, e) => d !== s.domain || e === s.endpoint)
    }
    function rightMatters(s: State): boolean {
      return s.right === 'both' || s.right === 'read'
    }
  },
)
