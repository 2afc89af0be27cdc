/** The machine of assignment on a hypervisor that gives devices to VMs. */
import { assignment } from '../../../spec/dma/assignment.ts'
import type { Description, DeviceDescription, Gpa, Target, TargetEvent } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import {
  ANSWERED,
  ASSIGN,
  ASSIGNED_MEMORY,
  DEVICE_COMMAND,
  DEVICE_DATA,
  DEVICE_STATUS,
  MAILBOX,
  RESET,
  TASK,
  WANT,
} from '../../layout/dma-device.ts'
import { Guest, place } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'

const KIND = 'assignment'
const PAGE_BYTES = 4096
const LARGE_PAGES = ASSIGNED_MEMORY.largeBytes / PAGE_BYTES
/** What an owner leaves in the memory of a device. */
const MARK = 0x5ec7_e700
/** Addresses of messages that a guest wants, and no hypervisor: of an interrupt, and of memory. */
const WANTED = [0xfeef_0000, 0x8_0000]
const KINDS = { function: RESET.FUNCTION, power: RESET.POWER, bus: RESET.BUS } as const

type Dma = Extract<TargetEvent, { kind: 'dma' }>
/** What is asked for, and not answered. */
type Task = { readonly what: 'assign' | 'unassign' | 'destroy'; readonly device: number; readonly vm: number }

