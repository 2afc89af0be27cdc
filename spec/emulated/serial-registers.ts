/** Registers of a serial port that keep what was written, with the effects of writing them, and its reset. */
import { type Bits, machine, noBits, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import {
  ALL_CHANGES,
  BYTES,
  changesOf,
  EIGHT_BITS,
  ENABLED,
  FORMATS,
  loopedInputs,
  loops,
  OUTPUT,
  RESET_FORMAT,
  removeAll,
  type SeenSerial,
  type Serial,
  type SerialScope,
  serialState,
} from './serial-state.ts'

const LATCH = 0x80
const register = t.oneOf('enable', 'line', 'modem', 'scratch', 'divisorLow', 'divisorHigh')
type Register = 'enable' | 'line' | 'modem' | 'scratch' | 'divisorLow' | 'divisorHigh'

const byteOf = (index: number | undefined): number | undefined => (index === undefined ? undefined : BYTES[index])

/** What a register holds; undefined where nobody says. */
const held: Readonly<Record<Register, (s: SeenSerial) => number | undefined>> = {
  enable: (s) => s.enabled.mask,
  line: (s) => FORMATS[s.format]! + (s.latch ? LATCH : 0),
  modem: (s) => s.modem.mask,
  scratch: (s) => byteOf(s.scratch),
  divisorLow: (s) => byteOf(s.low),
  divisorHigh: (s) => byteOf(s.high),
}

const isOf = (register: Register, latch: boolean): boolean =>
  register === 'enable' ? !latch : register === 'divisorLow' || register === 'divisorHigh' ? latch : true

const isRegister = (asked: string): asked is Register => asked in held

const LOOPED = noBits.with(OUTPUT.out2).with(OUTPUT.loop)

const setModem = (s: Serial, after: Bits, { deltas }: SerialScope): void => {
  const before = s.modem
  s.modem = after
  // From outside to inside and back: what the inputs were outside is not known.
  if (before.has(OUTPUT.loop) !== after.has(OUTPUT.loop)) s.possible = ALL_CHANGES
  else if (after.has(OUTPUT.loop)) {
    const changed = changesOf(loopedInputs(before), loopedInputs(after))
    if (deltas === 1) s.changes = s.changes.union(changed)
    else s.possible = s.possible.union(changed)
  }
}

export const registers = (scope: SerialScope) => {
  const byte = t.below(scope.bytes)
  const isPlayed = scope.registers === 1
  const isFree = (s: SeenSerial): boolean => s.asked === 'nothing'
  const holdsIt = (s: SeenSerial, { value }: { readonly value: number }): boolean =>
    isRegister(s.asked) && (held[s.asked](s) ?? value) === value
  const given =
    (...of: readonly Register[]) =>
    (s: SeenSerial): boolean =>
      !s.fresh && isRegister(s.asked) && of.includes(s.asked)
  return machine({
    source: 'PC16550D',
    state: serialState(scope),
    initial(s) {
      s.format = scope.formats > 1 ? 1 : 0
      s.low = s.high = 0
    },
    actions: {
      'driver.setUp': {
        does: 'A known speed, eight bits, FIFOs on and empty, loop mode with OUT2, both status registers read, and these interrupts, enabled last.',
        args: { bits: t.set(4), trigger: t.below(4) },
        weight: 7,
        when: (s, { bits, trigger }) =>
          isFree(s) && scope.fifos === 1 && (bits.mask & ~scope.enables) === 0 && (trigger < 2 || scope.depth > 4),
        effect(s, { bits, trigger }) {
          s.fresh = false
          s.format = EIGHT_BITS
          s.latch = false
          s.low = s.high = 0
          removeAll(s)
          s.overrun = 'no'
          s.fifos = true
          s.trigger = trigger
          s.modem = LOOPED
          s.changes = s.possible = noBits
          s.enabled = bits
          s.emptied = bits.has(ENABLED.empty) ? 'enabled' : 'no'
        },
      },
      'driver.setEnable': {
        does: 'Writes the interrupt enable register; `ones`: with ones in the bits that mean nothing.',
        args: { bits: t.set(4), ones: t.flag },
        weight: 3,
        when: (s, { bits }) => isFree(s) && !s.latch && (bits.mask & ~scope.enables) === 0,
        effect(s, { bits }) {
          s.fresh = false
          const was = s.enabled
          s.enabled = bits
          if (!bits.has(ENABLED.empty)) s.emptied = 'no'
          else if (!was.has(ENABLED.empty)) s.emptied = 'enabled'
          else if (s.emptied === 'no') s.emptied = 'may'
          if (!bits.has(ENABLED.data) && s.timeout === 'yes') s.timeout = 'may'
        },
      },
      'driver.setModem': {
        does: 'Writes the modem control register; `ones`: with ones in the bits that mean nothing.',
        args: { bits: t.set(5), ones: t.flag },
        weight: 3,
        when: (s, { bits }) => isFree(s) && (bits.mask & ~scope.outputs) === 0,
        effect(s, { bits }) {
          s.fresh = false
          setModem(s, bits, scope)
        },
      },
      'driver.turn': {
        does: 'Turns one modem output over; `ones`: with ones in the bits that mean nothing.',
        args: { output: t.below(5), ones: t.flag },
        weight: 4,
        when: (s, { output }) => isFree(s) && ((scope.outputs >>> output) & 1) === 1,
        effect(s, { output }) {
          s.fresh = false
          setModem(s, s.modem.has(output) ? s.modem.without(output) : s.modem.with(output), scope)
        },
      },
      'driver.setLine': {
        does: 'Writes the line control register.',
        args: { format: t.below(scope.formats), latch: t.flag },
        weight: 2,
        when: (s) => isFree(s) && isPlayed,
        effect(s, { format, latch }) {
          s.fresh = false
          s.format = format
          s.latch = latch
        },
      },
      'driver.setDivisor': {
        args: { low: byte, high: byte },
        weight: 4,
        when: (s) => isFree(s) && s.latch,
        effect(s, { low, high }) {
          s.low = low
          s.high = high
        },
      },
      'driver.setScratch': {
        args: { byte },
        weight: 2,
        when: (s) => isFree(s) && isPlayed,
        effect(s, { byte }) {
          s.scratch = byte
        },
      },
      'driver.readRegister': {
        args: { register },
        weight: 5,
        when: (s, { register }) => isFree(s) && isPlayed && isOf(register, s.latch),
        effect: (s, { register }) => void (s.asked = register),
      },
      'device.answerRegister': {
        args: { value: t.below(256) },
        when: (s) => isRegister(s.asked),
        requires: {
          asAResetLeavesIt: {
            clause: clause('UART-27'),
            given: (s) => s.fresh && (s.asked === 'enable' || s.asked === 'line' || s.asked === 'modem'),
            holds: holdsIt,
          },
          enablesAsWritten: { clause: clause('UART-20'), given: given('enable'), holds: holdsIt },
          lineAsWritten: { clause: clause('UART-21'), given: given('line'), holds: holdsIt },
          modemAsWritten: { clause: clause('UART-22'), given: given('modem'), holds: holdsIt },
          scratchAsWritten: {
            clause: clause('UART-23'),
            given: (s) => s.asked === 'scratch' && s.scratch !== undefined,
            holds: holdsIt,
          },
          divisorAsWritten: {
            clause: clause('UART-19'),
            given: (s) => s.asked === 'divisorLow' || s.asked === 'divisorHigh',
            holds: holdsIt,
          },
        },
        effect: (s) => void (s.asked = 'nothing'),
        eager: (s) => (isRegister(s.asked) ? { value: held[s.asked](s) ?? 0 } : undefined),
      },
      'bus.reset': {
        does: 'Resets the machine that it is in.',
        weight: 2,
        when: (s) => isFree(s) && isPlayed,
        effect(s) {
          removeAll(s)
          s.enabled = s.changes = s.possible = noBits
          s.modem = scope.clearOut2 === 1 ? noBits : noBits.with(OUTPUT.out2)
          s.fifos = s.latch = false
          s.overrun = s.emptied = 'no'
          s.trigger = 0
          s.format = RESET_FORMAT
          s.low = s.high = s.scratch = undefined
          s.fresh = true
        },
      },
    },
    goals: {
      aDivisorBesideData: { on: 'driver.setDivisor', when: (s) => s.count > 0 },
      aReadOfTheDivisor: { on: 'driver.readRegister', when: (_s, { register }) => register === 'divisorHigh' },
      aModemControlReadBack: {
        on: 'driver.readRegister',
        when: (s, { register }) => register === 'modem' && !s.modem.isEmpty,
      },
      aReadAfterAReset: { on: 'driver.readRegister', when: (s, { register }) => s.fresh && register === 'enable' },
      aResetWithData: { on: 'bus.reset', when: (s) => s.count > 0 && !s.enabled.isEmpty },
      anEndOfRing: {
        on: 'driver.setModem',
        when: (s, { bits }) => loops(s) && bits.has(OUTPUT.loop) && s.modem.has(OUTPUT.out1) && !bits.has(OUTPUT.out1),
      },
    },
  })
}
