/**
 * A device that reaches all memory, and the driver in the hypervisor that shares it between VMs: it copies their commands,
 * checks, translates and pins, and tells the device frames. One access is one step.
 */
import type { Space } from '../../contract/index.ts'
import {
  ANSWER,
  COMMAND_STATUS,
  MEDIATED,
  MEDIATED_BASE,
  MEDIATED_COMMAND,
  MEDIATED_MEMORY,
} from '../../layout/mediated.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { MediatedCommand, MediatedParts, MediatedVm } from './mediated-parts.ts'

const FRAME_BYTES = 4096
/** What the device moves of each frame. */
const MOVED_BYTES = 16

export interface MediatedSize {
  readonly vms: number
  /** Pages that a VM can have. */
  readonly pages: number
  readonly frames: number
}

/** The ids under which accesses are shown, for VM `n`: of the driver, and of the device on its behalf. */
const driverId = (vm: number): string => `mediator${vm}`
const channelId = (vm: number): string => `mediated${vm}`

export class Mediated implements BoardPart {
  readonly describes: BoardPart['describes']
  readonly #services: BoardServices
  readonly #parts: MediatedParts
  readonly #size: MediatedSize
  #vms: MediatedVm[]
  /** The VM that has its turn first. */
  #turn = 0

  constructor(services: BoardServices, parts: MediatedParts, size: MediatedSize) {
    this.#services = services
    this.#parts = parts
    this.#size = size
    const transport = { kind: 'chip', inputs: 0, base: MEDIATED_BASE } as const
    this.describes = [{ id: 'mediated', kind: 'mediated-device', transport, facts: { ...size } }]
    this.#vms = this.#fresh()
  }

  /** Each VM has one page. */
  #fresh(): MediatedVm[] {
    const { vms, pages } = this.#size
    return Array.from({ length: vms }, (_, vm) => ({
      stage: 'idle',
      homes: Array.from({ length: pages }, (_, page) => (page === 0 ? vm : -1)),
      frames: [],
      touched: 0,
      write: false,
      asked: 'nothing',
      page: 0,
    }))
  }

  read(space: Space, address: number, width: number): number | undefined {
    const found = this.#register(space, address)
    if (found === undefined) return undefined
    const [vm, register] = found
    if (width !== 4) return 0
    const page = (register - MEDIATED.homes) / 4
    return Number.isInteger(page) && page >= 0 && page < vm.homes.length ? vm.homes[page]! + 1 : 0
  }

  /** A request that does not fit is refused; one while another is pending is dropped. */
  write(space: Space, address: number, width: number, value: number): boolean {
    const found = this.#register(space, address)
    if (found === undefined) return false
    const [vm, register] = found
    if (width !== 4) return true
    if (register === MEDIATED.submit && vm.stage === 'idle') vm.stage = 'submitted'
    if (register !== MEDIATED.release && register !== MEDIATED.populate) return true
    if (vm.asked !== 'nothing') return true
    vm.asked = register === MEDIATED.release ? 'release' : 'populate'
    vm.page = value
    return true
  }

  #register(space: Space, address: number): [MediatedVm, number] | undefined {
    const at = address - MEDIATED_BASE
    if (space !== 'mmio' || at < 0 || at >= MEDIATED.stride * this.#vms.length) return undefined
    return [this.#vms[Math.floor(at / MEDIATED.stride)]!, at % MEDIATED.stride]
  }

  step(): boolean {
    for (let turn = 0; turn < this.#vms.length; turn++) {
      const vm = (this.#turn + turn) % this.#vms.length
      if (!this.#serve(vm)) continue
      this.#turn = (vm + 1) % this.#vms.length
      return true
    }
    return false
  }

  /** One thing for one VM; false: there is none. */
  #serve(index: number): boolean {
    const vm = this.#vms[index]!
    if (vm.asked !== 'nothing') {
      const isDone = vm.asked === 'release' ? this.#release(vm) : this.#populate(vm)
      vm.asked = 'nothing'
      this.#tell(index, MEDIATED_COMMAND.answer, isDone ? ANSWER.DONE : ANSWER.REFUSED)
      return true
    }
    switch (vm.stage) {
      case 'idle':
        return false
      case 'submitted':
        this.#take(index, vm)
        return true
      case 'refused':
        this.#end(index, vm, COMMAND_STATUS.REFUSED)
        return true
      case 'running':
        if (this.#parts.isOver(vm)) this.#end(index, vm, COMMAND_STATUS.DONE)
        else this.#move(index, vm)
        return true
    }
  }

  #release(vm: MediatedVm): boolean {
    const frame = vm.page < vm.homes.length ? vm.homes[vm.page]! : -1
    if (frame < 0 || this.#parts.isPinned(this.#vms, frame)) return false
    vm.homes[vm.page] = -1
    this.#services.memory.store(this.#gpaOf(frame), new Uint8Array(FRAME_BYTES))
    return true
  }

  #populate(vm: MediatedVm): boolean {
    if (vm.page >= vm.homes.length || vm.homes[vm.page]! >= 0) return false
    const frame = this.#parts.findFree(this.#vms, this.#size.frames)
    if (frame < 0) return false
    vm.homes[vm.page] = frame
    return true
  }

  #take(index: number, vm: MediatedVm): void {
    const command = this.#command(index)
    const frames = this.#parts.translate(vm, command)
    vm.stage = frames === undefined ? 'refused' : 'running'
    vm.frames = frames ?? []
    vm.write = command.write
    vm.touched = 0
  }

  /** The command as it is in memory now. A length that no command has is one page too many. */
  #command(index: number): MediatedCommand {
    const at = MEDIATED_MEMORY.commands + MEDIATED_MEMORY.commandStride * index
    const bytes = this.#services.memory.read(driverId(index), at, MEDIATED_COMMAND.status)!
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const pages = view.getUint32(MEDIATED_COMMAND.pages, true)
    return {
      page: view.getUint32(MEDIATED_COMMAND.page, true),
      pages: pages >= 1 ? Math.min(pages, this.#size.pages + 1) : this.#size.pages + 1,
      write: view.getUint32(MEDIATED_COMMAND.write, true) !== 0,
    }
  }

  #move(index: number, vm: MediatedVm): void {
    const reread = () => this.#command(index)
    const gpa = this.#gpaOf(this.#parts.frameOf(vm, reread))
    const { memory } = this.#services
    if (this.#parts.directionOf(vm, reread))
      memory.write(channelId(index), gpa, new Uint8Array(MOVED_BYTES).fill(index + 1))
    else memory.read(channelId(index), gpa, MOVED_BYTES)
    vm.touched++
  }

  #end(index: number, vm: MediatedVm, status: number): void {
    vm.stage = 'idle'
    vm.frames = []
    vm.touched = 0
    this.#tell(index, MEDIATED_COMMAND.status, status)
  }

  /** Writes a dword behind the command of a VM. */
  #tell(index: number, field: number, value: number): void {
    const at = MEDIATED_MEMORY.commands + MEDIATED_MEMORY.commandStride * index + field
    this.#services.memory.write(driverId(index), at, Uint8Array.of(value, 0, 0, 0))
  }

  #gpaOf(frame: number): number {
    return MEDIATED_MEMORY.frames + FRAME_BYTES * frame
  }

  reset(): void {
    this.#vms = this.#fresh()
    this.#turn = 0
  }
  save(): unknown {
    return { vms: this.#vms, turn: this.#turn }
  }
  restore(state: unknown): void {
    const { vms, turn } = state as { vms: MediatedVm[]; turn: number }
    this.#vms = vms
    this.#turn = turn
  }
}
