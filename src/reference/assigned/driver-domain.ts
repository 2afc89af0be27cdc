/**
 * A driver domain: its back end, the grant tables of the hypervisor, and the device, which keeps one block for each
 * client. One access to memory is one step; rings and grants are in memory, and everything else is plain data.
 */
import type { Space } from '../../contract/index.ts'
import {
  BLOCK_ANSWER,
  BLOCK_REQUEST,
  DRIVER_DOMAIN,
  DRIVER_DOMAIN_BASE,
  FRAMES_BASE,
  GRANT,
  LIFE,
  SHARED_PAGE,
} from '../../layout/driver-domain.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { BlockJob, BlockRequest, DriverDomainParts, ServedClient } from './driver-domain-parts.ts'

const FRAME_BYTES = 4096
const DWORD = 4

export interface DriverDomainSize {
  readonly clients: number
  /** Frames of each client. */
  readonly frames: number
  readonly slots: number
}

const HYPERVISOR = 'grants'
/** The ids under which a client is served: by the back end, and by the device. */
const backendId = (client: number): string => `backend${client}`
const diskId = (client: number): string => `disk${client}`

export class DriverDomain implements BoardPart {
  readonly describes: BoardPart['describes']
  readonly #services: BoardServices
  readonly #parts: DriverDomainParts
  readonly #size: DriverDomainSize
  #up = true
  #clients: ServedClient[] = []
  /** One block for each client, on the medium and as the domain last knew it. */
  #medium: number[] = []
  #cache: number[] = []
  #turn = 0

  constructor(services: BoardServices, parts: DriverDomainParts, size: DriverDomainSize) {
    this.#services = services
    this.#parts = parts
    this.#size = size
    const transport = { kind: 'chip', inputs: 0, base: DRIVER_DOMAIN_BASE } as const
    this.describes = [{ id: 'driver-domain', kind: 'driver-domain', transport, facts: { ...size } }]
    this.reset()
  }

