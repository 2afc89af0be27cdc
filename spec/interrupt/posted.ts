/**
 * Posted interrupts: a message becomes a bit of a descriptor in memory, and at most one notification is under way for all
 * bits that nobody has taken over yet. Where it goes, and whether it is sent at all, is up to a hypervisor that moves,
 * preempts and blocks the virtual CPU; whatever comes in between, no bit is stranded.
 */
import { type Bits, machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

const scopes = { explored: { vectors: 2, hosts: 2 }, played: { vectors: 3, hosts: 2 } } as const

export const posted = scoped('posted', scopes, ({ vectors, hosts }) => {
  const vector = t.below(vectors)
  const some = t.set(vectors)
  const host = t.id('host', hosts)
  /** Vectors of notifications: to a CPU that runs the guest, and to one that is to wake it. */
  const target = t.oneOf('active', 'wake', 'other')
  return machine({
    source: 'VT-d 4.1',
    state: {
      /** The descriptor: PIR, ON, SN, NV and NDST. */
      requests: some,
      outstanding: t.flag,
      suppressed: t.flag,
      notifies: target,
      destination: host,
      /** A message that is to be posted, and the notification that has to come of it. */
      message: t.maybe(vector),
      urgent: t.flag,
      due: t.maybe(target),
      dueAt: host,
      /** Taken over by the CPU, and not delivered yet. */
      merged: some,
      /** Where the hypervisor has the virtual CPU. */
      running: t.flag,
      host,
      halted: t.flag,
      /** Vectors below are masked by the task priority. */
      priority: t.below(vectors + 1),
      /** What the guest executes next. */
      next: t.oneOf('none', 'hlt', 'priority'),
      wanted: t.below(vectors + 1),
    },
    initial: (s) => void (s.running = true),
    actions: {
      'device.post': {
        does: 'Sends a message whose entry posts this vector.',
        args: { vector, urgent: t.flag },
        weight: 8,
        when: (s) => s.message === undefined && s.due === undefined,
        effect(s, a) {
          s.message = a.vector
          s.urgent = a.urgent
        },
      },
      'iommu.record': {
        does: 'Changes the descriptor, in one access: these bits are set afterwards, and this is ON.',
        args: { requests: some, outstanding: t.flag, intact: t.flag },
        when: (s) => s.message !== undefined,
        requires: {
          setsItsBit: { clause: clause('PI-01'), holds: (s, a) => a.requests.equals(s.requests.with(s.message!)) },
          leavesTheRest: { clause: clause('PI-08'), holds: (_s, a) => a.intact },
          outstandingWhenNotified: {
            clause: clause('PI-02'),
            holds: (s, a) => a.outstanding === (s.outstanding || notified(s)),
          },
        },
        effect(s, a) {
          if (notified(s)) {
            s.due = s.notifies
            s.dueAt = s.destination
          }
          s.requests = a.requests
          s.outstanding = a.outstanding
          s.message = undefined
          s.urgent = false
        },
        eager: (s) =>
          s.message === undefined
            ? undefined
            : {
                requests: s.requests.with(s.message),
                outstanding: s.outstanding || notified(s),
                intact: true,
              },
      },
      'iommu.notify': {
        does: 'Sends a notification.',
        args: { vector: target, destination: host },
        requires: {
          onlyWhenDue: { clause: clause('PI-02'), holds: (s) => s.due !== undefined },
          asTheDescriptorSaid: {
            clause: clause('PI-03'),
            given: (s) => s.due !== undefined,
            holds: (s, a) => a.vector === s.due && a.destination === s.dueAt,
          },
        },
        effect(s) {
          s.due = undefined
          s.dueAt = 0
        },
        eager: (s) => (s.due === undefined ? undefined : { vector: s.due, destination: s.dueAt }),
      },
      'cpu.aim': {
        does: 'Writes ON, SN, NV and NDST, mostly for the hypervisor.',
        args: { outstanding: t.flag, suppressed: t.flag, notifies: target, destination: host },
        effect(s, a) {
          s.outstanding = a.outstanding
          s.suppressed = a.suppressed
          s.notifies = a.notifies
          s.destination = a.destination
        },
        eager: (s) => {
          const aim = aimOf(s)
          const outstanding = s.outstanding && !(s.running && s.requests.isEmpty)
          const stays =
            aim.suppressed === s.suppressed &&
            aim.notifies === s.notifies &&
            aim.destination === s.destination &&
            outstanding === s.outstanding
          return stays ? undefined : { ...aim, outstanding }
        },
      },
      'cpu.merge': {
        does: 'Takes these requests over from the descriptor.',
        args: { requests: some },
        when: (s, a) => s.requests.contains(a.requests),
        effect(s, a) {
          s.requests = s.requests.minus(a.requests)
          s.merged = s.merged.union(a.requests)
        },
        eager: (s) => (s.running && !s.requests.isEmpty ? { requests: s.requests } : undefined),
      },
      'cpu.take': {
        does: 'Begins the handler of this vector.',
        args: { vector: t.below(vectors + 1) },
        requires: {
          merged: { clause: clause('PI-04'), holds: (s, a) => s.merged.has(a.vector) },
          running: { clause: clause('CPU-08'), holds: (s) => s.running },
          aboveThePriority: { clause: clause('LAP-02'), holds: (s, a) => a.vector >= s.priority },
          theHighest: {
            clause: clause('CPU-09'),
            given: (_s, a) => a.vector < vectors,
            holds: (s, a) => highest(s.merged) <= a.vector,
          },
        },
        effect(s, a) {
          s.merged = s.merged.without(a.vector)
          s.halted = false
        },
        eager: (s) => (takes(s, s.merged) ? { vector: highest(s.merged) } : undefined),
      },
      'cpu.wake': { does: 'Is made runnable again after a halt. It may be, and halt again.' },
      'guest.hlt': {
        does: 'Halts until an interrupt.',
        weight: 5,
        when: (s) => executes(s),
        effect: (s) => void (s.next = 'hlt'),
      },
      'guest.setPriority': {
        does: 'Writes the task priority, so that the vectors below this one are masked.',
        args: { priority: t.below(vectors + 1) },
        weight: 5,
        when: (s, a) => executes(s) && a.priority !== s.priority,
        effect(s, a) {
          s.next = 'priority'
          s.wanted = a.priority
        },
      },
      'cpu.retire': {
        does: 'Has executed what the guest was to execute next, as soon as it was in its guest.',
        when: (s) => s.next !== 'none' && s.running && !s.halted,
        effect(s) {
          if (s.next === 'hlt') s.halted = true
          else s.priority = s.wanted
          s.next = 'none'
          s.wanted = 0
        },
        eager: (s) => (s.next === 'none' ? undefined : {}),
      },
      'hypervisor.preempt': {
        does: 'Takes the virtual CPU off its host CPU.',
        weight: 3,
        when: (s) => s.running && !s.halted,
        effect: (s) => void (s.running = false),
      },
      'hypervisor.run': {
        does: 'Puts the virtual CPU onto this host CPU, also from another one.',
        args: { host },
        weight: 6,
        when: (s, a) => !s.halted && (!s.running || s.host !== a.host),
        effect(s, a) {
          s.running = true
          s.host = a.host
        },
      },
      'hypervisor.reset': {
        does: 'Starts everything anew.',
        weight: 1,
        when: (s) => s.halted && s.priority === vectors,
        effect(s) {
          s.requests = s.merged = noBits
          s.outstanding = s.suppressed = s.halted = s.urgent = false
          s.message = s.due = undefined
          s.notifies = 'active'
          s.destination = s.dueAt = s.host = s.priority = 0
        },
      },
    },
    owes: {
      'iommu.record': { clause: clause('PI-01'), when: (s) => s.message !== undefined },
      'iommu.notify': { clause: clause('PI-02'), when: (s) => s.due !== undefined },
      'cpu.merge': { clause: clause('PI-05'), when: (s) => takes(s, s.requests) },
      'cpu.take': { clause: clause('PI-05'), when: (s) => takes(s, s.merged) },
      'cpu.aim': {
        clause: clause('PI-06'),
        when(s) {
          const aim = aimOf(s)
          return aim.suppressed !== s.suppressed || aim.notifies !== s.notifies || aim.destination !== s.destination
        },
      },
    },
    goals: {
      aPostWhileSuppressed: { on: 'iommu.record', when: (s) => s.suppressed && !s.urgent },
      anUrgentPostWhileSuppressed: { on: 'iommu.record', when: (s) => s.suppressed && s.urgent && !s.outstanding },
      aPostWithOneOutstanding: { on: 'iommu.record', when: (s) => s.outstanding },
      aPostToASleeper: { on: 'iommu.record', when: (s) => s.notifies === 'wake' },
      aHigherOneToASleeper: {
        on: 'iommu.record',
        when: (s) => s.halted && s.message! >= s.priority && !s.merged.union(s.requests).isEmpty,
      },
      aMove: { on: 'hypervisor.run', when: (s, a) => s.running && s.host !== a.host },
      aHaltThatEnds: { on: 'cpu.take', when: (s) => s.halted },
      aPriorityThatLetsOneThrough: {
        on: 'cpu.retire',
        when: (s) => s.next === 'priority' && s.wanted <= highest(s.merged),
      },
    },
  })
})

interface Descriptor {
  readonly outstanding: boolean
  readonly suppressed: boolean
  readonly urgent: boolean
}

interface Cpu {
  readonly running: boolean
  readonly halted: boolean
  readonly host: number
  readonly priority: number
  readonly next: string
  readonly notifies: 'active' | 'wake' | 'other'
  readonly destination: number
}

const highest = (set: Bits): number => 31 - Math.clz32(set.mask)

const notified = (s: Descriptor): boolean => !s.outstanding && (s.urgent || !s.suppressed)

const executes = (s: Cpu): boolean => s.running && !s.halted && s.next === 'none'

const takes = (s: Cpu, set: Bits): boolean => s.running && !set.isEmpty && highest(set) >= s.priority

/** What a hypervisor would rather have in the descriptor. */
const aimOf = (s: Cpu): { suppressed: boolean; notifies: 'active' | 'wake' | 'other'; destination: number } => ({
  suppressed: !s.running,
  notifies: !s.running ? s.notifies : s.halted ? 'wake' : 'active',
  destination: s.running ? s.host : s.destination,
})
