/** Joins `split-queue` and `virtio-blk` to targets. */
import { virtioBlk } from '../../spec/paravirtual/virtio-blk.ts'
import { splitQueue } from '../../spec/virtqueue/split-queue.ts'
import type { Description, DeviceDescription } from '../contract/target.ts'
import { type Model, ModelError } from '../kernel/model.ts'
import { isBehindUnit } from './guest/virtio-device.ts'
import { blkKind, plainKind } from './virtqueue/kinds.ts'
import { plainRequest } from './virtqueue/requests.ts'
import { QueueSession } from './virtqueue/session.ts'

const PLAYED = ['driver', 'backend'] as const

const find = (target: Description, fits: (device: DeviceDescription) => boolean): DeviceDescription | undefined =>
  target.devices.find((device) => fits(device) && !isBehindUnit(device))
const found = (target: Description, fits: (device: DeviceDescription) => boolean): DeviceDescription => {
  const device = find(target, fits)
  if (device === undefined)
    throw new ModelError(
      `${target.name}: expected a device that this machine is about, found ${target.devices.map((each) => each.kind).join(', ') || 'none'}`,
    )
  return device
}

const isDrivable = (device: DeviceDescription): boolean => plainRequest(device.kind) !== undefined
const isBlk = (device: DeviceDescription): boolean => device.kind === 'virtio-blk'

const isReadOnly = ({ facts }: DeviceDescription): boolean => facts?.readOnly === true || facts?.readonly === true

const READ_ONLY = 'the medium is read-only'
const unwritten = { aSectorWithTwoPossibleContents: READ_ONLY, aReadBackOfAWrite: READ_ONLY }
const NO_MSIX = 'the device has no MSI-X that can be seen'
const NO_HOLD = 'the target has no control "hold"'
const IN_KICKS = 'the device works inside kicks only, and so asks for each of them'
const AT_ONCE = 'a device that answers while it is kicked, whose requests cannot be held back'

/** What cannot happen on a target, or only if the device uses a freedom that this one does not use. */
const unreachableOf = (
  { observes, can }: Description,
  { transport, facts }: DeviceDescription,
): Record<string, string> => {
  const holds = can.controls.includes('hold')
  return {
    ...(transport.kind === 'mmio' || observes.msi === 'none' ? { anInterruptOwedWhileMasked: NO_MSIX } : {}),
    ...(holds ? {} : { aHeldRequest: NO_HOLD }),
    ...(can.synchronous && !can.step && !holds ? { aCompletionOutOfOrder: AT_ONCE, aPickupWithoutKick: AT_ONCE } : {}),
    ...(facts?.worksInKicks === true ? { aPickupWithoutKick: IN_KICKS } : {}),
    // To ask for a reset is no duty.
    ...(facts?.asksForReset === false ? { anAnswerToABreach: 'the device never asks for a reset' } : {}),
  }
}

/** The queue of any virtio device that this suite has a request for. */
export const splitQueueModel: Model = {
  machine: splitQueue,
  played: PLAYED,
  notApplicable: (target) =>
    find(target, isDrivable) === undefined
      ? 'it has no virtio device that this suite can send a request to'
      : undefined,
  unreachableGoals: (target) => unreachableOf(target, found(target, isDrivable)),
  open(target, machine, sink, alive) {
    const device = found(target.describe(), isDrivable)
    return new QueueSession(target, device, machine, plainKind(device.kind), sink, alive)
  },
}

/** The queue of a block device, and what its requests mean. */
export const virtioBlkModel: Model = {
  machine: virtioBlk,
  played: PLAYED,
  notApplicable: (target) => (find(target, isBlk) === undefined ? 'it has no virtio-blk device' : undefined),
  scope(target) {
    return { scope: 'played', bounds: isReadOnly(found(target, isBlk)) ? { readOnly: 1 } : {} }
  },
  unreachableGoals(target) {
    const device = found(target, isBlk)
    return { ...unreachableOf(target, device), ...(isReadOnly(device) && unwritten) }
  },
  open(target, machine, sink, alive) {
    return new QueueSession(target, found(target.describe(), isBlk), machine, blkKind(machine), sink, alive)
  },
}
