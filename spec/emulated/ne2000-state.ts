/** An NE2000 as a driver follows it. */
import { type Seen, type StateOf, t } from '../../src/kernel/language/index.ts'

/**
 * `ring`: pages of the ring. `sizes`: packets of one page, of two, of three. `tags`: what tells packets apart. `wire`:
 * packets that the peer holds at most; none: there is no peer that sends anything. `filters`: there are packets for others
 * and for all. `clearsMask`: a reset clears the mask.
 */
export interface NeScope {
  readonly ring: number
  readonly sizes: number
  readonly tags: number
  readonly wire: number
  readonly filters: number
  readonly clearsMask: number
}

/** Interrupts that are followed. */
export const RECEIVED = 0
export const TRANSMITTED = 1
export const OVERFLOW = 2
export const REMOTE_DONE = 3
export const interrupts = t.set(4)

export const neState = ({ ring, sizes, tags, wire }: NeScope) => {
  const packet = { size: t.below(sizes), tag: t.below(tags), to: t.oneOf('me', 'other', 'all') }
  const page = t.below(ring)
  return {
    /** `reset`: a reset, and nothing since; `stopped`: set up, and stopped by the driver. */
    phase: t.oneOf('reset', 'running', 'stopped'),
    promiscuous: t.flag,
    broadcasts: t.flag,
    pending: interrupts,
    mask: interrupts,
    level: t.flag,
    /** What RST shows; open while stopped by command. */
    resetBit: t.oneOf('clear', 'set', 'open'),
    /** The transmit buffer: half of a packet, or all of it. */
    buffer: t.oneOf('empty', 'half', 'full'),
    loaded: t.record(packet),
    /** At the peer, oldest first. */
    held: t.below(wire + 1),
    wire: t.array(Math.max(1, wire), t.record(packet)),
    /** By its first page: a packet that was received and not given back. */
    stored: t.array(ring, t.maybe(t.below(sizes * tags))),
    current: page,
    boundary: page,
    /** The page that the driver reads next. */
    next: page,
    /** Reception has stopped until the driver starts anew, or gives pages back. */
    overflowed: t.flag,
    brim: t.flag,
    asked: t.oneOf('nothing', 'reception', 'interrupts', 'buffer', 'packet', 'boundary', 'bounds'),
  }
}

export type Ne = StateOf<ReturnType<typeof neState>>
export type SeenNe = Seen<Ne>

export const isFree = (s: SeenNe): boolean => s.asked === 'nothing'
export const isUp = (s: SeenNe): boolean => isFree(s) && s.phase === 'running'
export const isAsserted = (s: SeenNe): boolean => s.pending.meets(s.mask)

/** Pages that the packet at the head of the wire needs; size 0 is one page. */
export const needed = (s: SeenNe): number => s.wire.at(0).size + 1
/** Pages from CURR up to the boundary. */
export const room = (s: SeenNe, ring: number): number => (s.boundary - s.current + ring) % ring
export const isWanted = (s: SeenNe): boolean => {
  if (s.phase !== 'running') return false
  const { to } = s.wire.at(0)
  return s.promiscuous || to === 'me' || (to === 'all' && s.broadcasts)
}

export const putOnWire = (s: Ne, { size, tag, to }: Readonly<Ne['loaded']>): void => {
  const last = s.wire.at(s.held++)
  last.size = size
  last.tag = tag
  last.to = to
}
export const takeFromWire = (s: Ne, wire: number): void => {
  for (let at = 0; at + 1 < wire; at++) {
    const from = s.wire.at(at + 1)
    const to = s.wire.at(at)
    to.size = from.size
    to.tag = from.tag
    to.to = from.to
  }
  const last = s.wire.at(wire - 1)
  last.size = last.tag = 0
  last.to = 'me'
  s.held--
}
