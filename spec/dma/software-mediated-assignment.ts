/**
 * A device given to several VMs before there were IOMMUs: it reaches all memory, and a driver in the hypervisor stands
 * between guests and its registers. Guests write commands into their memory; the driver copies a command, checks each
 * page that it names, translates and pins it, and hands the device addresses that it made itself.
 *
 * That is safe for whatever guests do, as long as the device does what it is told. It is not where the device errs: the
 * scope `errant` is expected to be violated, and shows what an IOMMU is for.
 */
import { type Bits, machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** What the driver may lack, to show what it is for: a copy of its own, the check, the pin. */
const NO_SNAPSHOT = 1
const NO_CHECK = 2
const NO_PIN = 3

interface Command {
  page: number
  two: boolean
  write: boolean
}

export const softwareMediatedAssignment = scoped(
  'software-mediated-assignment',
  {
    explored: { vms: 2, pages: 1, frames: 2, errant: 0, careless: 0 },
    /** Commands of two pages. */
    pages: { vms: 1, pages: 2, frames: 2, errant: 0, careless: 0 },
    /** The device touches what nobody told it to. */
    errant: { vms: 2, pages: 1, frames: 2, errant: 1, careless: 0 },
    'without-snapshot': { vms: 2, pages: 1, frames: 2, errant: 0, careless: 1 },
    'without-check': { vms: 2, pages: 1, frames: 2, errant: 0, careless: 2 },
    'without-pin': { vms: 2, pages: 1, frames: 2, errant: 0, careless: 3 },
    played: { vms: 3, pages: 4, frames: 12, errant: 0, careless: 0 },
  },
  ({ vms, pages, frames, errant, careless }) => {
    const vm = t.id('vm', vms)
    /** A page of a VM, by GPA; the last one is beyond its memory. */
    const page = t.below(pages + 1)
    const frame = t.id('frame', frames)
    const whose = t.set(vm)
    const cell = (v: number, p: number): number => v * pages + p

    interface Homes {
      readonly home: { at(index: number): number | undefined; some(test: (f: number | undefined) => boolean): boolean }
    }
    /** Frames of the pages that a command names; undefined where one of them is not the VM's. */
    const framesOf = (s: Homes, v: number, { page: p, two }: Readonly<Command>): Bits | undefined => {
      let found = noBits
      for (let at = p; at <= p + (two ? 1 : 0); at++) {
        const frame = at < pages ? s.home.at(cell(v, at)) : undefined
        if (frame === undefined && careless === NO_CHECK) continue
        if (frame === undefined) return undefined
        found = found.with(frame)
      }
      return found
    }
    const isFree = (s: Homes, f: number): boolean => !s.home.some((one) => one === f)

    return machine({
      source: 'iospec 1',
      state: {
        /** Where each page of each VM is. */
        home: t.array(vms * pages, t.maybe(frame)),
        /** Whose data a frame holds. */
        taint: t.array(frame, whose),
        /** The command as it stands in the memory of each VM. */
        command: t.array(vm, t.record({ page, two: t.flag, write: t.flag })),
        stage: t.array(vm, t.oneOf('idle', 'submitted', 'running', 'refused')),
        /** Frames that a running command may touch, which direction, and which it has touched. */
        pinned: t.array(vm, t.set(frame)),
        writes: t.set(vm),
        touched: t.array(vm, t.set(frame)),
        /** A page that a VM wants to give back, or to have. */
        asked: t.oneOf('nothing', 'release', 'populate'),
        by: vm,
        at: t.below(pages),
        /** Something of a VM was seen, or changed, on behalf of another. */
        revealed: t.flag,
        spoiled: t.flag,
      },
      // Each VM has its first page.
      initial(s) {
        for (let v = 0; v < vms; v++) {
          s.home.set(cell(v, 0), v)
          s.taint.set(v, noBits.with(v))
        }
      },
      actions: {
        'guest.write': {
          does: 'Writes a command into its memory; also one that was submitted, and one that names what it does not have.',
          args: { vm, page, two: t.flag, write: t.flag },
          weight: 12,
          when: (s, { vm, page, two, write }) => {
            const now = s.command.at(vm)
            return now.page !== page || now.two !== two || now.write !== write
          },
          effect(s, { vm, page, two, write }) {
            const command = s.command.at(vm)
            command.page = page
            command.two = two
            command.write = write
            if (careless !== NO_SNAPSHOT || s.stage.at(vm) !== 'running') return
            // The driver looks at the command again when it hands out addresses, and checks nothing then: a page that
            // is not the VM's is taken for a frame by its number.
            const named = noBits.with((page < pages ? s.home.at(cell(vm, page)) : undefined) ?? page % frames)
            s.pinned.set(vm, named)
          },
        },
        'guest.name': {
          does: 'Writes a command for two pages that it has; small scopes come to that by any command.',
          args: { vm, page: t.below(Math.max(1, pages - 1)), write: t.flag },
          weight: 24,
          when(s, { vm, page, write }) {
            const now = s.command.at(vm)
            return (
              pages > 2 &&
              s.stage.at(vm) === 'idle' &&
              framesOf(s, vm, { page, two: true, write }) !== undefined &&
              (now.page !== page || !now.two || now.write !== write)
            )
          },
          effect(s, { vm, page, write }) {
            const command = s.command.at(vm)
            command.page = page
            command.two = true
            command.write = write
          },
        },
        'guest.submit': {
          args: { vm },
          weight: 14,
          when: (s, { vm }) => s.stage.at(vm) === 'idle',
          effect: (s, { vm }) => void s.stage.set(vm, 'submitted'),
        },
        'guest.release': {
          does: 'Wants to give a page back.',
          args: { vm, page: t.below(pages) },
          weight: 3,
          when(s, { vm, page }) {
            const frame = s.home.at(cell(vm, page))
            return s.asked === 'nothing' && frame !== undefined && !s.pinned.at(vm).has(frame)
          },
          effect(s, { vm, page }) {
            s.asked = 'release'
            s.by = vm
            s.at = page
          },
        },
        'guest.withdraw': {
          does: 'Wants to give a page back that a command of its own uses.',
          args: { vm, page: t.below(pages) },
          weight: 60,
          when: (s, { vm, page }) => s.asked === 'nothing' && s.pinned.at(vm).has(s.home.at(cell(vm, page)) ?? frames),
          effect(s, { vm, page }) {
            s.asked = 'release'
            s.by = vm
            s.at = page
          },
        },
        'guest.populate': {
          does: 'Wants memory for a page.',
          args: { vm, page: t.below(pages) },
          weight: 16,
          when: (s, { vm, page }) => s.asked === 'nothing' && s.home.at(cell(vm, page)) === undefined,
          effect(s, { vm, page }) {
            s.asked = 'populate'
            s.by = vm
            s.at = page
          },
        },
        'hypervisor.release': {
          does: 'Takes the page, or leaves it where it is.',
          args: { taken: t.flag },
          when: (s) => s.asked === 'release',
          requires: {
            notWhilePinned: {
              clause: clause('ASG-07'),
              given: (_s, { taken }) => taken,
              holds: (s) =>
                careless === NO_PIN || !s.pinned.some((set) => set.has(s.home.at(cell(s.by, s.at)) ?? frames)),
            },
          },
          effect(s, { taken }) {
            s.asked = 'nothing'
            if (!taken) return
            const frame = s.home.at(cell(s.by, s.at))
            s.home.set(cell(s.by, s.at), undefined)
            if (frame !== undefined) s.taint.set(frame, noBits)
          },
          eager(s) {
            const frame = s.home.at(cell(s.by, s.at)) ?? frames
            return s.asked === 'release' ? { taken: !s.pinned.some((set) => set.has(frame)) } : undefined
          },
        },
        'hypervisor.populate': {
          does: 'Gives a frame for the page, or none.',
          args: { frame: t.maybe(frame) },
          when: (s) => s.asked === 'populate',
          requires: {
            aFreeOne: {
              clause: clause('ASG-07'),
              holds: (s, { frame }) => frame === undefined || isFree(s, frame),
            },
          },
          effect(s, { frame }) {
            s.asked = 'nothing'
            if (frame === undefined) return
            s.home.set(cell(s.by, s.at), frame)
            s.taint.set(frame, s.taint.at(frame).with(s.by))
          },
          eager(s) {
            if (s.asked !== 'populate') return undefined
            for (let frame = 0; frame < frames; frame++) if (isFree(s, frame)) return { frame }
            return { frame: undefined }
          },
        },
        'hypervisor.take': {
          does: 'Copies a command, and checks, translates and pins what it names; or refuses it.',
          args: { vm },
          when: (s, { vm }) => s.stage.at(vm) === 'submitted',
          effect(s, { vm }) {
            const command = s.command.at(vm)
            const named = framesOf(s, vm, command)
            s.stage.set(vm, named === undefined ? 'refused' : 'running')
            s.pinned.set(vm, named ?? noBits)
            // Without the check a page that is nobody's, or another's, is taken for a frame by its number.
            if (careless === NO_CHECK) s.pinned.set(vm, noBits.with(command.page % frames))
            s.writes = command.write ? s.writes.with(vm) : s.writes.without(vm)
            s.touched.set(vm, noBits)
          },
          eager(s) {
            for (let v = 0; v < vms; v++) if (s.stage.at(v) === 'submitted') return { vm: v }
            return undefined
          },
        },
        'hypervisor.look': {
          does: 'Reads a command that it has a copy of; what it finds there counts for nothing.',
          args: { vm },
          when: (s, { vm }) => s.stage.at(vm) === 'running' || s.stage.at(vm) === 'refused',
        },
        'device.read': {
          does: 'Reads a frame for a command.',
          args: { vm, frame },
          requires: {
            ofARunningCommand: {
              clause: clause('ASG-07'),
              holds: (s, { vm, frame }) => s.pinned.at(vm).has(frame) && !s.writes.has(vm),
            },
          },
          effect(s, { vm, frame }) {
            s.touched.set(vm, s.touched.at(vm).with(frame))
            s.revealed ||= !noBits.with(vm).contains(s.taint.at(frame))
          },
          eager(s) {
            for (let v = 0; v < vms; v++) {
              const frame = s.pinned.at(v).minus(s.touched.at(v)).first
              if (s.stage.at(v) === 'running' && !s.writes.has(v) && frame !== undefined) return { vm: v, frame }
            }
            return undefined
          },
        },
        'device.write': {
          does: 'Writes into a frame for a command.',
          args: { vm, frame },
          requires: {
            ofARunningCommand: {
              clause: clause('ASG-07'),
              holds: (s, { vm, frame }) => s.pinned.at(vm).has(frame) && s.writes.has(vm),
            },
          },
          effect(s, { vm, frame }) {
            s.touched.set(vm, s.touched.at(vm).with(frame))
            s.spoiled ||= !noBits.with(vm).contains(s.taint.at(frame)) || isFree(s, frame)
          },
          eager(s) {
            for (let v = 0; v < vms; v++) {
              const frame = s.pinned.at(v).minus(s.touched.at(v)).first
              if (s.stage.at(v) === 'running' && s.writes.has(v) && frame !== undefined) return { vm: v, frame }
            }
            return undefined
          },
        },
        'device.err': {
          does: 'Touches a frame that a command did not name, on its behalf: a flaw of the device, which no driver can see.',
          args: { vm, frame, write: t.flag },
          when: (s, { vm, frame }) => errant === 1 && s.stage.at(vm) === 'running' && !s.pinned.at(vm).has(frame),
          effect(s, { vm, frame, write }) {
            const others = s.taint.at(frame).without(vm)
            if (write) s.spoiled ||= !others.isEmpty
            else s.revealed ||= !others.isEmpty
          },
        },
        'device.stray': {
          does: 'Touches memory that is no frame.',
          requires: { neverElsewhere: { clause: clause('ASG-07'), holds: () => false } },
        },
        'hypervisor.complete': {
          does: 'Tells the guest how its command ended, and lets its pages go.',
          args: { vm, done: t.flag },
          when: (s, { vm }) => s.stage.at(vm) === 'running' || s.stage.at(vm) === 'refused',
          requires: {
            onlyWhatWasDone: {
              clause: clause('ASG-09'),
              holds: (s, { vm, done }) =>
                !done || (s.stage.at(vm) === 'running' && s.touched.at(vm).equals(s.pinned.at(vm))),
            },
          },
          effect(s, { vm }) {
            s.stage.set(vm, 'idle')
            s.pinned.set(vm, noBits)
            s.touched.set(vm, noBits)
          },
          eager(s) {
            for (let v = 0; v < vms; v++) {
              if (s.stage.at(v) === 'refused') return { vm: v, done: false }
              if (s.stage.at(v) === 'running' && s.touched.at(v).equals(s.pinned.at(v))) return { vm: v, done: true }
            }
            return undefined
          },
        },
      },
      owes: {
        'hypervisor.take': { clause: clause('ASG-10'), when: (s) => s.stage.some((one) => one === 'submitted') },
        'hypervisor.complete': {
          clause: clause('ASG-10'),
          when: (s) => s.stage.some((one) => one === 'running' || one === 'refused'),
        },
        'hypervisor.release': { clause: clause('ASG-10'), when: (s) => s.asked === 'release' },
        'hypervisor.populate': { clause: clause('ASG-10'), when: (s) => s.asked === 'populate' },
      },
      invariants: {
        nothingIsRevealed: { clause: clause('ISO-11'), holds: (s) => !s.revealed },
        nothingIsSpoiled: { clause: clause('ISO-11'), holds: (s) => !s.spoiled },
      },
      goals: {
        aCommandOfTwoPages: {
          on: 'hypervisor.complete',
          when: (s, { vm }) => s.pinned.at(vm).size === 2,
        },
        aRefusedCommand: { on: 'hypervisor.complete', when: (s, { vm }) => s.stage.at(vm) === 'refused' },
        aCommandChangedAfterItWasTaken: { on: 'guest.write', when: (s, { vm }) => s.stage.at(vm) === 'running' },
        aPageAskedForWhilePinned: { on: 'guest.withdraw' },
        twoVmsAtOnce: (s) => s.stage.every((one, v) => v > 1 || one === 'running'),
      },
    })
  },
)
