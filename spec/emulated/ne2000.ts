/**
 * An NE2000: remote DMA, transmission, the ring of received packets with its wrap and its overflow, and the interrupt
 * status. Packets come from a peer that sends back what it was sent, when it is told to.
 */
import { type Bits, machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import {
  interrupts,
  isAsserted,
  isFree,
  isUp,
  isWanted,
  type Ne,
  type NeScope,
  needed,
  neState,
  OVERFLOW,
  putOnWire,
  RECEIVED,
  REMOTE_DONE,
  room,
  type SeenNe,
  TRANSMITTED,
  takeFromWire,
} from './ne2000-state.ts'

const set = (s: Ne, interrupt: number): void => void (s.pending = s.pending.with(interrupt))
const LOAD = 5

export const ne2000 = scoped(
  'ne2000',
  {
    explored: { ring: 3, sizes: 1, tags: 1, wire: 1, filters: 0, clearsMask: 1 },
    played: { ring: 6, sizes: 3, tags: 3, wire: 2, filters: 1, clearsMask: 1 },
  },
  (scope: NeScope) => {
    const { ring, sizes, tags, wire } = scope
    const page = t.below(ring)
    const filters = scope.filters === 1
    const at = (from: number, pages: number): number => (from + pages) % ring
    const fits = (s: SeenNe): boolean => isWanted(s) && needed(s) < room(s, ring)
    const overflows = (s: SeenNe): boolean => isWanted(s) && needed(s) > room(s, ring)
    /** The kind of a stored packet. */
    const kindOf = (s: SeenNe): number => s.wire.at(0).size * tags + s.wire.at(0).tag
    const answering = (s: SeenNe, bit: number): boolean => s.asked === 'interrupts' && s.pending.has(bit)
    const unread = (s: SeenNe): number | undefined => s.stored.at(s.next)
    return machine({
      source: 'DP8390D data sheet',
      state: neState(scope),
      initial(s) {
        s.resetBit = 'set'
        s.next = s.current = at(0, 1)
      },
      actions: {
        'driver.setUp': {
          does: 'Initialises the controller, with an empty ring whose first page is the boundary, and starts it.',
          args: { promiscuous: t.flag, broadcasts: t.flag },
          weight: 8,
          when: (s, a) =>
            isFree(s) && (s.phase === 'reset' || s.overflowed) && (filters || (!a.promiscuous && !a.broadcasts)),
          effect(s, { promiscuous, broadcasts }) {
            s.phase = 'running'
            s.promiscuous = promiscuous
            s.broadcasts = broadcasts
            s.pending = s.mask = noBits
            s.resetBit = 'clear'
            s.boundary = 0
            s.next = s.current = at(0, 1)
            s.overflowed = s.brim = false
            s.buffer = 'empty'
            for (let each = 0; each < ring; each++) s.stored.set(each, undefined)
          },
        },
        'driver.reset': {
          does: 'Reads the reset port.',
          weight: 1.5,
          when: (s) => isFree(s) && s.phase !== 'reset',
          effect(s) {
            s.phase = 'reset'
            s.resetBit = 'set'
            s.buffer = 'empty'
            if (scope.clearsMask === 1) s.mask = noBits
          },
        },
        'driver.stop': {
          does: 'Sets STP.',
          weight: 1,
          when: (s) => isUp(s) && !s.overflowed && s.buffer !== 'half',
          effect(s) {
            s.phase = 'stopped'
            s.resetBit = 'open'
          },
        },
        'driver.go': {
          does: 'Sets STA again.',
          weight: 4,
          when: (s) => isFree(s) && s.phase === 'stopped',
          effect(s) {
            s.phase = 'running'
            s.resetBit = 'clear'
          },
        },
        'driver.load': {
          does: 'Writes a packet into the transmit buffer by remote DMA.',
          args: { size: t.below(sizes), tag: t.below(tags), to: t.oneOf('me', 'other', 'all') },
          weight: LOAD,
          when: (s, { to }) => isUp(s) && s.buffer === 'empty' && (filters || to === 'me'),
          effect(s, a) {
            s.loaded.size = a.size
            s.loaded.tag = a.tag
            s.loaded.to = a.to
            s.buffer = 'full'
            set(s, REMOTE_DONE)
          },
        },
        'driver.loadHalf': {
          does: 'The same, with half of the words.',
          args: { size: t.below(sizes), tag: t.below(tags) },
          weight: 2,
          when: (s) => isUp(s) && s.buffer === 'empty',
          effect(s, a) {
            s.loaded.size = a.size
            s.loaded.tag = a.tag
            s.loaded.to = 'me'
            s.buffer = 'half'
          },
        },
        'driver.loadRest': {
          does: 'Writes the words that are left.',
          weight: 12,
          when: (s) => isUp(s) && s.buffer === 'half',
          effect(s) {
            s.buffer = 'full'
            set(s, REMOTE_DONE)
          },
        },
        'driver.readBuffer': {
          does: 'Reads the transmit buffer by remote DMA.',
          weight: 1,
          when: (s) => isUp(s) && s.buffer === 'full',
          effect(s) {
            s.asked = 'buffer'
            set(s, REMOTE_DONE)
          },
        },
        'device.answerBuffer': {
          args: { same: t.flag },
          when: (s) => s.asked === 'buffer',
          requires: { holdsWhatWasWritten: { clause: clause('NE-03'), holds: (_s, { same }) => same } },
          effect: (s) => void (s.asked = 'nothing'),
          eager: (s) => (s.asked === 'buffer' ? { same: true } : undefined),
        },
        'driver.transmit': {
          does: 'Transmits what is in the buffer, and waits until that has ended.',
          weight: 16,
          when: (s) => isUp(s) && s.buffer === 'full' && (wire === 0 || s.held < wire),
          effect(s) {
            set(s, TRANSMITTED)
            s.buffer = 'empty'
            if (wire > 0) putOnWire(s, s.loaded)
          },
        },
        'driver.send': {
          does: 'Loads a packet to itself and transmits it.',
          args: { size: t.below(sizes), tag: t.below(tags) },
          weight: 14,
          when: (s) => isUp(s) && s.buffer === 'empty' && s.held < wire,
          effect(s, { size, tag }) {
            set(s, REMOTE_DONE)
            set(s, TRANSMITTED)
            putOnWire(s, { size, tag, to: 'me' })
          },
        },
        'backend.deliver': {
          does: 'The peer sends the oldest packet that it holds.',
          weight: 20,
          when: (s) =>
            isFree(s) && s.phase !== 'reset' && s.buffer !== 'half' && s.held > 0 && !s.overflowed && !s.brim,
          effect: (s) => void (s.asked = 'reception'),
        },
        'device.answerReception': {
          does: 'CURR and the interrupt status behind it.',
          args: { current: t.maybe(page), received: t.flag, overflow: t.flag },
          when: (s) => s.asked === 'reception',
          requires: {
            stoppedTakesNothing: {
              clause: clause('NE-12'),
              given: (s) => s.phase === 'stopped',
              holds: (s, { current }) => current === s.current,
            },
            takesOnlyItsOwn: {
              clause: clause('NE-10'),
              given: (s) => s.phase === 'running' && !isWanted(s),
              holds: (s, { current }) => current === s.current,
            },
            takesWhatFits: {
              clause: clause('NE-10'),
              given: fits,
              holds: (s, { current }) => current !== s.current,
            },
            goesOnBehindIt: {
              clause: clause('NE-06'),
              given: (s, { current }) => isWanted(s) && current !== s.current && s.current + needed(s) < ring,
              holds: (s, { current }) => current === at(s.current, needed(s)),
            },
            goesOnAtTheStart: {
              clause: clause('NE-07'),
              given: (s, { current }) => isWanted(s) && current !== s.current && s.current + needed(s) >= ring,
              holds: (s, { current }) => current === at(s.current, needed(s)),
            },
            sparesTheBoundary: {
              clause: clause('NE-08'),
              given: overflows,
              holds: (s, { current }) => current === s.current,
            },
            tellsTheOverflow: {
              clause: clause('NE-08'),
              given: (s, { current }) => isWanted(s) && current === s.current,
              holds: (_s, { overflow }) => overflow,
            },
            overflowsWithAReason: {
              clause: clause('NE-08'),
              given: (s) => !s.pending.has(OVERFLOW),
              holds: (s, { current, overflow }) => !overflow || (isWanted(s) && current === s.current),
            },
            tellsThePacket: {
              clause: clause('NE-11'),
              given: (s, { current }) => current !== s.current,
              holds: (_s, { received }) => received,
            },
            receivesWithAReason: {
              clause: clause('NE-11'),
              given: (s) => !s.pending.has(RECEIVED),
              holds: (s, { current, received }) => !received || current !== s.current,
            },
          },
          effect(s, { current, received, overflow }) {
            s.asked = 'nothing'
            if (current !== undefined && current !== s.current) {
              s.stored.set(s.current, kindOf(s))
              s.current = current
              s.brim = current === s.boundary
            }
            if (received) set(s, RECEIVED)
            if (overflow) {
              set(s, OVERFLOW)
              s.overflowed = true
            }
            takeFromWire(s, wire)
          },
          eager(s) {
            if (s.asked !== 'reception') return undefined
            const taken = fits(s)
            const overflow = isWanted(s) && !taken
            return {
              current: taken ? at(s.current, needed(s)) : s.current,
              received: taken || s.pending.has(RECEIVED),
              overflow: overflow || s.pending.has(OVERFLOW),
            }
          },
        },
        'driver.readPacket': {
          does: 'Reads the next packet of the ring and its header by remote DMA.',
          weight: 12,
          when: (s) => isUp(s) && s.buffer !== 'half' && unread(s) !== undefined,
          effect(s) {
            s.asked = 'packet'
            set(s, REMOTE_DONE)
          },
        },
        'device.answerPacket': {
          args: { intact: t.flag, next: t.maybe(page), kind: t.maybe(t.below(sizes * tags)), count: t.flag },
          when: (s) => s.asked === 'packet',
          requires: {
            headerIsRight: {
              clause: clause('NE-09'),
              holds: (s, { intact, next, count }) => intact && count && next === behind(s, tags, ring),
            },
            contentIsRight: {
              clause: clause('NE-06'),
              given: (s) => s.next < (behind(s, tags, ring) ?? 0),
              holds: (s, { kind }) => kind === unread(s),
            },
            contentGoesRound: {
              clause: clause('NE-07'),
              given: (s) => s.next >= (behind(s, tags, ring) ?? 0),
              holds: (s, { kind }) => kind === unread(s),
            },
          },
          effect(s) {
            const next = behind(s, tags, ring) ?? 0
            s.stored.set(s.next, undefined)
            s.next = next
            s.asked = 'nothing'
          },
          eager: (s) =>
            s.asked === 'packet'
              ? { intact: true, next: behind(s, tags, ring), kind: unread(s), count: true }
              : undefined,
        },
        'driver.giveBack': {
          does: 'Sets the boundary to the page in front of the next packet.',
          weight: 5,
          when: (s) => isUp(s) && s.boundary !== at(s.next, ring - 1),
          effect(s) {
            s.boundary = at(s.next, ring - 1)
            s.brim = false
          },
        },
        'driver.setMask': {
          args: { mask: interrupts },
          weight: 4,
          when: (s, { mask }) => isUp(s) && !s.mask.equals(mask),
          effect: (s, { mask }) => void (s.mask = mask),
        },
        'driver.clearInterrupts': {
          does: 'Writes ones to bits of the interrupt status.',
          args: { bits: interrupts },
          weight: 5,
          when: (s) => isUp(s),
          effect: (s, { bits }) => void (s.pending = s.pending.minus(bits)),
        },
        'driver.readInterrupts': {
          weight: 8,
          when: isFree,
          effect: (s) => void (s.asked = 'interrupts'),
        },
        'device.answerInterrupts': {
          args: { bits: interrupts, reset: t.flag },
          when: (s) => s.asked === 'interrupts',
          requires: {
            keepsReceived: kept(RECEIVED, 'NE-11'),
            keepsTransmitted: kept(TRANSMITTED, 'NE-05'),
            keepsOverflow: kept(OVERFLOW, 'NE-08'),
            keepsRemoteDone: kept(REMOTE_DONE, 'NE-04'),
            notBeforeTheLastWord: {
              clause: clause('NE-04'),
              given: (s) => s.phase !== 'reset' && s.buffer === 'half' && !s.pending.has(REMOTE_DONE),
              holds: (_s, { bits }) => !bits.has(REMOTE_DONE),
            },
            clearedStaysClear: {
              clause: clause('NE-01'),
              given: (s) => s.phase !== 'reset',
              holds: (s, { bits }) => s.pending.contains(bits),
            },
            showsTheReset: {
              clause: clause('NE-13'),
              given: (s) => s.resetBit === 'set',
              holds: (_s, { reset }) => reset,
            },
            showsTheStart: {
              clause: clause('NE-13'),
              given: (s) => s.resetBit === 'clear',
              holds: (_s, { reset }) => !reset,
            },
          },
          effect: (s) => void (s.asked = 'nothing'),
          eager: (s) => (s.asked === 'interrupts' ? { bits: s.pending, reset: s.resetBit !== 'clear' } : undefined),
        },
        'driver.readBoundary': { when: isUp, effect: (s) => void (s.asked = 'boundary') },
        'device.answerBoundary': {
          args: { page: t.maybe(page) },
          when: (s) => s.asked === 'boundary',
          requires: { asWritten: { clause: clause('NE-14'), holds: (s, a) => a.page === s.boundary } },
          effect: (s) => void (s.asked = 'nothing'),
          eager: (s) => (s.asked === 'boundary' ? { page: s.boundary } : undefined),
        },
        'driver.readBounds': {
          does: 'Reads start and stop of the ring, on page 2.',
          when: (s) => isUp(s) && s.buffer !== 'half',
          effect: (s) => void (s.asked = 'bounds'),
        },
        'device.answerBounds': {
          args: { same: t.flag },
          when: (s) => s.asked === 'bounds',
          requires: { asWritten: { clause: clause('NE-14'), holds: (_s, { same }) => same } },
          effect: (s) => void (s.asked = 'nothing'),
          eager: (s) => (s.asked === 'bounds' ? { same: true } : undefined),
        },
        'device.raise': {
          requires: {
            forAPendingOne: { clause: clause('NE-02'), holds: (s) => isAsserted(s) || s.asked === 'reception' },
          },
          effect: (s) => void (s.level = true),
          eager: (s) => (!s.level && s.phase !== 'reset' && isAsserted(s) ? {} : undefined),
        },
        'device.lower': {
          requires: {
            withoutAPendingOne: { clause: clause('NE-02'), holds: (s) => !isAsserted(s) || s.phase === 'reset' },
          },
          effect: (s) => void (s.level = false),
          eager: (s) => (s.level && !isAsserted(s) ? {} : undefined),
        },
      },
      owes: {
        'device.raise': {
          clause: clause('NE-02'),
          when: (s) => !s.level && isAsserted(s) && s.phase !== 'reset' && s.asked === 'nothing',
        },
        'device.lower': [
          { clause: clause('NE-02'), when: (s) => s.level && !isAsserted(s) && s.phase !== 'reset' },
          { clause: clause('NE-13'), when: (s) => s.level && !isAsserted(s) && s.phase === 'reset' },
        ],
      },
      goals: {
        aPacketRead: { on: 'driver.readPacket' },
        aPacketAcrossTheEnd: {
          on: 'driver.readPacket',
          when: (s) => s.next >= (behind(s, tags, ring) ?? 0),
        },
        twoPackets: {
          on: 'device.answerReception',
          when: (s, { current }) => current !== s.current && s.next !== s.current,
        },
        anOverflow: (s) => s.overflowed,
        aPacketBehindAnOverflow: { on: 'driver.readPacket', when: (s) => s.overflowed },
        aPacketForOthers: { on: 'backend.deliver', when: (s) => s.phase === 'running' && !isWanted(s) },
        aPacketForAll: { on: 'backend.deliver', when: (s) => isWanted(s) && s.wire.at(0).to === 'all' },
        aPacketWhileStopped: { on: 'backend.deliver', when: (s) => s.phase === 'stopped' },
        aHalf: { on: 'driver.readInterrupts', when: (s) => s.buffer === 'half' && !s.pending.has(REMOTE_DONE) },
        aBitLeft: {
          on: 'driver.clearInterrupts',
          when: (s, { bits }) => s.pending.meets(bits) && !bits.contains(s.pending),
        },
        anInterruptLetThrough: { on: 'driver.setMask', when: (s, { mask }) => !isAsserted(s) && s.pending.meets(mask) },
        aResetWithAnInterrupt: { on: 'driver.reset', when: (s) => s.level },
        aBufferReadBack: { on: 'driver.readBuffer' },
        aTransmission: { on: 'driver.transmit' },
      },
    })

    function kept(bit: number, id: 'NE-11' | 'NE-05' | 'NE-08' | 'NE-04') {
      return {
        clause: clause(id),
        given: (s: SeenNe) => s.phase !== 'reset' && answering(s, bit),
        holds: (_s: SeenNe, { bits }: { readonly bits: Bits }) => bits.has(bit),
      }
    }
  },
)

/** The page behind the packet that is read. */
const behind = (s: SeenNe, tags: number, ring: number): number | undefined => {
  const kind = s.stored.at(s.next)
  return kind === undefined ? undefined : (s.next + Math.floor(kind / tags) + 1) % ring
}
