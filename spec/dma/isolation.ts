/**
 * Isolation: what a device of one VM does changes nothing of another VM, and reveals nothing of it, whatever device and
 * guest attempt, as long as unit and hypervisor keep their duties.
 *
 * It knows of a unit only what all have in common: domains that map pages (IOVA) to frames (HPA), devices in domains, and
 * translations that may be used until a flush of them. A VM is a domain. Whose data a frame holds and a device has read
 * is followed as taint.
 */
import {
  type Bits,
  type Cells,
  machine,
  noBits,
  type ReadonlyCells,
  scoped,
  t,
} from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** What a mapping allows. */
const right = t.oneOf('read', 'write', 'both')
type Right = 'read' | 'write' | 'both'
/** Members of a set of accesses. */
const READ = 0
const WRITE = 1
const ALLOWED: Readonly<Record<Right, readonly number[]>> = { read: [READ], write: [WRITE], both: [READ, WRITE] }
const accesses = t.set(2)

/** Duties that a hypervisor may lack, to show what they are for. */
const NO_FLUSH = 1
const NO_CLEARING = 2
const NO_DEVICE_FLUSH = 3
const NO_RESET = 4

interface Mapping {
  frame: number | undefined
  right: Right
}
/** What may still be used, or held against an access, of mappings that are gone. */
interface Late {
  reads: Bits
  writes: Bits
  refusals: Bits
}

const permits = (mapping: Readonly<Mapping>, access: number): boolean =>
  mapping.frame !== undefined && ALLOWED[mapping.right].includes(access)
const lateFrames = (late: Readonly<Late>, access: number): Bits => (access === READ ? late.reads : late.writes)

/** A mapping is gone or another: until it is flushed it may be used all the same, and what it refused be refused. */
const leave = (late: Late, old: Readonly<Mapping>): void => {
  if (old.frame === undefined) return
  if (permits(old, READ)) late.reads = late.reads.with(old.frame)
  if (permits(old, WRITE)) late.writes = late.writes.with(old.frame)
  for (const access of [READ, WRITE]) if (!permits(old, access)) late.refusals = late.refusals.with(access)
}

