/**
 * Notifications and memory on a bus: what keeps a doorbell behind the index that it announces, and an interrupt behind
 * the used index that it announces. Nobody suppresses anything here; `weak-memory.ts` is about that.
 *
 * - A doorbell is a store to a register. Only a barrier keeps it behind earlier stores to memory.
 * - The device writes memory in order, as posted writes of PCI do. A message is such a write and pushes the earlier ones
 *   before it. INTx is a wire beside them: it arrives when it likes, and only the answer to a read of the device, such as
 *   of ISR, pushes what the device wrote earlier.
 * - A barrier that is made for other CPUs need not order anything for a device on a bus. Whether such a driver gets the
 *   other kind is what VIRTIO_F_ORDER_PLATFORM settles. Here the first kind does nothing for a device on a bus, which is
 *   the worst that a platform may make of it.
 *
 * Whoever is woken reads memory after that: what was loaded before an interrupt is not used after it.
 */
import { machine, scoped, t } from '../../src/kernel/language/index.ts'
import { type ClauseId, clause } from '../clauses/index.ts'
import { drain, isOutdated, isPending, load, location } from './memory-location.ts'

interface BusBounds {
  /** 1: the device sits on a bus, else it is a program on another CPU. */
  readonly hardware: number
  /** 1: VIRTIO_F_ORDER_PLATFORM was negotiated. */
  readonly orderPlatform: number
  /** 1: a barrier stands between `avail.idx` and the doorbell. */
  readonly fenced: number
  /** 1: the device interrupts by messages, else by INTx. */
  readonly messages: number
  /** 1: messages push earlier writes, as they must. */
  readonly pushing: number
  /** 1: with INTx, ISR is read before the used ring is looked at, else after it. */
  readonly isrFirst: number
}

const WRAP = 3
const REQUESTS = 2
const number = t.mod(WRAP)
const next = (request: number): number => number.plus(request, 1)

