/** The driver-domain machine on a domain whose rings, grants and accesses are in memory that we see. */
import { driverDomain } from '../../../spec/dma/driver-domain.ts'
import type { Description, DeviceDescription, Gpa, Target, TargetEvent } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import {
  BLOCK_ANSWER,
  BLOCK_REQUEST,
  DRIVER_DOMAIN,
  FRAMES_BASE,
  GRANT,
  GRANT_RIGHTS,
  LIFE,
  SHARED_PAGE,
} from '../../layout/driver-domain.ts'
import { Guest, place } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'

const KIND = 'driver-domain'
const FRAME_BYTES = 4096
const RIGHTS = { none: GRANT_RIGHTS.NONE, read: GRANT_RIGHTS.READ, both: GRANT_RIGHTS.BOTH } as const

type Dma = Extract<TargetEvent, { kind: 'dma' }>

/** Arguments of all actions at once. */
type Performed = Readonly<Record<string, number>> & { readonly write: boolean; readonly right: keyof typeof RIGHTS }

/** What a client remembers of its ring; free-running. */
interface Ring {
  next: number
  /** Requests before this were read by the back end, since it came up. */
  taken: number
  answered: number
}

class DriverDomainSession implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #base: Gpa
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #frames: number
  readonly #slots: number
  readonly #versions: number
  readonly #rings: Ring[]

  constructor(target: Target, device: DeviceDescription, machine: Machine, sink: Sink) {
    const { transport } = device
    if (transport.kind !== 'chip' || transport.base === undefined)
      throw new ModelError(`${device.id}: expected a device with the base of its registers`)
    const { clients = 1, frames = 1, slots = 1, versions = 1 } = machine.scope
    this.device = device.id
    this.#guest = new Guest(target)
    this.#base = transport.base
    this.#machine = machine
    this.#sink = sink
    this.#frames = frames
    this.#slots = slots
    this.#versions = versions
    this.#rings = Array.from({ length: clients }, () => ({ next: 0, taken: 0, answered: 0 }))
  }

  start(): void {
    const { target } = this.#guest
    target.reset('system')
    for (const [client, ring] of this.#rings.entries()) {
      ring.next = ring.taken = ring.answered = 0
      for (let grant = 0; grant < this.#frames; grant++)
        this.#guest.store32(this.#grant(client, grant) + GRANT.frame, client * this.#frames + grant)
    }
    target.events()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of a client or of the domain`)
    perform(args as Performed)
  }

  readonly #performers: Readonly<Record<string, (args: Performed) => void>> = {
    'guest.fill': ({ frame, version }) => this.#guest.store32(FRAMES_BASE + FRAME_BYTES * frame!, version!),
    'guest.grant': ({ frame, right }) => this.#guest.store32(this.#grantOf(frame!) + GRANT.rights, RIGHTS[right]),
    'guest.revoke': ({ frame }) => this.#revoke(frame!),
    'guest.withdraw': ({ frame }) => this.#revoke(frame!),
    'guest.submit': ({ client, grant, write }) => this.#submit(client!, grant!, write),
    'guest.submitBadly': ({ client, grant, write }) => this.#submit(client!, grant!, write),
    'guest.rewrite': ({ client, back, grant, write }) =>
      this.#writeRequest(client!, this.#rings[client!]!.answered + back!, grant!, write),
    // Answers were looked at as they came.
    'guest.collect': () => {},
    'driver.crash': () => {
      this.#guest.write32(place('mmio', this.#base + DRIVER_DOMAIN.life), LIFE.CRASH)
      for (const ring of this.#rings) ring.taken = ring.answered
    },
    'driver.restart': () => this.#guest.write32(place('mmio', this.#base + DRIVER_DOMAIN.life), LIFE.RESTART),
  }

  collect(): void {
    for (const event of this.#guest.target.events()) {
      if (event.kind === 'dma') this.#tellAccess(event)
      else if (event.kind === 'fault') this.#tell('device.stray', {}, event.iova)
      else if (event.kind === 'msi') this.#tell('backend.notify', { client: event.data })
    }
  }

  move(target: Target): void {
    this.#guest.target = target
  }

  remembers(): string {
    return notesOf([this.#rings])
  }

  #tellAccess(event: Dma): void {
    const [, who, number] = /^(backend|disk)(\d+)$/.exec(event.device) ?? []
    const client = Number(number)
    if (who === 'disk') this.#tellMove(client, event)
    else if (who === 'backend') this.#tellRing(client, event)
  }

  /** Data that nobody wrote are told as those that the frame had: they are nowhere else. */
  #tellMove(client: number, { access, gpa, data }: Dma): void {
    const frame = Math.floor((gpa - FRAMES_BASE) / FRAME_BYTES)
    if (frame < 0 || frame >= this.#rings.length * this.#frames) {
      this.#tell('device.stray', {}, `0x${gpa.toString(16)}`)
      return
    }
    if (access === 'read') this.#tell('device.read', { client, frame })
    else {
      const version = new DataView(data.buffer, data.byteOffset).getUint32(0, true) % this.#versions
      this.#tell('device.write', { client, frame, version })
    }
  }

  #tellRing(client: number, { access, gpa, data }: Dma): void {
    const ring = this.#rings[client]!
    const at = gpa - this.#shared(client)
    if (access === 'write') {
      if (at !== SHARED_PAGE.answerIndex) return
      const answered = new DataView(data.buffer, data.byteOffset).getUint32(0, true)
      // An index that does not move by one is no answer, or several.
      for (let steps = (answered - ring.answered) >>> 0; steps > 0 && steps <= this.#slots; steps--) {
        const slot = ring.answered % this.#slots
        const status = this.#guest.load32(this.#shared(client) + SHARED_PAGE.answers + SHARED_PAGE.answerBytes * slot)
        ring.answered++
        this.#tell('backend.answer', { client, ok: status === BLOCK_ANSWER.OK })
      }
      return
    }
    const isRequest = at >= SHARED_PAGE.requests && at < SHARED_PAGE.requests + SHARED_PAGE.requestBytes * this.#slots
    if (!isRequest) return
    const slot = (at - SHARED_PAGE.requests) / SHARED_PAGE.requestBytes
    if (slot === ring.taken % this.#slots && ring.taken < ring.next) {
      ring.taken++
      this.#tell('backend.take', { client })
    } else this.#tell('backend.look', { client })
  }

  #revoke(frame: number): void {
    const at = this.#grantOf(frame)
    const free = this.#guest.load32(at + GRANT.mapped) === 0
    if (free) this.#guest.store32(at + GRANT.rights, GRANT_RIGHTS.NONE)
    this.#tell('hypervisor.release', { free })
  }

  #submit(client: number, grant: number, write: boolean): void {
    const ring = this.#rings[client]!
    this.#writeRequest(client, ring.next, grant, write)
    ring.next++
    this.#guest.store32(this.#shared(client) + SHARED_PAGE.requestIndex, ring.next)
    this.#guest.write32(place('mmio', this.#base + DRIVER_DOMAIN.kick + 4 * client), 1)
  }

  #writeRequest(client: number, index: number, grant: number, write: boolean): void {
    const at = this.#shared(client) + SHARED_PAGE.requests + SHARED_PAGE.requestBytes * (index % this.#slots)
    this.#guest.store32(at + BLOCK_REQUEST.grant, grant)
    this.#guest.store32(at + BLOCK_REQUEST.write, write ? 1 : 0)
  }

  #shared(client: number): Gpa {
    return SHARED_PAGE.base + SHARED_PAGE.stride * client
  }
  #grant(client: number, reference: number): Gpa {
    return this.#shared(client) + SHARED_PAGE.grants + SHARED_PAGE.grantBytes * reference
  }
  #grantOf(frame: number): Gpa {
    return this.#grant(Math.floor(frame / this.#frames), frame % this.#frames)
  }

  #tell(name: string, args: Args, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

const domainOf = ({ devices }: Description): DeviceDescription | undefined => devices.find(({ kind }) => kind === KIND)

export const driverDomainModel: Model = {
  machine: driverDomain,
  played: ['guest', 'driver'],
  notApplicable(target) {
    if (domainOf(target) === undefined) return 'it has no driver domain that can be killed'
    return target.observes.dma === 'exact' ? undefined : 'it does not show what its device and its back end touch'
  },
  scope(target) {
    const { clients, frames, slots } = domainOf(target)?.facts ?? {}
    return { scope: 'played', bounds: { clients: Number(clients), frames: Number(frames), slots: Number(slots) } }
  },
  open: (target, machine, sink) => new DriverDomainSession(target, domainOf(target.describe())!, machine, sink),
}
