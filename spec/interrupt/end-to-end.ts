/**
 * From a line to the handler: sources, an interrupt controller with masks, messages, and a CPU that holds interrupts back
 * in its own ways. Whatever is masked, in service, preempted or halted: an edge begins one handler, an asserted level begins
 * handlers until it is released, and nothing else begins any.
 *
 * Pins that are even carry edges, the others levels; pin n has the n-th vector, and later ones outrank earlier ones.
 */
import {
  type Bits,
  compose,
  type ErasedBody,
  machine,
  noBits,
  part,
  scoped,
  t,
} from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { cpuPart } from './cpu-delivery.ts'

/** The sources, and the controller as far as messages tell of it. */
const controllerPart = (pins: number): ErasedBody => {
  const pin = t.below(pins)
  const some = t.set(pins)
  return machine({
    source: 'iospec',
    state: {
      up: some,
      masked: some,
      /** Levels whose message was sent, until they have ended. */
      remote: some,
      /** Pins that have to send a message, and those that may. */
      owed: some,
      may: some,
    },
    initial(s) {
      for (let i = 0; i < pins; i++) s.masked = s.masked.with(i)
    },
    actions: {
      'device.raise': {
        does: 'Asserts its line.',
        args: { pin },
        weight: 8,
        when: (s, a) => !s.up.has(a.pin),
        effect(s, a) {
          s.up = s.up.with(a.pin)
          if (isLevel(a.pin)) {
            if (!s.masked.has(a.pin) && !s.remote.has(a.pin)) s.may = s.may.with(a.pin)
            return
          }
          s.may = s.may.with(a.pin)
          if (!s.masked.has(a.pin)) s.owed = s.owed.with(a.pin)
        },
      },
      'device.lower': {
        does: 'Releases its line.',
        args: { pin },
        weight: 6,
        when: (s, a) => s.up.has(a.pin),
        effect: (s, a) => void (s.up = s.up.without(a.pin)),
      },
      'driver.mask': {
        does: 'Masks an input.',
        args: { pin },
        weight: 2,
        when: (s, a) => !s.masked.has(a.pin),
        effect: (s, a) => void (s.masked = s.masked.with(a.pin)),
      },
      'driver.unmask': {
        does: 'Unmasks an input.',
        args: { pin },
        weight: 8,
        when: (s, a) => s.masked.has(a.pin),
        effect(s, a) {
          s.masked = s.masked.without(a.pin)
          if (isLevel(a.pin) && s.up.has(a.pin) && !s.remote.has(a.pin)) s.may = s.may.with(a.pin)
        },
      },
      'bus.message': {
        args: { vector: pin, level: t.flag },
        requires: {
          somethingAskedForIt: {
            clause: clause('WAY-03'),
            holds: (s, a) => s.may.has(a.vector) || s.masked.has(a.vector),
          },
          beforeItWasMasked: {
            clause: clause('WAY-04'),
            holds: (s, a) => s.may.has(a.vector) || !s.masked.has(a.vector),
          },
          ofItsKind: { clause: clause('IOA-12'), holds: (_s, a) => a.level === isLevel(a.vector) },
        },
        effect(s, a) {
          s.may = s.may.without(a.vector)
          s.owed = s.owed.without(a.vector)
          if (isLevel(a.vector)) s.remote = s.remote.with(a.vector)
        },
        eager(s) {
          const next = s.owed.minus(s.masked).first ?? wanting(s)
          return next === undefined ? undefined : { vector: next, level: isLevel(next) }
        },
      },
      'irqchip.broadcast': {
        args: { vector: t.below(pins + 1) },
        effect(s, a) {
          s.remote = s.remote.without(a.vector)
          if (s.up.has(a.vector) && !s.masked.has(a.vector)) s.may = s.may.with(a.vector)
        },
      },
      'hypervisor.reset': {
        effect(s) {
          s.up = s.remote = s.owed = s.may = noBits
          for (let i = 0; i < pins; i++) s.masked = s.masked.with(i)
        },
      },
    },
    owes: {
      'bus.message': [
        { clause: clause('WAY-01'), when: (s) => !s.owed.minus(s.masked).isEmpty },
        { clause: clause('WAY-02'), when: (s) => wanting(s) !== undefined },
      ],
    },
    goals: {
      aLevelThatStaysUp: { on: 'irqchip.broadcast', when: (s, a) => s.up.has(a.vector) && !s.masked.has(a.vector) },
      aLevelReleasedOnItsWay: { on: 'device.lower', when: (s, a) => s.remote.has(a.pin) },
      aLevelThatWaitsForItsMask: { on: 'driver.unmask', when: (s, a) => isLevel(a.pin) && s.up.has(a.pin) },
      aMaskWhileInService: { on: 'driver.mask', when: (s, a) => s.remote.has(a.pin) },
    },
  })
}

