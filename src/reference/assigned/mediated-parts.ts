/** What a mediating driver decides, each in a part of its own. */

/** A command, as it was read. */
export interface MediatedCommand {
  readonly page: number
  readonly pages: number
  readonly write: boolean
}

/** A VM as the driver knows it: plain data. */
export interface MediatedVm {
  stage: 'idle' | 'submitted' | 'running' | 'refused'
  /** Frame of each page; -1: none. */
  homes: number[]
  /** Frames of the running command, how many of them the device has touched, and the direction. */
  frames: number[]
  touched: number
  write: boolean
  asked: 'nothing' | 'release' | 'populate'
  page: number
}

export interface MediatedParts {
  /** The frames of a command; undefined: it names what the VM does not have. */
  translate(vm: MediatedVm, command: MediatedCommand): number[] | undefined
  /** The command that the addresses of an access are made from: the driver's copy, or what is in memory now. */
  frameOf(vm: MediatedVm, reread: () => MediatedCommand): number
  /** Whether a frame is in use by a running command of any VM. */
  isPinned(vms: readonly MediatedVm[], frame: number): boolean
  /** Whether the device has moved all that a command names. */
  isOver(vm: MediatedVm): boolean
  /** Which way the device is told to move data. */
  directionOf(vm: MediatedVm, reread: () => MediatedCommand): boolean
  /** The frame for a page that is wanted; -1: none. */
  findFree(vms: readonly MediatedVm[], frames: number): number
}

export const correctMediation = (): MediatedParts => ({
  translate(vm, { page, pages }) {
    const frames: number[] = []
    for (let at = page; at < page + pages; at++) {
      const frame = at < vm.homes.length ? vm.homes[at]! : -1
      if (frame < 0) return undefined
      frames.push(frame)
    }
    return frames
  },
  frameOf: (vm) => vm.frames[vm.touched]!,
  isPinned: (vms, frame) => vms.some(({ stage, frames }) => stage === 'running' && frames.includes(frame)),
  isOver: (vm) => vm.touched === vm.frames.length,
  directionOf: (vm) => vm.write,
  findFree(vms, frames) {
    for (let frame = 0; frame < frames; frame++) if (!vms.some(({ homes }) => homes.includes(frame))) return frame
    return -1
  },
})
