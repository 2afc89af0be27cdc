/** All doors, and targets by address: `reference:virtio-blk`, `stdio:./device`, `qemu:virtio-blk?iothread=1`. */
import { hintFor } from '../contract/codec.ts'
import { preview } from '../contract/explain.ts'
import { type Door, type OpenOptions, type Target, TargetError } from '../contract/target.ts'
import { kvmDoor } from './kvm/index.ts'
import { logDoor } from './log.ts'
import { moduleDoor } from './module.ts'
import { qemuDoor } from './qemu/index.ts'
import { referenceDoor } from './reference.ts'
import { stdioDoor } from './stdio/index.ts'
import { v86Door } from './v86/index.ts'
import { watched } from './watched.ts'

export const doors: readonly Door[] = [referenceDoor, moduleDoor, stdioDoor, v86Door, qemuDoor, kvmDoor, logDoor]

export interface Address {
  readonly door: Door
  /** What stands after the colon. */
  readonly rest: string
}

/** Throws a `TargetError` of one line, with the nearest door. */
export const parseAddress = (address: string): Address => {
  const colon = address.indexOf(':')
  const scheme = colon < 0 ? address : address.slice(0, colon)
  const door = doors.find((each) => each.scheme === scheme)
  if (door !== undefined) return { door, rest: colon < 0 ? '' : address.slice(colon + 1) }
  const hint = hintFor(
    scheme,
    doors.map((each) => each.scheme),
  )
  throw new TargetError('address', `target ${preview(address)}: no door is called ${preview(scheme)}; ${hint}`)
}

/** Opens a target. An exception that a target in our own process throws later on becomes a `TargetError`. */
export const openTarget = async (address: string, options: OpenOptions): Promise<Target> => {
  const { door, rest } = parseAddress(address)
  const target = await door.open(rest, options)
  return door.scheme === 'module' ? watched(target) : target
}
