/**
 * A hypervisor that gives devices to VMs, with an IOMMU between them and memory: who has which device, what its address
 * space maps, resets between owners. It takes requests by registers and answers into memory; one thing at a time is one step.
 */
import type { Space } from '../../contract/index.ts'
import { ANSWERED, ASSIGN, ASSIGN_BASE, ASSIGNED_MEMORY, MAILBOX, RESET, TASK, WANT } from '../../layout/dma-device.ts'
import { VTD_BASE } from '../../layout/vtd.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import { Domains, type Mapping } from '../iommu/domains.ts'
import type { Vtd } from '../iommu/vtd.ts'
import type { AssignmentParts, Declared, DeviceView, Stage } from './assignment-parts.ts'
import type { DmaDevice, DmaDeviceState } from './dma-device.ts'

const PAGE_BYTES = 4096
const ID = 'hypervisor'
const ARENA = { page: 0x10, pages: 0x60 }
const LARGE_PAGES = ASSIGNED_MEMORY.largeBytes / PAGE_BYTES
/** The unit gets one turn in so many. */
const TURNS = 6

export interface AssignmentSize {
  readonly vms: number
  /** Single pages of a VM; the first one holds commands. One more page is large. */
  readonly pages: number
  readonly frames: number
  readonly regions: number
}

/** A device by its place, and what is special about it. */
export interface Seat {
  readonly device: DmaDevice
  /** Devices that the unit cannot tell apart are in one group. */
  readonly group: number
  readonly declared: readonly Declared[]
}

interface Vm {
  /** The address space; made when it is first needed. */
  domain: number
  /** By page: frame or region, or -1. */
  homes: number[]
  want: 'nothing' | 'release' | 'populate' | 'pair'
  page: number
  /** Of the invalidation that a release waits for; 0: none. */
  ticket: number
}

interface Device {
  owner: number
  /** A reset that somebody asked for; of the bus: all that it reaches. */
  resetting: 'no' | 'asked' | 'begun'
}

interface State {
  vms: Vm[]
  devices: Device[]
  task: { kind: 'nothing' | 'assign' | 'unassign' | 'destroy'; device: number; vm: number }
  about: number[]
  /** Stages of the task that are left, for each device that it is about. */
  left: { device: number; stage: Stage; begun: boolean }[]
  taken: boolean
  hostDomain: number
  random: number
}

export class Assignment implements BoardPart {
  readonly describes: BoardPart['describes']
  readonly #services: BoardServices
  readonly #parts: AssignmentParts
  readonly #size: AssignmentSize
  readonly #seats: readonly Seat[]
  readonly #unit: Vtd
  readonly #domains: Domains
  #state: State

  constructor(
    services: BoardServices,
    parts: AssignmentParts,
    size: AssignmentSize,
    unit: Vtd,
    seats: readonly Seat[],
  ) {
    this.#services = services
    this.#parts = parts
    this.#size = size
    this.#seats = seats
    this.#unit = unit
    const host = {
      memory: services.memory,
      read: (at: number) => unit.read('mmio', VTD_BASE + at, 4) ?? 0,
      write: (at: number, value: number) => void unit.write('mmio', VTD_BASE + at, 4, value),
      step: () => unit.step(),
    }
    this.#domains = new Domains(host, ARENA, parts.domains)
    const transport = { kind: 'chip', inputs: 0, base: ASSIGN_BASE } as const
    this.describes = [{ id: ID, kind: 'assignment', transport, facts: { ...size, devices: seats.length } }]
    this.#state = this.#fresh()
  }

