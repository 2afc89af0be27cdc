/** The printer port of a PC: a byte is strobed into the printer, which is busy with it and then acknowledges. */
import { type Bits, machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** Members of `control`. */
const STROBE = 0
const RUN = 2
const SELECT = 3
const INTERRUPT = 4
/** The printer takes bytes: it is not being initialised, it is selected, and nothing is strobed. */
const isReady = (control: Bits): boolean => control.has(RUN) && control.has(SELECT) && !control.has(STROBE)
/** Bits of the status register. */
const NOT_ACKNOWLEDGED = 6
const NOT_BUSY = 7

/** Bytes that are written. */
export const BYTES = [0x00, 0x5a, 0xff] as const

/** `controls`: the bits of the control register that are written, as a mask. */
export const parallel = scoped(
  'parallel',
  { explored: { bytes: 2, controls: 0b11100 }, played: { bytes: 3, controls: 0b11110 } },
  ({ bytes, controls }) =>
    machine({
      source: 'IBM PC Technical Reference',
      state: {
        data: t.maybe(t.below(bytes)),
        control: t.set(5),
        /** Nothing was written to the control register since a reset. */
        fresh: t.flag,
        /** The printer has a byte; it keeps what it gets. */
        busy: t.flag,
        held: t.flag,
        /** An acknowledge that has to interrupt; an initialised printer may have sent one. */
        owed: t.flag,
        level: t.flag,
        asked: t.oneOf('nothing', 'data', 'status', 'control'),
      },
      initial(s) {
        s.control = noBits.with(RUN).with(SELECT)
      },
      actions: {
        'driver.setData': {
          args: { byte: t.below(bytes) },
          weight: 2,
          when: (s) => s.asked === 'nothing',
          effect: (s, { byte }) => void (s.data = byte),
        },
        'driver.setControl': {
          does: 'Writes the control register, without a strobe; `ones`: with ones in the bits that mean nothing on a printer port.',
          args: { bits: t.set(5), ones: t.flag },
          weight: 4,
          when: (s, { bits }) => s.asked === 'nothing' && !bits.has(STROBE) && (bits.mask & ~controls) === 0,
          effect(s, { bits }) {
            s.fresh = false
            s.control = bits
            if (!bits.has(RUN)) s.busy = false
          },
        },
        'driver.strobe': {
          does: 'Sets strobe and clears it again.',
          weight: 10,
          when: (s) => s.asked === 'nothing' && !s.busy && isReady(s.control),
          effect(s) {
            s.fresh = false
            if (s.held) s.busy = true
            else acknowledge(s)
          },
        },
        'backend.hold': {
          does: 'The printer keeps the next byte.',
          weight: 5,
          when: (s) => s.asked === 'nothing' && !s.held,
          effect: (s) => void (s.held = true),
        },
        'backend.release': {
          does: 'The printer acknowledges what it has.',
          weight: 5,
          when: (s) => s.asked === 'nothing' && s.held,
          effect(s) {
            s.held = false
            if (s.busy) acknowledge(s)
            s.busy = false
          },
        },
        'driver.read': {
          args: { register: t.oneOf('data', 'status', 'control') },
          weight: 8,
          when: (s) => s.asked === 'nothing',
          effect: (s, { register }) => void (s.asked = register),
        },
        'device.answer': {
          args: { bits: t.set(8) },
          when: (s) => s.asked !== 'nothing',
          requires: {
            dataAsWritten: {
              clause: clause('PAR-01'),
              given: (s) => s.asked === 'data' && s.data !== undefined,
              holds: (s, { bits }) => bits.mask === BYTES[s.data!],
            },
            controlAsWritten: {
              clause: clause('PAR-02'),
              given: (s) => s.asked === 'control' && !s.fresh,
              holds: (s, { bits }) => (bits.mask & 0x1f) === s.control.mask,
            },
            noInterruptAfterAReset: {
              clause: clause('PAR-07'),
              given: (s) => s.asked === 'control' && s.fresh,
              holds: (_s, { bits }) => !bits.has(INTERRUPT),
            },
            busyWithAByte: {
              clause: clause('PAR-03'),
              given: (s) => s.asked === 'status' && s.control.has(RUN) && s.control.has(SELECT),
              holds: (s, { bits }) => bits.has(NOT_BUSY) === !s.busy,
            },
            acknowledgeIsAPulse: {
              clause: clause('PAR-04'),
              given: (s) => s.asked === 'status' && s.control.has(RUN),
              holds: (_s, { bits }) => bits.has(NOT_ACKNOWLEDGED),
            },
          },
          effect: (s) => void (s.asked = 'nothing'),
          eager(s) {
            if (s.asked === 'nothing') return undefined
            if (s.asked === 'control') return { bits: s.control }
            if (s.asked === 'data') return { bits: ofByte(BYTES[s.data ?? 0]!) }
            const idle = noBits.with(NOT_ACKNOWLEDGED)
            return { bits: s.busy ? idle : idle.with(NOT_BUSY) }
          },
        },
        'device.raise': {
          does: 'Asserts the line, for a moment or until somebody looks.',
          requires: { forAnAcknowledge: { clause: clause('PAR-06'), holds: (s) => s.owed } },
          effect(s) {
            s.owed = false
            s.level = true
          },
          eager: (s) => (s.owed && !s.level ? {} : undefined),
        },
        'device.lower': {
          when: (s) => s.level,
          effect: (s) => void (s.level = false),
          eager: (s) => (s.level ? {} : undefined),
        },
        'bus.reset': {
          does: 'Resets the machine that it is in; the back end is told to hold nothing.',
          weight: 1,
          when: (s) => s.asked === 'nothing',
          effect(s) {
            s.data = undefined
            s.control = noBits
            s.fresh = true
            s.busy = s.held = s.owed = false
          },
        },
      },
      owes: { 'device.raise': { clause: clause('PAR-05'), when: (s) => s.owed && !s.level } },
      goals: {
        anAcknowledgeThatWaited: { on: 'backend.release', when: (s) => s.busy && s.control.has(INTERRUPT) },
        anAcknowledgeWithoutInterrupt: { on: 'driver.strobe', when: (s) => !s.held && !s.control.has(INTERRUPT) },
        aBusyPrinterSeen: { on: 'driver.read', when: (s, { register }) => register === 'status' && s.busy },
        anInitialisedPrinter: { on: 'driver.setControl', when: (s, { bits }) => s.busy && !bits.has(RUN) },
        aReadAfterAReset: { on: 'driver.read', when: (s, { register }) => s.fresh && register === 'control' },
        anInterruptBeforeAReset: { on: 'bus.reset', when: (s) => s.control.has(INTERRUPT) },
      },
    }),
)

interface Printing {
  control: Bits
  owed: boolean
}

const acknowledge = (s: Printing): void => {
  if (s.control.has(INTERRUPT)) s.owed = true
}

const ofByte = (byte: number): Bits =>
  [0, 1, 2, 3, 4, 5, 6, 7].reduce((bits, bit) => (((byte >>> bit) & 1) === 1 ? bits.with(bit) : bits), noBits)
