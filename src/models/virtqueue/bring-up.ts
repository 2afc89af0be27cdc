/** From a device in reset to a queue that runs, and the ways in which a driver does it wrong. */
import type { Args } from '../../kernel/language/machine.ts'
import { ModelError } from '../../kernel/model.ts'
import { FEATURE, STATUS } from '../../layout/virtio.ts'
import { VECTOR } from './interrupts.ts'
import type { RingArea } from './memory-map.ts'
import { bit, type Rig } from './rig.ts'

/** Sets the device up with the features that `args` name; without `agree`, DRIVER_OK comes without FEATURES_OK. */
export const initialise = (rig: Rig, args: Args, agree: boolean): void => {
  const { transport, watch, life } = rig
  const wanted =
    bit(FEATURE.VERSION_1) |
    rig.kind.features |
    (args.eventIdx === true ? bit(FEATURE.RING_EVENT_IDX) : 0n) |
    (args.indirect === true ? bit(FEATURE.RING_INDIRECT_DESC) : 0n) |
    (args.ringReset === true ? bit(FEATURE.RING_RESET) : 0n) |
    (args.inOrder === true ? bit(FEATURE.IN_ORDER) : 0n)
  const features = (rig.offered ?? 0n) & wanted
  // Memory first: between writes to registers it would cost a round trip. What is read on the way is looked at later
  // where that saves one.
  if (rig.twoQueues) rig.neighbour.restart()
  const rings = args.withQueue === true ? layOut(rig) : undefined
  transport.setStatus(STATUS.ACKNOWLEDGE)
  transport.setStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER)
  transport.setDriverFeatures(features)
  let status: number = STATUS.ACKNOWLEDGE | STATUS.DRIVER
  if (agree) {
    status |= STATUS.FEATURES_OK
    transport.setStatus(status)
    transport.statusLater((found) => {
      if ((found & STATUS.FEATURES_OK) !== 0) return
      life.refusal ??= `expected FEATURES_OK to stay for features 0x${features.toString(16)} out of the offered ones, found it cleared`
    })
    expectAgreed(rig)
  }
  watch.eventIdx = (features & bit(FEATURE.RING_EVENT_IDX)) !== 0n
  life.indirect = (features & bit(FEATURE.RING_INDIRECT_DESC)) !== 0n
  rig.driver.inOrder = (features & bit(FEATURE.IN_ORDER)) !== 0n
  // A driver reads it back; what it says is judged where MSI-X is.
  if (transport.interrupts === 'msix') transport.setConfigVectorFor?.(VECTOR.config, () => undefined)
  if (rings !== undefined) setUp(rig, rings)
  if (rig.twoQueues) {
    const { desc, avail, used } = rig.driver.map.neighbour
    const vector = transport.interrupts === 'msix' ? VECTOR.neighbour : undefined
    transport.setUpQueue(1, rig.driver.map.size, desc, avail, used, vector)
    life.neighbourUp = true
  }
  transport.setStatus(status | STATUS.DRIVER_OK)
  life.phase = 'running'
  life.suspicious = !agree || args.withQueue !== true
}

/** Throws a ModelError when the device was seen to refuse what it was set up with. */
export const expectAgreed = ({ device, life }: Rig): void => {
  if (life.refusal !== undefined) throw new ModelError(`${device}: ${life.refusal}`)
}

export const enableQueue = (rig: Rig): void => setUp(rig, layOut(rig))

const layOut = ({ driver, watch, life }: Rig): RingArea => {
  life.seenIdx = 0
  watch.restart()
  return driver.layOutRings()
}

const setUp = ({ transport, driver }: Rig, rings: RingArea): void => {
  const vector = transport.interrupts === 'msix' ? VECTOR.queue : undefined
  transport.setUpQueue(0, driver.map.size, rings.desc, rings.avail, rings.used, vector)
}

/** Points the enabled queue at the other ring area, which is thereby given to the device as well. */
export const rewriteRegisters = ({ transport, driver }: Rig): void => {
  const { rings, map } = driver
  const other = map.rings.find((area) => area !== rings)!
  driver.grant(other)
  transport.setUpQueue(0, map.size, other.desc, other.avail, other.used)
}
