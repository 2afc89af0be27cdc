/**
 * Requests and service: IRR, ISR and TMR, priorities, acknowledge cycles, ends of interrupts, and everything that makes a
 * request: messages, commands of other CPUs, and the sources of the APIC itself.
 */
import { Bits, noBits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { areAlike, isNameable, named, takers } from './lapic-names.ts'
import {
  type Cpu,
  classOf,
  classOfHighest,
  EVERYBODY,
  errorState,
  hasDeliverable,
  highest,
  lapicState,
  lintState,
  NO_CLASS,
  nameState,
  processorClass,
  timerState,
} from './lapic-state.ts'

interface WritableCpu {
  enabled: boolean
  waiting: boolean
  irr: Bits
  isr: Bits
  tmr: Bits
  tpr: number
  suppressed: boolean
  ends: Bits
}
interface Lints {
  readonly mode: string
  readonly lints: { at(index: number): { readonly masked: boolean; readonly mode: string; readonly line: boolean } }
}

/** LINT0 has an interrupt of an external controller to give; where the APIC is off the pin itself does. */
export const hasExternal = (s: Lints, cpu: number): boolean => {
  const { masked, mode, line } = s.lints.at(2 * cpu)
  return line && (s.mode === 'off' || (!masked && mode === 'external'))
}
const accept = (cpu: WritableCpu, vector: number, level: boolean): void => {
  cpu.irr = cpu.irr.with(vector)
  cpu.tmr = level ? cpu.tmr.with(vector) : cpu.tmr.without(vector)
}
const isUp = (s: { readonly mode: string; readonly cpus: { at(cpu: number): Cpu } }, cpu: number): boolean =>
  s.mode !== 'off' && !s.cpus.at(cpu).waiting

export const lapicRequests = (cpus: number, vectors: number) => {
  const cpu = t.below(cpus)
  const vector = t.below(vectors)
  const to = t.below(EVERYBODY + 1)
  const forget = (c: WritableCpu, enabled: boolean): void => {
    c.enabled = enabled
    c.waiting = c.suppressed = false
    c.irr = c.isr = c.tmr = c.ends = noBits
    c.tpr = 0
  }
  type All = { readonly cpus: { at(cpu: number): WritableCpu }; mode: string }
  const acceptAll = (s: All, of: Bits, vector: number, level: boolean): void => {
    for (const each of takers(s, of).toArray()) accept(s.cpus.at(each), vector, level)
  }
  const fail = (
    s: { readonly entries: { at(cpu: number): { readonly masked: boolean; readonly vector: number } } } & All,
    cpu: number,
  ): void => {
    const { masked, vector } = s.entries.at(cpu)
    if (!masked) accept(s.cpus.at(cpu), vector, false)
  }
  const whom = { self: 0, all: 1, others: 2 }
  const shorthand = (from: number, kind: keyof typeof whom): Bits => {
    const all = Bits.of(2 ** cpus - 1)
    return kind === 'self' ? Bits.of(1 << from) : kind === 'all' ? all : all.without(from)
  }
  return part({
    source: 'Intel SDM vol. 3',
    borrows: {
      ...lintState(cpus, vectors),
      ...timerState(cpus, vectors),
      ...nameState(cpus),
      ...errorState(cpus, vectors),
    },
    state: {
      ...lapicState(cpus, vectors),
      /** The CPU whose acknowledge cycle is under way. */
      asked: t.maybe(cpu),
      /** An interrupt for one of several, until it is known who took it. */
      sought: t.maybe(vector),
      among: t.set(cpus),
      /** Processors that are to start. */
      starts: t.set(cpus),
    },
    initial(s) {
      for (let each = 0; each < cpus; each++) s.cpus.at(each).enabled = true
    },
    actions: {
      'bus.message': {
        does: 'A message with a physical destination arrives.',
        args: { to, vector, level: t.flag },
        weight: 15,
        when: (s, { to }) => s.sought === undefined && (s.mode !== 'x2apic' || to !== EVERYBODY),
        effect: (s, { to, vector, level }) => acceptAll(s, named(s, false, to), vector, level),
      },
      'driver.sendIpi': {
        does: 'Sends a command to a destination.',
        args: { cpu, logical: t.flag, to, vector },
        weight: 9,
        when: (s, { cpu, logical, to }) =>
          isUp(s, cpu) && s.sought === undefined && (!logical || (areAlike(s) && isNameable(s, to))),
        effect: (s, { logical, to, vector }) => acceptAll(s, named(s, logical, to), vector, false),
      },
      'driver.sendShorthand': {
        does: 'Sends a command to itself, to all, or to all but itself.',
        args: { cpu, to: t.oneOf('self', 'all', 'others'), vector },
        weight: 6,
        when: (s, { cpu }) => isUp(s, cpu) && s.sought === undefined,
        effect: (s, { cpu, to, vector }) => acceptAll(s, shorthand(cpu, to), vector, false),
      },
      'irqchip.answerAccepted': {
        does: 'Whose IRR has the vector after it was sent; `level`: whose TMR, requested or not.',
        args: {
          by: t.oneOf('message', 'command', 'broadcast', 'shorthand', 'error'),
          vector,
          who: t.set(cpus),
          level: t.set(cpus),
        },
        requires: {
          notByTheDisabled: {
            clause: clause('LAP-08'),
            given: (s) => s.cpus.some(({ enabled }) => !enabled),
            holds: (s, { vector, who, level }) =>
              who.toArray().every((each) => {
                const { enabled, irr, tmr } = s.cpus.at(each)
                return enabled || (irr.has(vector) && tmr.has(vector) === level.has(each))
              }),
          },
          accepted: {
            clause: clause('LAP-01'),
            given: (_s, { by }) => by === 'message',
            holds: (s, { vector, who }) => requesting(s, vector).equals(who),
          },
          namedByDestination: {
            clause: clause('LAP-10'),
            given: (_s, { by }) => by === 'command',
            holds: (s, { vector, who }) => requesting(s, vector).equals(who),
          },
          namedByBroadcast: {
            clause: clause('LAP-10'),
            given: (_s, { by }) => by === 'broadcast',
            // A repeat that reached nobody shows by the trigger mode alone.
            holds: (s, { vector, who, level }) => requesting(s, vector).equals(who) && isInPlace(s, vector, who, level),
          },
          errorsInterrupt: {
            clause: clause('LAP-25'),
            given: (_s, { by }) => by === 'error',
            holds: (s, { vector, who, level }) => requesting(s, vector).equals(who) && isInPlace(s, vector, who, level),
          },
          namedByShorthand: {
            clause: clause('LAP-20'),
            given: (_s, { by }) => by === 'shorthand',
            holds: (s, { vector, who }) => requesting(s, vector).equals(who),
          },
          triggerModeIsInPlace: {
            clause: clause('LAP-06'),
            given: (s, { by, vector, who }) =>
              by !== 'broadcast' && by !== 'error' && requesting(s, vector).equals(who),
            holds: (s, { vector, who, level }) => isInPlace(s, vector, who, level),
          },
        },
        // No change by right; where the chip departs from its duties it is followed, so that judging can go on.
        effect(s, { vector, who, level }) {
          for (let each = 0; each < cpus; each++) {
            const c = s.cpus.at(each)
            c.irr = who.has(each) ? c.irr.with(vector) : c.irr.without(vector)
            c.tmr = level.has(each) ? c.tmr.with(vector) : c.tmr.without(vector)
          }
        },
      },
      'bus.seek': {
        does: 'A message for the lowest priority among those that a logical destination names.',
        args: { to, vector },
        weight: 5,
        when: (s, { to, vector }) =>
          s.sought === undefined &&
          s.mode !== 'off' &&
          to !== EVERYBODY &&
          areAlike(s) &&
          named(s, true, to)
            .toArray()
            .every((each) => !s.cpus.at(each).irr.has(vector)),
        effect(s, { to, vector }) {
          s.sought = vector
          s.among = takers(s, named(s, true, to))
        },
      },
      'irqchip.answerSeek': {
        does: 'Who has taken it.',
        args: { who: t.set(cpus) },
        when: (s) => s.sought !== undefined,
        requires: {
          exactlyOne: {
            clause: clause('LAP-19'),
            holds: (s, { who }) => (s.among.isEmpty ? who.isEmpty : who.size === 1 && s.among.contains(who)),
          },
        },
        effect(s, { who }) {
          for (const each of who.toArray()) accept(s.cpus.at(each), s.sought!, false)
          s.sought = undefined
          s.among = noBits
        },
        eager: (s) => (s.sought === undefined ? undefined : { who: Bits.of(s.among.mask & -s.among.mask) }),
      },
      'bus.advance': {
        does: 'Time goes by.',
        args: { units: t.int(1, 4) },
        weight: 6,
        effect(s, { units }) {
          for (let each = 0; each < cpus; each++) {
            const { left, masked, vector } = s.timers.at(each)
            if (left > 0 && left <= units && !masked && isUp(s, each)) accept(s.cpus.at(each), vector, false)
          }
        },
      },
      'driver.armPastDeadline': {
        does: 'Writes the entry of the timer, and a deadline that has gone by: it runs out at once.',
        args: { cpu, masked: t.flag, vector },
        weight: 1,
        effect(s, { cpu, masked, vector }) {
          if (!masked && s.cpus.at(cpu).enabled) accept(s.cpus.at(cpu), vector, false)
        },
      },
      'driver.sendIllegal': { args: { cpu }, effect: (s, { cpu }) => fail(s, cpu) },
      'bus.messageIllegal': {
        args: { cpu },
        effect(s, { cpu }) {
          if (s.cpus.at(cpu).enabled) fail(s, cpu)
        },
      },
      'driver.touchReserved': { args: { cpu }, effect: (s, { cpu }) => fail(s, cpu) },
      'device.drive': {
        args: { cpu, pin: t.below(2), level: t.flag },
        effect(s, { cpu, pin, level }) {
          const { masked, mode, vector } = s.lints.at(2 * cpu + pin)
          if (level && !masked && mode === 'fixed' && isUp(s, cpu)) accept(s.cpus.at(cpu), vector, false)
        },
      },
      'cpu.acknowledge': {
        does: 'An interrupt-acknowledge cycle, where something is to be given.',
        args: { cpu },
        weight: 22,
        when: (s, { cpu }) => s.asked === undefined && !s.cpus.at(cpu).waiting && hasSomething(s, cpu),
        effect: (s, { cpu }) => void (s.asked = cpu),
      },
      'cpu.acknowledgeIdly': {
        does: 'One where nothing is, or where only what is requested in vain would be.',
        args: { cpu },
        weight: 5,
        when: (s, { cpu }) => s.asked === undefined && !s.cpus.at(cpu).waiting && !hasSomething(s, cpu),
        effect: (s, { cpu }) => void (s.asked = cpu),
      },
      'irqchip.answerAcknowledge': {
        does: 'What it was given.',
        args: { gives: t.oneOf('vector', 'nothing', 'spurious', 'external', 'other'), vector },
        when: (s) => s.asked !== undefined,
        requires: {
          noneThatIsIllegal: { clause: clause('LAP-07'), holds: (_s, { gives }) => gives !== 'other' },
          nothingWhileOff: {
            clause: clause('LAP-23'),
            given: (s) => s.mode === 'off',
            holds: (_s, { gives }) => gives !== 'vector',
          },
          ofARequest: {
            clause: clause('LAP-01'),
            given: (_s, { gives }) => gives === 'vector',
            holds: (s, { vector }) => s.cpus.at(s.asked!).irr.has(vector),
          },
          theHighest: {
            clause: clause('LAP-02'),
            given: (_s, { gives }) => gives === 'vector',
            holds: (s, { vector }) => vector === highest(s.cpus.at(s.asked!).irr),
          },
          aboveThePriority: {
            clause: clause('LAP-02'),
            given: (_s, { gives }) => gives === 'vector',
            holds: (s, { vector }) => classOf(vector) > processorClass(s.cpus.at(s.asked!)),
          },
          externalWhilePending: {
            clause: clause('LAP-12'),
            given: (_s, { gives }) => gives === 'external',
            holds: (s) => hasExternal(s, s.asked!),
          },
          spuriousForNothing: {
            clause: clause('LAP-09'),
            given: (_s, { gives }) => gives === 'spurious',
            holds: (s) => !isOwed(s, s.asked!),
          },
          nothingForNothing: {
            clause: clause('LAP-11'),
            given: (_s, { gives }) => gives === 'nothing',
            holds: (s) => !isOwed(s, s.asked!) && (s.mode === 'off' || !hasExternal(s, s.asked!)),
          },
        },
        effect(s, { gives, vector }) {
          const asking = s.cpus.at(s.asked!)
          s.asked = undefined
          if (gives !== 'vector') return
          asking.irr = asking.irr.without(vector)
          asking.isr = asking.isr.with(vector)
        },
        eager(s) {
          if (s.asked === undefined) return undefined
          const { irr } = s.cpus.at(s.asked)
          if (hasExternal(s, s.asked)) return { gives: 'external' as const, vector: 0 }
          if (!isOwed(s, s.asked)) return { gives: 'nothing' as const, vector: 0 }
          return { gives: 'vector' as const, vector: highest(irr) }
        },
      },
      'irqchip.answerIdleService': {
        does: 'Whether a cycle in which nothing was to be given brought something into service.',
        args: { entered: t.flag },
        when: () => vectors > 4,
        requires: { noInServiceBit: { clause: clause('LAP-09'), holds: (_s, { entered }) => !entered } },
      },
      'cpu.endOfInterrupt': {
        does: 'Writes the EOI register.',
        args: { cpu },
        weight: 9,
        when: (s, { cpu }) => isUp(s, cpu) && !s.cpus.at(cpu).isr.isEmpty,
        effect(s, { cpu }) {
          const c = s.cpus.at(cpu)
          const vector = highest(c.isr)
          c.isr = c.isr.without(vector)
          if (c.tmr.has(vector) && !c.suppressed) c.ends = c.ends.with(vector)
        },
      },
      'cpu.endIdly': {
        does: 'Writes it with nothing in service, which is harmless.',
        args: { cpu },
        weight: 1,
        when: (s, { cpu }) => isUp(s, cpu) && s.cpus.at(cpu).isr.isEmpty,
      },
      'irqchip.broadcast': {
        does: 'Tells the I/O APICs of an end.',
        args: { cpu, vector: t.maybe(vector) },
        requires: {
          ofALevelInterrupt: {
            clause: clause('LAP-05'),
            holds: (s, { cpu, vector }) => vector !== undefined && s.cpus.at(cpu).ends.has(vector),
          },
        },
        effect(s, { cpu, vector }) {
          if (vector !== undefined) s.cpus.at(cpu).ends = s.cpus.at(cpu).ends.without(vector)
        },
        eager(s) {
          const cpu = s.cpus.findIndex(({ ends }) => !ends.isEmpty)
          return cpu === undefined ? undefined : { cpu, vector: highest(s.cpus.at(cpu).ends) }
        },
      },
      'driver.suppressEnds': {
        does: 'Has ends of level interrupts told to the I/O APICs, or not.',
        args: { cpu, on: t.flag },
        weight: 6,
        when: (s, { cpu }) => isUp(s, cpu),
        effect: (s, { cpu, on }) => void (s.cpus.at(cpu).suppressed = on),
      },
      'driver.setPriority': {
        does: 'Writes the task priority.',
        args: { cpu, tpr: t.below(vectors + 2) },
        weight: 4,
        when: (s, { cpu }) => isUp(s, cpu),
        effect: (s, { cpu, tpr }) => void (s.cpus.at(cpu).tpr = tpr),
      },
      'driver.readPriority': { args: { cpu }, weight: 3, when: (s, { cpu }) => isUp(s, cpu) },
      'irqchip.answerPriority': {
        does: 'Task and processor priority; absent: a value that no played vector or priority leads to.',
        args: { cpu, tpr: t.maybe(t.below(vectors + 2)), ppr: t.maybe(t.below(vectors + 2)) },
        requires: {
          asWritten: { clause: clause('LAP-24'), holds: (s, { cpu, tpr }) => tpr === s.cpus.at(cpu).tpr },
          theHigherOfTaskAndService: {
            clause: clause('LAP-03'),
            holds(s, { cpu, ppr }) {
              const { tpr, isr } = s.cpus.at(cpu)
              const service = classOfHighest(isr)
              // Where both are of one class the low half may be that of the task or zero.
              if (tpr >> 1 >= service && ppr === tpr) return true
              return service >= tpr >> 1 && (service > NO_CLASS || tpr < 2) && ppr === 2 * service
            },
          },
        },
      },
      'driver.readVectors': { args: { cpu }, weight: 6, when: (s, { cpu }) => isUp(s, cpu) },
      'irqchip.answerVectors': {
        does: 'IRR, ISR and TMR.',
        args: { cpu, irr: t.set(vectors), isr: t.set(vectors), tmr: t.set(vectors) },
        requires: {
          requested: { clause: clause('LAP-01'), holds: (s, { cpu, irr }) => irr.equals(s.cpus.at(cpu).irr) },
          inService: { clause: clause('LAP-04'), holds: (s, { cpu, isr }) => isr.equals(s.cpus.at(cpu).isr) },
          triggerMode: {
            clause: clause('LAP-06'),
            holds(s, { cpu, tmr }) {
              const known = s.cpus.at(cpu)
              return known.irr.union(known.isr).and(tmr).equals(known.irr.union(known.isr).and(known.tmr))
            },
          },
        },
        effect(s, { cpu, irr, isr, tmr }) {
          const c = s.cpus.at(cpu)
          const meant = irr.union(isr)
          c.tmr = c.tmr.minus(meant).union(tmr.and(meant))
          c.irr = irr
          c.isr = isr
        },
      },
      'driver.setEnabled': {
        does: 'Enables or disables the APIC by software.',
        args: { cpu, on: t.flag },
        weight: 5,
        when: (s, { cpu }) => isUp(s, cpu),
        effect: (s, { cpu, on }) => void (s.cpus.at(cpu).enabled = on),
      },
      'driver.enterX2': {
        does: 'Switches all of them to x2APIC mode.',
        weight: 1,
        when: (s) => s.mode === 'xapic' && s.cpus.every(({ waiting }) => !waiting),
        effect: (s) => void (s.mode = 'x2apic'),
      },
      'driver.switchOff': {
        does: 'Disables all of them by their base registers.',
        weight: 0.3,
        when: (s) => s.mode !== 'off' && s.sought === undefined,
        effect: (s) => void (s.mode = 'off'),
      },
      'driver.restart': {
        does: 'Enables them again after that, and sets them up.',
        weight: 20,
        when: (s) => s.mode === 'off',
        effect(s) {
          s.mode = 'xapic'
          for (let each = 0; each < cpus; each++) forget(s.cpus.at(each), true)
        },
      },
      'driver.sendInit': {
        does: 'Resets another CPU by a command of the first one.',
        args: { cpu },
        weight: 3,
        when: (s, { cpu }) => cpu > 0 && isUp(s, 0) && s.sought === undefined && s.asked === undefined,
        effect(s, { cpu }) {
          forget(s.cpus.at(cpu), false)
          s.cpus.at(cpu).waiting = true
        },
      },
      'driver.sendDeassert': {
        does: 'Sends another CPU the end of an INIT, which means nothing to processors of today.',
        args: { cpu },
        weight: 1,
        when: (s, { cpu }) => cpu > 0 && isUp(s, 0) && s.sought === undefined && s.asked === undefined,
      },
      'driver.sendStartup': {
        does: 'Starts it.',
        args: { cpu },
        weight: 15,
        when: (s, { cpu }) => isUp(s, 0) && s.sought === undefined && cpu > 0,
        effect(s, { cpu }) {
          if (s.cpus.at(cpu).waiting) s.starts = s.starts.with(cpu)
          s.cpus.at(cpu).waiting = false
        },
      },
      'irqchip.start': {
        does: 'Starts a processor; `right`: where it was told to.',
        args: { cpu, right: t.flag },
        requires: {
          whereItWasTold: { clause: clause('LAP-21'), holds: (_s, { right }) => right },
          onceAfterAnInit: { clause: clause('LAP-21'), holds: (s, { cpu }) => s.starts.has(cpu) },
        },
        effect: (s, { cpu }) => void (s.starts = s.starts.without(cpu)),
        eager: (s) => (s.starts.isEmpty ? undefined : { cpu: highest(s.starts), right: true }),
      },
      'irqchip.answerReset': {
        does: 'Whether a processor finds its APIC as after a reset when it is started.',
        args: { cpu, clean: t.flag },
        requires: {
          asAfterAReset: {
            clause: clause('LAP-21'),
            given: (s, { cpu }) => s.starts.has(cpu),
            holds: (_s, { clean }) => clean,
          },
        },
      },
    },
    owes: {
      'irqchip.start': { clause: clause('LAP-21'), when: (s) => !s.starts.isEmpty },
      'irqchip.broadcast': { clause: clause('LAP-05'), when: (s) => s.cpus.some(({ ends }) => !ends.isEmpty) },
    },
    goals: {
      aNestedInterrupt: (s) => s.cpus.some(({ isr }) => isr.size > 1),
      aPriorityOfTheSameClass: {
        on: 'cpu.acknowledgeIdly',
        when: (s, { cpu }) => {
          const { irr, tpr, isr } = s.cpus.at(cpu)
          return isr.isEmpty && !irr.isEmpty && classOfHighest(irr) === tpr >> 1
        },
      },
      anEndOfALevel: { on: 'irqchip.broadcast' },
      aRepeatWhileInService: (s) => s.cpus.some(({ irr, isr }) => irr.meets(isr)),
      anIdleEnd: { on: 'cpu.endIdly', when: (s, { cpu }) => !s.cpus.at(cpu).irr.isEmpty },
      aHeldRequestWhileDisabled: (s) => s.cpus.some(({ enabled, irr }) => !enabled && !irr.isEmpty),
    },
  })

  function hasSomething(s: Lints & { readonly cpus: { at(cpu: number): Cpu } }, cpu: number): boolean {
    return hasDeliverable(s.cpus.at(cpu)) || hasExternal(s, cpu)
  }
  function requesting(s: { readonly cpus: { at(cpu: number): Cpu } }, vector: number): Bits {
    let mask = 0
    for (let each = 0; each < cpus; each++) if (s.cpus.at(each).irr.has(vector)) mask |= 1 << each
    return Bits.of(mask)
  }
  function isInPlace(s: { readonly cpus: { at(cpu: number): Cpu } }, vector: number, who: Bits, level: Bits): boolean {
    return who.toArray().every((each) => level.has(each) === s.cpus.at(each).tmr.has(vector))
  }
  /** A vector has to be given. While software has disabled the APIC nobody says what becomes of those that it holds. */
  function isOwed(s: { readonly mode: string; readonly cpus: { at(cpu: number): Cpu } }, cpu: number): boolean {
    return isUp(s, cpu) && s.cpus.at(cpu).enabled && hasDeliverable(s.cpus.at(cpu))
  }
}