class AssignmentSession implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #base: Gpa
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #pages: number
  readonly #frames: number
  readonly #vms: number
  /** VM of each device; -1: none. */
  readonly #owners: number[]
  /** Frame of the first page of each VM. */
  readonly #firsts: number[]
  /** As in the machine, by VM: the page that a device reached last, that was given back last; and what is asked for. */
  readonly #touched: number[]
  readonly #gone: number[]
  readonly #pageWanted: number[]
  /** By device: the page of its command. */
  readonly #rung: number[]
  readonly #wants: ('nothing' | 'release' | 'populate' | 'pair')[]
  #task: Task | undefined
  /** Bus master enable of this device was cleared and read back; -1: of none. */
  #cleared = -1

  constructor(target: Target, device: DeviceDescription, machine: Machine, sink: Sink) {
    const { transport } = device
    if (transport.kind !== 'chip' || transport.base === undefined)
      throw new ModelError(`${device.id}: expected a hypervisor with the base of its registers`)
    const { vms = 1, devices = 1, pages = 1, frames = 1 } = machine.scope
    this.device = device.id
    this.#guest = new Guest(target)
    this.#base = transport.base
    this.#machine = machine
    this.#sink = sink
    this.#pages = pages
    this.#frames = frames
    this.#vms = vms
    this.#owners = new Array<number>(devices).fill(-1)
    this.#firsts = Array.from({ length: vms }, (_, vm) => vm)
    this.#wants = new Array<'nothing'>(vms).fill('nothing')
    this.#touched = new Array<number>(vms).fill(0)
    this.#gone = new Array<number>(vms).fill(0)
    this.#pageWanted = new Array<number>(vms).fill(0)
    this.#rung = new Array<number>(devices).fill(0)
  }

  start(): void {
    const { target } = this.#guest
    target.reset('system')
    this.#owners.fill(-1)
    for (let vm = 0; vm < this.#vms; vm++) this.#firsts[vm] = vm
    this.#wants.fill('nothing')
    for (const notes of [this.#touched, this.#gone, this.#pageWanted, this.#rung]) notes.fill(0)
    this.#task = undefined
    this.#cleared = -1
    target.events()
  }

  perform(action: Action, args: Args): void {
    const { device, vm, page } = args as { readonly device: number; readonly vm: number; readonly page: number }
    switch (action.name) {
      case 'driver.ring':
        this.#ring(device, page, args.write as boolean)
        break
      case 'driver.ringGone': {
        const gone = this.#gone[this.#owners[device]!]!
        this.#ring(device, gone < this.#pages ? gone : this.#pages + 1, args.write as boolean)
        break
      }
      case 'driver.ringDeclared':
        this.#ring(device, this.#pages + 2 + (args.which as number), args.write as boolean)
        break
      case 'driver.enable':
      case 'driver.disable':
        this.#cleared = action.name === 'driver.disable' ? device : -1
        this.#write(deviceAt(device) + ASSIGN.master, action.name === 'driver.enable' ? 1 : 0)
        // What comes from now on is later than that.
        if (this.#cleared >= 0) this.collect()
        break
      case 'driver.message':
        this.#write(deviceAt(device) + ASSIGN.messageData, 0x40 + device)
        this.#write(deviceAt(device) + ASSIGN.messageAddress, WANTED[args.address as number]!)
        break
      case 'driver.reset':
        this.#write(deviceAt(device) + ASSIGN.reset, KINDS[args.kind as keyof typeof KINDS])
        break
      case 'guest.release':
        this.#want(vm, page, 'release')
        break
      case 'guest.releaseTouched':
        this.#want(vm, this.#touched[vm]!, 'release')
        break
      case 'guest.populate':
        this.#want(vm, page, args.pair ? 'pair' : 'populate')
        break
      case 'guest.assign':
        this.#ask({ what: 'assign', device, vm })
        break
      case 'guest.unassign':
        this.#ask({ what: 'unassign', device, vm: 0 })
        break
      case 'guest.destroy':
        this.#ask({ what: 'destroy', device: 0, vm })
        break
      default:
        throw new TypeError(`${action.name}: not an action of a guest`)
    }
  }

  collect(): void {
    for (const event of this.#guest.target.events())
      if (event.kind === 'dma') this.#tellAccess(event)
      else if (event.kind === 'msi' && isDevice(event.device)) {
        this.#tell('device.interrupt', { device: numberOf(event.device), foreign: WANTED.includes(event.address) })
      }
    if (this.#cleared >= 0) this.#tell('bus.settle', { device: this.#cleared })
    this.#cleared = -1
  }

  move(target: Target): void {
    this.#guest.target = target
  }

  remembers(): string {
    return notesOf([
      this.#owners,
      this.#firsts,
      this.#wants,
      this.#task,
      this.#cleared,
      this.#touched,
      this.#gone,
      this.#pageWanted,
      this.#rung,
    ])
  }

  /** The command goes where the device looks for it, which is nowhere while it has no owner. */
  #ring(device: number, page: number, write: boolean): void {
    const owner = this.#owners[device]!
    this.#rung[device] = page
    if (owner >= 0) {
      const at = this.#gpaOf(this.#firsts[owner]!) + DEVICE_COMMAND.slot * device
      this.#guest.store32(at + DEVICE_COMMAND.page, this.#iovaPage(page))
      this.#guest.store32(at + DEVICE_COMMAND.write, write ? 1 : 0)
      this.#guest.store32(at + DEVICE_COMMAND.status, DEVICE_STATUS.NONE)
      this.#write(deviceAt(device) + ASSIGN.scratch, MARK + owner)
    }
    this.#write(deviceAt(device) + ASSIGN.ring, 1)
  }

  #want(vm: number, page: number, what: 'release' | 'populate' | 'pair'): void {
    this.#wants[vm] = what
    this.#pageWanted[vm] = page
    const code = { release: WANT.RELEASE, populate: WANT.POPULATE, pair: WANT.PAIR }[what]
    this.#write(ASSIGN.vms + ASSIGN.stride * vm + ASSIGN.want, page | (code << 16))
  }

  #ask(task: Task): void {
    this.#task = task
    const code = { assign: TASK.ASSIGN, unassign: TASK.UNASSIGN, destroy: TASK.DESTROY }[task.what]
    this.#write(ASSIGN.task, task.device | (task.vm << 8) | (code << 16))
  }

  #tellAccess({ device, access, gpa, data }: Dma): void {
    if (device === this.device) this.#tellAnswer(gpa, data)
    if (!isDevice(device)) return
    const number = numberOf(device)
    const frame = this.#frameOf(gpa)
    const at = (gpa % PAGE_BYTES) - DEVICE_COMMAND.slot * number
    if (frame === undefined) this.#tell('device.stray', {}, `0x${gpa.toString(16)}`)
    else if (gpa % PAGE_BYTES === DEVICE_DATA) {
      const owner = this.#owners[number]!
      const page = this.#rung[number]!
      if (owner >= 0 && page < this.#pages + 2) this.#touched[owner] = Math.min(page, this.#pages)
      this.#tell(access === 'read' ? 'device.read' : 'device.write', { device: number, frame })
    } else if (access === 'read' && at === 0) this.#tell('device.fetch', { device: number, frame })
    else if (access === 'write' && at === DEVICE_COMMAND.status)
      this.#tell('device.complete', { device: number, frame, done: data[0] === DEVICE_STATUS.DONE })
    else this.#tell('device.stray', {}, `0x${gpa.toString(16)}`)
  }

  #tellAnswer(gpa: Gpa, data: Uint8Array): void {
    const done = data[0] === ANSWERED.DONE
    const [, first = 0, second = 0] = data
    if (gpa === MAILBOX.task) this.#tellTask(done, first)
    else if (gpa >= MAILBOX.reset && gpa < MAILBOX.end)
      this.#tell('hypervisor.reset', { device: (gpa - MAILBOX.reset) / 4 })
    else if (gpa >= MAILBOX.want && gpa < MAILBOX.reset) {
      const vm = (gpa - MAILBOX.want) / 4
      const what = this.#wants[vm]
      this.#wants[vm] = 'nothing'
      if (what === 'release' && done) this.#gone[vm] = this.#pageWanted[vm]!
      if (what === 'release') this.#tell('hypervisor.release', { vm, taken: done })
      else
        this.#tell('hypervisor.populate', {
          vm,
          frame: done ? first : undefined,
          second: done && what === 'pair' ? second : undefined,
        })
    }
  }

  #tellTask(done: boolean, first: number): void {
    const task = this.#task
    this.#task = undefined
    if (task === undefined) {
      this.#tell('hypervisor.answer', { done, clean: true })
      return
    }
    const { what, device, vm } = task
    const scratch = this.#guest.read32(place('mmio', this.#base + deviceAt(device) + ASSIGN.scratch))
    this.#tell('hypervisor.answer', { done, clean: what !== 'assign' || !done || scratch === 0 })
    if (!done) return
    if (what === 'assign') this.#owners[device] = vm
    if (what === 'unassign') this.#owners[device] = -1
    if (what !== 'destroy') return
    for (const [at, owner] of this.#owners.entries()) if (owner === vm) this.#owners[at] = -1
    this.#wants[vm] = 'nothing'
    this.#firsts[vm] = first
    this.#gone[vm] = this.#pages
    this.#tell('hypervisor.found', { vm, frame: first })
  }

  /** Page number of what a command names. */
  #iovaPage(page: number): number {
    if (page < this.#pages) return page
    const at = page - this.#pages
    if (at < 2) return ASSIGNED_MEMORY.largePage + at * (LARGE_PAGES - 1)
    return ASSIGNED_MEMORY.identity / PAGE_BYTES + at - 2
  }

  #gpaOf(frame: number): Gpa {
    return ASSIGNED_MEMORY.frames + PAGE_BYTES * frame
  }

  /** The frame, as the machine counts them, that an address is in. */
  #frameOf(gpa: Gpa): number | undefined {
    const { frames, identity, large, largeBytes } = ASSIGNED_MEMORY
    if (gpa >= large) {
      const page = Math.floor((gpa - large) / PAGE_BYTES) % LARGE_PAGES
      const region = Math.floor((gpa - large) / largeBytes)
      if (region >= (this.#machine.scope.regions ?? 0) || (page !== 0 && page !== LARGE_PAGES - 1)) return undefined
      return this.#frames + 3 + 2 * region + (page === 0 ? 0 : 1)
    }
    const declared = Math.floor((gpa - identity) / PAGE_BYTES)
    if (declared >= 0) return declared < 3 ? this.#frames + declared : undefined
    const frame = Math.floor((gpa - frames) / PAGE_BYTES)
    return frame >= 0 && frame < this.#frames ? frame : undefined
  }

  #write(register: number, value: number): void {
    this.#guest.write32(place('mmio', this.#base + register), value)
  }

  #tell(name: string, args: Args, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

const deviceAt = (device: number): number => ASSIGN.devices + ASSIGN.stride * device
const isDevice = (id: string): boolean => /^device\d+$/.test(id)
const numberOf = (id: string): number => Number(id.slice('device'.length))

const hypervisorOf = ({ devices }: Description): DeviceDescription | undefined =>
  devices.find(({ kind }) => kind === KIND)

export const assignmentModel: Model = {
  machine: assignment,
  played: ['driver', 'guest'],
  notApplicable(target) {
    if (hypervisorOf(target) === undefined) return 'it has no hypervisor that gives devices to VMs'
    return target.observes.dma === 'exact' ? undefined : 'it does not show what its devices read and write'
  },
  scope(target) {
    const { vms, devices, pages, frames, regions } = hypervisorOf(target)?.facts ?? {}
    const bounds = { vms: Number(vms), devices: Number(devices), pages: Number(pages), frames: Number(frames) }
    return { scope: 'played', bounds: { ...bounds, regions: Number(regions) } }
  },
  unavailable: () => ({ 'device.err': 'it is what a careless hypervisor does' }),
  open: (target, machine, sink) => new AssignmentSession(target, hypervisorOf(target.describe())!, machine, sink),
}
