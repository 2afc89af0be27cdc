/** Whom a destination names: physical ids, logical ids in the flat and in the cluster model, and those of x2APIC mode. */
import { Bits, noBits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { EVERYBODY, lapicState, NOBODY, nameState } from './lapic-state.ts'

interface Names {
  readonly mode: 'xapic' | 'x2apic' | 'off'
  readonly names: { readonly length: number; at(cpu: number): { readonly logical: number; readonly cluster: boolean } }
}

/** The CPUs that a destination names, whether or not they take anything. */
export const named = (s: Names, logical: boolean, to: number): Bits => {
  let mask = 0
  for (let cpu = 0; cpu < s.names.length; cpu++) if (isNamed(s, cpu, logical, to)) mask |= 1 << cpu
  return Bits.of(mask)
}

/** Three bits of a logical destination are played: two members, and the lowest bit of the cluster. */
const isNamed = (s: Names, cpu: number, logical: boolean, to: number): boolean => {
  if (!logical) return to === EVERYBODY || (to !== NOBODY && to % s.names.length === cpu)
  if (s.mode === 'x2apic') return ((to >> cpu) & 1) === 1
  const own = s.names.at(cpu)
  if (to === EVERYBODY) return true
  return own.cluster ? own.logical >> 2 === to >> 2 && (own.logical & to & 3) !== 0 : (own.logical & to) !== 0
}

/** Whether a logical destination of all ones names an APIC without a name is not said for the flat model. */
export const isNameable = (s: Names, to: number): boolean => {
  if (to !== EVERYBODY || s.mode === 'x2apic') return true
  for (let cpu = 0; cpu < s.names.length; cpu++)
    if (s.names.at(cpu).logical === 0 && !s.names.at(cpu).cluster) return false
  return true
}

/** All in one model: nobody says what a mixture does. */
export const areAlike = (s: Names): boolean => {
  for (let cpu = 1; cpu < s.names.length; cpu++) if (s.names.at(cpu).cluster !== s.names.at(0).cluster) return false
  return true
}

export const lapicNames = (cpus: number, vectors: number) => {
  const cpu = t.below(cpus)
  const rename = (s: { readonly names: { at(cpu: number): { logical: number; cluster: boolean } } }): void => {
    for (let each = 0; each < cpus; each++) {
      s.names.at(each).logical = 1 << each
      s.names.at(each).cluster = false
    }
  }
  return part({
    source: 'Intel SDM vol. 3',
    borrows: lapicState(cpus, vectors),
    state: nameState(cpus),
    initial: rename,
    actions: {
      'driver.setLogicalId': {
        args: { cpu, logical: t.below(8) },
        weight: 3,
        when: (s, { cpu }) => s.mode === 'xapic' && !s.cpus.at(cpu).waiting,
        effect: (s, { cpu, logical }) => void (s.names.at(cpu).logical = logical),
      },
      'driver.setModel': {
        does: 'Writes the destination format registers.',
        args: { cluster: t.flag },
        weight: 5,
        when: (s) => s.mode === 'xapic',
        effect(s, { cluster }) {
          for (let each = 0; each < cpus; each++) if (!s.cpus.at(each).waiting) s.names.at(each).cluster = cluster
        },
      },
      'driver.readNames': {
        does: 'Reads its id, and by what names it is known.',
        args: { cpu },
        weight: 1,
        when: (s, { cpu }) => s.mode !== 'off' && !s.cpus.at(cpu).waiting,
      },
      'irqchip.answerNames': {
        does: '`own`: the id, and in x2APIC mode the name that follows from it; otherwise the name and the model.',
        args: { cpu, own: t.flag, logical: t.maybe(t.below(8)), cluster: t.flag },
        requires: {
          itsId: { clause: clause('LAP-26'), holds: (_s, { own }) => own },
          namesAsWritten: {
            clause: clause('LAP-26'),
            given: (s) => s.mode === 'xapic',
            holds: (s, { cpu, logical, cluster }) =>
              logical === s.names.at(cpu).logical && cluster === s.names.at(cpu).cluster,
          },
        },
      },
      'driver.restart': { effect: rename },
      'driver.sendInit': {
        args: { cpu },
        effect(s, { cpu }) {
          s.names.at(cpu).logical = 0
          s.names.at(cpu).cluster = false
        },
      },
    },
  })
}

/** Those of a set that take fixed interrupts. */
export const takers = (
  s: { readonly cpus: { at(cpu: number): { readonly enabled: boolean } }; readonly mode: string },
  of: Bits,
): Bits =>
  s.mode === 'off'
    ? noBits
    : of.toArray().reduce((bits, cpu) => (s.cpus.at(cpu).enabled ? bits.with(cpu) : bits), noBits)
