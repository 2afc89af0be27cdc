/**
 * What virtio-blk requests mean. The medium is kept as the set of contents that each sector may have: a write that is
 * in flight may or may not have happened, and a read may see the sector as it was at any time while it was in flight.
 * A content is a small number that stands for a whole sector of a pattern; content 0 is what the medium started with.
 */
import { Bits, clear, noBits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { defect } from '../virtqueue/hostile.ts'
import { lifecycleState } from '../virtqueue/lifecycle.ts'
import { headOf, queueState } from '../virtqueue/queue.ts'

export interface BlkBounds {
  readonly size: number
  /** Sectors of the medium that requests use. */
  readonly sectors: number
  /** Different contents of a sector. */
  readonly contents: number
  /** 1 when the medium is read-only. */
  readonly readOnly: number
  /** How many of the kinds of requests there are, in their order. */
  readonly kinds: number
}

/**
 * `readLast` reads the last sector of the medium, `readOverEnd` that and the next one, `readAtEnd` and `writeAtEnd` the
 * next one alone; with `beyond` the sector number is so high that it wraps when it is turned into bytes. `unknown` has a
 * type that no device supports.
 */
const KINDS = [
  ...['read', 'write', 'flush', 'getId', 'unknown'],
  ...['readLast', 'readOverEnd', 'readAtEnd', 'writeAtEnd', 'beyond'],
] as const
const request = t.oneOf(...KINDS)
type Kind = (typeof KINDS)[number]

/** What other parts may borrow. */
export const orderState = {
  /** The next request is to fail by order. */
  failing: t.flag,
}

/** Requests that reach past the capacity. */
const PAST_THE_END: ReadonlySet<Kind> = new Set<Kind>(['readOverEnd', 'readAtEnd', 'writeAtEnd', 'beyond'])
/** Requests that a working device carries out. */
const PLAIN: ReadonlySet<Kind> = new Set<Kind>(['read', 'write', 'flush', 'getId', 'readLast'])
/** Those of them that a device may not support. */
const OPTIONAL: ReadonlySet<Kind> = new Set<Kind>(['flush', 'getId'])
const isWrite = (is: Kind): boolean => is === 'write' || is === 'writeAtEnd'

/** The status byte; `unset` when it still holds what the driver put there. */
export const status = t.oneOf('ok', 'ioerr', 'unsupp', 'other', 'unset')

const outstanding = (at: string): boolean => at === 'added' || at === 'available' || at === 'popped'

/** The entry names a chain that is outstanding and whose request the driver built as it should. */
const sound = (
  s: {
    readonly chains: { at(h: number): { readonly at: string } }
    readonly requests: { at(h: number): { readonly sound: boolean } }
  },
  { head }: { readonly head: number | undefined },
): boolean => head !== undefined && s.requests.at(head).sound && outstanding(s.chains.at(head).at)

export const blk = ({ size, sectors, contents, readOnly, kinds }: BlkBounds) => {
  const head = headOf(size)
  const sector = t.below(sectors)
  const content = t.below(contents)
  return part({
    source: 'VIRTIO 1.4',
    borrows: { ...queueState(size), ...lifecycleState },
    state: {
      /** What each sector may hold. */
      medium: t.array(sectors, t.set(contents)),
      /** The request of each chain, by head. */
      requests: t.array(
        head,
        t.record({ is: request, sector, content, mayRead: t.set(contents), rivals: t.set(contents), sound: t.flag }),
      ),
      ...orderState,
    },
    initial(s) {
      for (let i = 0; i < sectors; i++) s.medium.set(i, Bits.of(1))
    },
    actions: {
      'driver.add': {
        args: { head, request, sector, content, defect },
        // Content 0 is never written. Where the status alone is written, one descriptor is, however many are asked for.
        when: (_s, { request, content }) => KINDS.indexOf(request) < kinds && (request !== 'write' || content > 0),
        effect(s, { head, request, sector, content, defect }) {
          const it = s.requests.at(head)
          it.is = request
          it.sector = sector
          it.content = content
          it.sound = defect === 'none'
          it.mayRead = s.medium.at(sector)
          it.rivals = noBits
          if (request === 'write' && readOnly === 0) begin(s, size, head)
        },
      },
      'device.return': {
        args: {
          head: t.maybe(head),
          status,
          content: t.maybe(content),
          /** Of an identification: all 20 bytes were written, with nothing but zeros behind the string. */
          padded: t.flag,
          /** `used.len` is more than all that was written, wherever that lies. */
          overstated: t.flag,
        },
        requires: {
          statusIsSet: {
            clause: clause('VIO-BLK-01'),
            given: sound,
            holds: (_s, { status }) => status !== 'unset',
          },
          statusIsOneOfThree: {
            clause: clause('VIO-BLK-21'),
            given: (s, args) => sound(s, args) && args.status !== 'unset',
            holds: (_s, { status }) => status !== 'other',
          },
          readGivesTheMedium: {
            clause: clause('VIO-BLK-11'),
            given: (s, args) => sound(s, args) && args.status === 'ok' && s.requests.at(args.head!).is === 'read',
            holds: (s, { head, content }) => content !== undefined && s.requests.at(head!).mayRead.has(content),
          },
          identificationIsPadded: {
            clause: clause('VIO-BLK-13'),
            given: (s, args) => sound(s, args) && args.status === 'ok' && s.requests.at(args.head!).is === 'getId',
            holds: (_s, { padded }) => padded,
          },
          plainRequestsSucceed: {
            clause: clause('VIO-BLK-31'),
            given: (s, args) => {
              if (!sound(s, args) || s.failing) return false
              const { is } = s.requests.at(args.head!)
              return PLAIN.has(is) && (readOnly === 0 || !isWrite(is))
            },
            holds: (s, { head, status }) =>
              status === 'ok' || (status === 'unsupp' && OPTIONAL.has(s.requests.at(head!).is)),
          },
          readOnlyRefusesWrites: {
            clause: clause('VIO-BLK-02'),
            given: (s, args) => readOnly === 1 && sound(s, args) && isWrite(s.requests.at(args.head!).is),
            holds: (_s, { status }) => status === 'ioerr',
          },
          beyondTheEndFails: {
            clause: clause('VIO-BLK-08'),
            given: (s, args) => sound(s, args) && PAST_THE_END.has(s.requests.at(args.head!).is),
            holds: (_s, { status }) => status !== 'ok',
          },
          // What the driver believes to be written would else be what its memory held before.
          failureClaimsNoData: {
            clause: clause('VIO-SPLIT-13'),
            given: (s, args) => sound(s, args) && (args.status === 'ioerr' || args.status === 'unsupp'),
            holds: (_s, { overstated }) => !overstated,
          },
          unknownTypesAreUnsupported: {
            clause: clause('VIO-BLK-15'),
            given: (s, args) => !s.failing && sound(s, args) && s.requests.at(args.head!).is === 'unknown',
            holds: (_s, { status }) => status === 'unsupp',
          },
        },
        effect(s, { head, status }) {
          if (head === undefined) return
          const it = s.requests.at(head)
          if (status === 'ioerr') {
            // What the device refuses by itself never reaches the back end, and spends no order of its.
            const reaches = it.sound && !PAST_THE_END.has(it.is) && !(isWrite(it.is) && readOnly === 1)
            if (reaches) s.failing = false
          }
          if (it.is !== 'write' || status !== 'ok') return
          // The write has happened. One that overlapped it may have come before it or after it.
          s.medium.set(it.sector, it.rivals.with(it.content))
        },
        eager(s) {
          const head = s.chains.findIndex((chain) => chain.at === 'popped' || chain.at === 'available')
          if (head === undefined) return undefined
          const { is, mayRead } = s.requests.at(head)
          const plain = { content: undefined, padded: true, overstated: false }
          if (is === 'unknown') return { ...plain, status: 'unsupp' } as never
          if (PAST_THE_END.has(is) || (isWrite(is) && readOnly === 1) || s.failing)
            return { ...plain, status: 'ioerr' } as never
          return { ...plain, status: 'ok', content: is === 'read' ? mayRead.first : undefined } as never
        },
      },
      'backend.fail': {
        does: 'The back end lets the next request fail.',
        weight: 2,
        when: (s) => !s.failing && s.phase === 'running' && !s.chains.some((chain) => outstanding(chain.at)),
        effect: (s) => void (s.failing = true),
      },
      'driver.consume': { args: { head }, effect: (s, { head }) => clear(s.requests.at(head)) },
      // A write that was in flight may have happened or not: its sector goes on to hold either.
      'device.finishReset': { effect: forget(size) },
      'device.finishQueueReset': { effect: forget(size) },
    },
    goals: {
      aReadBackOfAWrite: {
        on: 'device.return',
        when: (_s, { status, content }) => status === 'ok' && content !== undefined && content > 0,
      },
      aFailedRequest: { on: 'device.return', when: (_s, { status }) => status === 'ioerr' },
      aRequestOverTheEnd: {
        on: 'device.return',
        when: (s, { head }) => head !== undefined && s.requests.at(head).is === 'readOverEnd',
      },
      aSectorWithTwoPossibleContents: (s) => s.medium.some((possible) => possible.size > 1),
    },
  })
}

interface Requests {
  readonly medium: { at(sector: number): Bits; set(sector: number, possible: Bits): void }
  readonly chains: { at(head: number): { readonly at: string } }
  readonly requests: {
    at(head: number): {
      readonly is: Kind
      readonly sector: number
      readonly content: number
      mayRead: Bits
      rivals: Bits
    }
  }
}

const forget = (size: number) => (s: { readonly requests: { at(head: number): object } }) => {
  for (let head = 0; head < size; head++) clear(s.requests.at(head))
}

/** A write is in flight: its sector may hold its content from now on, for whoever reads or writes it meanwhile. */
const begin = (s: Requests, size: number, head: number): void => {
  const it = s.requests.at(head)
  s.medium.set(it.sector, s.medium.at(it.sector).with(it.content))
  for (let h = 0; h < size; h++) {
    const other = s.requests.at(h)
    if (h === head || other.sector !== it.sector || !outstanding(s.chains.at(h).at)) continue
    if (other.is === 'read') other.mayRead = other.mayRead.with(it.content)
    if (other.is !== 'write') continue
    other.rivals = other.rivals.with(it.content)
    it.rivals = it.rivals.with(other.content)
  }
}