export const isolation = scoped(
  'isolation',
  {
    /** One page, two VMs, devices that move between them. */
    explored: { domains: 2, devices: 1, pages: 1, frames: 2, rights: 3, claims: 1, careless: 0, history: 0 },
    /** Two devices. */
    devices: { domains: 2, devices: 2, pages: 1, frames: 1, rights: 1, claims: 0, careless: 0, history: 0 },
    /** Two pages of one domain. */
    pages: { domains: 1, devices: 1, pages: 2, frames: 2, rights: 2, claims: 0, careless: 0, history: 0 },
    /** What each duty of the hypervisor is for: without it something is revealed or spoiled. */
    'without-flush': { domains: 2, devices: 1, pages: 1, frames: 1, rights: 1, claims: 0, careless: 1, history: 0 },
    'without-clearing': { domains: 2, devices: 1, pages: 1, frames: 1, rights: 1, claims: 0, careless: 2, history: 0 },
    'without-device-flush': {
      domains: 2,
      devices: 1,
      pages: 1,
      frames: 2,
      rights: 1,
      claims: 0,
      careless: 3,
      history: 0,
    },
    'without-reset': { domains: 2, devices: 1, pages: 1, frames: 2, rights: 1, claims: 0, careless: 4, history: 0 },
    played: { domains: 3, devices: 4, pages: 8, frames: 12, rights: 3, claims: 1, careless: 0, history: 1 },
  },
  ({ domains, devices, pages, frames, rights, claims, careless, history }) => {
    const domain = t.id('domain', domains)
    const device = t.id('device', devices)
    const page = t.id('page', pages)
    const frame = t.id('frame', frames)
    const several = t.set(domains)
    /** Where an access went that reached no frame that is watched. */
    const ELSEWHERE = frames
    const cell = (inDomain: number, at: number): number => inDomain * pages + at
    const rightsUsed = (one: Right): boolean => ['both', 'read', 'write'].indexOf(one) < rights

    interface Reach {
      readonly attached: ReadonlyCells<number | undefined>
      readonly lateDomains: ReadonlyCells<Bits>
      readonly unsettled: Bits
      readonly map: ReadonlyCells<Readonly<Mapping>>
      readonly late: ReadonlyCells<Readonly<Late>>
    }
    /** Domains by which a device may be translated. */
    const domainsOf = (s: Reach, v: number): number[] => {
      const now = s.attached.at(v)
      return (now === undefined ? s.lateDomains.at(v) : s.lateDomains.at(v).with(now)).toArray()
    }
    const mayReach = (s: Reach, v: number, p: number, access: number): Bits => {
      let may = noBits
      for (const d of domainsOf(s, v)) {
        const mapping = s.map.at(cell(d, p))
        may = may.union(lateFrames(s.late.at(cell(d, p)), access))
        if (permits(mapping, access)) may = may.with(mapping.frame!)
      }
      return may
    }
    const mayBeRefused = (s: Reach, v: number, p: number, access: number): boolean =>
      s.attached.at(v) === undefined ||
      s.unsettled.has(v) ||
      domainsOf(s, v).some((d) => {
        const at = cell(d, p)
        return !permits(s.map.at(at), access) || s.late.at(at).refusals.has(access)
      })
    const isMapped = (s: Reach, f: number): boolean => s.map.some((mapping) => mapping.frame === f)
    const isLate = (s: Reach, f: number): boolean => s.late.some((late) => late.reads.has(f) || late.writes.has(f))
    /** No translation leads to the frame, and none that did can still be used. */
    const isOutOfReach = (s: Reach, f: number): boolean => !isMapped(s, f) && (careless === NO_FLUSH || !isLate(s, f))

    interface Access {
      readonly asked: 'nothing' | 'access' | 'claim'
      readonly may: Bits
      readonly device: number
      readonly page: number
      readonly access: Bits
    }
    const accessOf = (s: Readonly<Access>): number => s.access.first ?? READ
    const begin = (
      s: Reach &
        Access & { asked: Access['asked']; may: Bits; mayRefuse: boolean; device: number; page: number; access: Bits },
      v: number,
      p: number,
      access: number,
    ): void => {
      s.asked = 'access'
      s.device = v
      s.page = p
      s.access = noBits.with(access)
      s.may = mayReach(s, v, p, access)
      s.mayRefuse = mayBeRefused(s, v, p, access)
    }
    /** Where the page leads in the domains of the device, without permission for the access. */
    const forbiddenIn = (s: Reach & Access): Bits => {
      let found = noBits
      for (const d of domainsOf(s, s.device)) {
        const mapping = s.map.at(cell(d, s.page))
        if (mapping.frame !== undefined && !s.may.has(mapping.frame)) found = found.with(mapping.frame)
      }
      return s.asked === 'access' ? found : noBits
    }
    /** Where it leads in other domains. */
    const foreignTo = (s: Reach & Access): Bits => {
      let found = noBits
      const own = domainsOf(s, s.device)
      for (let d = 0; d < domains; d++) {
        const { frame } = s.map.at(cell(d, s.page))
        if (frame !== undefined && !s.may.has(frame) && !own.includes(d)) found = found.with(frame)
      }
      return s.asked === 'access' ? found : noBits
    }
    /** Where it led before a flush. */
    const goneFor = (s: Reach & Access & { readonly gone: ReadonlyCells<Bits> }): Bits => {
      if (history === 0 || s.asked !== 'access') return noBits
      let found = noBits
      for (const d of domainsOf(s, s.device)) found = found.union(s.gone.at(cell(d, s.page)))
      return found.minus(s.may)
    }
    /** What may be used late is used no more. */
    const forget = (s: { readonly late: Cells<Late>; readonly gone: Cells<Bits> }, at: number): void => {
      const late = s.late.at(at)
      if (history === 1) s.gone.set(at, late.reads.union(late.writes))
      late.reads = late.writes = late.refusals = noBits
    }

    return machine({
      source: 'iospec 1',
      state: {
        /** Whose frame it is; undefined: nobody's. */
        owner: t.array(frame, t.maybe(domain)),
        /** Whose data a frame holds, and a device has read since it was reset. */
        taint: t.array(frame, several),
        held: t.array(device, several),
        attached: t.array(device, t.maybe(domain)),
        /** Domains that a device left, by which it may still be translated. */
        lateDomains: t.array(device, several),
        /** Devices that were attached or detached since their last flush. */
        unsettled: t.set(device),
        map: t.array(domains * pages, t.record({ frame: t.maybe(frame), right })),
        late: t.array(domains * pages, t.record({ reads: t.set(frame), writes: t.set(frame), refusals: accesses })),
        /** Frames that a page led to, and does not since the last flush that was about it. */
        gone: t.array(history === 1 ? domains * pages : 1, t.set(frame)),
        /** The access under way, the frames that it may reach, and whether it may be refused. */
        asked: t.oneOf('nothing', 'access', 'claim'),
        device,
        page,
        access: accesses,
        may: t.set(frame),
        mayRefuse: t.flag,
        /** The hypervisor broke a duty: what units owe holds on, what follows for VMs does not. */
        breached: t.flag,
      },
      breach: (s) => void (s.breached = true),
      unspecified: (s) => s.breached,
      actions: {
        'hypervisor.give': {
          does: 'Makes a frame the memory of a VM.',
          args: { frame, domain },
          weight: 6,
          when: (s, { frame, domain }) => s.asked === 'nothing' && s.owner.at(frame) !== domain,
          requires: {
            whenOutOfReach: { clause: clause('ISO-08'), holds: (s, { frame }) => isOutOfReach(s, frame) },
            whenCleared: {
              clause: clause('ISO-08'),
              holds: (s, { frame }) => careless === NO_CLEARING || s.taint.at(frame).isEmpty,
            },
          },
          effect(s, { frame, domain }) {
            s.owner.set(frame, domain)
            s.taint.set(frame, s.taint.at(frame).with(domain))
          },
        },
        'hypervisor.clear': {
          does: 'Takes a frame back and clears it.',
          args: { frame },
          weight: 2,
          when: (s, { frame }) => s.asked === 'nothing' && s.owner.at(frame) !== undefined,
          requires: {
            whenOutOfReach: { clause: clause('ISO-08'), holds: (s, { frame }) => isOutOfReach(s, frame) },
          },
          effect(s, { frame }) {
            s.owner.set(frame, undefined)
            s.taint.set(frame, noBits)
          },
        },
        'hypervisor.map': {
          does: 'Maps a page, with all that the unit needs to see a mapping where none was.',
          args: { domain, page, frame, right },
          weight: 14,
          when: (s, { domain, page, right }) =>
            s.asked === 'nothing' && rightsUsed(right) && s.map.at(cell(domain, page)).frame === undefined,
          requires: {
            itsOwnFrames: { clause: clause('ISO-10'), holds: (s, { domain, frame }) => s.owner.at(frame) === domain },
          },
          effect(s, { domain, page, frame, right }) {
            const mapping = s.map.at(cell(domain, page))
            mapping.frame = frame
            mapping.right = right
          },
        },
        'hypervisor.unmap': {
          does: 'Takes mappings of neighbouring pages away.',
          args: { domain, page, last: page },
          weight: 8,
          when: (s, { domain, page, last }) =>
            s.asked === 'nothing' && page <= last && s.map.at(cell(domain, page)).frame !== undefined,
          effect(s, { domain, page, last }) {
            for (let at = page; at <= last; at++) {
              const mapping = s.map.at(cell(domain, at))
              leave(s.late.at(cell(domain, at)), mapping)
              mapping.frame = undefined
              mapping.right = 'read'
            }
          },
        },
        'hypervisor.protect': {
          does: 'Changes what a mapping allows.',
          args: { domain, page, right },
          weight: 5,
          when(s, { domain, page, right }) {
            const mapping = s.map.at(cell(domain, page))
            return s.asked === 'nothing' && rightsUsed(right) && mapping.frame !== undefined && mapping.right !== right
          },
          effect(s, { domain, page, right }) {
            const mapping = s.map.at(cell(domain, page))
            leave(s.late.at(cell(domain, page)), mapping)
            mapping.right = right
          },
        },
        'hypervisor.flushPages': {
          does: 'Has the unit forget the translations of neighbouring pages of a domain, and waits until it has.',
          args: { domain, page, last: page },
          weight: 9,
          when: (s, { page, last }) => s.asked === 'nothing' && page <= last,
          effect(s, { domain, page, last }) {
            for (let at = page; at <= last; at++) forget(s, cell(domain, at))
          },
        },
        'hypervisor.flushDomain': {
          args: { domain },
          weight: 4,
          when: (s) => s.asked === 'nothing',
          effect(s, { domain }) {
            for (let at = 0; at < pages; at++) forget(s, cell(domain, at))
          },
        },
        'hypervisor.flushAll': {
          weight: 2,
          when: (s) => s.asked === 'nothing',
          effect(s) {
            for (let at = 0; at < domains * pages; at++) forget(s, at)
            s.lateDomains.fill(noBits)
            s.unsettled = noBits
          },
        },
        'hypervisor.flushDevice': {
          does: 'Has the unit forget in which domain a device was, and waits until it has.',
          args: { device },
          weight: 6,
          when: (s) => s.asked === 'nothing',
          effect(s, { device }) {
            s.lateDomains.set(device, noBits)
            s.unsettled = s.unsettled.without(device)
          },
        },
        'hypervisor.attach': {
          does: 'Puts a device into a domain.',
          args: { device, domain },
          weight: 8,
          when: (s, { device }) => s.asked === 'nothing' && s.attached.at(device) === undefined,
          requires: {
            whenFlushed: {
              clause: clause('ISO-09'),
              holds: (s, { device, domain }) =>
                careless === NO_DEVICE_FLUSH || noBits.with(domain).contains(s.lateDomains.at(device)),
            },
            whenReset: {
              clause: clause('ISO-09'),
              holds: (s, { device, domain }) =>
                careless === NO_RESET || noBits.with(domain).contains(s.held.at(device)),
            },
          },
          effect(s, { device, domain }) {
            s.attached.set(device, domain)
            s.unsettled = s.unsettled.with(device)
          },
        },
        'hypervisor.detach': {
          args: { device },
          weight: 3,
          when: (s, { device }) => s.asked === 'nothing' && s.attached.at(device) !== undefined,
          effect(s, { device }) {
            s.lateDomains.set(device, s.lateDomains.at(device).with(s.attached.at(device)!))
            s.attached.set(device, undefined)
            s.unsettled = s.unsettled.with(device)
          },
        },
        'hypervisor.move': {
          does: 'Puts a device that is in a domain into another one at a stroke, flushes the device, and resets it.',
          args: { device, domain },
          weight: 5,
          when(s, { device, domain }) {
            const now = s.attached.at(device)
            return s.asked === 'nothing' && now !== undefined && now !== domain
          },
          effect(s, { device, domain }) {
            s.attached.set(device, domain)
            s.lateDomains.set(device, noBits)
            s.unsettled = s.unsettled.without(device)
            s.held.set(device, noBits)
          },
        },
        'hypervisor.resetDevice': {
          args: { device },
          weight: 2,
          when: (s, { device }) =>
            s.asked === 'nothing' && s.attached.at(device) === undefined && !s.held.at(device).isEmpty,
          effect: (s, { device }) => void s.held.set(device, noBits),
        },
        'device.read': {
          does: 'Reads at an IOVA that a mapping may lead somewhere.',
          args: { device, page },
          weight: 26,
          when: (s, { device, page }) => s.asked === 'nothing' && !mayReach(s, device, page, READ).isEmpty,
          effect: (s, { device, page }) => begin(s, device, page, READ),
        },
        'device.write': {
          args: { device, page },
          weight: 26,
          when: (s, { device, page }) => s.asked === 'nothing' && !mayReach(s, device, page, WRITE).isEmpty,
          effect: (s, { device, page }) => begin(s, device, page, WRITE),
        },
        'device.probe': {
          does: 'Reads or writes where nothing is for it, as an errant device does, or one with a hostile guest.',
          args: { device, page, write: t.flag },
          weight: 12,
          when: (s, { device, page, write }) =>
            s.asked === 'nothing' && mayReach(s, device, page, write ? WRITE : READ).isEmpty,
          effect: (s, { device, page, write }) => begin(s, device, page, write ? WRITE : READ),
        },
        'device.claim': {
          does: 'Names a frame itself, and says that it had the address translated.',
          args: { device, frame, write: t.flag },
          weight: 2,
          when: (s) => claims === 1 && s.asked === 'nothing',
          effect(s, { device, write }) {
            s.asked = 'claim'
            s.device = device
            s.access = noBits.with(write ? WRITE : READ)
            s.may = noBits
            s.mayRefuse = true
          },
        },
        'iommu.answer': {
          does: 'The access reaches a frame at the offset that it has in its page, or nothing; or, as a frame too many, something else.',
          args: { frame: t.maybe(t.below(frames + 1)) },
          when: (s) => s.asked !== 'nothing',
          requires: {
            nothingForAClaim: {
              clause: clause('ISO-07'),
              safety: true,
              given: (s) => s.asked === 'claim',
              holds: (_s, { frame }) => frame === undefined,
            },
            nothingForADetachedDevice: {
              clause: clause('ISO-03'),
              safety: true,
              given: (s) => domainsOf(s, s.device).length === 0,
              holds: (_s, { frame }) => frame === undefined,
            },
            aFrame: {
              clause: clause('ISO-01'),
              safety: true,
              holds: (_s, { frame }) => frame !== ELSEWHERE,
            },
            withPermission: {
              clause: clause('ISO-04'),
              safety: true,
              given: (s) => !forbiddenIn(s).isEmpty,
              holds: (s, { frame }) => frame === undefined || !forbiddenIn(s).has(frame),
            },
            inItsDomain: {
              clause: clause('ISO-02'),
              safety: true,
              given: (s) => !foreignTo(s).isEmpty,
              holds: (s, { frame }) => frame === undefined || !foreignTo(s).has(frame),
            },
            untilItWasFlushed: {
              clause: clause('ISO-05'),
              safety: true,
              given: (s) => !goneFor(s).isEmpty,
              holds: (s, { frame }) => frame === undefined || !goneFor(s).has(frame),
            },
            whileMapped: {
              clause: clause('ISO-01'),
              safety: true,
              given: (s) => s.asked === 'access',
              holds: (s, { frame }) => frame === undefined || s.may.has(frame),
            },
            whereItIsMapped: {
              clause: clause('ISO-06'),
              safety: true,
              given: (s) => !s.mayRefuse,
              holds: (_s, { frame }) => frame !== undefined,
            },
          },
          effect(s, { frame }) {
            const isWrite = accessOf(s) === WRITE
            s.asked = 'nothing'
            s.may = noBits
            s.mayRefuse = false
            if (frame === undefined || frame === ELSEWHERE) return
            if (isWrite) {
              const writer = s.attached.at(s.device) ?? s.lateDomains.at(s.device).first
              const data = writer === undefined ? s.held.at(s.device) : s.held.at(s.device).with(writer)
              s.taint.set(frame, s.taint.at(frame).union(data))
            } else s.held.set(s.device, s.held.at(s.device).union(s.taint.at(frame)))
          },
          eager(s) {
            if (s.asked === 'nothing') return undefined
            return { frame: s.asked === 'claim' || s.mayRefuse ? undefined : s.may.first }
          },
        },
        'iommu.stall': {
          does: 'A flush does not come to its end.',
          requires: { flushesEnd: { clause: clause('ISO-12'), safety: true, holds: () => false } },
        },
        'iommu.stray': {
          does: 'Memory that no access was about changes.',
          requires: { onlyWhatIsAsked: { clause: clause('ISO-01'), safety: true, holds: () => false } },
        },
      },
      invariants: {
        aFrameHoldsWhatItsOwnerMayHave: {
          clause: clause('ISO-11'),
          holds: (s) =>
            s.taint.every((taint, f) => {
              const owner = s.owner.at(f)
              return (owner === undefined ? noBits : noBits.with(owner)).contains(taint)
            }),
        },
        aDeviceHasSeenWhatItsUserMaySee: {
          clause: clause('ISO-11'),
          holds: (s) =>
            s.held.every((held, v) => {
              const user = s.attached.at(v)
              return user === undefined || noBits.with(user).contains(held)
            }),
        },
      },
      goals: {
        aRead: { on: 'iommu.answer', when: (s, { frame }) => frame !== undefined && accessOf(s) === READ },
        aWrite: { on: 'iommu.answer', when: (s, { frame }) => frame !== undefined && accessOf(s) === WRITE },
        aReadOfAPageForWriting: {
          on: 'device.probe',
          when: (s, { device, page, write }) =>
            !write &&
            s.attached.at(device) !== undefined &&
            permits(s.map.at(cell(s.attached.at(device)!, page)), WRITE),
        },
        aFlushedPage: {
          on: 'hypervisor.flushPages',
          when: (s, { domain, page }) => !s.late.at(cell(domain, page)).reads.isEmpty,
        },
        anAccessInTheStaleWindow: {
          on: 'device.read',
          when: (s, { device, page }) => domainsOf(s, device).some((d) => !s.late.at(cell(d, page)).reads.isEmpty),
        },
        aFrameThatChangesHands: {
          on: 'hypervisor.clear',
          when: (s, { frame }) => s.taint.at(frame).size === 1,
        },
        aDeviceThatMoved: { on: 'hypervisor.move' },
        aDeviceThatReturns: {
          on: 'hypervisor.attach',
          when: (s, { device, domain }) => s.lateDomains.at(device).has(domain) || !s.held.at(device).isEmpty,
        },
      },
    })
  },
)