  #fresh(): State {
    const { vms, pages } = this.#size
    return {
      vms: Array.from({ length: vms }, (_, vm) => ({
        domain: 0,
        homes: Array.from({ length: pages + 1 }, (_, page) => (page === 0 ? vm : -1)),
        want: 'nothing',
        page: 0,
        ticket: 0,
      })),
      devices: this.#seats.map(() => ({ owner: -1, resetting: 'no' })),
      task: { kind: 'nothing', device: 0, vm: 0 },
      about: [],
      left: [],
      taken: false,
      hostDomain: 0,
      random: 1,
    }
  }

  /** At the first use: memory holds no tables before. */
  #start(): void {
    const s = this.#state
    if (s.vms[0]!.domain !== 0) return
    this.#domains.start()
    for (const vm of s.vms) {
      vm.domain = this.#domains.create()!
      this.#domains.map(vm.domain, this.#mappingOf(0, vm.homes[0]!))
    }
    s.hostDomain = this.#domains.create()!
    const { frames, identity } = ASSIGNED_MEMORY
    const pages = (identity - frames) / PAGE_BYTES
    this.#domains.map(s.hostDomain, { page: 0, pages, host: frames / PAGE_BYTES, read: true, write: true })
  }

  // Registers.

  read(space: Space, address: number, width: number): number | undefined {
    const at = address - ASSIGN_BASE
    if (space !== 'mmio' || at < 0 || at >= 2 * ASSIGN.devices) return undefined
    if (width !== 4) return 0
    const seat = this.#seats[Math.floor((at - ASSIGN.devices) / ASSIGN.stride)]
    return at % ASSIGN.stride === ASSIGN.scratch ? (seat?.device.state.scratch ?? 0) : 0
  }

  write(space: Space, address: number, width: number, value: number): boolean {
    const at = address - ASSIGN_BASE
    if (space !== 'mmio' || at < 0 || at >= 2 * ASSIGN.devices) return false
    if (width !== 4) return true
    this.#start()
    if (at >= ASSIGN.devices) {
      const device = Math.floor((at - ASSIGN.devices) / ASSIGN.stride)
      if (device < this.#seats.length) this.#writeDevice(device, at % ASSIGN.stride, value)
    } else if (at >= ASSIGN.vms) {
      const vm = this.#state.vms[Math.floor((at - ASSIGN.vms) / ASSIGN.stride)]
      if (vm !== undefined && at % ASSIGN.stride === ASSIGN.want) this.#want(vm, value)
    } else if (at === ASSIGN.task) this.#ask(value)
    return true
  }

  /** What an owner reaches of a device; some of it the hypervisor does in its place. */
  #writeDevice(index: number, register: number, value: number): void {
    const { device } = this.#seats[index]!
    switch (register) {
      case ASSIGN.ring:
        device.ring()
        break
      case ASSIGN.master:
        device.setMaster(value !== 0)
        break
      case ASSIGN.scratch:
        device.state.scratch = value
        break
      case ASSIGN.messageAddress:
        device.state.address = this.#parts.messageAddress(index, value)
        break
      case ASSIGN.messageData:
        device.state.data = value
        break
      case ASSIGN.reset: {
        const reached = value === RESET.BUS ? this.#parts.reached(this.#views(), index) : [index]
        for (const each of reached) {
          const one = this.#state.devices[each]!
          if (one.resetting === 'no') one.resetting = 'asked'
        }
      }
    }
  }

  #want(vm: Vm, value: number): void {
    if (vm.want !== 'nothing') return
    const kinds = { [WANT.RELEASE]: 'release', [WANT.POPULATE]: 'populate', [WANT.PAIR]: 'pair' } as const
    vm.want = kinds[(value >>> 16) as keyof typeof kinds] ?? 'nothing'
    vm.page = value & 0xffff
    vm.ticket = 0
  }

  #ask(value: number): void {
    const { task } = this.#state
    if (task.kind !== 'nothing') return
    const kinds = { [TASK.ASSIGN]: 'assign', [TASK.UNASSIGN]: 'unassign', [TASK.DESTROY]: 'destroy' } as const
    task.kind = kinds[(value >>> 16) as keyof typeof kinds] ?? 'nothing'
    task.device = Math.min(value & 0xff, this.#seats.length - 1)
    task.vm = Math.min((value >>> 8) & 0xff, this.#size.vms - 1)
    this.#state.taken = false
  }

  #views(): DeviceView[] {
    return this.#state.devices.map(({ owner, resetting }, at) => ({
      owner,
      group: this.#seats[at]!.group,
      resetting: resetting !== 'no',
    }))
  }

  // Steps.

  /** Who is next is drawn: whatever has something to do comes at any time. The unit is slow. */
  step(): boolean {
    const s = this.#state
    s.random = (Math.imul(s.random, 1_103_515_245) + 12_345) >>> 0
    const works = [
      () => this.#serve(),
      ...this.#seats.map(
        ({ device }) =>
          () =>
            device.step(),
      ),
    ]
    const draw = s.random >>> 16
    if (draw % TURNS === 0 && this.#unit.step()) return true
    for (let turn = 0; turn < works.length; turn++) if (works[(draw + turn) % works.length]!()) return true
    return this.#unit.step()
  }

  #serve(): boolean {
    if (this.#reset()) return true
    for (const [index, vm] of this.#state.vms.entries())
      if (vm.want !== 'nothing' && this.#fulfil(index, vm)) return true
    return this.#goOn()
  }

  /** Resets that somebody asked for. */
  #reset(): boolean {
    for (const [index, one] of this.#state.devices.entries()) {
      const { device } = this.#seats[index]!
      if (one.resetting === 'asked') {
        device.beginReset()
        one.resetting = 'begun'
        return true
      }
      if (one.resetting === 'begun' && this.#parts.isReset(device.state.resetting > 0)) {
        one.resetting = 'no'
        this.#tell(MAILBOX.reset + 4 * index, ANSWERED.DONE)
        return true
      }
    }
    return false
  }

  /** A wish of a VM; false: it waits for something. */
  #fulfil(index: number, vm: Vm): boolean {
    const { pages } = this.#size
    if (vm.want === 'release') {
      const home = vm.homes[vm.page] ?? -1
      if (home < 0 || vm.page === 0) return this.#answer(index, vm, false)
      if (vm.ticket === 0) {
        const asked = { page: iovaPage(pages, vm.page), pages: 1 }
        // Where several VMs wait, one does not stand in the way of the other.
        const several = this.#state.vms.filter(({ want }) => want === 'release').length > 1
        if (several) {
          vm.ticket = this.#domains.unmapLater(vm.domain, asked)
          return true
        }
        this.#domains.unmap(vm.domain, asked)
      } else if (!this.#parts.freesAt(this.#domains.isOver(vm.ticket))) return false
      vm.homes[vm.page] = -1
      this.#clear(vm.page, home)
      return this.#answer(index, vm, true)
    }
    const wanted = vm.want === 'pair' ? [vm.page, vm.page + 1] : [vm.page]
    const limit = vm.want === 'pair' ? pages : pages + 1
    if (wanted.some((page) => page >= limit)) return this.#answer(index, vm, false)
    const found: number[] = []
    for (const page of wanted) found.push(this.#findFree(page, found))
    if (found.includes(-1)) return this.#answer(index, vm, false)
    const refused = this.#domains.mapAll(
      vm.domain,
      wanted.map((page, at) => this.#mappingOf(page, found[at]!)),
    )
    if (refused !== undefined) return this.#answer(index, vm, false)
    for (const [at, page] of wanted.entries()) vm.homes[page] = found[at]!
    return this.#answer(index, vm, true, found)
  }

  #answer(index: number, vm: Vm, done: boolean, given: readonly number[] = []): true {
    vm.want = 'nothing'
    vm.ticket = 0
    this.#tell(MAILBOX.want + 4 * index, done ? ANSWERED.DONE : ANSWERED.REFUSED, given)
    return true
  }

  /** One thing of the task of the toolstack. */
  #goOn(): boolean {
    const s = this.#state
    const { kind, device, vm } = s.task
    if (kind === 'nothing') return false
    if (!s.taken) {
      s.taken = true
      if (kind === 'assign' && !this.#parts.mayAssign(this.#views(), device, vm)) return this.#end(false)
      if (kind === 'unassign' && s.devices[device]!.owner < 0) return this.#end(false)
      const meant = kind === 'destroy' ? [...s.devices.keys()].filter((at) => s.devices[at]!.owner === vm) : [device]
      s.about = meant
      s.left = meant.flatMap((at) => this.#parts.stages(kind).map((stage) => ({ device: at, stage, begun: false })))
      // Those that look like it are quiet before.
      if (kind === 'assign')
        for (const at of this.#parts.reached(this.#views(), device))
          if (at !== device && s.devices[at]!.owner < 0) s.left.unshift({ device: at, stage: 'reset', begun: false })
      return true
    }
    const next = s.left[0]
    if (next === undefined) {
      for (const at of s.about) s.devices[at]!.resetting = 'no'
      return kind === 'destroy' ? this.#end(true, [this.#replace(vm)]) : this.#end(true)
    }
    const { device: hardware } = this.#seats[next.device]!
    if (next.stage === 'reset' && !next.begun) {
      next.begun = true
      hardware.beginReset()
      return true
    }
    if (next.stage === 'reset' && !this.#parts.isReset(hardware.state.resetting > 0)) return false
    s.left.shift()
    if (next.stage === 'attach') this.#give(next.device, vm)
    if (next.stage === 'detach' || next.stage === 'host') this.#takeBack(next.device)
    if (next.stage === 'host') this.#domains.attach(s.hostDomain, hardware.requester)
    return true
  }

  #give(index: number, vm: number): void {
    const s = this.#state
    const { device, declared } = this.#seats[index]!
    const { domain } = s.vms[vm]!
    s.devices[index]!.owner = vm
    if (this.#domains.domainOf(device.requester) !== undefined && !this.#shares(index))
      this.#domains.detach(device.requester)
    this.#domains.attach(domain, device.requester)
    for (const { page, pages, write } of this.#parts.identity(declared))
      this.#domains.map(domain, { page, pages, host: page, read: true, write })
  }

  /** Does another device of the same owner use the same requester id? */
  #shares(index: number): boolean {
    const { devices } = this.#state
    const { owner } = devices[index]!
    return this.#seats.some(
      ({ device }, at) =>
        at !== index && device.requester === this.#seats[index]!.device.requester && devices[at]!.owner === owner,
    )
  }

  #takeBack(index: number): void {
    const s = this.#state
    const { device, declared } = this.#seats[index]!
    const { owner } = s.devices[index]!
    if (owner < 0) return
    if (!this.#shares(index)) this.#domains.detach(device.requester)
    for (const { page, pages } of this.#parts.identity(declared))
      this.#domains.unmap(s.vms[owner]!.domain, { page, pages })
    s.devices[index]!.owner = -1
  }

  /** Another VM comes in the place of one that went away, with one page. */
  #replace(index: number): number {
    const vm = this.#state.vms[index]!
    const { pages } = this.#size
    for (const [page, home] of vm.homes.entries()) {
      if (home < 0) continue
      if (this.#parts.unmapsAtEnd(page)) this.#domains.unmap(vm.domain, { page: iovaPage(pages, page), pages: 1 })
      vm.homes[page] = -1
      this.#clear(page, home)
    }
    vm.want = 'nothing'
    vm.ticket = 0
    const first = this.#findFree(0, [])
    vm.homes[0] = first
    this.#domains.map(vm.domain, this.#mappingOf(0, first))
    return first
  }

  #end(done: boolean, given: readonly number[] = []): true {
    this.#state.task.kind = 'nothing'
    this.#tell(MAILBOX.task, done ? ANSWERED.DONE : ANSWERED.REFUSED, given)
    return true
  }

  // Memory.

  #findFree(page: number, but: readonly number[]): number {
    const { pages, frames, regions } = this.#size
    const isLarge = page === pages
    const used = this.#state.vms.flatMap(({ homes }) => (isLarge ? homes.slice(pages) : homes.slice(0, pages)))
    for (let home = 0; home < (isLarge ? regions : frames); home++)
      if (!used.includes(home) && !but.includes(home)) return home
    return -1
  }

  #mappingOf(page: number, home: number): Mapping {
    const { pages } = this.#size
    return {
      page: iovaPage(pages, page),
      pages: page === pages ? LARGE_PAGES : 1,
      host: hostPage(page === pages, home),
      read: true,
      write: true,
    }
  }

  /** Only what devices move is worth clearing of a large page: its ends. */
  #clear(page: number, home: number): void {
    const isLarge = page === this.#size.pages
    const first = hostPage(isLarge, home)
    for (const at of isLarge ? [first, first + LARGE_PAGES - 1] : [first])
      this.#services.memory.store(at * PAGE_BYTES, new Uint8Array(PAGE_BYTES))
  }

  #tell(gpa: number, value: number, given: readonly number[] = []): void {
    this.#services.memory.write(ID, gpa, Uint8Array.of(value, given[0] ?? 0, given[1] ?? 0, 0))
  }

  reset(): void {
    this.#state = this.#fresh()
    this.#domains.reset()
    for (const { device } of this.#seats) device.reset()
  }
  save(): unknown {
    return {
      state: this.#state,
      domains: this.#domains.save(),
      devices: this.#seats.map(({ device }) => device.state),
    }
  }
  restore(state: unknown): void {
    const saved = state as { state: State; domains: unknown; devices: DmaDeviceState[] }
    this.#state = saved.state
    this.#domains.restore(saved.domains)
    for (const [at, { device }] of this.#seats.entries()) device.state = saved.devices[at]!
  }
}

const iovaPage = (pages: number, page: number): number => (page === pages ? ASSIGNED_MEMORY.largePage : page)
const hostPage = (isLarge: boolean, home: number): number =>
  isLarge
    ? (ASSIGNED_MEMORY.large + ASSIGNED_MEMORY.largeBytes * home) / PAGE_BYTES
    : ASSIGNED_MEMORY.frames / PAGE_BYTES + home