/** What has happened at the lines against what has come of it: laws over the whole way. */
const wayPart = (pins: number): ErasedBody => {
  const pin = t.below(pins)
  const some = t.set(pins)
  return part({
    source: 'iospec',
    state: {
      /** Edges on unmasked inputs that no handler has begun for. */
      raised: some,
    },
    borrows: {
      up: some,
      masked: some,
      remote: some,
      owed: some,
      pending: some,
      served: some,
      extra: some,
      ended: some,
      running: t.flag,
      enabled: t.flag,
      shadow: t.flag,
      unsure: t.flag,
    },
    actions: {
      'device.raise': {
        args: { pin },
        effect(s, a) {
          if (!isLevel(a.pin) && !s.masked.has(a.pin)) s.raised = s.raised.with(a.pin)
        },
      },
      'cpu.take': {
        args: { vector: t.below(pins + 1) },
        effect: (s, a) => void (s.raised = s.raised.without(a.vector)),
      },
      'hypervisor.reset': { effect: (s) => void (s.raised = noBits) },
    },
    leadsTo: {
      aLevelReachesAnOpenCpu: {
        clause: clause('WAY-02'),
        from: (s) => s.up.minus(s.masked).has(1) && isOpen(s),
        to: (s) => !s.up.minus(s.masked).has(1) || !isOpen(s),
      },
      anEdgeReachesAnOpenCpu: {
        clause: clause('WAY-01'),
        from: (s) => s.raised.minus(s.masked).has(0) && isOpen(s),
        to: (s) => !s.raised.minus(s.masked).has(0) || !isOpen(s),
      },
    },
    invariants: {
      noEdgeIsLost: { clause: clause('WAY-01'), holds: (s) => s.owed.union(s.pending).contains(s.raised) },
      noLevelIsStuck: {
        clause: clause('WAY-02'),
        holds: (s) => s.pending.union(s.served).union(s.extra).union(s.ended).contains(s.remote),
      },
    },
    goals: {
      anEdgeInService: { on: 'device.raise', when: (s, a) => !isLevel(a.pin) && s.served.has(a.pin) },
      anEdgeWhilePreempted: {
        on: 'device.raise',
        when: (s, a) => !isLevel(a.pin) && !s.running && !s.masked.has(a.pin),
      },
    },
  })
}

const SHARED = [
  'up',
  'masked',
  'remote',
  'owed',
  'pending',
  'served',
  'extra',
  'ended',
  'running',
  'enabled',
  'shadow',
  'unsure',
]
const SYNCHRONISED = ['device.raise', 'bus.message', 'irqchip.broadcast', 'cpu.take', 'hypervisor.reset']

export const endToEnd = scoped('end-to-end', { explored: { pins: 2 }, played: { pins: 3 } }, ({ pins }) =>
  compose(
    { controller: controllerPart(pins), cpu: cpuPart(pins), way: wayPart(pins) },
    { shared: SHARED, synchronised: SYNCHRONISED },
  ),
)

const isLevel = (pin: number): boolean => pin % 2 === 1

/** A level that is asserted, unmasked, and not on its way. */
const wanting = (s: { readonly up: Bits; readonly masked: Bits; readonly remote: Bits }): number | undefined =>
  s.up.minus(s.masked).minus(s.remote).toArray().find(isLevel)

interface Cpu {
  readonly running: boolean
  readonly enabled: boolean
  readonly shadow: boolean
  readonly unsure: boolean
  readonly served: Bits
}

/** It takes whatever comes. */
const isOpen = (s: Cpu): boolean => s.running && s.enabled && !s.shadow && !s.unsure && s.served.isEmpty
