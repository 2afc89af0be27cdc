/**
 * The reference model as somebody would write it who packs by hand: three words, shifts and masks, one function for all
 * of it, and the visited set of the explorer. No ranges are checked, and nothing but the counts comes out. What the
 * author style costs is measured against this. Keep it equal to `split-queue-tso.ts`.
 *
 *     m  written 0..3, avail 4..11, used 12..19, availIdx 20, usedIdx 23, availEvent 26, usedEvent 29
 *     d  at 0, added 3, published 6, seen 9, free 12..15, head 16, store: is 18, slot 21, value 23; kick 26, irq 27
 *     v  at 0, seen 3, inFlight 6..9, returned 10, head 13, store: is 15, slot 18, value 20
 */
import { HousedVisited } from '../../src/kernel/explore/housed-visited.ts'

const IDLE = 0
const [RING, MORE, KICK, TAKE, D_RECHECK, WAIT] = [1, 2, 3, 4, 5, 6] as const
const [FETCH, READ, PUBLISH, INTERRUPT, V_RECHECK, SLEEP] = [1, 2, 3, 4, 5, 6] as const
/** Of a store buffer: what the one entry goes to. */
const [DESCRIPTOR, ENTRY, INDEX, EVENT] = [1, 2, 3, 4] as const

const STRIDE = 4
const ROWS = 1_024
const ROWS_MAX = ROWS + 16

const D_STORE = (is: number, slot: number, value: number): number => (is << 18) | (slot << 21) | (value << 23)
const V_STORE = (is: number, slot: number, value: number): number => (is << 15) | (slot << 18) | (value << 20)
const D_FREE_STORE = ~(0xff << 18)
const V_FREE_STORE = ~(0xff << 15)
const members = (set: number): number => (set & 1) + ((set >> 1) & 1) + ((set >> 2) & 1) + (set >> 3)
const asks = (event: number, now: number, before: number): boolean => ((now - event - 1) & 7) < ((now - before) & 7)

const holds = (m: number, d: number, v: number, outstanding: number): boolean => {
  const last = (d >>> 9) & 7
  const usedIdx = (((m >>> 23) & 7) - last) & 7
  const returned = (((v >>> 10) & 7) - last) & 7
  const seen = (((v >>> 3) & 7) - last) & 7
  const availIdx = (((m >>> 20) & 7) - last) & 7
  const added = (((d >>> 3) & 7) - last) & 7
  if (usedIdx > returned || returned > seen || seen > availIdx || availIdx > added || added > outstanding) return false
  const free = (d >>> 12) & 15
  const inFlight = (v >>> 6) & 15
  if ((free & inFlight) !== 0) return false
  let elsewhere = free | inFlight
  for (let i = 0; i < usedIdx; i++) {
    const bit = 1 << ((m >>> (12 + 2 * ((last + i) & 3))) & 3)
    if ((elsewhere & bit) !== 0) return false
    elsewhere |= bit
  }
  const head = (v >>> 13) & 3
  if ((v & 7) === READ && (((m >>> head) & 1) === 0 || ((inFlight >> head) & 1) === 1)) return false
  return (d & 7) !== TAKE || ((free >> ((m >>> (12 + 2 * (last & 3))) & 3)) & 1) === 0
}

export interface Counts {
  readonly states: number
  readonly transitions: number
  readonly depth: number
}