  read(space: Space, address: number, width: number): number | undefined {
    const register = this.#register(space, address)
    if (register === undefined) return undefined
    return width === DWORD && register === DRIVER_DOMAIN.life ? (this.#up ? LIFE.RESTART : LIFE.CRASH) : 0
  }

  write(space: Space, address: number, width: number, value: number): boolean {
    const register = this.#register(space, address)
    if (register === undefined) return false
    if (width !== DWORD) return true
    if (register === DRIVER_DOMAIN.life) {
      if (value === LIFE.CRASH && this.#up) this.#crash()
      else if (value === LIFE.RESTART && !this.#up) this.#restart()
    } else {
      const client = this.#clients[(register - DRIVER_DOMAIN.kick) / DWORD]
      if (client !== undefined) client.kicked = true
    }
    return true
  }

  #register(space: Space, address: number): number | undefined {
    const at = address - DRIVER_DOMAIN_BASE
    return space === 'mmio' && at >= 0 && at < DRIVER_DOMAIN.bytes ? at : undefined
  }

  step(): boolean {
    for (let turn = 0; turn < this.#clients.length; turn++) {
      const client = (this.#turn + turn) % this.#clients.length
      if (!this.#serve(client)) continue
      this.#turn = (client + 1) % this.#clients.length
      return true
    }
    return false
  }

  /** One thing for one client; false: there is none. What the device was told before its domain died it may still do. */
  #serve(index: number): boolean {
    const client = this.#clients[index]!
    if (!this.#up) {
      const left = client.jobs.find(({ stage }) => stage === 'mapped')
      if (left !== undefined) this.#move(index, left)
      return left !== undefined
    }
    if (client.untold) {
      client.untold = false
      if (this.#parts.tells(client))
        this.#services.emit({ kind: 'msi', device: backendId(index), address: 0, data: index })
      return true
    }
    if (client.kicked) {
      this.#take(index, client)
      return true
    }
    const next = this.#parts.nextAnswer(client.jobs)
    // All are mapped, then one after the other is moved: several are under way together.
    const job =
      client.jobs.find(({ stage }) => stage === 'copied') ??
      client.jobs.find(({ stage }) => stage === 'mapped' || stage === 'moved')
    if (next >= 0) this.#answer(index, client, next)
    else if (job !== undefined) this.#advance(index, job)
    return next >= 0 || job !== undefined
  }

  /** Copies a request; the ring is looked at again after the last one. */
  #take(index: number, client: ServedClient): void {
    const published = this.#dword(backendId(index), this.#shared(index) + SHARED_PAGE.requestIndex)
    if (this.#parts.waiting(published, client.taking, this.#size.slots) === 0) {
      client.kicked = false
      return
    }
    const { grant, write } = this.#request(index, client.taking)
    client.jobs.push({ grant, write, stage: 'copied', gpa: 0, ok: false })
    client.taking = (client.taking + 1) >>> 0
    if (!this.#parts.looksAgain()) client.kicked = false
  }

  #request(index: number, at: number): BlockRequest {
    const from = this.#shared(index) + SHARED_PAGE.requests + SHARED_PAGE.requestBytes * (at % this.#size.slots)
    const view = this.#bytes(backendId(index), from, SHARED_PAGE.requestBytes)
    return {
      grant: view.getUint32(BLOCK_REQUEST.grant, true),
      write: view.getUint32(BLOCK_REQUEST.write, true) !== 0,
    }
  }

  #advance(index: number, job: BlockJob): void {
    switch (job.stage) {
      case 'copied':
        this.#map(index, job)
        break
      case 'mapped':
        this.#move(index, job)
        break
      case 'moved':
        this.#unmap(index, job)
        job.stage = 'done'
        break
      case 'done':
      case 'written':
    }
  }

  /** The hypervisor looks at the grant and counts the mapping. A reference past the table names nothing. */
  #map(index: number, job: BlockJob): void {
    job.stage = 'done'
    if (job.grant >= this.#size.frames) return
    const view = this.#bytes(HYPERVISOR, this.#grant(index, job.grant), SHARED_PAGE.grantBytes)
    const grant = { rights: view.getUint32(GRANT.rights, true), frame: view.getUint32(GRANT.frame, true) }
    if (!this.#parts.suffices(grant, job)) return
    job.stage = 'mapped'
    job.gpa = FRAMES_BASE + FRAME_BYTES * grant.frame
    this.#count(index, job.grant, 1)
  }
  #unmap(index: number, job: BlockJob): void {
    this.#count(index, job.grant, -1)
  }
  #count(index: number, grant: number, by: number): void {
    const at = this.#grant(index, grant) + GRANT.mapped
    this.#store(HYPERVISOR, at, this.#parts.count(this.#dword(HYPERVISOR, at), by))
  }

  /** The device moves a block. A frame that is no memory is refused by the bus. */
  #move(index: number, job: BlockJob): void {
    const at = (this.#clients[index]!.answering + this.#clients[index]!.jobs.indexOf(job)) >>> 0
    const command = this.#parts.commandOf(job, () => this.#request(index, at))
    const own = FRAMES_BASE + FRAME_BYTES * (index * this.#size.frames + command.grant)
    const gpa = command === job ? job.gpa : own
    const { memory } = this.#services
    job.stage = 'moved'
    if (command.write) {
      const data = memory.read(diskId(index), gpa, DWORD)
      if (data === undefined) return
      this.#cache[index] = new DataView(data.buffer, data.byteOffset).getUint32(0, true)
      if (this.#parts.keeps()) this.#medium[index] = this.#cache[index]!
    } else if (!this.#store(diskId(index), gpa, this.#cache[index]!)) return
    job.ok = true
  }

  /** The answer, then the index that makes it one. */
  #answer(index: number, client: ServedClient, next: number): void {
    const job = client.jobs[next]!
    const shared = this.#shared(index)
    if (job.stage === 'done') {
      const at = shared + SHARED_PAGE.answers + SHARED_PAGE.answerBytes * (client.answering % this.#size.slots)
      this.#store(backendId(index), at, this.#parts.statusOf(job) ? BLOCK_ANSWER.OK : BLOCK_ANSWER.ERROR)
      job.stage = 'written'
      return
    }
    client.answering = (client.answering + 1) >>> 0
    client.jobs.splice(next, 1)
    client.untold = true
    this.#store(backendId(index), shared + SHARED_PAGE.answerIndex, client.answering)
  }

  #crash(): void {
    this.#up = false
    if (!this.#parts.stops()) return
    for (const [index, client] of this.#clients.entries()) {
      for (const job of client.jobs) if (job.stage === 'mapped' || job.stage === 'moved') this.#unmap(index, job)
      client.jobs = []
    }
  }

  /** Nothing is known but what is on the rings and on the medium. */
  #restart(): void {
    this.#up = true
    this.#cache = [...this.#medium]
    for (const [index, client] of this.#clients.entries()) {
      const answers = this.#dword(backendId(index), this.#shared(index) + SHARED_PAGE.answerIndex)
      client.answering = answers
      client.taking = this.#parts.resumeAt(answers, client.taking)
      client.jobs = []
      client.kicked = true
      client.untold = true
    }
  }

  #shared(client: number): number {
    return SHARED_PAGE.base + SHARED_PAGE.stride * client
  }
  #grant(client: number, reference: number): number {
    return this.#shared(client) + SHARED_PAGE.grants + SHARED_PAGE.grantBytes * reference
  }
  #bytes(id: string, gpa: number, bytes: number): DataView {
    const data = this.#services.memory.read(id, gpa, bytes)!
    return new DataView(data.buffer, data.byteOffset, data.byteLength)
  }
  #dword(id: string, gpa: number): number {
    return this.#bytes(id, gpa, DWORD).getUint32(0, true)
  }
  #store(id: string, gpa: number, value: number): boolean {
    const data = new Uint8Array(DWORD)
    new DataView(data.buffer).setUint32(0, value, true)
    return this.#services.memory.write(id, gpa, data)
  }

  reset(): void {
    const { clients } = this.#size
    this.#up = true
    this.#turn = 0
    this.#medium = new Array<number>(clients).fill(0)
    this.#cache = [...this.#medium]
    this.#clients = Array.from({ length: clients }, () => ({
      kicked: false,
      taking: 0,
      answering: 0,
      jobs: [],
      untold: false,
    }))
  }
  save(): unknown {
    return { up: this.#up, turn: this.#turn, medium: this.#medium, cache: this.#cache, clients: this.#clients }
  }
  restore(state: unknown): void {
    const saved = state as { up: boolean; turn: number; medium: number[]; cache: number[]; clients: ServedClient[] }
    this.#up = saved.up
    this.#turn = saved.turn
    this.#medium = saved.medium
    this.#cache = saved.cache
    this.#clients = saved.clients
  }
}