const busOrderMachine = ({ hardware, orderPlatform, fenced, messages, pushing, isrFirst }: BusBounds) => {
  /** The driver's barriers reach as far as the device. */
  const reaching = hardware === 0 || orderPlatform === 1
  const clauseOf = (own: ClauseId) => clause(reaching ? own : 'VIO-PLAT-04')
  /** What the scope takes away, if that can put the sides to sleep for ever. */
  const lacking =
    fenced === 0 ? 'ORD-03' : pushing === 0 ? 'ORD-06' : messages === 0 && isrFirst === 0 ? 'ORD-05' : 'VIO-SPLIT-36'
  const at = location(number)

  return machine({
    source: 'VIRTIO 1.4; PCI 3.0',
    state: {
      /** Descriptor, buffer and available entry of the one slot; the number of the request that they belong to. */
      chain: at,
      availIdx: at,
      /** Used entry and answer. */
      used: at,
      usedIdx: at,
      /** A doorbell on its way, and one that has arrived. */
      doorbell: t.oneOf('none', 'written', 'arrived'),
      message: t.oneOf('none', 'sent', 'arrived'),
      /** The INTx line, which follows ISR. */
      line: t.flag,
      driver: t.oneOf('idle', 'wrote', 'ordered', 'published', 'fenced', 'woken', 'looking', 'saw', 'leaving'),
      /** It is at work because of an interrupt. */
      interrupted: t.flag,
      consumed: number,
      device: t.oneOf('asleep', 'looking', 'saw', 'wrote', 'published'),
      taken: number,
    },
    actions: {
      'memory.drain': {
        does: 'A store of the driver leaves the store buffer.',
        args: { from: t.oneOf('chain', 'availIdx') },
        when: (s, { from }) => isPending(s[from]),
        effect: (s, { from }) => drain(s[from]),
      },
      'memory.load': {
        does: 'A load of the driver is performed, before its turn if need be.',
        args: { from: t.oneOf('used', 'usedIdx') },
        when: (s, { from }) => isOutdated(s[from]),
        effect: (s, { from }) => load(s[from]),
      },
      'bus.write': {
        does: 'The oldest write of the device reaches memory.',
        args: { from: t.oneOf('used', 'usedIdx') },
        when: (s, { from }) => isPending(s[from]) && (from === 'used' || !isPending(s.used)),
        effect: (s, { from }) => drain(s[from]),
      },
      'bus.ring': {
        does: 'The doorbell reaches the device.',
        when: (s) => s.doorbell === 'written',
        effect: (s) => void (s.doorbell = 'arrived'),
      },
      'bus.deliver': {
        does: 'The message reaches the driver.',
        when: (s) => s.message === 'sent' && (pushing === 0 || !(isPending(s.used) || isPending(s.usedIdx))),
        effect: (s) => void (s.message = 'arrived'),
      },

      'driver.add': {
        does: 'Writes a chain.',
        when: (s) => s.driver === 'idle' && s.availIdx.stored === s.consumed && s.consumed < REQUESTS,
        effect(s) {
          s.chain.stored = next(s.availIdx.stored)
          s.driver = 'wrote'
        },
      },
      'driver.barrierBeforeIndex': {
        when: (s) => s.driver === 'wrote' && !(reaching && isPending(s.chain)),
        effect: (s) => void (s.driver = 'ordered'),
      },
      'driver.publish': {
        does: 'Writes `avail.idx`.',
        when: (s) => s.driver === 'ordered',
        effect(s) {
          s.availIdx.stored++
          s.driver = fenced === 1 ? 'published' : 'fenced'
        },
      },
      'driver.barrierBeforeDoorbell': {
        when: (s) => s.driver === 'published' && !(reaching && (isPending(s.availIdx) || isPending(s.chain))),
        effect: (s) => void (s.driver = 'fenced'),
      },
      'driver.kick': {
        does: 'Writes the doorbell.',
        when: (s) => s.driver === 'fenced' && s.doorbell !== 'written',
        effect(s) {
          s.doorbell = 'written'
          s.driver = 'idle'
        },
      },
      'driver.wake': {
        does: 'Takes an interrupt.',
        when: (s) => s.driver === 'idle' && (s.line || s.message === 'arrived'),
        effect(s) {
          if (s.message === 'arrived') s.message = 'none'
          load(s.used)
          load(s.usedIdx)
          s.interrupted = true
          s.driver = messages === 0 && isrFirst === 1 ? 'woken' : 'looking'
        },
      },
      'driver.poll': {
        does: 'Looks without having been interrupted.',
        when: (s) => s.driver === 'idle' && s.availIdx.stored !== s.consumed,
        effect: (s) => void (s.driver = 'looking'),
      },
      'driver.readIsr': {
        does: 'Reads ISR, which takes the line down. The answer comes after whatever the device wrote before it.',
        when: (s) => (s.driver === 'woken' || s.driver === 'leaving') && !(isPending(s.used) || isPending(s.usedIdx)),
        effect(s) {
          s.line = false
          load(s.used)
          load(s.usedIdx)
          if (s.driver === 'leaving') s.interrupted = false
          s.driver = s.driver === 'woken' ? 'looking' : 'idle'
        },
      },
      'driver.look': {
        does: 'Reads `used.idx`; done when there is nothing new.',
        when: (s) => s.driver === 'looking',
        effect(s) {
          if (s.usedIdx.seen !== s.consumed) s.driver = 'saw'
          else if (s.interrupted && messages === 0 && isrFirst === 0) s.driver = 'leaving'
          else {
            s.interrupted = false
            s.driver = 'idle'
          }
        },
      },
      'driver.consume': {
        does: 'Passes the barrier after `used.idx`, and reads the used entry.',
        args: { early: t.flag },
        when: (s, { early }) => s.driver === 'saw' && (!early || (!reaching && isOutdated(s.used))),
        effect(s, { early }) {
          if (!early) load(s.used)
          s.consumed++
          s.driver = 'looking'
        },
      },

      'device.wake': {
        does: 'Takes the doorbell.',
        when: (s) => s.device === 'asleep' && s.doorbell === 'arrived',
        effect(s) {
          s.doorbell = 'none'
          s.device = 'looking'
        },
      },
      'device.look': {
        does: 'Reads `avail.idx`, and waits for the answer; sleeps when there is nothing new.',
        when: (s) => s.device === 'looking',
        effect(s) {
          load(s.availIdx)
          s.device = s.availIdx.seen === s.taken ? 'asleep' : 'saw'
        },
      },
      'device.take': {
        does: 'Reads the chain, and writes answer and used entry.',
        when: (s) => s.device === 'saw',
        effect(s) {
          load(s.chain)
          s.taken++
          s.used.stored = s.taken
          s.device = 'wrote'
        },
      },
      'device.publish': {
        does: 'Writes `used.idx`, after the used entry.',
        when: (s) => s.device === 'wrote',
        effect(s) {
          s.usedIdx.stored++
          s.device = 'published'
        },
      },
      'device.interrupt': {
        does: 'Sends a message, or sets ISR and raises the line.',
        when: (s) => s.device === 'published' && s.message !== 'sent',
        effect(s) {
          if (messages === 1) s.message = 'sent'
          else s.line = true
          s.device = 'looking'
        },
      },
    },
    steps: {
      theChainTakenIsTheOnePublished: {
        clause: clauseOf('VIO-SPLIT-17'),
        holds: (_before, s, by) => by !== 'device.take' || s.chain.seen === s.taken,
      },
      theUsedEntryIsTheOnePublished: {
        clause: clauseOf('ORD-01'),
        holds: (_before, s, by) => by !== 'driver.consume' || s.used.seen === s.consumed,
      },
    },
    invariants: {
      // Everything on its way has arrived, nobody will look any more, and there is something to look at.
      noKickIsLost: {
        clause: clauseOf('ORD-03'),
        holds: (s) =>
          !(s.device === 'asleep' && s.doorbell === 'none' && s.driver === 'idle') || s.availIdx.memory === s.taken,
      },
      noInterruptIsLost: {
        clause: clause(messages === 1 ? 'ORD-06' : 'ORD-05'),
        holds: (s) =>
          !(s.driver === 'idle' && s.message === 'none' && !s.line && s.device === 'asleep') ||
          s.usedIdx.memory === s.consumed,
      },
    },
    // Nobody has to look without being told: whoever sleeps depends on doorbell and interrupt. What is under way arrives.
    fair: [
      ...(['device', 'bus.write', 'bus.ring', 'bus.deliver'] as const),
      ...(['driver.barrierBeforeIndex', 'driver.publish', 'driver.barrierBeforeDoorbell', 'driver.kick'] as const),
      ...(['driver.wake', 'driver.readIsr', 'driver.look', 'driver.consume'] as const),
    ],
    leadsTo: {
      whatIsPublishedComesBack: {
        clause: clauseOf(lacking),
        from: (s) => s.availIdx.stored !== s.consumed,
        to: (s) => s.driver === 'saw',
      },
    },
    final: (s) => s.driver === 'idle' && s.consumed === REQUESTS && s.device === 'asleep',
    goals: {
      aDoorbellAheadOfASleepyDevice: { on: 'bus.ring', when: (s) => s.device === 'asleep' },
      anIndexThatIsSeenWhenPolled: { on: 'driver.look', when: (s) => s.usedIdx.seen !== s.consumed && !s.line },
      everythingReturned: (s) => s.consumed === REQUESTS,
    },
  })
}

const hardware = { hardware: 1, orderPlatform: 1, fenced: 1, messages: 1, pushing: 1, isrFirst: 1 }

/** `explored`, `intx` and `software` are right; each of the others lacks one thing. */
export const busOrder = scoped(
  'bus-order',
  {
    explored: hardware,
    intx: { ...hardware, messages: 0 },
    software: { ...hardware, hardware: 0, orderPlatform: 0 },
    'without-order-platform': { ...hardware, orderPlatform: 0 },
    'doorbell-without-barrier': { ...hardware, fenced: 0 },
    'message-that-overtakes': { ...hardware, pushing: 0 },
    'intx-with-late-isr': { ...hardware, messages: 0, isrFirst: 0 },
    played: hardware,
  },
  busOrderMachine,
)
