/**
 * A virtio device behind an IOMMU: with ACCESS_PLATFORM every address that its driver gives it, of rings, of tables and of
 * buffers, is translated; without it addresses are GPAs.
 *
 * One queue, one request at a time, of one sector. Its buffer is two halves: neighbours in a page, or the end of one page
 * and the start of the next. Where each half went, or came from, is found in memory. Rings and header lie in pages of their
 * own, whose translations are always there while the device is attached.
 *
 * A driver whose buffer is not mapped for the access broke VIO-PLAT-03: the device may serve the request, fail it or want a
 * reset; it still reaches nothing that is not mapped.
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
const RIGHTS: readonly Right[] = ['both', 'read', 'write']
/** Members of a set of accesses. */
const READ = 0
const WRITE = 1
const ALLOWED: Readonly<Record<Right, readonly number[]>> = { read: [READ], write: [WRITE], both: [READ, WRITE] }
/** Of a buffer. */
const HALVES = 2

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

const permits = ({ frame, right }: Readonly<Mapping>, access: number): boolean =>
  frame !== undefined && ALLOWED[right].includes(access)

/** A mapping is gone or another: until it is flushed it may be used all the same, and what it refused be refused. */
const leave = (late: Late, old: Readonly<Mapping>): void => {
  if (old.frame === undefined) return
  if (permits(old, READ)) late.reads = late.reads.with(old.frame)
  if (permits(old, WRITE)) late.writes = late.writes.with(old.frame)
  for (const access of [READ, WRITE]) if (!permits(old, access)) late.refusals = late.refusals.with(access)
}

