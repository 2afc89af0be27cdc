/**
 * A physical function (number 0) and the virtual functions that it can have (1 to `vfs`): which of them exist, where their
 * registers are, under which routing id each works, and what a reset of one leaves of the others (PCIe 6.0, chapter 9).
 * Each function has an address space of its own behind the IOMMU, in which the same page leads to a frame of its own.
 */
import { machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

export const sriov = scoped(
  'sr-iov',
  {
    explored: { vfs: 2 },
    played: { vfs: 4 },
  },
  ({ vfs }) => {
    const fn = t.id('function', vfs + 1)
    const several = t.set(fn)
    const all = Array.from({ length: vfs + 1 }, (_, n) => n)

    interface State {
      readonly enabled: boolean
      readonly space: boolean
      readonly num: number
      readonly running: { has(n: number): boolean }
      readonly master: { has(n: number): boolean }
      readonly marked: { has(n: number): boolean }
      readonly leaving: { readonly isEmpty: boolean }
      readonly asked: 'nothing' | 'identity' | 'memory' | 'header' | 'capability'
    }
    const isThere = (s: State, n: number): boolean => n === 0 || (s.enabled && n <= s.num)
    /** Do its registers answer in memory? */
    const answers = (s: State, n: number): boolean => n === 0 || (isThere(s, n) && s.space)
    /** Nothing is asked for, nothing is on its way. */
    const isCalm = (s: State): boolean => s.asked === 'nothing' && s.leaving.isEmpty
    const isActive = (s: State, n: number): boolean => s.running.has(n) && s.master.has(n)
    const shown = (s: State, n: number): 'own' | 'fresh' | 'ones' =>
      answers(s, n) ? (s.marked.has(n) ? 'own' : 'fresh') : 'ones'

    return machine({
      source: 'PCIe 6.0',
      state: {
        /** VF Enable and VF Memory Space Enable. */
        enabled: t.flag,
        space: t.flag,
        /** NumVFs. */
        num: t.below(vfs + 1),
        /** Bus master enable of each. */
        master: several,
        /** Functions that were told to move a dword. */
        running: several,
        /** Their memory holds what was written there. */
        marked: several,
        /** What they sent may arrive until that was waited for. */
        leaving: several,
        /** One that held something before it was reset, or was gone. */
        former: t.maybe(fn),
        asked: t.oneOf('nothing', 'identity', 'memory', 'header', 'capability'),
        of: fn,
      },
      actions: {
        'driver.enableVfs': {
          does: 'Writes NumVFs, then sets VF Enable.',
          args: { num: t.below(vfs + 1) },
          weight: 12,
          when: (s, { num }) => isCalm(s) && !s.enabled && num > 0,
          effect(s, { num }) {
            s.enabled = true
            s.num = num
          },
        },
        'driver.disableVfs': {
          does: 'Clears VF Enable.',
          weight: 6,
          when: (s) => isCalm(s) && s.enabled,
          effect(s) {
            for (const n of all) {
              if (n === 0) continue
              if (s.marked.has(n)) s.former = n
              if (isActive(s, n)) s.leaving = s.leaving.with(n)
              s.running = s.running.without(n)
              s.master = s.master.without(n)
              s.marked = s.marked.without(n)
            }
            s.enabled = false
          },
        },
        'driver.setSpace': {
          does: 'Writes VF Memory Space Enable.',
          args: { on: t.flag },
          weight: 6,
          when: (s, { on }) => isCalm(s) && s.space !== on,
          effect: (s, { on }) => void (s.space = on),
        },
        'driver.setMaster': {
          does: 'Writes bus master enable, and reads it back.',
          args: { fn, on: t.flag },
          weight: 14,
          when: (s, { fn, on }) => isCalm(s) && isThere(s, fn) && s.master.has(fn) !== on,
          effect(s, { fn, on }) {
            if (!on && isActive(s, fn)) s.leaving = s.leaving.with(fn)
            s.master = on ? s.master.with(fn) : s.master.without(fn)
          },
        },
        'driver.mark': {
          does: 'Writes into the memory of a function.',
          args: { fn },
          weight: 6,
          when: (s, { fn }) => isCalm(s) && answers(s, fn),
          effect: (s, { fn }) => void (s.marked = s.marked.with(fn)),
        },
        'driver.ring': {
          does: 'Tells a function to move a dword.',
          args: { fn, write: t.flag },
          weight: 16,
          when: (s, { fn }) => isCalm(s) && answers(s, fn) && !s.running.has(fn),
          effect: (s, { fn }) => void (s.running = s.running.with(fn)),
        },
        'driver.reset': {
          does: 'Function-level reset; of the physical one, all that it has.',
          args: { fn },
          weight: 4,
          when: (s, { fn }) => isCalm(s) && isThere(s, fn),
          effect(s, { fn }) {
            for (const n of all) {
              if (n !== fn && fn !== 0) continue
              if (s.marked.has(n)) s.former = n
              if (isActive(s, n)) s.leaving = s.leaving.with(n)
              s.running = s.running.without(n)
              s.master = s.master.without(n)
              s.marked = s.marked.without(n)
            }
            if (fn !== 0) return
            s.enabled = false
            s.space = false
          },
        },
        'driver.lookForVf': {
          does: 'Reads the identity of a routing id.',
          args: { fn },
          weight: 8,
          when: (s, { fn }) => isCalm(s) && fn > 0,
          effect(s, { fn }) {
            s.asked = 'identity'
            s.of = fn
          },
        },
        'driver.readMemory': {
          does: 'Reads the memory of a function where it has to be.',
          args: { fn },
          weight: 10,
          when: isCalm,
          effect(s, { fn }) {
            s.asked = 'memory'
            s.of = fn
          },
        },
        'driver.readFormer': {
          does: 'The same of one that held something before it was reset.',
          weight: 30,
          when: (s) => isCalm(s) && s.former !== undefined && answers(s, s.former) && !s.marked.has(s.former),
          effect(s) {
            s.asked = 'memory'
            s.of = s.former ?? 0
            s.former = undefined
          },
        },
        'driver.tryHeader': {
          does: 'Writes ones to what is fixed in the header of a virtual function, and reads it.',
          args: { fn },
          weight: 4,
          when: (s, { fn }) => isCalm(s) && fn > 0 && isThere(s, fn),
          effect(s, { fn }) {
            s.asked = 'header'
            s.of = fn
          },
        },
        'driver.tryCapability': {
          does: 'Writes to what is fixed in the capability, and reads it.',
          weight: 4,
          when: isCalm,
          effect: (s) => void (s.asked = 'capability'),
        },
        'device.identity': {
          does: 'What the configuration space of a routing id shows. `ones`: its vendor and device id are all ones.',
          args: { fn, there: t.flag, ones: t.flag },
          when: (s, { fn }) => s.asked === 'identity' && s.of === fn,
          requires: {
            noneWhileDisabled: {
              clause: clause('SRV-01'),
              given: (s) => !s.enabled,
              holds: (_s, { there }) => !there,
            },
            asManyAsNumVfs: {
              clause: clause('SRV-02'),
              given: (s) => s.enabled,
              holds: (s, { fn, there }) => there === isThere(s, fn),
            },
            noIdOfItsOwn: { clause: clause('SRV-15'), given: (_s, { there }) => there, holds: (_s, { ones }) => ones },
          },
          effect(s) {
            s.asked = 'nothing'
            s.of = 0
          },
          eager: (s) => (s.asked === 'identity' ? { fn: s.of, there: isThere(s, s.of), ones: true } : undefined),
        },
        'device.memory': {
          does: 'What its memory shows: what was written there, nothing, what is of another function, or nobody answers.',
          args: { fn, shows: t.oneOf('own', 'fresh', 'other', 'ones') },
          when: (s, { fn }) => s.asked === 'memory' && s.of === fn,
          requires: {
            whereItHasToBe: {
              clause: clause('SRV-06'),
              given: (s, { fn }) => answers(s, fn),
              holds: (_s, { shows }) => shows !== 'other',
            },
            whileEnabled: {
              clause: clause('SRV-07'),
              holds: (s, { fn, shows }) => (shows === 'ones') === !answers(s, fn),
            },
            freshAfterReset: {
              clause: clause('SRV-13'),
              given: (s, { fn }) => answers(s, fn) && !s.marked.has(fn),
              holds: (_s, { shows }) => shows !== 'own',
            },
            kept: {
              clause: clause('SRV-09'),
              given: (s, { fn }) => answers(s, fn) && s.marked.has(fn),
              holds: (_s, { shows }) => shows !== 'fresh',
            },
          },
          effect(s) {
            s.asked = 'nothing'
            s.of = 0
          },
          eager: (s) => (s.asked === 'memory' ? { fn: s.of, shows: shown(s, s.of) } : undefined),
        },
        'device.header': {
          args: { fn, zero: t.flag },
          when: (s, { fn }) => s.asked === 'header' && s.of === fn,
          requires: { fixed: { clause: clause('SRV-08'), holds: (_s, { zero }) => zero } },
          effect(s) {
            s.asked = 'nothing'
            s.of = 0
          },
          eager: (s) => (s.asked === 'header' ? { fn: s.of, zero: true } : undefined),
        },
        'device.capability': {
          does: 'Whether InitialVFs and TotalVFs, and First VF Offset and VF Stride, are what they were.',
          args: { totals: t.flag, places: t.flag },
          when: (s) => s.asked === 'capability',
          requires: {
            totals: { clause: clause('SRV-04'), holds: (_s, { totals }) => totals },
            places: { clause: clause('SRV-05'), given: (s) => s.enabled, holds: (_s, { places }) => places },
          },
          effect: (s) => void (s.asked = 'nothing'),
          eager: (s) => (s.asked === 'capability' ? { totals: true, places: true } : undefined),
        },
        'device.move': {
          does: 'Reads or writes a frame. Which function it is tells the data, or who looks.',
          args: { fn, frame: fn },
          requires: {
            whileItLives: {
              clause: clause('SRV-11'),
              holds: (s, { fn }) => s.running.has(fn) || s.leaving.has(fn),
            },
            mastering: {
              clause: clause('SRV-12'),
              given: (s, { fn }) => s.running.has(fn),
              holds: (s, { fn }) => s.master.has(fn) || s.leaving.has(fn),
            },
            underItsOwnId: { clause: clause('ASG-04'), holds: (_s, { fn, frame }) => frame === fn },
          },
          effect(s, { fn }) {
            s.running = s.running.without(fn)
            s.leaving = s.leaving.without(fn)
          },
          eager(s) {
            for (const n of all) if (isActive(s, n)) return { fn: n, frame: n }
            return undefined
          },
        },
        'device.stray': {
          does: 'Reaches memory that none of its address spaces has.',
          requires: { never: { clause: clause('ASG-04'), holds: () => false } },
        },
        'bus.settle': {
          does: 'What functions had sent before they were stopped has arrived.',
          effect: (s) => void (s.leaving = noBits),
          eager: (s) => (s.leaving.isEmpty ? undefined : {}),
        },
      },
      owes: {
        'device.move': all.map((n) => ({ clause: clause('SRV-14'), when: (s: State) => isActive(s, n) })),
        'bus.settle': { clause: clause('SRV-11'), when: (s) => !s.leaving.isEmpty },
        'device.identity': { clause: clause('SRV-02'), when: (s) => s.asked === 'identity' },
        'device.memory': { clause: clause('SRV-07'), when: (s) => s.asked === 'memory' },
        'device.header': { clause: clause('SRV-08'), when: (s) => s.asked === 'header' },
        'device.capability': { clause: clause('SRV-04'), when: (s) => s.asked === 'capability' },
      },
      invariants: {
        onlyWhatIsThereWorks: {
          clause: clause('SRV-11'),
          holds: (s) => all.every((n) => isThere(s, n) || !(s.running.has(n) || s.master.has(n))),
        },
        aNewOneIsFresh: {
          clause: clause('SRV-13'),
          holds: (s) => all.every((n) => isThere(s, n) || !s.marked.has(n)),
        },
      },
      goals: {
        theLastOneWorks: (s) => isActive(s, vfs),
        allWorkAtOnce: (s) => s.num === vfs && all.every((n) => isActive(s, n)),
        resetOfAllAtWork: {
          on: 'driver.reset',
          when: (s, { fn }) => fn === 0 && all.some((n) => n > 0 && isActive(s, n)),
        },
        resetOfOneBesideOthers: {
          on: 'driver.reset',
          when: (s, { fn }) => fn > 0 && all.some((n) => n !== fn && s.marked.has(n)),
        },
        disabledAtWork: { on: 'driver.disableVfs', when: (s) => all.some((n) => n > 0 && isActive(s, n)) },
        fewerThanBefore: { on: 'driver.enableVfs', when: (s, { num }) => num < s.num },
        masterOffAtWork: { on: 'driver.setMaster', when: (s, { fn, on }) => !on && isActive(s, fn) },
        readByAllWays: { on: 'device.memory', when: (s, { fn }) => fn > 1 && s.marked.has(fn) },
      },
    })
  },
)
