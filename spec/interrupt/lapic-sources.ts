/** The sources of a local APIC: LINT0 and LINT1, NMI from wherever it comes, and the timer. */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { lapicState, lintState, SPAN_MAX, timerState } from './lapic-state.ts'

const NMIS_MAX = 2

interface Up {
  readonly mode: string
  readonly cpus: { at(cpu: number): { readonly waiting: boolean; readonly enabled: boolean } }
}
const isUp = (s: Up, cpu: number): boolean => s.mode !== 'off' && !s.cpus.at(cpu).waiting

export const lapicLints = (cpus: number, vectors: number) => {
  const cpu = t.below(cpus)
  const pin = t.below(2)
  type State = {
    readonly lints: { at(index: number): { masked: boolean; mode: string; line: boolean } }
    readonly nmis: { at(cpu: number): { due: number; owed: boolean } }
  }
  const provoke = (s: State, cpu: number): void => {
    const nmi = s.nmis.at(cpu)
    nmi.due = Math.min(nmi.due + 1, NMIS_MAX)
    nmi.owed = true
  }
  const maskAll = (s: State, cpu: number): void => {
    s.lints.at(2 * cpu).masked = s.lints.at(2 * cpu + 1).masked = true
  }
  const forget = (s: State, cpu: number): void => {
    maskAll(s, cpu)
    s.lints.at(2 * cpu).mode = s.lints.at(2 * cpu + 1).mode = 'fixed'
    s.nmis.at(cpu).owed = false
  }
  return part({
    source: 'Intel SDM vol. 3',
    borrows: lapicState(cpus, vectors),
    state: {
      ...lintState(cpus, vectors),
      /** Non-maskable interrupts that may come; one of them has to. */
      nmis: t.array(cpus, t.record({ due: t.below(NMIS_MAX + 1), owed: t.flag })),
    },
    initial(s) {
      for (let each = 0; each < cpus; each++) forget(s, each)
    },
    actions: {
      'driver.setLint': {
        does: 'Writes an entry of the local vector table. While its line is up only external interrupts are followed.',
        args: { cpu, pin, mode: t.oneOf('external', 'fixed', 'nmi'), masked: t.flag, vector: t.below(vectors) },
        weight: 6,
        when: (s, { cpu, pin, mode }) =>
          isUp(s, cpu) && (mode === 'external' ? pin === 0 : !s.lints.at(2 * cpu + pin).line),
        effect(s, { cpu, pin, mode, masked, vector }) {
          const lint = s.lints.at(2 * cpu + pin)
          lint.mode = mode
          // While software has disabled the APIC the mask cannot be lifted.
          lint.masked = masked || !s.cpus.at(cpu).enabled
          lint.vector = vector
        },
      },
      'driver.openExternal': {
        does: 'Lets interrupts of the external controller through, as firmware does.',
        args: { cpu },
        weight: 2,
        when: (s, { cpu }) => isUp(s, cpu) && s.cpus.at(cpu).enabled,
        effect(s, { cpu }) {
          s.lints.at(2 * cpu).mode = 'external'
          s.lints.at(2 * cpu).masked = false
        },
      },
      'driver.readLint': { args: { cpu, pin }, weight: 1, when: (s, { cpu }) => isUp(s, cpu) },
      'irqchip.answerLint': {
        does: 'What an entry reads as; also after it was written, and after the software enable was.',
        args: { cpu, pin, masked: t.flag },
        requires: {
          maskedAsWritten: {
            clause: clause('LAP-22'),
            holds: (s, { cpu, pin, masked }) => masked === s.lints.at(2 * cpu + pin).masked,
          },
        },
        effect: (s, { cpu, pin, masked }) => void (s.lints.at(2 * cpu + pin).masked = masked),
      },
      'device.drive': {
        does: 'Drives an input.',
        args: { cpu, pin, level: t.flag },
        weight: 6,
        when: (s, { cpu, pin, level }) => s.lints.at(2 * cpu + pin).line !== level,
        effect(s, { cpu, pin, level }) {
          const lint = s.lints.at(2 * cpu + pin)
          lint.line = level
          if (!level) return
          if (lint.mode === 'nmi' && !lint.masked && isUp(s, cpu)) provoke(s, cpu)
          // Where the APIC is off the pin is that of the processor itself.
          const nmi = s.nmis.at(cpu)
          if (s.mode === 'off') nmi.due = Math.min(nmi.due + 1, NMIS_MAX)
        },
      },
      'bus.messageNmi': {
        does: 'A message arrives that is to be delivered as a non-maskable interrupt.',
        args: { cpu },
        weight: 1,
        when: (s, { cpu }) => isUp(s, cpu),
        effect: (s, { cpu }) => provoke(s, cpu),
      },
      'driver.sendNmi': {
        args: { cpu, to: cpu },
        weight: 1,
        when: (s, { cpu, to }) => isUp(s, cpu) && isUp(s, to),
        effect: (s, { to }) => provoke(s, to),
      },
      'irqchip.nmi': {
        args: { cpu },
        requires: {
          ofAnEvent: { clause: clause('LAP-14'), holds: (s, { cpu }) => s.nmis.at(cpu).due > 0 },
        },
        effect(s, { cpu }) {
          const nmi = s.nmis.at(cpu)
          nmi.due = Math.max(0, nmi.due - 1)
          nmi.owed = false
        },
        eager(s) {
          const cpu = s.nmis.findIndex(({ owed }) => owed)
          return cpu === undefined ? undefined : { cpu }
        },
      },
      'driver.setEnabled': {
        args: { cpu, on: t.flag },
        effect(s, { cpu, on }) {
          if (!on) maskAll(s, cpu)
        },
      },
      'driver.restart': {
        effect(s) {
          for (let each = 0; each < cpus; each++) forget(s, each)
        },
      },
      'driver.sendInit': { args: { cpu }, effect: (s, { cpu }) => forget(s, cpu) },
    },
    owes: {
      'irqchip.nmi': { clause: clause('LAP-14'), when: (s) => s.nmis.some(({ owed }) => owed) },
    },
    goals: {
      anExternalBesideAVector: (s) =>
        s.cpus.some(({ irr, enabled }, each) => {
          const { line, masked, mode } = s.lints.at(2 * each)
          return enabled && !irr.isEmpty && line && !masked && mode === 'external'
        }),
      aLineBehindAMask: {
        on: 'device.drive',
        when: (s, { cpu, pin }) => s.lints.at(2 * cpu + pin).masked && !s.cpus.at(cpu).irr.isEmpty,
      },
    },
  })
}

