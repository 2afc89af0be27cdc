/** The machine of mediated assignment on a device that its hypervisor shares between VMs. */
import { softwareMediatedAssignment } from '../../../spec/dma/software-mediated-assignment.ts'
import type { Description, DeviceDescription, Gpa, Target, TargetEvent } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { ANSWER, COMMAND_STATUS, MEDIATED, MEDIATED_COMMAND, MEDIATED_MEMORY } from '../../layout/mediated.ts'
import { Guest, place } from '../guest/access.ts'
import { notesOf } from '../guest/notes.ts'

const KIND = 'mediated-device'
const FRAME_BYTES = 4096

type Dma = Extract<TargetEvent, { kind: 'dma' }>

class MediatedSession implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #base: Gpa
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #frames: number
  /** By VM: a command was submitted that nobody has read since. */
  readonly #unread: boolean[]
  #asked: { readonly vm: number; readonly page: number; readonly what: 'release' | 'populate' } | undefined

  constructor(target: Target, device: DeviceDescription, machine: Machine, sink: Sink) {
    const { transport } = device
    if (transport.kind !== 'chip' || transport.base === undefined)
      throw new ModelError(`${device.id}: expected a device with the base of its registers`)
    const { vms = 1, frames = 1 } = machine.scope
    this.device = device.id
    this.#guest = new Guest(target)
    this.#base = transport.base
    this.#machine = machine
    this.#sink = sink
    this.#frames = frames
    this.#unread = new Array<boolean>(vms).fill(false)
  }

  start(): void {
    const { target } = this.#guest
    target.reset('system')
    // The command of the machine's initial state: the first page, for reading.
    for (const vm of this.#unread.keys()) this.#writeCommand(vm, 0, false, false)
    this.#unread.fill(false)
    this.#asked = undefined
    target.events()
  }

  perform(action: Action, args: Args): void {
    const { vm, page } = args as { readonly vm: number; readonly page: number }
    switch (action.name) {
      case 'guest.write':
        this.#writeCommand(vm, page, args.two as boolean, args.write as boolean)
        break
      case 'guest.name':
        this.#writeCommand(vm, page, true, args.write as boolean)
        break
      case 'guest.submit':
        this.#unread[vm] = true
        this.#write(vm, MEDIATED.submit, 1)
        break
      case 'guest.release':
      case 'guest.withdraw':
        this.#ask(vm, page, 'release')
        break
      case 'guest.populate':
        this.#ask(vm, page, 'populate')
        break
      default:
        throw new TypeError(`${action.name}: not an action of a guest`)
    }
  }

  collect(): void {
    for (const event of this.#guest.target.events()) if (event.kind === 'dma') this.#tellAccess(event)
  }

  move(target: Target): void {
    this.#guest.target = target
  }

  remembers(): string {
    return notesOf([this.#unread, this.#asked])
  }

  #ask(vm: number, page: number, what: 'release' | 'populate'): void {
    this.#asked = { vm, page, what }
    this.#write(vm, MEDIATED[what], page)
  }

  #answer(isDone: boolean): void {
    if (this.#asked === undefined) return
    const { vm, page, what } = this.#asked
    this.#asked = undefined
    if (what === 'release') this.#tell('hypervisor.release', { taken: isDone })
    else {
      const home = this.#read(vm, MEDIATED.homes + 4 * page) - 1
      this.#tell('hypervisor.populate', { frame: isDone && home >= 0 ? home : undefined })
    }
  }

  /** What the driver reads and writes is a command; what the device reads and writes is a frame, or a mistake. */
  #tellAccess({ device, access, gpa, data }: Dma): void {
    const [, who, number] = /^(mediat(?:or|ed))(\d+)$/.exec(device) ?? []
    const vm = Number(number)
    if (who === 'mediator') {
      const field = gpa - MEDIATED_MEMORY.commands - MEDIATED_MEMORY.commandStride * vm
      if (access === 'write' && field === MEDIATED_COMMAND.answer) this.#answer(data[0] === ANSWER.DONE)
      else if (access === 'write' && field !== MEDIATED_COMMAND.status)
        this.#tell('device.stray', {}, `0x${gpa.toString(16)}`)
      else if (access === 'write') this.#tell('hypervisor.complete', { vm, done: data[0] === COMMAND_STATUS.DONE })
      else {
        this.#tell(this.#unread[vm] ? 'hypervisor.take' : 'hypervisor.look', { vm })
        this.#unread[vm] = false
      }
      return
    }
    const frame = Math.floor((gpa - MEDIATED_MEMORY.frames) / FRAME_BYTES)
    if (frame < 0 || frame >= this.#frames) this.#tell('device.stray', {}, `0x${gpa.toString(16)}`)
    else this.#tell(access === 'read' ? 'device.read' : 'device.write', { vm, frame })
  }

  #writeCommand(vm: number, page: number, two: boolean, write: boolean): void {
    const at = MEDIATED_MEMORY.commands + MEDIATED_MEMORY.commandStride * vm
    this.#guest.store32(at + MEDIATED_COMMAND.page, page)
    this.#guest.store32(at + MEDIATED_COMMAND.pages, two ? 2 : 1)
    this.#guest.store32(at + MEDIATED_COMMAND.write, write ? 1 : 0)
  }

  #read(vm: number, register: number): number {
    return this.#guest.read32(place('mmio', this.#base + MEDIATED.stride * vm + register))
  }
  #write(vm: number, register: number, value: number): void {
    this.#guest.write32(place('mmio', this.#base + MEDIATED.stride * vm + register), value)
  }

  #tell(name: string, args: Args, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

const mediatedOf = ({ devices }: Description): DeviceDescription | undefined =>
  devices.find(({ kind }) => kind === KIND)

export const softwareMediatedAssignmentModel: Model = {
  machine: softwareMediatedAssignment,
  played: ['guest'],
  notApplicable(target) {
    if (mediatedOf(target) === undefined) return 'it has no device that its hypervisor shares by translating commands'
    return target.observes.dma === 'exact' ? undefined : 'it does not show what its device reads and writes'
  },
  scope(target) {
    const { vms, pages, frames } = mediatedOf(target)?.facts ?? {}
    return { scope: 'played', bounds: { vms: Number(vms), pages: Number(pages), frames: Number(frames) } }
  },
  open: (target, machine, sink) => new MediatedSession(target, mediatedOf(target.describe())!, machine, sink),
}
