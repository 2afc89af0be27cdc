/** The error status register: errors are gathered, and a write shows what was gathered since the write before. */
import { type Bits, noBits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { errorState, lapicState } from './lapic-state.ts'

/** Kinds of errors. */
const SEND = 0
const RECEIVE = 1
const REGISTER = 2
const kinds = t.set(3)

interface Errors {
  since: Bits
  sinceMaybe: Bits
  shown: Bits
  shownMaybe: Bits
}
/** Whether an error that is gathered already interrupts once more is left open. */
const isNews = (
  s: {
    readonly entries: { at(cpu: number): { readonly masked: boolean } }
    readonly errors: { at(cpu: number): { readonly since: Bits; readonly sinceMaybe: Bits } }
  },
  cpu: number,
  kind: number,
): boolean => s.entries.at(cpu).masked || !s.errors.at(cpu).since.union(s.errors.at(cpu).sinceMaybe).has(kind)
const isUp = (
  s: { readonly mode: string; readonly cpus: { at(cpu: number): { readonly waiting: boolean } } },
  cpu: number,
) => s.mode !== 'off' && !s.cpus.at(cpu).waiting

export const lapicErrors = (cpus: number, vectors: number) => {
  const cpu = t.below(cpus)
  const latch = (errors: Errors): void => {
    errors.shown = errors.since
    errors.shownMaybe = errors.sinceMaybe
    errors.since = errors.sinceMaybe = noBits
  }
  const forget = (errors: Errors): void => {
    errors.since = errors.sinceMaybe = errors.shown = errors.shownMaybe = noBits
  }
  return part({
    source: 'Intel SDM vol. 3',
    borrows: lapicState(cpus, vectors),
    state: {
      ...errorState(cpus, vectors),
      errors: t.array(cpus, t.record({ since: kinds, sinceMaybe: kinds, shown: kinds, shownMaybe: kinds })),
    },
    initial(s) {
      for (let each = 0; each < cpus; each++) s.entries.at(each).masked = true
    },
    actions: {
      'driver.setErrorEntry': {
        does: 'Writes the entry of the local vector table for errors.',
        args: { cpu, masked: t.flag, vector: t.below(vectors) },
        weight: 2,
        when: (s, { cpu }) => isUp(s, cpu),
        effect(s, { cpu, masked, vector }) {
          s.entries.at(cpu).masked = masked || !s.cpus.at(cpu).enabled
          s.entries.at(cpu).vector = vector
        },
      },
      'driver.sendIllegal': {
        does: 'Sends itself a vector below 16. Whether it receives it is left open.',
        args: { cpu },
        weight: 3,
        when: (s, { cpu }) => isUp(s, cpu) && isNews(s, cpu, SEND),
        effect(s, { cpu }) {
          const errors = s.errors.at(cpu)
          errors.since = errors.since.with(SEND)
          errors.sinceMaybe = errors.sinceMaybe.with(RECEIVE)
        },
      },
      'bus.messageIllegal': {
        does: 'A message with a vector below 16 arrives.',
        args: { cpu },
        weight: 3,
        when: (s, { cpu }) => isUp(s, cpu) && isNews(s, cpu, RECEIVE),
        effect(s, { cpu }) {
          const errors = s.errors.at(cpu)
          if (s.cpus.at(cpu).enabled) errors.since = errors.since.with(RECEIVE)
          else errors.sinceMaybe = errors.sinceMaybe.with(RECEIVE)
        },
      },
      'driver.touchReserved': {
        does: 'Writes a register that there is not.',
        args: { cpu },
        weight: 2,
        when: (s, { cpu }) => isUp(s, cpu) && s.mode === 'xapic' && isNews(s, cpu, REGISTER),
        effect(s, { cpu }) {
          const errors = s.errors.at(cpu)
          errors.since = errors.since.with(REGISTER)
        },
      },
      'driver.writeErrors': {
        does: 'Writes the error status register.',
        args: { cpu },
        weight: 4,
        when: (s, { cpu }) => isUp(s, cpu),
        effect: (s, { cpu }) => latch(s.errors.at(cpu)),
      },
      'driver.readErrors': { args: { cpu }, weight: 1, when: (s, { cpu }) => isUp(s, cpu) },
      'irqchip.answerErrors': {
        does: 'What it shows; also after an error, and after it was written.',
        args: { cpu, bits: kinds },
        requires: {
          tellsOfIllegalVectors: {
            clause: clause('LAP-07'),
            given: (s, { cpu }) => !s.errors.at(cpu).shown.isEmpty,
            holds: (s, { cpu, bits }) => bits.contains(s.errors.at(cpu).shown),
          },
          onlySinceTheWriteBefore: {
            clause: clause('LAP-13'),
            holds: (s, { cpu, bits }) => s.errors.at(cpu).shown.union(s.errors.at(cpu).shownMaybe).contains(bits),
          },
        },
      },
      'irqchip.answerFirstErrors': {
        does: 'What it shows when it is written for the first time after a start.',
        args: { cpu, bits: kinds },
        when: () => cpus > 1,
        requires: {
          noneOfBefore: {
            clause: clause('LAP-21'),
            holds: (s, { cpu, bits }) => s.errors.at(cpu).since.union(s.errors.at(cpu).sinceMaybe).contains(bits),
          },
        },
        effect: (s, { cpu }) => latch(s.errors.at(cpu)),
      },
      'driver.setEnabled': {
        args: { cpu, on: t.flag },
        effect(s, { cpu, on }) {
          if (!on) s.entries.at(cpu).masked = true
        },
      },
      'driver.restart': {
        effect(s) {
          for (let each = 0; each < cpus; each++) {
            forget(s.errors.at(each))
            s.entries.at(each).masked = true
          }
        },
      },
      'driver.sendInit': {
        args: { cpu },
        effect(s, { cpu }) {
          forget(s.errors.at(cpu))
          s.entries.at(cpu).masked = true
        },
      },
    },
    goals: {
      anErrorNotLatched: { on: 'driver.readErrors', when: (s, { cpu }) => !s.errors.at(cpu).since.isEmpty },
      aLatchedError: { on: 'driver.readErrors', when: (s, { cpu }) => !s.errors.at(cpu).shown.isEmpty },
    },
  })
}