export const lapicTimer = (cpus: number, vectors: number) => {
  const cpu = t.below(cpus)
  const vector = t.below(vectors)
  interface Timer {
    masked: boolean
    mode: 'oneShot' | 'periodic' | 'deadline'
    span: number
    left: number
  }
  const forget = (timer: Timer): void => {
    timer.masked = true
    timer.mode = 'oneShot'
    timer.left = timer.span = 0
  }
  return part({
    source: 'Intel SDM vol. 3',
    borrows: lapicState(cpus, vectors),
    state: timerState(cpus, vectors),
    initial(s) {
      for (let each = 0; each < cpus; each++) forget(s.timers.at(each))
    },
    actions: {
      'driver.armTimer': {
        does: 'Writes the entry of the timer, the divide register (`slow`: by two) and the initial count; 0 stops it.',
        args: { cpu, mode: t.oneOf('oneShot', 'periodic'), masked: t.flag, vector, initial: t.below(4), slow: t.flag },
        weight: 5,
        when: (s, { cpu }) => isUp(s, cpu),
        effect(s, { cpu, mode, masked, vector, initial, slow }) {
          const timer = s.timers.at(cpu)
          timer.mode = mode
          timer.masked = masked || !s.cpus.at(cpu).enabled
          timer.vector = vector
          timer.span = timer.left = initial * (slow ? 2 : 1)
        },
      },
      'driver.armDeadline': {
        does: 'Writes the entry of the timer, and a deadline so far from now; 0 disarms it.',
        args: { cpu, masked: t.flag, vector, initial: t.below(4) },
        weight: 3,
        when: (s, { cpu }) => isUp(s, cpu),
        effect(s, { cpu, masked, vector, initial }) {
          const timer = s.timers.at(cpu)
          timer.mode = 'deadline'
          timer.masked = masked || !s.cpus.at(cpu).enabled
          timer.vector = vector
          timer.span = timer.left = initial
        },
      },
      'driver.armPastDeadline': {
        args: { cpu, masked: t.flag, vector },
        when: (s, { cpu }) => isUp(s, cpu),
        effect(s, { cpu, masked, vector }) {
          const timer = s.timers.at(cpu)
          timer.mode = 'deadline'
          timer.masked = masked || !s.cpus.at(cpu).enabled
          timer.vector = vector
          timer.span = timer.left = 0
        },
      },
      'driver.switchTimer': {
        does: 'Writes the entry of the timer alone. From counts to deadlines, and back, it is disarmed.',
        args: { cpu, mode: t.oneOf('oneShot', 'periodic', 'deadline'), masked: t.flag, vector },
        weight: 2,
        // Whether a count that has run out starts over when the mode becomes periodic is not said.
        when: (s, { cpu, mode }) =>
          isUp(s, cpu) && (mode !== 'periodic' || s.timers.at(cpu).left > 0 || s.timers.at(cpu).span === 0),
        effect(s, { cpu, mode, masked, vector }) {
          const timer = s.timers.at(cpu)
          if ((mode === 'deadline') !== (timer.mode === 'deadline')) timer.span = timer.left = 0
          timer.mode = mode
          timer.masked = masked || !s.cpus.at(cpu).enabled
          timer.vector = vector
        },
      },
      'driver.writeOtherCount': {
        does: 'Writes the initial count in deadline mode, or a deadline in the others: neither means anything there.',
        args: { cpu },
        weight: 1,
        when: (s, { cpu }) => isUp(s, cpu),
      },
      'bus.advance': {
        args: { units: t.int(1, 4) },
        effect(s, { units }) {
          for (let each = 0; each < cpus; each++) {
            const timer = s.timers.at(each)
            if (timer.left === 0) continue
            const over = units - timer.left
            if (over < 0) timer.left = -over
            else timer.left = timer.mode === 'periodic' ? timer.span - (over % timer.span) : 0
          }
        },
      },
      'driver.readTimer': { args: { cpu }, weight: 1, when: (s, { cpu }) => isUp(s, cpu) },
      'irqchip.answerTimer': {
        does: 'What is left of the count, absent where that is no whole number of units; its vector, and whether that is requested.',
        args: {
          cpu,
          left: t.maybe(t.below(SPAN_MAX + 1)),
          vector: t.maybe(vector),
          requested: t.flag,
          deadline: t.oneOf('none', 'some', 'unknown'),
        },
        requires: {
          onceByItsCount: {
            clause: clause('LAP-15'),
            given: (s, { cpu, vector }) => vector !== undefined && s.timers.at(cpu).mode === 'oneShot',
            holds: (s, { cpu, vector, requested }) => requested === s.cpus.at(cpu).irr.has(vector!),
          },
          eachPeriod: {
            clause: clause('LAP-16'),
            given: (s, { cpu, vector }) => vector !== undefined && s.timers.at(cpu).mode === 'periodic',
            holds: (s, { cpu, vector, requested }) => requested === s.cpus.at(cpu).irr.has(vector!),
          },
          atTheDeadline: {
            clause: clause('LAP-17'),
            given: (s, { cpu, vector }) => vector !== undefined && s.timers.at(cpu).mode === 'deadline',
            holds: (s, { cpu, vector, requested }) => requested === s.cpus.at(cpu).irr.has(vector!),
          },
          deadlineIsShown: {
            clause: clause('LAP-17'),
            given: (s, { cpu, deadline }) => s.timers.at(cpu).mode === 'deadline' && deadline !== 'unknown',
            holds: (s, { cpu, deadline }) => (deadline === 'some') === s.timers.at(cpu).left > 0,
          },
          count: {
            clause: clause('LAP-18'),
            holds(s, { cpu, left }) {
              const timer = s.timers.at(cpu)
              return left === (timer.mode === 'deadline' ? 0 : timer.left)
            },
          },
        },
      },
      'driver.setEnabled': {
        args: { cpu, on: t.flag },
        effect(s, { cpu, on }) {
          if (!on) s.timers.at(cpu).masked = true
        },
      },
      'driver.restart': {
        effect(s) {
          for (let each = 0; each < cpus; each++) forget(s.timers.at(each))
        },
      },
      'driver.sendInit': { args: { cpu }, effect: (s, { cpu }) => forget(s.timers.at(cpu)) },
    },
    goals: {
      aSecondPeriod: {
        on: 'bus.advance',
        when: (s, { units }) =>
          s.cpus.some((_cpu, each) => {
            const { mode, left, span, masked } = s.timers.at(each)
            return mode === 'periodic' && !masked && left > 0 && left + span <= (units as number)
          }),
      },
      aMaskedTimerRunsOut: {
        on: 'bus.advance',
        when: (s, { units }) =>
          s.cpus.some((_cpu, each) => {
            const { left, masked } = s.timers.at(each)
            return masked && left > 0 && left <= (units as number)
          }),
      },
    },
  })
}