export const exploreBare = (outstanding: number, anyHead: boolean, memoryBytes = 2 ** 32): Counts => {
  const visited = new HousedVisited({ words: 3, rowsMax: ROWS_MAX, maxStates: 2 ** 28, memoryBytes })
  const { rows } = visited
  let o = 0
  let id = 0
  const put = (m: number, d: number, v: number): void => {
    rows[o] = m
    rows[o + 1] = d
    rows[o + 2] = v
    rows[o + 3] = id
    o += STRIDE
  }

  const driver = (m: number, d: number, v: number): void => {
    const at = d & 7
    const stored = ((d >>> 18) & 7) !== 0
    const to = (state: number): number => (d & ~7) | state
    const last = (d >>> 9) & 7
    const free = (d >>> 12) & 15
    if ((at === IDLE || at === MORE) && !stored && 4 - members(free) < outstanding)
      for (let head = 0; head < 4; head++)
        if (((free >> head) & 1) === 1 && (anyHead || (free & ((1 << head) - 1)) === 0))
          put(m, (to(RING) & ~(1 << (12 + head)) & ~(3 << 16)) | (head << 16) | D_STORE(DESCRIPTOR, head, 1), v)
    switch (at) {
      case IDLE:
        if (((m >>> 23) & 7) !== last) put(m, to(TAKE), v)
        if (free !== 15 && !stored) put(m, to(D_RECHECK) | D_STORE(EVENT, 0, last), v)
        break
      case RING:
        if (stored) break
        {
          const added = (d >>> 3) & 7
          const next = (to(MORE) & ~(7 << 3) & ~(3 << 16)) | (((added + 1) & 7) << 3)
          put(m, next | D_STORE(ENTRY, added & 3, (d >>> 16) & 3), v)
        }
        break
      case MORE:
        if (!stored) put(m, to(KICK) | D_STORE(INDEX, 0, (d >>> 3) & 7), v)
        break
      case KICK:
        if (stored) break
        {
          const added = (d >>> 3) & 7
          const kick = asks((m >>> 26) & 7, added, (d >>> 6) & 7) ? 1 << 26 : 0
          put(m, (to(IDLE) & ~(7 << 6)) | (added << 6) | kick, v)
        }
        break
      case TAKE:
        if (stored) break
        {
          const shift = 12 + 2 * (last & 3)
          const head = (m >>> shift) & 3
          const next = (to(IDLE) & ~(7 << 9)) | (((last + 1) & 7) << 9) | (1 << (12 + head))
          put(m & ~(3 << shift), next | D_STORE(DESCRIPTOR, head, 0), v)
        }
        break
      case D_RECHECK:
        if (!stored) put(m, to(((m >>> 23) & 7) === last ? WAIT : IDLE), v)
        break
      default:
        if (((d >>> 27) & 1) === 1) put(m, to(IDLE) & ~(1 << 27), v)
    }
    if (!stored) return
    const [slot, value] = [(d >>> 21) & 3, (d >>> 23) & 7]
    const drained = d & D_FREE_STORE
    switch ((d >>> 18) & 7) {
      case DESCRIPTOR:
        put((m & ~(1 << slot)) | (value << slot), drained, v)
        break
      case ENTRY:
        put((m & ~(3 << (4 + 2 * slot))) | (value << (4 + 2 * slot)), drained, v)
        break
      case INDEX:
        put((m & ~(7 << 20)) | (value << 20), drained, v)
        break
      default:
        put((m & ~(7 << 29)) | (value << 29), drained, v)
    }
  }

  const device = (m: number, d: number, v: number): void => {
    const at = v & 7
    const stored = ((v >>> 15) & 7) !== 0
    const to = (state: number): number => (v & ~7) | state
    const seen = (v >>> 3) & 7
    const availIdx = (m >>> 20) & 7
    const returned = (v >>> 10) & 7
    if ((at === IDLE || at === SLEEP) && !stored)
      for (let head = 0; head < 4; head++)
        if (((v >>> (6 + head)) & 1) === 1)
          put(m, d, (to(PUBLISH) & ~(1 << (6 + head))) | V_STORE(ENTRY, returned & 3, head))
    switch (at) {
      case IDLE:
        if (availIdx !== seen) put(m, d, to(FETCH))
        else if (!stored) put(m, d, to(V_RECHECK) | V_STORE(EVENT, 0, seen))
        break
      case FETCH: {
        const shift = 4 + 2 * (seen & 3)
        const next = (to(READ) & ~(7 << 3) & ~(3 << 13)) | (((seen + 1) & 7) << 3)
        put(m & ~(3 << shift), d, next | (((m >>> shift) & 3) << 13))
        break
      }
      case READ:
        put(m, d, (to(IDLE) & ~(3 << 13)) | (1 << (6 + ((v >>> 13) & 3))))
        break
      case PUBLISH:
        if (stored) break
        {
          const next = (returned + 1) & 7
          put(m, d, (to(INTERRUPT) & ~(7 << 10)) | (next << 10) | V_STORE(INDEX, 0, next))
        }
        break
      case INTERRUPT:
        if (!stored) put(m, asks(m >>> 29, returned, returned - 1) ? d | (1 << 27) : d, to(IDLE))
        break
      case V_RECHECK:
        if (!stored) put(m, d, to(availIdx === seen ? SLEEP : IDLE))
        break
      default:
        if (((d >>> 26) & 1) === 1) put(m, d & ~(1 << 26), to(IDLE))
    }
    if (!stored) return
    const [slot, value] = [(v >>> 18) & 3, (v >>> 20) & 7]
    const drained = v & V_FREE_STORE
    switch ((v >>> 15) & 7) {
      case ENTRY:
        put((m & ~(3 << (12 + 2 * slot))) | (value << (12 + 2 * slot)), d, drained)
        break
      case INDEX:
        put((m & ~(7 << 23)) | (value << 23), d, drained)
        break
      default:
        put((m & ~(7 << 26)) | (value << 26), d, drained)
    }
  }

  let transitions = 0
  let depth = 0
  let levelEnd = 1
  rows[1] = 15 << 12
  rows[3] = -1
  visited.insert(1)
  while (id < visited.count) {
    if (id === levelEnd) {
      depth++
      levelEnd = visited.count
    }
    const { arena } = visited
    o = 0
    for (; id < levelEnd && o < ROWS * STRIDE; id++) {
      const m = arena[id * STRIDE]!
      const d = arena[id * STRIDE + 1]!
      const v = arena[id * STRIDE + 2]!
      if (!holds(m, d, v, outstanding)) throw new Error(`bare explorer: an invariant is broken in state ${id}`)
      driver(m, d, v)
      device(m, d, v)
    }
    transitions += o / STRIDE
    if (!visited.insert(o / STRIDE)) throw new Error('bare explorer: out of memory')
  }
  return { states: visited.count, transitions, depth }
}
