/**
 * A driver domain: one VM owns the device and serves others. A client grants frames, revocably, and puts requests on a
 * ring that it shares; the back end in the driver domain copies a request, maps what it names, has the device move it,
 * and answers. The domain may crash at any moment and come back.
 *
 * Each request ends once, as success or error; what was acknowledged is kept; the device touches nothing but what the
 * client of the request has granted, then; and what one client does is no other's harm. The medium holds one block of
 * each client.
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

/** What a client lets the device do with a frame. */
const rights = t.oneOf('none', 'read', 'both')

/** What the driver domain and its hypervisor may lack, to show what it is for. */
const NO_SNAPSHOT = 1
const NO_STOP = 2
const NO_COUNT = 3

interface Request {
  grant: number
  write: boolean
}
interface Slot extends Request {
  stage: 'free' | 'submitted' | 'taken' | 'answered'
  frame: number | undefined
  into: boolean
  sure: boolean
  moved: number | undefined
}

export const driverDomain = scoped(
  'driver-domain',
  {
    /** One client whose requests are cut off at any point. */
    explored: { clients: 1, frames: 1, slots: 1, versions: 2, crashes: 1, careless: 0 },
    /** Two requests at once. */
    ring: { clients: 1, frames: 1, slots: 2, versions: 1, crashes: 1, careless: 0 },
    /** Two clients. */
    clients: { clients: 2, frames: 1, slots: 1, versions: 1, crashes: 0, careless: 0 },
    'without-snapshot': { clients: 2, frames: 1, slots: 1, versions: 1, crashes: 0, careless: 1 },
    'without-stop': { clients: 1, frames: 1, slots: 1, versions: 1, crashes: 1, careless: 2 },
    'without-count': { clients: 1, frames: 1, slots: 1, versions: 1, crashes: 1, careless: 3 },
    played: { clients: 3, frames: 3, slots: 4, versions: 16, crashes: 1, careless: 0 },
  },
  ({ clients, frames, slots, versions, crashes, careless }) => {
    const client = t.id('client', clients)
    /** A frame of some client; a grant reference names one of the client's own, or, the last one, nothing. */
    const frame = t.id('frame', clients * frames)
    const grant = t.below(frames + 1)
    const version = t.below(versions)
    const ringIndex = t.mod(Math.max(2, slots * 2))
    const cell = (c: number, index: number): number => c * slots + (index % slots)
    const ownerOf = (f: number): number => Math.floor(f / frames)
    const frameOf = (c: number, g: number): number | undefined => (g < frames ? c * frames + g : undefined)

    interface Rings {
      readonly slot: ReadonlyCells<Readonly<Slot>>
      readonly next: ReadonlyCells<number>
      readonly taking: ReadonlyCells<number>
      readonly answering: ReadonlyCells<number>
      readonly up: boolean
    }
    const canTake = (s: Rings, c: number): boolean =>
      s.up && s.slot.at(cell(c, s.taking.at(c))).stage === 'submitted' && s.taking.at(c) !== s.next.at(c)
    /** The oldest request that has no answer. */
    const eldest = (s: Rings, c: number): Readonly<Slot> => s.slot.at(cell(c, s.answering.at(c)))
    const canAnswer = (s: Rings, c: number): boolean => s.up && eldest(s, c).stage === 'taken'
    /** A request under way of this client that is for the frame, in this direction. */
    const isFor = (s: Rings, c: number, f: number, into: boolean): boolean =>
      s.slot.some(
        (one, at) => Math.floor(at / slots) === c && one.stage === 'taken' && one.frame === f && one.into === into,
      )
    const suffices = (granted: 'none' | 'read' | 'both', into: boolean): boolean =>
      into ? granted === 'both' : granted !== 'none'
    /** Nobody stopped the device when the domain died. */
    const isLeft = (s: Rings, f: number): boolean =>
      careless === NO_STOP && !s.up && s.slot.some((one) => one.frame === f)
    /** A domain that lacks something holds what it once checked to be so for ever. */
    const wasChecked = (s: Rings, f: number): boolean =>
      careless > 0 && s.slot.some((one) => one.frame === f && one.sure)
    const isUsed = (s: Rings, f: number): boolean => s.slot.some((one) => one.stage === 'taken' && one.frame === f)
    /** What the medium may hold for a client once a request of it is over, or was cut off. */
    const settle = (
      s: { readonly slot: Cells<Slot>; readonly medium: Cells<Bits> },
      c: number,
      at: number,
      isOk: boolean,
    ): void => {
      const one = s.slot.at(at)
      if (one.into || one.moved === undefined) return
      const before = s.medium.at(c)
      s.medium.set(c, isOk ? noBits.with(one.moved) : before.with(one.moved))
      if (!isOk) return
      for (let other = 0; other < slots; other++) {
        const beside = s.slot.at(c * slots + other)
        if (c * slots + other !== at && beside.stage === 'taken' && !beside.into && beside.moved !== undefined)
          s.medium.set(c, s.medium.at(c).with(beside.moved))
      }
    }
    /** The device has yet to move it, and nothing stands against that. */
    const isDue = (one: Readonly<Slot>, into: boolean): boolean =>
      one.stage === 'taken' && one.sure && one.into === into && one.moved === undefined
    const hasRoom = (s: Rings, c: number): boolean => s.slot.at(cell(c, s.next.at(c))).stage === 'free'
    const isGranted = (
      s: { readonly granted: ReadonlyCells<'none' | 'read' | 'both'> },
      c: number,
      g: number,
      into: boolean,
    ): boolean => {
      const f = frameOf(c, g)
      return f !== undefined && suffices(s.granted.at(f), into)
    }
    const submit = (
      s: { readonly slot: Cells<Slot>; readonly next: Cells<number> },
      c: number,
      g: number,
      write: boolean,
    ): void => {
      const one = s.slot.at(cell(c, s.next.at(c)))
      one.stage = 'submitted'
      one.grant = g
      one.write = write
      s.next.set(c, s.next.at(c) + 1)
    }
    /** What moved is told of the oldest request that it can be for: which of several equal ones it was does not matter. */
    const movedFor = (
      s: { readonly slot: Cells<Slot>; readonly answering: ReadonlyCells<number> },
      c: number,
      f: number,
      into: boolean,
      what: number,
    ): void => {
      for (let back = 0; back < slots; back++) {
        const one = s.slot.at(cell(c, s.answering.at(c) + back))
        if (one.stage !== 'taken' || one.frame !== f || one.into !== into || one.moved !== undefined) continue
        one.moved = what
        return
      }
    }
    const clear = (one: Slot): void => {
      one.frame = one.moved = undefined
      one.into = one.sure = false
    }

    return machine({
      source: 'iospec 1',
      state: {
        /** What each frame holds, and what its client lets the device do with it. */
        data: t.array(frame, version),
        granted: t.array(frame, rights),
        /** What the medium holds for each client; several, where a request was cut off. */
        medium: t.array(client, t.set(versions)),
        up: t.flag,
        /** Requests, as they stand on the ring; of one that was taken, what the back end has a copy of. */
        slot: t.array(
          clients * slots,
          t.record({
            stage: t.oneOf('free', 'submitted', 'taken', 'answered'),
            grant,
            write: t.flag,
            /** The copy: its frame, whether the device writes into it, whether nothing stands against it, what moved. */
            frame: t.maybe(frame),
            into: t.flag,
            sure: t.flag,
            moved: t.maybe(version),
          }),
        ),
        /** Where the client puts its next request, where the back end takes one, where it answers one. */
        next: t.array(client, ringIndex),
        taking: t.array(client, ringIndex),
        answering: t.array(client, ringIndex),
        /** Clients that have yet to be told of an answer. */
        untold: t.set(client),
        asked: t.maybe(frame),
        harmed: t.flag,
      },
      initial(s) {
        s.up = true
        for (let c = 0; c < clients; c++) s.medium.set(c, noBits.with(0))
      },
      actions: {
        'guest.fill': {
          does: 'Writes other data into a frame of its own.',
          args: { frame, version },
          weight: 6,
          when: (s, { frame, version }) => s.data.at(frame) !== version && !isUsed(s, frame),
          effect: (s, { frame, version }) => void s.data.set(frame, version),
        },
        'guest.grant': {
          does: 'Lets the driver domain have a frame, for reading or for both.',
          args: { frame, right: rights },
          weight: 8,
          when: (s, { frame, right }) => s.granted.at(frame) === 'none' && right !== 'none' && s.asked === undefined,
          effect: (s, { frame, right }) => void s.granted.set(frame, right),
        },
        'guest.revoke': {
          does: 'Wants a grant back, and looks whether it is in use.',
          args: { frame },
          weight: 3,
          when: (s, { frame }) => s.granted.at(frame) !== 'none' && s.asked === undefined && !isUsed(s, frame),
          effect: (s, { frame }) => void (s.asked = frame),
        },
        'guest.withdraw': {
          does: 'Wants a grant back while a request uses it.',
          args: { frame },
          weight: 50,
          when: (s, { frame }) => s.granted.at(frame) !== 'none' && s.asked === undefined && isUsed(s, frame),
          effect: (s, { frame }) => void (s.asked = frame),
        },
        'hypervisor.release': {
          does: 'Shows the grant as in use, or as free: then the client has it back.',
          args: { free: t.flag },
          when: (s) => s.asked !== undefined,
          requires: {
            whenNobodyUsesIt: {
              clause: clause('GNT-05'),
              given: (s) => s.asked !== undefined && !s.slot.some((one) => one.stage === 'taken'),
              holds: (_s, { free }) => free,
            },
          },
          effect(s, { free }) {
            const frame = s.asked
            s.asked = undefined
            if (!free || frame === undefined) return
            s.granted.set(frame, 'none')
            for (let at = 0; at < clients * slots; at++)
              if (s.slot.at(at).frame === frame && careless === 0) s.slot.at(at).sure = false
          },
          eager: (s) => (s.asked === undefined ? undefined : { free: careless === NO_COUNT || !isUsed(s, s.asked) }),
        },
        'guest.submit': {
          does: 'Puts a request on its ring: to write the frame of a grant to the medium, or to read the medium into it.',
          args: { client, grant, write: t.flag },
          weight: 24,
          when: (s, { client, grant, write }) => hasRoom(s, client) && isGranted(s, client, grant, !write),
          effect: (s, { client, grant, write }) => submit(s, client, grant, write),
        },
        'guest.submitBadly': {
          does: 'The same, with a reference that does not allow it.',
          args: { client, grant, write: t.flag },
          weight: 4,
          when: (s, { client, grant, write }) => hasRoom(s, client) && !isGranted(s, client, grant, !write),
          effect: (s, { client, grant, write }) => submit(s, client, grant, write),
        },
        'guest.rewrite': {
          does: 'Changes a request that it has submitted.',
          args: { client, back: t.below(slots), grant, write: t.flag },
          weight: 5,
          when(s, { client, back, grant, write }) {
            const one = s.slot.at(cell(client, s.answering.at(client) + back))
            return (one.stage === 'submitted' || one.stage === 'taken') && (one.grant !== grant || one.write !== write)
          },
          effect(s, { client, back, grant, write }) {
            const one = s.slot.at(cell(client, s.answering.at(client) + back))
            one.grant = grant
            one.write = write
            if (careless !== NO_SNAPSHOT || one.stage !== 'taken') return
            // Looked at again, and checked no more: a reference that the client has not got is a frame by number.
            one.frame = grant < frames ? client * frames + grant : (client + 1) % clients
            one.into = !write
          },
        },
        'guest.collect': {
          does: 'Takes its answers off the ring.',
          args: { client },
          weight: 10,
          when: (s, { client }) =>
            s.slot.some((one, at) => Math.floor(at / slots) === client && one.stage === 'answered'),
          effect(s, { client }) {
            for (let at = client * slots; at < (client + 1) * slots; at++)
              if (s.slot.at(at).stage === 'answered') s.slot.at(at).stage = 'free'
          },
        },
        'backend.take': {
          does: 'Copies the next request of a client. What it names is mapped, if it may be.',
          args: { client },
          requires: {
            aRequest: { clause: clause('XRING-03'), holds: (s, { client }) => canTake(s, client) },
          },
          effect(s, { client }) {
            const at = cell(client, s.taking.at(client))
            const one = s.slot.at(at)
            const frame = frameOf(client, one.grant)
            one.stage = 'taken'
            one.frame = frame
            one.into = !one.write
            one.moved = undefined
            one.sure = frame !== undefined && suffices(s.granted.at(frame), one.into)
            s.taking.set(client, s.taking.at(client) + 1)
          },
          eager(s) {
            for (let c = 0; c < clients; c++) if (canTake(s, c)) return { client: c }
            return undefined
          },
        },
        'backend.look': {
          does: 'Reads a request that it has a copy of; what it finds there counts for nothing.',
          args: { client },
        },
        'device.read': {
          does: 'Reads a frame, for a request of a client that writes it to the medium.',
          args: { client, frame },
          requires: {
            whileTheDomainLives: {
              clause: clause('ASG-11'),
              holds: (s) => s.up || careless === NO_STOP,
            },
            ofARequest: {
              clause: clause('ASG-08'),
              holds: (s, { client, frame }) => isFor(s, client, frame, false) || isLeft(s, frame),
            },
            whileGranted: {
              clause: clause('GNT-01'),
              holds: (s, { frame }) => suffices(s.granted.at(frame), false) || wasChecked(s, frame),
            },
          },
          effect(s, { client, frame }) {
            s.harmed ||= s.granted.at(frame) === 'none' || ownerOf(frame) !== client
            movedFor(s, client, frame, false, s.data.at(frame))
          },
          eager(s) {
            for (let at = 0; at < clients * slots; at++) {
              const { stage, frame, into, sure, moved } = s.slot.at(at)
              if (s.up && stage === 'taken' && frame !== undefined && sure && !into && moved === undefined)
                return { client: Math.floor(at / slots), frame }
            }
            return undefined
          },
        },
        'device.write': {
          does: 'Writes what the medium holds into a frame, for a request of a client.',
          args: { client, frame, version },
          requires: {
            whileTheDomainLives: { clause: clause('ASG-11'), holds: (s) => s.up },
            ofARequest: {
              clause: clause('ASG-08'),
              holds: (s, { client, frame }) => isFor(s, client, frame, true),
            },
            whileGranted: {
              clause: clause('GNT-01'),
              holds: (s, { frame }) => suffices(s.granted.at(frame), true) || wasChecked(s, frame),
            },
            whatWasKept: {
              clause: clause('ASG-12'),
              holds: (s, { client, version }) =>
                s.medium.at(client).has(version) ||
                s.slot.some(
                  (one, at) =>
                    Math.floor(at / slots) === client && one.stage === 'taken' && !one.into && one.moved === version,
                ),
            },
          },
          effect(s, { client, frame, version }) {
            s.harmed ||= s.granted.at(frame) !== 'both' || ownerOf(frame) !== client
            s.data.set(frame, version)
            movedFor(s, client, frame, true, version)
          },
          eager(s) {
            for (let at = 0; at < clients * slots; at++) {
              const { stage, frame, into, sure, moved } = s.slot.at(at)
              const client = Math.floor(at / slots)
              const version = s.medium.at(client).first
              if (s.up && stage === 'taken' && frame !== undefined && sure && into && moved === undefined)
                return { client, frame, version: version ?? 0 }
            }
            return undefined
          },
        },
        'device.stray': {
          does: 'Touches memory that is no frame of a client.',
          requires: { neverElsewhere: { clause: clause('ASG-08'), holds: () => false } },
        },
        'backend.answer': {
          does: 'Tells a client how its oldest request without an answer ended.',
          args: { client, ok: t.flag },
          requires: {
            aRequestThatItHas: { clause: clause('ASG-08'), holds: (s, { client }) => canAnswer(s, client) },
            okWhenDone: {
              clause: clause('ASG-12'),
              given: (_s, { ok }) => ok,
              holds: (s, { client }) => eldest(s, client).moved !== undefined,
            },
            errorWhenSomethingWasWrong: {
              clause: clause('ASG-13'),
              given: (s, { client }) => canAnswer(s, client) && eldest(s, client).sure,
              holds: (_s, { ok }) => ok,
            },
          },
          effect(s, { client, ok }) {
            const at = cell(client, s.answering.at(client))
            const one = s.slot.at(at)
            settle(s, client, at, ok)
            one.stage = 'answered'
            clear(one)
            s.answering.set(client, s.answering.at(client) + 1)
            s.untold = s.untold.with(client)
          },
          eager(s) {
            for (let c = 0; c < clients; c++) {
              if (!canAnswer(s, c)) continue
              const { moved, sure } = eldest(s, c)
              if (moved !== undefined || !sure) return { client: c, ok: moved !== undefined }
            }
            return undefined
          },
        },
        'backend.notify': {
          does: 'Tells a client that there is an answer. More often than needed is no harm.',
          args: { client },
          effect: (s, { client }) => void (s.untold = s.untold.without(client)),
          eager(s) {
            const client = s.untold.first
            return s.up && client !== undefined ? { client } : undefined
          },
        },
        'driver.crash': {
          does: 'The driver domain dies. What it had mapped it has no more; what it knew is gone.',
          weight: 3,
          when: (s) => crashes === 1 && s.up,
          effect(s) {
            s.up = false
            for (let c = 0; c < clients; c++) {
              for (let at = c * slots; at < (c + 1) * slots; at++) {
                const one = s.slot.at(at)
                if (one.stage !== 'taken') continue
                settle(s, c, at, false)
                one.stage = 'submitted'
                if (careless !== NO_STOP) clear(one)
              }
              s.taking.set(c, s.answering.at(c))
            }
          },
        },
        'driver.restart': {
          does: 'The driver domain comes back, and finds the rings as they are.',
          weight: 30,
          when: (s) => !s.up,
          effect: (s) => void (s.up = true),
        },
      },
      owes: {
        'backend.take': {
          clause: clause('ASG-13'),
          when: (s) => s.slot.some((one, at) => one.stage === 'submitted' && canTake(s, Math.floor(at / slots))),
        },
        'device.read': { clause: clause('ASG-13'), when: (s) => s.up && s.slot.some((one) => isDue(one, false)) },
        'device.write': { clause: clause('ASG-13'), when: (s) => s.up && s.slot.some((one) => isDue(one, true)) },
        'backend.answer': {
          clause: clause('ASG-13'),
          when: (s) => s.up && s.slot.some((one) => one.stage === 'taken'),
        },
        'backend.notify': { clause: clause('XRING-01'), when: (s) => s.up && !s.untold.isEmpty },
        'hypervisor.release': { clause: clause('GNT-05'), when: (s) => s.asked !== undefined },
      },
      invariants: {
        nobodyIsHarmed: { clause: clause('ASG-08'), holds: (s) => !s.harmed },
      },
      goals: {
        aBlockWrittenAndKept: {
          on: 'backend.answer',
          when: (s, { client, ok }) => ok && !eldest(s, client).into,
        },
        aBlockRead: { on: 'backend.answer', when: (s, { client, ok }) => ok && eldest(s, client).into },
        aRefusedRequest: { on: 'backend.answer', when: (_s, { ok }) => !ok },
        aCrashWithARequestUnderWay: { on: 'driver.crash', when: (s) => s.slot.some((one) => one.stage === 'taken') },
        aRequestChangedAfterItWasTaken: {
          on: 'guest.rewrite',
          when: (s, { client, back }) => s.slot.at(cell(client, s.answering.at(client) + back)).stage === 'taken',
        },
        aGrantAskedBackWhileUsed: { on: 'guest.withdraw' },
      },
    })
  },
)
