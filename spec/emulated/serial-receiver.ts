/** Bytes of a serial port: sent, looped, received, read, and time that goes by meanwhile. */
import { machine, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import {
  BYTES,
  ENABLED,
  isAtItsLevel,
  isFull,
  levelOf,
  loops,
  RESET_FORMAT,
  receive,
  removeAll,
  type SeenSerial,
  type Serial,
  type SerialScope,
  serialState,
  take,
} from './serial-state.ts'

export const receiver = (scope: SerialScope) => {
  const { depth, bytes } = scope
  const byte = t.below(bytes)
  const mayWrite = (s: SeenSerial): boolean => s.asked === 'nothing' && !s.latch
  // What a receiver of five bits makes of a byte nobody needs.
  const maySend = (s: SeenSerial): boolean => mayWrite(s) && !(loops(s) && s.format === RESET_FORMAT)
  const send = (s: Serial, byte: number): void => {
    s.fresh = false
    if (s.enabled.has(ENABLED.empty)) s.emptied = 'yes'
    // The time that it takes is added to that since the last byte came, unless this one comes back.
    const isNews = loops(s) && !isFull(s) && s.low !== undefined && s.high !== undefined
    if (s.fifos && s.count > 0 && s.timeout === 'no' && !isNews) s.timeout = 'may'
    if (loops(s)) receive(s, byte, scope)
  }
  return machine({
    source: 'PC16550D',
    state: serialState(scope),
    actions: {
      'driver.send': {
        does: 'Writes a byte to the holding register, and waits until it has left.',
        args: { byte },
        weight: 12,
        when: (s) => maySend(s),
        effect: (s, { byte }) => send(s, byte),
      },
      'driver.sendMany': {
        does: 'Sends as many bytes as interrupt, or as the FIFO holds: one, then the next, and so on.',
        args: { first: byte, as: t.oneOf('level', 'full') },
        weight: 8,
        when: (s) => maySend(s) && loops(s) && s.fifos,
        effect(s, { first, as }) {
          const many = as === 'full' ? depth : levelOf(s)
          for (let i = 0; i < many; i++) send(s, (first + i) % bytes)
        },
      },
      'driver.setFifo': {
        does: 'Writes the FIFO control register with the FIFOs on.',
        args: { trigger: t.below(4), clear: t.flag },
        weight: 4,
        // What becomes of a byte in the receiver buffer when the FIFOs are switched on, nobody says.
        when: (s, { trigger }) =>
          s.asked === 'nothing' && scope.fifos === 1 && (s.fifos || s.count === 0) && (trigger < 2 || depth > 4),
        effect(s, { trigger, clear }) {
          s.fresh = false
          if (!s.fifos || clear) flush(s)
          s.fifos = true
          s.trigger = trigger
        },
      },
      'driver.stopFifo': {
        does: 'Switches the FIFOs off; `clear`: with the bits that clear them, which then have no meaning.',
        weight: 2,
        args: { clear: t.flag },
        when: (s) => s.asked === 'nothing' && (s.fifos || s.count === 0),
        effect(s) {
          s.fresh = false
          flush(s)
          s.fifos = false
          s.trigger = 0
        },
      },
      'driver.wait': {
        does: 'Lets more time go by than four characters take at any speed.',
        weight: 14,
        when: (s) => s.asked === 'nothing' && s.fifos && s.count > 0,
        effect(s) {
          const isSpeedKnown = s.low !== undefined && s.high !== undefined
          if (isSpeedKnown && s.enabled.has(ENABLED.data) && !isAtItsLevel(s)) s.timeout = 'yes'
          else if (s.timeout === 'no') s.timeout = 'may'
        },
      },
      'driver.readData': {
        does: 'Reads the receiver buffer.',
        weight: 8,
        when: (s) => mayWrite(s),
        effect: (s) => void (s.asked = 'data'),
      },
      'driver.readFull': {
        does: 'Reads as many bytes as the FIFO holds, and looks at the last.',
        weight: 4,
        when: (s) => mayWrite(s) && s.fifos && isFull(s),
        effect: (s) => void (s.asked = 'full'),
      },
      'device.answerFull': {
        args: { value: t.below(256) },
        when: (s) => s.asked === 'full',
        requires: {
          lastInOrder: {
            clause: clause('UART-17'),
            holds: (s, { value }) => value === BYTES[s.received.at(depth - 1)],
          },
        },
        effect(s) {
          s.asked = 'nothing'
          removeAll(s)
          s.cleared = false
        },
        eager: (s) => (s.asked === 'full' ? { value: BYTES[s.received.at(depth - 1)]! } : undefined),
      },
      'device.answerData': {
        args: { value: t.below(256) },
        when: (s) => s.asked === 'data',
        requires: {
          inOrder: {
            clause: clause('UART-17'),
            given: (s) => s.count > 0,
            holds: (s, { value }) => value === BYTES[s.received.at(0)],
          },
        },
        effect(s) {
          s.asked = 'nothing'
          take(s, scope)
        },
        eager: (s) => (s.asked === 'data' ? { value: BYTES[s.received.at(0)]! } : undefined),
      },
    },
    goals: {
      aFullFifo: (s) => s.fifos && isFull(s),
      aReplacedByte: { on: 'driver.send', when: (s) => !s.fifos && s.count === 1 && loops(s) },
      aByteTooMany: { on: 'driver.send', when: (s) => s.fifos && isFull(s) && loops(s) },
      aTimeoutThatIsRead: { on: 'driver.readData', when: (s) => s.timeout === 'yes' && s.count > 1 },
      aClearedFifo: { on: 'driver.setFifo', when: (s, { clear }) => clear && s.fifos && s.count > 1 },
    },
  })
}

/** Both FIFOs are emptied; whether the one of the transmitter tells of it is left open. */
const flush = (s: Serial): void => {
  removeAll(s)
  // The data sheet is silent on an overrun that nobody was told of.
  if (s.overrun === 'yes') s.overrun = 'may'
  if (s.enabled.has(ENABLED.empty) && s.emptied === 'no') s.emptied = 'may'
}
