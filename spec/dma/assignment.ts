/**
 * Devices that a hypervisor gives to VMs: a device is given, started, reset, taken back, given to another, with DMA in
 * flight at each of these moments. Between it and memory stands an IOMMU; what the device reaches is what its owner has,
 * as long as it has it. Two of the devices are behind one bridge and look alike to the unit: they have one owner.
 *
 * A page of commands and single pages come first in an address space, then a large page, of which the two ends are
 * watched, then ranges that firmware declares for the first device: one to read and write, a gap, one to read.
 */
import { type Bits, type Cells, machine, type ReadonlyCells, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** What the hypervisor may lack, to show what it is for. */
const NO_RESET = 1
const NO_FLUSH = 2
const NO_GROUPS = 3

/** The device that ranges are declared for. */
const DECLARED = 0

export const assignment = scoped(
  'assignment',
  {
    /** One device, two VMs. */
    explored: { vms: 2, devices: 1, pages: 1, frames: 2, regions: 0, declared: 0, resets: 1, careless: 0, history: 0 },
    /** Two that the unit cannot tell apart. */
    group: { vms: 2, devices: 2, pages: 1, frames: 2, regions: 0, declared: 0, resets: 0, careless: 0, history: 0 },
    /** Pages that come and go. */
    pages: { vms: 1, devices: 1, pages: 2, frames: 2, regions: 1, declared: 1, resets: 0, careless: 0, history: 0 },
    'without-reset': {
      vms: 2,
      devices: 1,
      pages: 1,
      frames: 2,
      regions: 0,
      declared: 0,
      resets: 0,
      careless: 1,
      history: 0,
    },
    'without-flush': {
      vms: 1,
      devices: 1,
      pages: 2,
      frames: 2,
      regions: 0,
      declared: 0,
      resets: 0,
      careless: 2,
      history: 0,
    },
    'without-groups': {
      vms: 2,
      devices: 2,
      pages: 1,
      frames: 2,
      regions: 0,
      declared: 0,
      resets: 0,
      careless: 3,
      history: 0,
    },
    played: { vms: 2, devices: 3, pages: 4, frames: 10, regions: 2, declared: 1, resets: 3, careless: 0, history: 1 },
  },
  ({ vms, devices, pages, frames, regions, declared, resets, careless, history }) => {
    const vm = t.id('vm', vms)
    const device = t.id('device', devices)
    /** Pages that a VM can have: single ones, and the large one. */
    const owned = regions > 0 ? pages + 1 : pages
    const page = t.below(owned)
    /** What a command can name: single pages, both ends of the large one, and the three pages of the declared ranges. */
    const LARGE = pages
    const IDENTITY = pages + 2
    const named = t.below(declared > 0 ? IDENTITY + 3 : regions > 0 ? LARGE + 2 : pages)
    const home = t.maybe(t.below(Math.max(frames, regions)))
    /** Frames that are watched: single ones, the declared ones with the gap, both ends of each region. */
    const FRAMES = frames + 3 + 2 * regions
    const frame = t.below(FRAMES)
    const several = t.set(device)
    const cell = (v: number, p: number): number => v * owned + p

    interface Command {
      page: number
      write: boolean
    }
    interface State {
      readonly home: ReadonlyCells<number | undefined>
      readonly owner: ReadonlyCells<number | undefined>
      readonly command: ReadonlyCells<Readonly<Command>>
      readonly asked: ReadonlyCells<'nothing' | 'release' | 'populate' | 'pair'>
      readonly at: ReadonlyCells<number>
      readonly task: 'nothing' | 'assign' | 'unassign' | 'destroy'
      readonly device: number
      readonly vm: number
      readonly running: { has(d: number): boolean }
      readonly master: { has(d: number): boolean }
      readonly resetting: { has(d: number): boolean }
    }
    /** The first of three is by itself. */
    const groupOf = (d: number): number => (devices === 3 ? Math.min(d, 1) : 0)
    const isInGroup = (a: number, b: number): boolean => groupOf(a) === groupOf(b)
    const all = Array.from({ length: devices }, (_, d) => d)
    const isOwned = (s: State, d: number): boolean => s.owner.at(d) !== undefined
    /** Has nobody started it, and will nobody: its neighbours have an owner, or get one. */
    const isIdle = (s: State, d: number): boolean =>
      !isOwned(s, d) &&
      all.some((each) => isInGroup(each, d) && (isOwned(s, each) || (s.task === 'assign' && s.device === each)))
    /** Has every VM its page of commands? */
    const isSettled = (s: State): boolean => {
      for (let v = 0; v < vms; v++) if (s.home.at(cell(v, 0)) === undefined) return false
      return true
    }
    /** Which page of its owner a command is about. */
    const pageOf = (p: number): number => Math.min(p, LARGE)
    /** Does the owner of a device have the declared ranges in its address space? */
    const hasDeclared = (s: State, v: number): boolean =>
      declared > 0 && (s.owner.at(DECLARED) === v || (s.task === 'assign' && s.device === DECLARED && s.vm === v))
    /** The frame that a command leads to, if any. */
    const frameOf = (s: State, v: number, { page: p, write }: Readonly<Command>): number | undefined => {
      if (p >= IDENTITY) {
        const isDeclared = p === IDENTITY || (p === IDENTITY + 2 && !write)
        return isDeclared && hasDeclared(s, v) ? frames + p - IDENTITY : undefined
      }
      const found = s.home.at(cell(v, pageOf(p)))
      if (found === undefined || p < LARGE) return found
      return frames + 3 + 2 * found + (p - LARGE)
    }
    /** Is something about to be taken that the command needs, or not there yet for certain? */
    const isUnsettled = (s: State, d: number, v: number): boolean => {
      const { page: p } = s.command.at(d)
      if (s.task === 'destroy' && s.vm === v) return true
      if (s.task === 'unassign' && s.device === d) return true
      if (p >= IDENTITY) return s.task !== 'nothing' && s.device === DECLARED
      return s.asked.at(v) === 'release' && s.at.at(v) === pageOf(p)
    }
    const mayMove = (s: State, d: number, f: number): boolean => {
      const v = s.owner.at(d)
      return v !== undefined && frameOf(s, v, s.command.at(d)) === f
    }
    /** Nothing is left of the command of a device. */
    const forget = (s: { command: Cells<Command>; moved: Bits; mayFail: Bits }, d: number): void => {
      const command = s.command.at(d)
      command.page = 0
      command.write = false
      s.moved = s.moved.without(d)
      s.mayFail = s.mayFail.without(d)
    }
    /** A command moves what it names. */
    const touch = (
      s: State & { moved: Bits; touched: Cells<number | undefined> },
      { device: d }: { readonly device: number },
    ): void => {
      s.moved = s.moved.with(d)
      const v = s.owner.at(d)
      const { page: p } = s.command.at(d)
      if (history > 0 && v !== undefined && p < IDENTITY) s.touched.set(v, pageOf(p))
    }
    const isActive = (s: State, d: number): boolean => s.running.has(d) && s.master.has(d)
    const isFree = (s: State, p: number, h: number): boolean => {
      for (let v = 0; v < vms; v++)
        for (let other = 0; other < owned; other++)
          if (p < LARGE === other < LARGE && s.home.at(cell(v, other)) === h) return false
      return true
    }
    const firstFree = (s: State, p: number, but?: number): number | undefined => {
      for (let h = 0; h < (p < LARGE ? frames : regions); h++) if (h !== but && isFree(s, p, h)) return h
      return undefined
    }
    const isWhole = (s: State, v: number): boolean =>
      s.asked.at(v) === 'pair' || s.home.at(cell(v, s.at.at(v))) === undefined

    return machine({
      source: 'iospec 1',
      state: {
        /** Frame, or region, of each page of each VM. */
        home: t.array(vms * owned, home),
        owner: t.array(device, t.maybe(vm)),
        /** What a VM has asked for. */
        asked: t.array(vm, t.oneOf('nothing', 'release', 'populate', 'pair')),
        at: t.array(vm, page),
        /** What the toolstack has asked for. */
        task: t.oneOf('nothing', 'assign', 'unassign', 'destroy'),
        device,
        vm,
        command: t.array(device, t.record({ page: named, write: t.flag })),
        running: several,
        master: several,
        /** Bus master enable was cleared, and what was sent before may arrive. */
        quieting: several,
        /** Commands that have moved what they name; that may fail. */
        moved: several,
        mayFail: several,
        resetting: several,
        /** Devices that go on with what a former owner started, where nobody resets. */
        left: several,
        /** A page that was given back, and what still leads to it, where nobody flushes. */
        stale: t.maybe(t.below(Math.max(frames, regions))),
        spoiled: t.flag,
        /** By VM: the page that a device reached last, and the one that was given back last. For plans, where there is a history. */
        touched: t.array(vm, t.maybe(page)),
        gone: t.array(vm, t.maybe(page)),
      },
      // Each VM has its page of commands.
      initial(s) {
        for (let v = 0; v < vms; v++) s.home.set(cell(v, 0), v)
      },
      actions: {
        'driver.ring': {
          does: 'Writes a command into its first page and rings; whoever has the device, or the host where nobody has it.',
          args: { device, page: named, write: t.flag },
          weight: 16,
          when: (s, { device, page }) =>
            !s.running.has(device) &&
            !s.resetting.has(device) &&
            !isIdle(s, device) &&
            (page < pages || page >= IDENTITY || regions > 0),
          effect(s, { device, page, write }) {
            const command = s.command.at(device)
            command.page = page
            command.write = write
            s.running = s.running.with(device)
            s.moved = s.moved.without(device)
            const v = s.owner.at(device)
            const isCertain = v !== undefined && frameOf(s, v, command) !== undefined && !isUnsettled(s, device, v)
            s.mayFail = isCertain ? s.mayFail.without(device) : s.mayFail.with(device)
          },
        },
        'driver.ringGone': {
          does: 'The same for the page that was given back last.',
          args: { device, write: t.flag },
          weight: 40,
          when(s, { device }) {
            const v = s.owner.at(device)
            return v !== undefined && s.gone.at(v) !== undefined && !s.running.has(device) && !s.resetting.has(device)
          },
          effect(s, { device, write }) {
            const p = s.gone.at(s.owner.at(device) ?? 0) ?? 0
            const command = s.command.at(device)
            // Of a large page the far end.
            command.page = p < LARGE ? p : LARGE + 1
            command.write = write
            s.running = s.running.with(device)
            s.moved = s.moved.without(device)
            s.mayFail = s.mayFail.with(device)
          },
        },
        'driver.ringDeclared': {
          does: 'The same for the declared ranges, and what is between them.',
          args: { device, which: t.below(3), write: t.flag },
          weight: 8,
          when: (s, { device }) =>
            declared > 0 && isOwned(s, device) && !s.running.has(device) && !s.resetting.has(device),
          effect(s, { device, which, write }) {
            const command = s.command.at(device)
            command.page = IDENTITY + which
            command.write = write
            s.running = s.running.with(device)
            s.moved = s.moved.without(device)
            const v = s.owner.at(device)
            const isCertain = v !== undefined && frameOf(s, v, command) !== undefined && !isUnsettled(s, device, v)
            s.mayFail = isCertain ? s.mayFail.without(device) : s.mayFail.with(device)
          },
        },
        'driver.enable': {
          does: 'Sets bus master enable.',
          args: { device },
          weight: 12,
          when: (s, { device }) => !s.master.has(device) && !s.resetting.has(device) && !isIdle(s, device),
          effect(s, { device }) {
            s.master = s.master.with(device)
            s.quieting = s.quieting.without(device)
          },
        },
        'driver.disable': {
          does: 'Clears bus master enable, and reads it back.',
          args: { device },
          weight: 8,
          when: (s, { device }) => s.master.has(device) && !s.resetting.has(device) && !isIdle(s, device),
          effect(s, { device }) {
            s.master = s.master.without(device)
            s.quieting = s.quieting.with(device)
          },
        },
        'driver.message': {
          does: 'Writes an address of its choice into the MSI-X table.',
          args: { device, address: t.below(2) },
          weight: 2,
          when: (s, { device }) => !s.resetting.has(device) && !isIdle(s, device),
        },
        'driver.reset': {
          does: 'Asks for a reset: of the function, by way of D3hot, or of the bus with all that is on it.',
          args: { device, kind: t.oneOf('function', 'power', 'bus') },
          weight: 4,
          when: (s, { device, kind }) =>
            resets >= ['function', 'power', 'bus'].indexOf(kind) + 1 &&
            !s.resetting.has(device) &&
            !isIdle(s, device) &&
            !(s.task === 'assign' && isInGroup(s.device, device)) &&
            (kind !== 'bus' ||
              all.every((d) => !isInGroup(d, device) || !isOwned(s, d) || s.owner.at(d) === s.owner.at(device))),
          effect(s, { device, kind }) {
            for (const d of all)
              if (d === device || (kind === 'bus' && isInGroup(d, device))) s.resetting = s.resetting.with(d)
          },
        },
        'guest.release': {
          does: 'Gives a page back, also one that a command uses.',
          args: { vm, page },
          weight: 8,
          when: (s, { vm, page }) =>
            s.asked.at(vm) === 'nothing' && page > 0 && s.home.at(cell(vm, page)) !== undefined,
          effect(s, { vm, page }) {
            s.asked.set(vm, 'release')
            s.at.set(vm, page)
            for (const d of all)
              if (s.owner.at(d) === vm && s.command.at(d).page < IDENTITY && pageOf(s.command.at(d).page) === page)
                s.mayFail = s.mayFail.with(d)
          },
        },
        'guest.releaseTouched': {
          does: 'Gives the page back that a device reached last, at best while another VM does so.',
          args: { vm },
          weight: 25,
          when(s, { vm }) {
            const p = s.touched.at(vm)
            return s.asked.at(vm) === 'nothing' && p !== undefined && p > 0 && s.home.at(cell(vm, p)) !== undefined
          },
          effect(s, { vm }) {
            const p = s.touched.at(vm) ?? 0
            s.asked.set(vm, 'release')
            s.at.set(vm, p)
            for (const d of all)
              if (s.owner.at(d) === vm && s.command.at(d).page < IDENTITY && pageOf(s.command.at(d).page) === p)
                s.mayFail = s.mayFail.with(d)
          },
        },
        'guest.populate': {
          does: 'Wants memory for a page, or for two that follow each other; it may have one of them.',
          args: { vm, page, pair: t.flag },
          weight: 10,
          when: (s, { vm, page, pair }) =>
            s.asked.at(vm) === 'nothing' && (pair ? page + 1 < pages : s.home.at(cell(vm, page)) === undefined),
          effect(s, { vm, page, pair }) {
            s.asked.set(vm, pair ? 'pair' : 'populate')
            s.at.set(vm, page)
          },
        },
        'guest.assign': {
          does: 'The toolstack wants a device to be given to a VM, whoever has it.',
          args: { vm, device },
          weight: 14,
          when: (s) => s.task === 'nothing' && isSettled(s),
          effect(s, { vm, device }) {
            s.task = 'assign'
            s.vm = vm
            s.device = device
          },
        },
        'guest.unassign': {
          does: 'The toolstack wants it back.',
          args: { device },
          weight: 6,
          when: (s, { device }) => s.task === 'nothing' && isSettled(s) && isOwned(s, device),
          effect(s, { device }) {
            s.task = 'unassign'
            s.device = device
            s.vm = s.owner.at(device) ?? 0
            s.mayFail = s.mayFail.with(device)
            if (device !== DECLARED) return
            for (const d of all) if (s.command.at(d).page >= IDENTITY) s.mayFail = s.mayFail.with(d)
          },
        },
        'guest.destroy': {
          does: 'A VM goes away with all that it has, and another comes in its place.',
          args: { vm },
          weight: 6,
          when: (s) => s.task === 'nothing' && isSettled(s),
          effect(s, { vm }) {
            s.task = 'destroy'
            s.vm = vm
            // Not about a device in particular.
            s.device = 0
            for (const d of all)
              if (s.owner.at(d) === vm || s.command.at(d).page >= IDENTITY) s.mayFail = s.mayFail.with(d)
          },
        },
        'hypervisor.answer': {
          does: 'The task of the toolstack is done, or refused. `clean`: the device shows nothing of its former owner.',
          args: { done: t.flag, clean: t.flag },
          when: (s) => s.task !== 'nothing',
          requires: {
            oneOwnerForAGroup: {
              clause: clause('ASG-03'),
              given: (s, { done }) => done && s.task === 'assign' && careless !== NO_GROUPS,
              holds: (s) =>
                !isOwned(s, s.device) &&
                all.every((d) => !isInGroup(d, s.device) || !isOwned(s, d) || s.owner.at(d) === s.vm),
            },
            nothingLeft: {
              clause: clause('ASG-06'),
              given: (s, { done }) => done && s.task === 'assign',
              holds: (_s, { clean }) => clean,
            },
            busyWhileReset: {
              clause: clause('ASG-02'),
              given: (s) => s.task === 'assign' && all.some((d) => isInGroup(d, s.device) && s.resetting.has(d)),
              holds: (_s, { done }) => !done,
            },
          },
          effect(s, { done }) {
            const { task, device, vm } = s
            s.task = 'nothing'
            s.device = 0
            s.vm = 0
            if (!done) return
            const isGiven = task === 'assign'
            if (task === 'destroy') {
              for (let p = 0; p < owned; p++) s.home.set(cell(vm, p), undefined)
              s.asked.set(vm, 'nothing')
              s.gone.set(vm, history > 0 && regions > 0 ? LARGE : undefined)
              s.touched.set(vm, undefined)
            }
            for (const d of all) {
              const isMeant = task === 'destroy' ? s.owner.at(d) === vm : d === device
              const isQuietened = isGiven && isInGroup(d, device) && !isOwned(s, d)
              if (isMeant) s.owner.set(d, isGiven ? vm : undefined)
              if (!isMeant && !isQuietened) continue
              if (careless === NO_RESET && s.running.has(d)) s.left = s.left.with(d)
              else {
                s.running = s.running.without(d)
                s.master = s.master.without(d)
                s.quieting = s.quieting.without(d)
              }
              forget(s, d)
              s.resetting = s.resetting.without(d)
            }
          },
          eager(s) {
            if (s.task === 'nothing') return undefined
            const isBusy = all.some((d) => isInGroup(d, s.device) && s.resetting.has(d))
            const isOthers = all.some(
              (d) => isInGroup(d, s.device) && isOwned(s, d) && (d === s.device || s.owner.at(d) !== s.vm),
            )
            const isHindered = careless === NO_GROUPS ? isOwned(s, s.device) : isOthers
            return { done: s.task !== 'assign' || !(isBusy || isHindered), clean: true }
          },
        },
        'bus.settle': {
          does: 'Bus master enable was read back: what the device had sent has arrived, and nothing more leaves.',
          args: { device },
          when: (s, { device }) => s.quieting.has(device),
          effect: (s, { device }) => void (s.quieting = s.quieting.without(device)),
          eager(s) {
            const device = s.quieting.first
            return device === undefined ? undefined : { device }
          },
        },
        'hypervisor.found': {
          does: 'The new VM has its page of commands.',
          args: { vm, frame: t.below(frames) },
          when: (s, { vm }) => s.home.at(cell(vm, 0)) === undefined,
          requires: { aFreeOne: { clause: clause('ASG-18'), holds: (s, { frame }) => isFree(s, 0, frame) } },
          effect: (s, { vm, frame }) => void s.home.set(cell(vm, 0), frame),
          eager(s) {
            for (let v = 0; v < vms; v++) {
              const frame = firstFree(s, 0)
              if (s.home.at(cell(v, 0)) === undefined && frame !== undefined) return { vm: v, frame }
            }
            return undefined
          },
        },
        'hypervisor.release': {
          args: { vm, taken: t.flag },
          when: (s, { vm }) => s.asked.at(vm) === 'release',
          effect(s, { vm, taken }) {
            s.asked.set(vm, 'nothing')
            const p = s.at.at(vm)
            const at = cell(vm, p)
            s.at.set(vm, 0)
            if (!taken) return
            if (history > 0) s.gone.set(vm, p)
            if (careless === NO_FLUSH) s.stale = s.home.at(at)
            s.home.set(at, undefined)
          },
          eager(s) {
            for (let v = 0; v < vms; v++) if (s.asked.at(v) === 'release') return { vm: v, taken: true }
            return undefined
          },
        },
        'hypervisor.populate': {
          does: 'Gives frames for what a VM wants, or none.',
          args: { vm, frame: home, second: home },
          when: (s, { vm, frame, second }) =>
            (frame === undefined || frame < (s.at.at(vm) < LARGE ? frames : regions)) &&
            ((s.asked.at(vm) === 'populate' && second === undefined) ||
              (s.asked.at(vm) === 'pair' && (frame === undefined) === (second === undefined))),
          requires: {
            freeOnes: {
              clause: clause('ASG-18'),
              holds: (s, { vm, frame, second }) =>
                (frame === undefined || isFree(s, s.at.at(vm), frame)) &&
                (second === undefined || (second !== frame && isFree(s, 0, second))),
            },
          },
          effect(s, { vm, frame, second }) {
            const p = s.at.at(vm)
            s.asked.set(vm, 'nothing')
            s.at.set(vm, 0)
            if (frame !== undefined) s.home.set(cell(vm, p), frame)
            if (frame !== undefined) s.gone.set(vm, undefined)
            if (second !== undefined && p + 1 < owned) s.home.set(cell(vm, p + 1), second)
          },
          eager(s) {
            for (let v = 0; v < vms; v++) {
              const what = s.asked.at(v)
              if (what !== 'populate' && what !== 'pair') continue
              const p = s.at.at(v)
              const frame = isWhole(s, v) && s.home.at(cell(v, p)) === undefined ? firstFree(s, p) : undefined
              if (what === 'populate' || frame === undefined) return { vm: v, frame, second: undefined }
              const second = s.home.at(cell(v, p + 1)) === undefined ? firstFree(s, p, frame) : undefined
              return { vm: v, frame: second === undefined ? undefined : frame, second }
            }
            return undefined
          },
        },
        'hypervisor.reset': {
          does: 'A reset that was asked for is over.',
          args: { device },
          when: (s, { device }) => s.resetting.has(device),
          effect(s, { device }) {
            s.resetting = s.resetting.without(device)
            s.running = s.running.without(device)
            forget(s, device)
            s.master = s.master.without(device)
            s.quieting = s.quieting.without(device)
            s.left = s.left.without(device)
          },
          eager(s) {
            const device = s.resetting.first
            return device === undefined ? undefined : { device }
          },
        },
        'device.fetch': {
          does: 'Reads its command.',
          args: { device, frame },
          requires: {
            started: { clause: clause('ASG-06'), holds: (s, { device }) => s.running.has(device) },
            mastering: {
              clause: clause('PCI-BME-01'),
              given: (s, { device }) => s.running.has(device),
              holds: (s, { device }) => s.master.has(device) || s.quieting.has(device),
            },
            attached: { clause: clause('ASG-01'), holds: (s, { device }) => isOwned(s, device) },
            ofItsOwner: {
              clause: clause('ASG-14'),
              given: (s, { device }) => isOwned(s, device),
              holds: (s, { device, frame }) => s.home.at(cell(s.owner.at(device) ?? 0, 0)) === frame,
            },
          },
        },
        'device.read': {
          does: 'Reads what its command names.',
          args: { device, frame },
          requires: {
            started: { clause: clause('ASG-06'), holds: (s, { device }) => s.running.has(device) },
            mastering: {
              clause: clause('PCI-BME-01'),
              given: (s, { device }) => s.running.has(device),
              holds: (s, { device }) => s.master.has(device) || s.quieting.has(device),
            },
            attached: { clause: clause('ASG-01'), holds: (s, { device }) => isOwned(s, device) },
            asDeclared: {
              clause: clause('ASG-15'),
              given: (s, { device }) => isOwned(s, device) && s.command.at(device).page >= IDENTITY,
              holds: (s, { device, frame }) => mayMove(s, device, frame) && !s.command.at(device).write,
            },
            asMapped: {
              clause: clause('ASG-14'),
              given: (s, { device }) => isOwned(s, device) && s.command.at(device).page < IDENTITY,
              holds: (s, { device, frame }) => mayMove(s, device, frame) && !s.command.at(device).write,
            },
          },
          effect: touch,
          eager(s) {
            for (const d of all) {
              const v = s.owner.at(d)
              if (!isActive(s, d) || v === undefined || s.moved.has(d) || s.command.at(d).write) continue
              const frame = frameOf(s, v, s.command.at(d))
              if (frame !== undefined) return { device: d, frame }
            }
            return undefined
          },
        },
        'device.write': {
          does: 'Writes into what its command names.',
          args: { device, frame },
          requires: {
            started: { clause: clause('ASG-06'), holds: (s, { device }) => s.running.has(device) },
            mastering: {
              clause: clause('PCI-BME-01'),
              given: (s, { device }) => s.running.has(device),
              holds: (s, { device }) => s.master.has(device) || s.quieting.has(device),
            },
            attached: { clause: clause('ASG-01'), holds: (s, { device }) => isOwned(s, device) },
            asDeclared: {
              clause: clause('ASG-15'),
              given: (s, { device }) => isOwned(s, device) && s.command.at(device).page >= IDENTITY,
              holds: (s, { device, frame }) => mayMove(s, device, frame) && s.command.at(device).write,
            },
            asMapped: {
              clause: clause('ASG-14'),
              given: (s, { device }) => isOwned(s, device) && s.command.at(device).page < IDENTITY,
              holds: (s, { device, frame }) => mayMove(s, device, frame) && s.command.at(device).write,
            },
          },
          effect: touch,
          eager(s) {
            for (const d of all) {
              const v = s.owner.at(d)
              if (!isActive(s, d) || v === undefined || s.moved.has(d) || !s.command.at(d).write) continue
              const frame = frameOf(s, v, s.command.at(d))
              if (frame !== undefined) return { device: d, frame }
            }
            return undefined
          },
        },
        'device.err': {
          does: 'What a careless hypervisor left: a device that still works for its former owner, a translation that is gone.',
          args: { device },
          when: (s, { device }) =>
            careless !== 0 &&
            ((s.left.has(device) && isOwned(s, device)) ||
              (s.stale !== undefined && isActive(s, device)) ||
              (careless === NO_GROUPS &&
                isActive(s, device) &&
                all.some((d) => isInGroup(d, device) && isOwned(s, d) && s.owner.at(d) !== s.owner.at(device)))),
          effect: (s) => void (s.spoiled = true),
        },
        'device.stray': {
          does: 'Reaches memory that is no frame, or that it has no command for.',
          requires: { never: { clause: clause('ASG-14'), holds: () => false } },
        },
        'device.complete': {
          does: 'Writes its status behind the command.',
          args: { device, frame, done: t.flag },
          when: (s, { device }) => s.running.has(device) || careless === 0,
          requires: {
            started: { clause: clause('ASG-06'), holds: (s, { device }) => s.running.has(device) },
            mastering: {
              clause: clause('PCI-BME-01'),
              given: (s, { device }) => s.running.has(device),
              holds: (s, { device }) => s.master.has(device) || s.quieting.has(device),
            },
            attached: { clause: clause('ASG-01'), holds: (s, { device }) => isOwned(s, device) },
            ofItsOwner: {
              clause: clause('ASG-14'),
              given: (s, { device }) => isOwned(s, device),
              holds: (s, { device, frame }) => s.home.at(cell(s.owner.at(device) ?? 0, 0)) === frame,
            },
            carriedOut: {
              clause: clause('ASG-16'),
              // Two alone are there to be owned: that one moves is no reason for the other to wait.
              given: () => devices !== 2,
              holds: (s, { device, done }) => (done ? s.moved.has(device) : s.mayFail.has(device)),
            },
          },
          effect(s, { device }) {
            s.running = s.running.without(device)
            forget(s, device)
          },
          eager(s) {
            for (const d of all) {
              const v = s.owner.at(d)
              const frame = v === undefined ? undefined : s.home.at(cell(v, 0))
              if (!isActive(s, d) || frame === undefined) continue
              if (s.moved.has(d)) return { device: d, frame, done: true }
              if (s.mayFail.has(d) && frameOf(s, v!, s.command.at(d)) === undefined)
                return { device: d, frame, done: false }
            }
            return undefined
          },
        },
        'device.interrupt': {
          does: 'Sends its message. `foreign`: to where its owner wants it, not the hypervisor.',
          args: { device, foreign: t.flag },
          requires: {
            neverWhereAGuestSays: { clause: clause('ASG-05'), holds: (_s, { foreign }) => !foreign },
          },
        },
      },
      owes: {
        'bus.settle': { clause: clause('PCI-BME-01'), when: (s) => !s.quieting.isEmpty },
        'hypervisor.answer': { clause: clause('ASG-17'), when: (s) => s.task !== 'nothing' },
        'hypervisor.found': {
          clause: clause('ASG-17'),
          when: (s) => !isSettled(s),
        },
        'hypervisor.release': { clause: clause('ASG-17'), when: (s) => s.asked.some((one) => one === 'release') },
        'hypervisor.populate': {
          clause: clause('ASG-17'),
          when: (s) => s.asked.some((one) => one === 'populate' || one === 'pair'),
        },
        'hypervisor.reset': { clause: clause('PCI-FLR-05'), when: (s) => !s.resetting.isEmpty },
        'device.complete': all.map((d) => ({
          clause: clause('ASG-16'),
          when: (s: State) => isActive(s, d) && isOwned(s, d) && !s.resetting.has(d),
        })),
      },
      // A command moves what it names before it is complete.
      fair: ['device.read', 'device.write'],
      invariants: {
        oneOwnerForAGroup: {
          clause: clause('ASG-03'),
          holds: (s) =>
            careless === NO_GROUPS ||
            all.every((a) =>
              all.every(
                (b) =>
                  !isInGroup(a, b) ||
                  s.owner.at(a) === undefined ||
                  s.owner.at(b) === undefined ||
                  s.owner.at(a) === s.owner.at(b),
              ),
            ),
        },
        nothingIsSpoiled: { clause: clause('ISO-11'), holds: (s) => !s.spoiled },
      },
      goals: {
        aCommandDone: { on: 'device.complete', when: (_s, { done }) => done },
        aCommandFailed: { on: 'device.complete', when: (_s, { done }) => !done },
        givenBackWhileItWorks: { on: 'guest.unassign', when: (s, { device }) => isActive(s, device) },
        aVmGoesAwayWhileItsDeviceWorks: {
          on: 'guest.destroy',
          when: (s, { vm }) => all.some((d) => s.owner.at(d) === vm && isActive(s, d)),
        },
        ...(vms > 1
          ? {
              wantedByAnother: {
                on: 'guest.assign' as const,
                when: (s: State, { device, vm }: { readonly device: number; readonly vm: number }) =>
                  isOwned(s, device) && s.owner.at(device) !== vm,
              },
            }
          : {}),
        ...(resets > 0
          ? {
              resetWhileItWorks: {
                on: 'driver.reset' as const,
                when: (s: State, { device }: { readonly device: number }) => isActive(s, device),
              },
              wantedWhileReset: {
                on: 'guest.assign' as const,
                when: (s: State, { device }: { readonly device: number }) => s.resetting.has(device),
              },
            }
          : {}),
        ...(devices > 1
          ? {
              aGroupOfTwoOwners: {
                on: 'guest.assign' as const,
                when: (s: State, { device, vm }: { readonly device: number; readonly vm: number }) =>
                  all.some((d) => d !== device && isInGroup(d, device) && isOwned(s, d) && s.owner.at(d) !== vm),
              },
            }
          : {}),
        ...(pages > 1
          ? {
              aPageAskedForWhileInUse: {
                on: 'guest.release' as const,
                when: (s: State, { vm, page }: { readonly vm: number; readonly page: number }) =>
                  all.some((d) => s.owner.at(d) === vm && isActive(s, d) && s.command.at(d).page === page),
              },
            }
          : {}),
        ...(regions > 0
          ? {
              aLargePageInUse: (s: State) =>
                all.some((d) => isActive(s, d) && isOwned(s, d) && s.command.at(d).page === LARGE + 1),
            }
          : {}),
        ...(declared > 0
          ? {
              betweenDeclaredRanges: (s: State) =>
                all.some((d) => isActive(s, d) && isOwned(s, d) && s.command.at(d).page === IDENTITY + 1),
            }
          : {}),
      },
    })
  },
)
