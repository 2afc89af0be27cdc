/**
 * What the parts of the local APIC share: the state of each CPU's, and how vectors and priorities compare. Vectors come in
 * pairs: 0 and 1 are of class 1, 2 and 3 of class 2. A priority is twice a class, plus one for the highest sub-class.
 */
import { type Bits, t } from '../../src/kernel/language/index.ts'

export const NO_CLASS = 0

export const classOf = (vector: number): number => (vector >> 1) + 1
export const highest = (set: Bits): number => 31 - Math.clz32(set.mask)
export const classOfHighest = (set: Bits): number => (set.isEmpty ? NO_CLASS : classOf(highest(set)))

export const lapicState = (cpus: number, vectors: number) => ({
  /** Of all CPUs alike: nobody says what a mixture does. */
  mode: t.oneOf('xapic', 'x2apic', 'off'),
  cpus: t.array(
    cpus,
    t.record({
      /** Software has enabled it. */
      enabled: t.flag,
      /** Reset by an INIT and not started since. */
      waiting: t.flag,
      irr: t.set(vectors),
      isr: t.set(vectors),
      tmr: t.set(vectors),
      tpr: t.below(vectors + 2),
      /** Its ends of level interrupts are not to be told to the I/O APICs. */
      suppressed: t.flag,
      /** Ends that are to be told. */
      ends: t.set(vectors),
    }),
  ),
})

export interface Cpu {
  readonly enabled: boolean
  readonly waiting: boolean
  readonly irr: Bits
  readonly isr: Bits
  readonly tmr: Bits
  readonly tpr: number
}

/** The class below which, and at which, nothing is delivered. */
export const processorClass = ({ tpr, isr }: Cpu): number => Math.max(tpr >> 1, classOfHighest(isr))
export const hasDeliverable = (cpu: Cpu): boolean => classOfHighest(cpu.irr) > processorClass(cpu)

/** The local vector table: LINT0 and LINT1 of each CPU, in this order. */
export const lintState = (cpus: number, vectors: number) => ({
  lints: t.array(
    2 * cpus,
    t.record({ masked: t.flag, mode: t.oneOf('fixed', 'external', 'nmi'), vector: t.below(vectors), line: t.flag }),
  ),
})

/** Longest span of a timer, in units of time. */
export const SPAN_MAX = 6

export const timerState = (cpus: number, vectors: number) => ({
  timers: t.array(
    cpus,
    t.record({
      masked: t.flag,
      mode: t.oneOf('oneShot', 'periodic', 'deadline'),
      vector: t.below(vectors),
      /** Units of time from start to end, and until then; it does not run with 0 left. */
      span: t.below(SPAN_MAX + 1),
      left: t.below(SPAN_MAX + 1),
    }),
  ),
})

/** The entry of the local vector table for errors. */
export const errorState = (cpus: number, vectors: number) => ({
  entries: t.array(cpus, t.record({ masked: t.flag, vector: t.below(vectors) })),
})

/** Logical names of the APICs, and the destination model. */
export const nameState = (cpus: number) => ({
  names: t.array(cpus, t.record({ logical: t.below(8), cluster: t.flag })),
})

/** Physical destinations beside those of the CPUs, which go round below them. Logical ones of everybody are all ones. */
export const NOBODY = 6
export const EVERYBODY = 7