export const virtioBehindIommu = scoped(
  'virtio-behind-iommu',
  {
    /** One page, all rights. */
    explored: { pages: 1, frames: 2, rights: 3, holds: 1 },
    /** A buffer over the edge of two pages. */
    edge: { pages: 2, frames: 2, rights: 1, holds: 0 },
    played: { pages: 5, frames: 8, rights: 3, holds: 1 },
  },
  ({ pages, frames, rights, holds }) => {
    const page = t.below(pages)
    const frame = t.below(frames)
    const half = t.below(HALVES)
    /** Where data went that reached nothing that is watched, or lies where no half has it. */
    const ELSEWHERE = frames

    interface Reach {
      readonly phase: 'off' | 'starting' | 'ready' | 'asked'
      readonly translated: boolean
      readonly attached: boolean
      readonly doubtful: boolean
      readonly map: ReadonlyCells<Readonly<Mapping>>
      readonly late: ReadonlyCells<Readonly<Late>>
      readonly write: boolean
      readonly page: number
      readonly edge: boolean
    }
    const accessOf = (s: Reach): number => (s.write ? WRITE : READ)
    const pageOf = (s: Reach, h: number): number => (s.edge ? s.page + h : s.page)
    /** Frames that an access to a page may reach now. */
    const reach = (s: Reach, p: number, access: number): Bits => {
      if (!s.translated) return noBits.with(p)
      if (!s.attached) return noBits
      const { reads, writes } = s.late.at(p)
      const mapping = s.map.at(p)
      const late = access === READ ? reads : writes
      return permits(mapping, access) ? late.with(mapping.frame!) : late
    }
    const reachOf = (s: Reach, h: number): Bits => reach(s, pageOf(s, h), accessOf(s))
    const reachOfAll = (s: Reach): Bits => reachOf(s, 0).union(reachOf(s, 1))
    /** Every translation that the request needs is there, and nothing else may be held against it. */
    const isServable = (s: Reach, p: number, edge: boolean, access: number): boolean => {
      if (s.doubtful) return false
      if (!s.translated) return true
      for (let at = p; at <= (edge ? p + 1 : p); at++)
        if (!s.attached || !permits(s.map.at(at), access) || s.late.at(at).refusals.has(access)) return false
      return true
    }
    interface Request {
      phase: Reach['phase']
      write: boolean
      page: number
      edge: boolean
      may: Cells<Bits>
      sure: boolean
      held: boolean
    }
    const submit = (s: Reach & Request, write: boolean, p: number, edge: boolean, held: boolean): void => {
      s.phase = 'asked'
      s.held = held
      s.write = write
      s.page = p
      s.edge = edge
      s.sure = isServable(s, p, edge, write ? WRITE : READ)
      for (let h = 0; h < HALVES; h++) s.may.set(h, reachOf(s, h))
    }
    /** Mappings changed: what a request under way may reach, and whether it can still rely on them. */
    const changed = (s: Reach & Request): void => {
      if (s.phase !== 'asked') return
      s.sure &&= isServable(s, s.page, s.edge, accessOf(s))
      for (let h = 0; h < HALVES; h++) s.may.set(h, s.may.at(h).union(reachOf(s, h)))
    }
    /** Nothing is left of a request. */
    const close = (s: Request): void => {
      s.write = s.edge = s.sure = s.held = false
      s.page = 0
      s.may.fill(noBits)
    }
    const isFree = (s: Reach): boolean => s.phase !== 'starting'
    const forget = (late: Late): void => {
      late.reads = late.writes = late.refusals = noBits
    }

    return machine({
      source: 'iospec 1',
      state: {
        phase: t.oneOf('off', 'starting', 'ready', 'asked'),
        /** ACCESS_PLATFORM is accepted. */
        translated: t.flag,
        attached: t.flag,
        map: t.array(pages, t.record({ frame: t.maybe(frame), right })),
        late: t.array(pages, t.record({ reads: t.set(frames), writes: t.set(frames), refusals: t.set(2) })),
        /** The driver gave the device an address that it cannot use: until a reset it owes nothing. */
        doubtful: t.flag,
        /** The request: whether the device writes memory, and its buffer. */
        write: t.flag,
        page,
        edge: t.flag,
        /** Frames that each half may be found in, or come from. */
        may: t.array(HALVES, t.set(frames)),
        /** The device has all that it needs for the request. */
        sure: t.flag,
        /** What is behind the device keeps the request back. */
        held: t.flag,
      },
      initial(s) {
        s.attached = true
      },
      actions: {
        'driver.start': {
          does: 'Sets the device and its queue up, with ACCESS_PLATFORM or without, and with rings in one of two places.',
          args: { platform: t.flag, place: t.below(2) },
          weight: 40,
          when: (s) => s.phase === 'off',
          effect(s, { platform }) {
            s.phase = 'starting'
            s.translated = platform
            s.doubtful = false
            close(s)
          },
        },
        'device.answer': {
          does: 'Accepts the features, or not.',
          args: { accepted: t.flag },
          when: (s) => s.phase === 'starting',
          requires: {
            whatItOffered: {
              clause: clause('VIO-PLAT-01'),
              given: (s) => s.translated,
              holds: (_s, { accepted }) => accepted,
            },
          },
          effect(s, { accepted }) {
            s.phase = accepted ? 'ready' : 'off'
            s.doubtful = s.translated && !s.attached
          },
          eager: (s) => (s.phase === 'starting' ? { accepted: true } : undefined),
        },
        'driver.reset': {
          does: 'Resets the device, at any moment.',
          weight: 3,
          when: (s) => s.phase === 'ready' || s.phase === 'asked',
          effect: (s) => void (s.phase = 'off'),
        },
        'driver.recover': {
          does: 'Resets a device that owes nothing any more.',
          weight: 40,
          when: (s) => (s.phase === 'ready' && s.doubtful) || (s.phase === 'asked' && !s.sure),
          effect: (s) => void (s.phase = 'off'),
        },
        'driver.map': {
          does: 'Maps a page of buffers.',
          args: { page, frame, right },
          weight: 14,
          when: (s, { page, right }) =>
            isFree(s) && RIGHTS.indexOf(right) < rights && s.map.at(page).frame === undefined,
          effect(s, { page, frame, right }) {
            const mapping = s.map.at(page)
            mapping.frame = frame
            mapping.right = right
            changed(s)
          },
        },
        'driver.unmap': {
          args: { page },
          weight: 5,
          when: (s, { page }) => isFree(s) && s.map.at(page).frame !== undefined,
          effect(s, { page }) {
            const mapping = s.map.at(page)
            leave(s.late.at(page), mapping)
            mapping.frame = undefined
            mapping.right = 'read'
            changed(s)
          },
        },
        'driver.protect': {
          does: 'Changes what a mapping allows.',
          args: { page, right },
          weight: 5,
          when: (s, { page, right }) =>
            isFree(s) &&
            RIGHTS.indexOf(right) < rights &&
            s.map.at(page).frame !== undefined &&
            s.map.at(page).right !== right,
          effect(s, { page, right }) {
            const mapping = s.map.at(page)
            leave(s.late.at(page), mapping)
            mapping.right = right
            changed(s)
            // Some units change a mapping by taking it away and making it anew.
            for (let h = 0; h < HALVES; h++) if (pageOf(s, h) === page) s.sure &&= !s.translated
          },
        },
        'driver.flush': {
          does: 'Has the unit forget the translations of a page, and waits until it has.',
          args: { page },
          weight: 9,
          when: isFree,
          effect(s, { page }) {
            forget(s.late.at(page))
          },
        },
        'driver.flushAll': {
          weight: 3,
          when: isFree,
          effect(s) {
            for (let p = 0; p < pages; p++) forget(s.late.at(p))
          },
        },
        'driver.withdraw': {
          does: 'Takes a page away from the request under way, and flushes.',
          args: { half },
          weight: 30,
          when: (s, { half }) =>
            s.phase === 'asked' && s.held && s.translated && s.map.at(pageOf(s, half)).frame !== undefined,
          effect(s, { half }) {
            const at = pageOf(s, half)
            s.map.at(at).frame = undefined
            s.map.at(at).right = 'read'
            forget(s.late.at(at))
            changed(s)
          },
        },
        'driver.reuse': {
          does: 'Puts other data into a frame that the request under way can reach no more.',
          args: { frame },
          weight: 20,
          when: (s, { frame }) =>
            s.phase === 'asked' && !reachOfAll(s).has(frame) && (s.may.at(0).has(frame) || s.may.at(1).has(frame)),
          effect(s, { frame }) {
            for (let h = 0; h < HALVES; h++) s.may.set(h, s.may.at(h).without(frame))
          },
        },
        'driver.moveRing': {
          does: 'Moves a page of the rings to another frame: copies it, maps it anew, flushes.',
          args: { page: t.below(3) },
          weight: 5,
          when: (s) => s.phase === 'ready' && s.translated && s.attached && !s.doubtful,
        },
        'driver.detach': {
          does: 'Takes the device out of its domain, and flushes what the unit knows of it.',
          weight: 1,
          when: (s) => isFree(s) && s.attached,
          effect(s) {
            s.attached = false
            // Rings may be looked at at any time.
            if (s.phase === 'ready' || s.phase === 'asked') s.doubtful ||= s.translated
            changed(s)
          },
        },
        'driver.attach': {
          weight: 20,
          when: (s) => isFree(s) && !s.attached,
          effect(s) {
            s.attached = true
            changed(s)
          },
        },
        'driver.release': {
          does: 'What is behind the device goes on.',
          weight: 12,
          when: (s) => s.phase === 'asked' && s.held,
          effect: (s) => void (s.held = false),
        },
        'driver.submit': {
          does: 'Has a sector read (the device writes memory) or written, by a chain or an indirect table.',
          args: { write: t.flag, page, edge: t.flag, indirect: t.flag, held: t.flag },
          weight: 60,
          when: (s, { write, page, edge, held }) =>
            s.phase === 'ready' &&
            (!held || holds === 1) &&
            (!edge || page + 1 < pages) &&
            isServable(s, page, edge, write ? WRITE : READ),
          effect: (s, { write, page, edge, held }) => submit(s, write, page, edge, held),
        },
        'driver.probe': {
          does: 'The same with a buffer that is not mapped for it in all its pages, or not for sure.',
          args: { write: t.flag, page, edge: t.flag, indirect: t.flag, held: t.flag },
          weight: 8,
          when: (s, { write, page, edge, held }) =>
            s.phase === 'ready' &&
            (!held || holds === 1) &&
            (!edge || page + 1 < pages) &&
            !isServable(s, page, edge, write ? WRITE : READ),
          effect: (s, { write, page, edge, held }) => submit(s, write, page, edge, held),
        },
        'device.touch': {
          does: 'Reads or writes a frame of buffers.',
          args: { frame, write: t.flag },
          requires: {
            forARequest: {
              clause: clause('VIO-PLAT-01'),
              safety: true,
              holds: (s, { write }) => s.phase === 'asked' && s.write === write,
            },
            whileMapped: {
              clause: clause('VIO-PLAT-01'),
              safety: true,
              given: (s) => s.phase === 'asked' && s.translated,
              holds: (s, { frame }) => reachOfAll(s).has(frame),
            },
            byItsGpa: {
              clause: clause('VIO-PLAT-02'),
              safety: true,
              given: (s) => s.phase === 'asked' && !s.translated,
              holds: (s, { frame }) => reachOfAll(s).has(frame),
            },
          },
        },
        'device.move': {
          does: 'Data of a half are in a frame, or came from it; a frame too many: they are somewhere else.',
          args: { half, frame: t.below(frames + 1) },
          requires: {
            aFrame: { clause: clause('VIO-PLAT-01'), safety: true, holds: (_s, { frame }) => frame !== ELSEWHERE },
            whereItIsMapped: {
              clause: clause('VIO-PLAT-01'),
              safety: true,
              given: (s) => s.translated,
              holds: (s, { half, frame }) => frame === ELSEWHERE || s.may.at(half).has(frame),
            },
            byItsGpa: {
              clause: clause('VIO-PLAT-02'),
              safety: true,
              given: (s) => !s.translated,
              holds: (s, { half, frame }) => frame === ELSEWHERE || s.may.at(half).has(frame),
            },
          },
        },
        'device.finish': {
          does: 'Returns the request, as done or failed, with all of the data moved or not.',
          args: { done: t.flag, whole: t.flag },
          when: (s) => s.phase === 'asked',
          requires: {
            whatIsMappedIsReached: {
              clause: clause('VIO-PLAT-01'),
              given: (s) => s.sure && s.translated,
              holds: (_s, { done, whole }) => done && whole,
            },
            whatIsAGpaIsReached: {
              clause: clause('VIO-PLAT-02'),
              given: (s) => s.sure && !s.translated,
              holds: (_s, { done, whole }) => done && whole,
            },
          },
          effect(s) {
            s.phase = 'ready'
            s.doubtful ||= !s.sure
            close(s)
          },
          eager: (s) => (s.phase === 'asked' && s.sure && !s.held ? { done: true, whole: true } : undefined),
        },
        'device.stray': {
          does: 'Reads or writes what is neither ring nor buffer, or a ring in the wrong direction.',
          requires: { onlyWhatIsMapped: { clause: clause('VIO-PLAT-01'), safety: true, holds: () => false } },
        },
        'iommu.stall': {
          does: 'A flush does not come to its end.',
          requires: { flushesEnd: { clause: clause('ISO-12'), safety: true, holds: () => false } },
        },
      },
      owes: {
        'device.answer': { clause: clause('VIO-PLAT-01'), when: (s) => s.phase === 'starting' },
        'device.finish': { clause: clause('VIO-PLAT-01'), when: (s) => s.phase === 'asked' && s.sure && !s.held },
      },
      goals: {
        aWriteToMemory: { on: 'device.finish', when: (s, { done }) => done && s.sure && s.write },
        aReadFromMemory: { on: 'device.finish', when: (s, { done }) => done && s.sure && !s.write },
        aRequestByGpa: { on: 'device.finish', when: (s, { done }) => done && !s.translated },
        aRequestForASecondPageThatIsNotMapped: {
          on: 'driver.probe',
          when: (s, { page, edge, write }) =>
            edge &&
            s.attached &&
            permits(s.map.at(page), write ? WRITE : READ) &&
            s.map.at(page + 1).frame === undefined,
        },
        aWriteToWhatIsForReading: {
          on: 'driver.probe',
          when: (s, { page, write }) =>
            write && s.attached && s.map.at(page).right === 'read' && s.map.at(page).frame !== undefined,
        },
        aRequestInTheStaleWindow: {
          on: 'driver.probe',
          when: (s, { page, write }) =>
            !(write ? s.late.at(page).writes : s.late.at(page).reads).isEmpty && s.map.at(page).frame === undefined,
        },
        aFrameReusedUnderWay: { on: 'driver.reuse' },
        aRequestWithoutADomain: { on: 'driver.probe', when: (s) => !s.attached },
      },
    })
  },
)
