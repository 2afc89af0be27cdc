/**
 * Every way by which an interrupt reaches a CPU, under one law: an edge or a message begins one handler, an asserted level
 * begins handlers until it is released, nothing else begins any, and what holds an interrupt back (a mask at the controller
 * or at LINT0, the task priority, a service that is not ended, the interrupt flag) makes it late and never loses it.
 *
 * Only the two ends are looked at: what sources and guest do, and which handlers begin. The chips between them have
 * machines of their own. The order of what is pending at once is left to them.
 */
import { type Bits, type ErasedBody, machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/**
 * Sources by number. The first two come through the 8259s, as external interrupts past all priorities of the local APIC; there,
 * later ones outrank earlier ones, and so they do at the local APIC, where each has a class of its own.
 */
const WAYS = [
  { through: 'pic', kind: 'edge' },
  { through: 'pic', kind: 'level' },
  { through: 'ioapic', kind: 'edge' },
  { through: 'ioapic', kind: 'level' },
  { through: 'bus', kind: 'message' },
  { through: 'remapping', kind: 'message' },
] as const
const SOURCES = WAYS.length
/** Handlers of no source: of a spurious vector, and of one that nobody has. */
const SPURIOUS = SOURCES
const HANDLERS = SOURCES + 2

const where = (test: (way: (typeof WAYS)[number]) => boolean): Bits =>
  WAYS.reduce((some, way, i) => (test(way) ? some.with(i) : some), noBits)
const EXTERNAL = where(({ through }) => through === 'pic')
const LEVELS = where(({ kind }) => kind === 'level')
const MESSAGES = where(({ kind }) => kind === 'message')
/** The class at the local APIC that a source has; task priority 0 holds none of them back. */
const classOf = (source: number): number => source - EXTERNAL.size + 1
const CLASSES = SOURCES - EXTERNAL.size

/** `ways`: the sources that there are, a bit each. */
const waysPart = (ways: number): ErasedBody => {
  const there = WAYS.reduce((some, _, i) => (((ways >> i) & 1) === 1 ? some.with(i) : some), noBits)
  const lines = there.minus(MESSAGES)
  const source = t.below(SOURCES)
  const some = t.set(SOURCES)
  const hasPic = there.meets(EXTERNAL)
  const hasApic = !there.minus(EXTERNAL).isEmpty
  return machine({
    source: 'iospec',
    state: {
      /** Lines that are asserted. */
      up: some,
      /** Masked at the controller. */
      masked: some,
      /** Edges that came at an I/O APIC while masked: it may remember them. */
      held: some,
      /** Edges and messages that no handler has begun for. */
      owed: some,
      /** Sources that may begin a handler, and need not. */
      may: some,
      /** Came again when its handler could have begun: then it may begin once more. */
      again: some,
      served: some,
      /** LINT0 is masked. */
      closed: t.flag,
      /** The highest class that the task priority holds back. */
      priority: t.below(CLASSES + 1),
      /** A request was withdrawn that the CPU may answer already: it gets a spurious vector. */
      withdrawn: t.flag,
      enabled: t.flag,
      shadow: t.flag,
      halted: t.flag,
      next: t.oneOf(
        'none',
        'nop',
        'sti',
        'cli',
        'hlt',
        'mask',
        'unmask',
        'close',
        'open',
        'priority',
        'endPic',
        'endApic',
      ),
      operand: t.below(SOURCES),
    },
    initial: (s) => reset(s, lines),
    actions: {
      'device.raise': {
        does: 'Asserts its line.',
        args: { source },
        weight: 14,
        when: (s, a) => lines.has(a.source) && !s.up.has(a.source),
        effect(s, a) {
          s.up = s.up.with(a.source)
          if (!LEVELS.has(a.source)) ask(s, a.source)
        },
      },
      'device.lower': {
        does: 'Releases its line.',
        args: { source },
        weight: 8,
        when: (s, a) => s.up.has(a.source),
        effect(s, a) {
          const { source: from } = a
          s.up = s.up.without(from)
          if (EXTERNAL.has(from)) {
            // An 8259 forgets a request whose line falls before it is acknowledged; some keep edges.
            if (s.owed.has(from)) s.may = s.may.with(from)
            s.owed = s.owed.without(from)
            s.withdrawn = true
          } else if (LEVELS.has(from)) leave(s, from)
        },
      },
      'device.send': {
        does: 'Sends its message.',
        args: { source },
        weight: 8,
        when: (_s, a) => there.has(a.source) && MESSAGES.has(a.source),
        effect: (s, a) => ask(s, a.source),
      },
      'guest.nop': executed('nop', 'Executes an instruction that does nothing.', 1),
      'guest.sti': executed('sti', 'Sets the interrupt flag.', 20, (s) => !s.enabled),
      'guest.cli': executed('cli', 'Clears the interrupt flag.', 0.7, (s) => s.enabled),
      'guest.hlt': executed('hlt', 'Halts until an interrupt.', 2.5, (s) => s.enabled),
      'guest.mask': {
        does: 'Masks a line at its controller.',
        args: { source },
        weight: 3,
        when: (s, a) => executes(s) && !s.shadow && lines.has(a.source) && !s.masked.has(a.source),
        effect: (s, a) => execute(s, 'mask', a.source),
      },
      'guest.unmask': {
        does: 'Unmasks a line at its controller.',
        args: { source },
        weight: 16,
        when: (s, a) => executes(s) && !s.shadow && s.masked.has(a.source),
        effect: (s, a) => execute(s, 'unmask', a.source),
      },
      'guest.closeLint': executed('close', 'Masks LINT0.', 0.7, (s) => hasPic && !s.closed),
      'guest.openLint': executed('open', 'Unmasks LINT0 as ExtINT.', 8, (s) => hasPic && s.closed),
      'guest.setPriority': {
        does: 'Writes the task priority: this class and those below it wait.',
        args: { priority: t.below(CLASSES + 1) },
        weight: 0.7,
        when: (s, a) => executes(s) && hasApic && s.priority !== a.priority,
        effect: (s, a) => execute(s, 'priority', a.priority),
      },
      'guest.endAtPic': executed(
        'endPic',
        'Ends the highest service at the 8259s.',
        20,
        (s) => !s.shadow && s.served.meets(EXTERNAL),
      ),
      'guest.endAtApic': executed(
        'endApic',
        'Writes the EOI register of the local APIC.',
        20,
        (s) => !s.served.minus(EXTERNAL).isEmpty,
      ),
      'cpu.retire': {
        does: 'Has executed what the guest was to execute next.',
        when: (s) => s.next !== 'none',
        effect: retire,
        eager: (s) => (s.next === 'none' || takes(s) ? undefined : {}),
      },
      'cpu.take': {
        does: 'Begins the handler of this source.',
        args: { handler: t.below(HANDLERS) },
        requires: {
          somethingAskedForIt: {
            clause: clause('WAY-03'),
            holds: (s, a) => (a.handler === SPURIOUS ? s.withdrawn : asking(s).union(s.may).has(a.handler)),
          },
          notMasked: {
            clause: clause('WAY-04'),
            given: (_s, a) => EXTERNAL.has(a.handler),
            holds: (s, a) => !s.masked.has(a.handler) && !s.closed,
          },
          enabled: { clause: clause('CPU-01'), holds: (s) => s.enabled },
          outsideTheShadow: { clause: clause('CPU-02'), given: (s) => s.enabled, holds: (s) => !s.shadow },
          aboveWhatThePicServes: {
            clause: clause('PIC-01'),
            given: (_s, a) => EXTERNAL.has(a.handler),
            holds: (s, a) => passes(s, a.handler),
          },
          aboveWhatTheApicServes: {
            clause: clause('LAP-02'),
            given: (_s, a) => a.handler < SOURCES && !EXTERNAL.has(a.handler),
            holds: (s, a) => passes(s, a.handler),
          },
        },
        effect(s, a) {
          s.may = s.again.has(a.handler) ? s.may.with(a.handler) : s.may.without(a.handler)
          s.owed = s.owed.without(a.handler)
          s.again = noBits
          if (a.handler < SOURCES) s.served = s.served.with(a.handler)
          s.enabled = s.shadow = s.halted = s.withdrawn = false
        },
        eager: (s) => (takes(s) ? { handler: due(s).first! } : undefined),
      },
      'hypervisor.reset': {
        does: 'Resets the machine, with all lines released.',
        weight: 0.3,
        when: (s) => s.halted,
        effect: (s) => reset(s, lines),
      },
    },
    owes: {
      'cpu.take': [
        { clause: clause('CPU-03'), when: (s) => takes(s) && s.halted },
        { clause: clause('WAY-01'), when: (s) => takes(s) && !due(s).minus(LEVELS).isEmpty },
        { clause: clause('WAY-02'), when: (s) => takes(s) && due(s).meets(LEVELS) },
      ],
    },
    leadsTo: {
      whatIsAskedForReachesAnOpenCpu: { clause: clause('WAY-01'), from: (s) => takes(s), to: (s) => !takes(s) },
    },
    invariants: {
      aWithdrawnEdgeIsNotOwed: {
        clause: clause('WAY-03'),
        holds: (s) => s.up.contains(s.owed.and(EXTERNAL)),
      },
    },
    goals: {
      anEdgeInService: { on: 'device.raise', when: (s, a) => !LEVELS.has(a.source) && s.served.has(a.source) },
      aMessageInService: { on: 'device.send', when: (s, a) => s.served.has(a.source) },
      aLevelThatStaysUp: { on: 'cpu.retire', when: (s) => ends(s) && s.up.and(LEVELS).meets(s.served) },
      aLevelReleasedOnItsWay: { on: 'cpu.take', when: (s, a) => LEVELS.has(a.handler) && !s.up.has(a.handler) },
      anEdgeThatWaitsForItsMask: { on: 'cpu.retire', when: (s) => s.next === 'unmask' && s.owed.has(s.operand) },
      aRequestBehindLint: {
        on: 'cpu.retire',
        when: (s) => s.next === 'open' && asking(s).minus(s.masked).meets(EXTERNAL),
      },
      aRequestBelowTheTaskPriority: {
        on: 'cpu.retire',
        when: (s) =>
          s.next === 'priority' &&
          asking(s)
            .minus(EXTERNAL)
            .toArray()
            .some((from) => classOf(from) <= s.priority),
      },
      bothServe: (s) => s.served.meets(EXTERNAL) && !s.served.minus(EXTERNAL).isEmpty,
      aHandlerInterrupted: (s) => s.served.size > 1,
      anEndOverALowerService: {
        on: 'cpu.retire',
        when: (s) =>
          s.next === 'endApic' && s.served.minus(EXTERNAL).size > 1 && asking(s).has(highest(s.served.minus(EXTERNAL))),
      },
      aHaltThatEnds: { on: 'cpu.take', when: (s) => s.halted },
      aRequestBetweenStiAndHlt: { on: 'cpu.retire', when: (s) => s.shadow && s.next === 'hlt' && !due(s).isEmpty },
    },
  })
}

export const interruptWays = scoped(
  'interrupt-ways',
  { explored: { ways: 0b000011 }, played: { ways: 0b111111 } },
  ({ ways }) => waysPart(ways),
)

type Step =
  | 'none'
  | 'nop'
  | 'sti'
  | 'cli'
  | 'hlt'
  | 'mask'
  | 'unmask'
  | 'close'
  | 'open'
  | 'priority'
  | 'endPic'
  | 'endApic'

interface Ends {
  up: Bits
  masked: Bits
  held: Bits
  owed: Bits
  may: Bits
  again: Bits
  served: Bits
  closed: boolean
  priority: number
  withdrawn: boolean
  enabled: boolean
  shadow: boolean
  halted: boolean
  next: Step
  operand: number
}

const reset = (s: Ends, lines: Bits): void => {
  s.up = s.held = s.owed = s.may = s.again = s.served = noBits
  s.masked = lines
  s.closed = true
  s.priority = s.operand = 0
  s.withdrawn = s.enabled = s.shadow = s.halted = false
  s.next = 'none'
}

const executes = (s: Readonly<Ends>): boolean => !s.halted && s.next === 'none'
const execute = (s: Ends, next: Step, operand = 0): void => {
  s.next = next
  s.operand = operand
}
const executed = (next: Step, does: string, weight: number, when: (s: Readonly<Ends>) => boolean = () => true) => ({
  does,
  weight,
  when: (s: Readonly<Ends>) => executes(s) && when(s),
  effect: (s: Ends) => execute(s, next),
})

/** An edge or a message. An 8259 keeps edges while they are masked. */
const ask = (s: Ends, source: number): void => {
  if (s.masked.has(source) && !EXTERNAL.has(source)) {
    s.held = s.held.with(source)
    return
  }
  if (s.owed.has(source) && s.enabled && !s.shadow) s.again = s.again.with(source)
  s.owed = s.owed.with(source)
}

/** A level at an I/O APIC is gone; its message may be on its way. */
const leave = (s: Ends, source: number): void => {
  if (!s.masked.has(source) && !s.served.has(source)) s.may = s.may.with(source)
}

/** What asks for a handler. */
const asking = (s: Readonly<Ends>): Bits => s.owed.union(s.up.and(LEVELS).minus(s.masked))

/** Nothing in service and no task priority holds it back. */
const passes = ({ served, priority }: Readonly<Ends>, source: number): boolean =>
  EXTERNAL.has(source)
    ? highest(served.and(EXTERNAL)) < source
    : classOf(source) > priority && highest(served.minus(EXTERNAL)) < source

/** What has to begin its handler as soon as the CPU takes interrupts. */
const due = (s: Readonly<Ends>): Bits => {
  const wanted = asking(s).minus(s.masked)
  if (wanted.isEmpty) return noBits
  const open = s.closed ? wanted.minus(EXTERNAL) : wanted
  return open.toArray().reduce((some, from) => (passes(s, from) ? some.with(from) : some), noBits)
}
const takes = (s: Readonly<Ends>): boolean => s.enabled && !s.shadow && !due(s).isEmpty
const ends = ({ next }: Readonly<Ends>): boolean => next === 'endPic' || next === 'endApic'

const retire = (s: Ends): void => {
  const { next, operand } = s
  // What could have come before this instruction and did not, does not come any more.
  if (s.enabled && !s.shadow)
    for (const from of s.may.toArray())
      if (passes(s, from) && !(EXTERNAL.has(from) && (s.closed || s.masked.has(from)))) s.may = s.may.without(from)
  s.again = noBits
  s.withdrawn = next === 'mask' || next === 'close' || next === 'priority'
  s.shadow = next === 'sti'
  if (next === 'sti') s.enabled = true
  else if (next === 'cli') s.enabled = false
  else if (next === 'hlt') s.halted = true
  else if (next === 'mask') {
    if (LEVELS.has(operand) && !EXTERNAL.has(operand) && s.up.has(operand)) leave(s, operand)
    s.masked = s.masked.with(operand)
  } else if (next === 'unmask') {
    s.masked = s.masked.without(operand)
    if (s.held.has(operand)) s.may = s.may.with(operand)
    s.held = s.held.without(operand)
  } else if (next === 'close' || next === 'open') s.closed = next === 'close'
  else if (next === 'priority') s.priority = operand
  else if (next === 'endPic') s.served = s.served.without(highest(s.served.and(EXTERNAL)))
  else if (next === 'endApic') s.served = s.served.without(highest(s.served.minus(EXTERNAL)))
  s.next = 'none'
  s.operand = 0
}

const highest = (set: Bits): number => 31 - Math.clz32(set.mask)
