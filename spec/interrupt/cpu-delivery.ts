/**
 * The last step of an interrupt: from a pending request to the first instruction of the handler, on a virtual CPU. The
 * interrupt flag and the shadow of STI hold requests back, HLT waits for one, a running guest is forced out for one, and
 * an exit in the middle of a delivery repeats it. What is held back is late, never lost, and never taken twice.
 */
import { type Bits, type ErasedBody, machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/**
 * One virtual CPU, and messages that reach it. Each vector is of a class of its own, so that the higher one interrupts the
 * handler of the lower one; with `pairs` two of them share a class.
 */
export const cpuPart = (vectors: number, pairs = 0): ErasedBody => {
  const classOf = (vector: number): number => (pairs === 0 ? vector : (vector + 2) >> 1)
  const isAbove = (vector: number, served: Bits): boolean => classOf(vector) > classOf(highest(served))
  const deliverable = (s: Cpu): boolean => s.enabled && !s.shadow && isAbove(highest(s.pending), s.served)
  const takes = (s: Cpu & { readonly running: boolean; readonly unsure: boolean }): boolean =>
    s.running && !s.unsure && deliverable(s)
  const vector = t.below(vectors)
  const some = t.set(vectors)
  /** The last one is every vector that nobody sends. */
  const any = t.below(vectors + 1)
  return machine({
    source: 'Intel SDM vol. 3',
    state: {
      running: t.flag,
      /** The interrupt flag; the shadow of the STI that set it last. */
      enabled: t.flag,
      shadow: t.flag,
      /** There may be one: whether an STI has a shadow that finds the flag set is left open. */
      unsure: t.flag,
      halted: t.flag,
      /** What the guest executes next. */
      next: t.oneOf('none', 'nop', 'sti', 'cli', 'hlt', 'eoi'),
      pending: some,
      served: some,
      /** Vectors whose last request was a level. */
      level: some,
      /** Requested again when its delivery may have begun already: then it is taken a second time. */
      twice: some,
      extra: some,
      /** By vector: the higher ones that came when it could have been chosen already. */
      late: t.array(vectors, some),
      /** Ends of level interrupts that are not broadcast yet. */
      ended: some,
    },
    initial: (s) => void (s.running = true),
    actions: {
      'bus.message': {
        does: 'A message with this vector arrives. The trigger mode of a vector in use stays as it is.',
        args: { vector, level: t.flag },
        weight: 5,
        when: (s, a) => s.level.has(a.vector) === a.level || !s.pending.union(s.served).union(s.extra).has(a.vector),
        effect(s, a) {
          s.level = a.level ? s.level.with(a.vector) : s.level.without(a.vector)
          if (s.pending.has(a.vector)) {
            if (s.enabled && !s.shadow) s.twice = s.twice.with(a.vector)
            return
          }
          if (s.enabled && !s.shadow)
            for (const lower of s.pending.union(s.extra).toArray())
              if (lower < a.vector) s.late.set(lower, s.late.at(lower).with(a.vector))
          s.pending = s.pending.with(a.vector)
        },
      },
      'guest.nop': {
        does: 'Executes an instruction that does nothing.',
        weight: 1,
        when: (s) => executes(s),
        effect: (s) => void (s.next = 'nop'),
      },
      'guest.sti': {
        does: 'Sets the interrupt flag.',
        weight: 16,
        when: (s) => executes(s) && !s.enabled,
        effect: (s) => void (s.next = 'sti'),
      },
      'guest.stiAgain': {
        does: 'Sets the interrupt flag that is set already.',
        weight: 0.5,
        when: (s) => executes(s) && s.enabled,
        effect: (s) => void (s.next = 'sti'),
      },
      'guest.cli': {
        does: 'Clears the interrupt flag.',
        weight: 1,
        when: (s) => executes(s) && s.enabled,
        effect: (s) => void (s.next = 'cli'),
      },
      'guest.hlt': {
        does: 'Halts until an interrupt.',
        weight: 5,
        when: (s) => executes(s) && s.enabled,
        effect: (s) => void (s.next = 'hlt'),
      },
      'guest.stop': {
        does: 'Halts with the interrupt flag clear: nothing but a reset ends it.',
        weight: 0.5,
        when: (s) => executes(s) && !s.enabled,
        effect: (s) => void (s.next = 'hlt'),
      },
      'guest.eoi': {
        does: 'Writes the EOI register.',
        weight: 16,
        when: (s) => executes(s) && !s.served.isEmpty,
        effect: (s) => void (s.next = 'eoi'),
      },
      'guest.eoiOfNothing': {
        does: 'Writes the EOI register with nothing in service.',
        weight: 0.5,
        when: (s) => executes(s) && s.served.isEmpty,
        effect: (s) => void (s.next = 'eoi'),
      },
      'cpu.retire': {
        does: 'Has executed what the guest was to execute next, as soon as it was in its guest.',
        when: (s) => s.next !== 'none' && s.running,
        effect(s) {
          const done = s.next
          s.next = 'none'
          s.shadow = done === 'sti' && !s.enabled
          s.unsure = done === 'sti' && s.enabled
          if (done === 'sti') s.enabled = true
          if (done === 'cli') s.enabled = false
          if (done === 'hlt') s.halted = true
          const ended = highest(s.served)
          if (done === 'eoi' && ended >= 0) {
            s.served = s.served.without(ended)
            if (s.level.has(ended)) s.ended = s.ended.with(ended)
          }
          // Between a choice and the handler no instruction is executed, so that none has been made yet.
          s.twice = noBits
          for (let lower = 0; lower < vectors; lower++) s.late.set(lower, noBits)
        },
        eager: (s) => (s.next === 'none' || takes(s) ? undefined : {}),
      },
      'cpu.take': {
        does: 'Begins the handler of this vector.',
        args: { vector: any },
        requires: {
          requested: { clause: clause('CPU-05'), holds: (s, a) => s.pending.union(s.extra).has(a.vector) },
          running: { clause: clause('CPU-08'), holds: (s) => s.running },
          enabled: { clause: clause('CPU-01'), holds: (s) => s.enabled },
          outsideTheShadow: { clause: clause('CPU-02'), given: (s) => s.enabled, holds: (s) => !s.shadow },
          aboveWhatIsServed: { clause: clause('LAP-02'), holds: (s, a) => isAbove(a.vector, s.served) },
          theHighest: {
            clause: clause('CPU-09'),
            given: (_s, a) => a.vector < vectors,
            holds: (s, a) => highest(s.pending.minus(s.late.at(a.vector))) <= a.vector,
          },
        },
        effect(s, a) {
          s.extra = s.twice.has(a.vector)
            ? s.extra.with(a.vector)
            : s.pending.has(a.vector)
              ? s.extra
              : s.extra.without(a.vector)
          s.twice = noBits
          s.pending = s.pending.without(a.vector)
          s.served = s.served.with(a.vector)
          s.enabled = s.shadow = s.unsure = s.halted = false
          for (let lower = 0; lower < vectors; lower++) s.late.set(lower, noBits)
        },
        eager: (s) => (takes(s) ? { vector: highest(s.pending) } : undefined),
      },
      'irqchip.broadcast': {
        does: 'Tells the interrupt controllers that the level interrupt of this vector has ended.',
        args: { vector: any },
        requires: { aLevelThatEnded: { clause: clause('LAP-05'), holds: (s, a) => s.ended.has(a.vector) } },
        effect: (s, a) => void (s.ended = s.ended.without(a.vector)),
        eager: (s) => (s.ended.isEmpty ? undefined : { vector: s.ended.first! }),
      },
      'cpu.exit': { does: 'Is forced out of its guest. It may be, for whatever reason.' },
      'cpu.wake': { does: 'Is made runnable again after a halt. It may be, and halt again.' },
      'hypervisor.preempt': {
        does: 'Takes the CPU off its host CPU.',
        weight: 0.5,
        when: (s) => s.running,
        effect: (s) => void (s.running = false),
      },
      'hypervisor.resume': {
        does: 'Puts the CPU onto a host CPU.',
        weight: 12,
        when: (s) => !s.running,
        effect: (s) => void (s.running = true),
      },
      'hypervisor.reset': {
        does: 'Resets the machine; the CPU runs afterwards.',
        weight: 2,
        when: (s) => s.halted && !s.enabled,
        effect(s) {
          s.halted = s.unsure = false
          s.running = true
          s.pending = s.served = s.level = s.twice = s.extra = s.ended = noBits
        },
      },
    },
    owes: {
      'cpu.take': [
        { clause: clause('CPU-03'), when: (s) => takes(s) && s.halted },
        { clause: clause('CPU-04'), when: (s) => takes(s) && !s.halted },
      ],
      'irqchip.broadcast': { clause: clause('CPU-07'), when: (s) => !s.ended.isEmpty },
    },
    leadsTo: {
      aHaltEnds: {
        clause: clause('CPU-03'),
        from: (s) => s.halted && takes(s),
        to: (s) => !s.halted || !s.running,
      },
    },
    goals: {
      aHaltThatEnds: { on: 'cpu.take', when: (s) => s.halted },
      aRequestBetweenStiAndHlt: { on: 'cpu.retire', when: (s) => s.shadow && s.next === 'hlt' && !s.pending.isEmpty },
      aRequestOverStiAndCli: { on: 'cpu.retire', when: (s) => s.shadow && s.next === 'cli' && !s.pending.isEmpty },
      aHandlerInterrupted: (s) => s.served.size === 2,
      aRequestOfWhatIsServed: (s) => s.served.meets(s.pending),
      aHaltThatNothingEnds: (s) => s.halted && !s.enabled && !s.pending.isEmpty,
      aRequestWhilePreempted: { on: 'hypervisor.resume', when: (s) => deliverable(s) },
      aLevelThatEnds: { on: 'irqchip.broadcast' },
    },
  })
}

export const cpuDelivery = scoped(
  'cpu-delivery',
  { explored: { vectors: 2, pairs: 0 }, played: { vectors: 5, pairs: 1 } },
  ({ vectors, pairs }) => cpuPart(vectors, pairs),
)

interface Cpu {
  readonly enabled: boolean
  readonly shadow: boolean
  readonly pending: Bits
  readonly served: Bits
}

const executes = (s: { readonly running: boolean; readonly halted: boolean; readonly next: string }): boolean =>
  s.running && !s.halted && s.next === 'none'

const highest = (set: Bits): number => 31 - Math.clz32(set.mask)
