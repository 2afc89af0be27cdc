/** What a queue session is made of: the guest's side of one device, and what it remembers of it. */
import type { Control, DeviceDescription, Target } from '../../contract/target.ts'
import type { Args, Machine } from '../../kernel/language/machine.ts'
import type { Sink } from '../../kernel/model.ts'
import { FEATURE } from '../../layout/virtio.ts'
import { openTransport, type VirtioTransport } from '../guest/virtio-transport.ts'
import type { DeviceKind } from './device-kind.ts'
import { SplitDriver } from './driver.ts'
import { Interrupts } from './interrupts.ts'
import { memoryMap } from './memory-map.ts'
import { Neighbour } from './neighbour.ts'
import { Shadow } from './shadow.ts'
import { Watch } from './watch.ts'

/** Where the device is in its life, as far as the guest knows. */
export interface Life {
  phase: 'reset' | 'running' | 'resetting'
  queueResetting: boolean
  neighbourBusy: boolean
  neighbourUp: boolean
  needsReset: boolean
  /** Something happened after which the device may ask for a reset. */
  suspicious: boolean
  held: boolean
  failing: boolean
  /** What the device did not agree to while it was set up: no driver could go on. */
  refusal: string | undefined
  /** How far the driver has consumed the used ring, by its own count. */
  seenIdx: number
  /** INDIRECT_DESC was negotiated. */
  indirect: boolean
}

export interface Rig {
  target: Target
  readonly device: string
  readonly machine: Machine
  readonly kind: DeviceKind
  readonly sink: Sink
  /** A sign of life, for the watchdog. */
  readonly alive: () => void
  readonly can: { readonly step: boolean; readonly synchronous: boolean }
  readonly transport: VirtioTransport
  readonly interrupts: Interrupts
  readonly driver: SplitDriver
  /** Absent when the device shows every access. */
  readonly shadow: Shadow | undefined
  readonly neighbour: Neighbour
  readonly watch: Watch
  readonly twoQueues: boolean
  readonly life: Life
  /** The feature bits that the device offers, once they were read. */
  offered: bigint | undefined
}

export const bit = (feature: number): bigint => 1n << BigInt(feature)

export const rigUp = (
  target: Target,
  device: DeviceDescription,
  machine: Machine,
  kind: DeviceKind,
  sink: Sink,
  alive: () => void,
): Rig => {
  const description = target.describe()
  const transport = openTransport(target, device)
  const map = memoryMap(description, device, machine.scope.size!)
  const shadow = description.observes.dma === 'exact' ? undefined : new Shadow(target, map)
  const driver = new SplitDriver(target, map, shadow, device.facts?.worksInKicks === true)
  const neighbour = new Neighbour(target, map)
  const watch = new Watch(machine, driver, sink, shadow, (chain, len) => kind.readReturn(driver, chain, len))
  watch.elsewhere.push({ start: map.neighbour.start, end: map.slots })
  return {
    target,
    device: device.id,
    machine,
    kind,
    sink,
    alive,
    can: description.can,
    transport,
    interrupts: new Interrupts(target, device.id, transport),
    driver,
    shadow,
    neighbour,
    watch,
    twoQueues: transport.queueCount() > 1,
    life: {
      phase: 'reset',
      queueResetting: false,
      neighbourBusy: false,
      neighbourUp: false,
      needsReset: false,
      suspicious: false,
      held: false,
      failing: false,
      refusal: undefined,
      seenIdx: 0,
      indirect: false,
    },
    offered: undefined,
  }
}

/** The state of the target moved into a fresh instance. */
export const moveRig = (rig: Rig, target: Target): void => {
  rig.target = target
  rig.driver.target = target
  rig.neighbour.target = target
  rig.interrupts.target = target
  if (rig.shadow !== undefined) rig.shadow.target = target
  rig.transport.move(target)
}

/** All that the guest's side remembers of a run. */
export const rigNotes = ({ life, interrupts, driver, neighbour, watch, kind, offered }: Rig): readonly unknown[] => [
  ...[life, interrupts, driver, neighbour, watch, offered],
  kind.remembers?.(),
]

/** What its parts hold beside that: the target, the machine, and what follows from them. */
export const apartFrom = ({ target, machine, transport, driver, shadow, watch }: Rig): ReadonlySet<unknown> =>
  new Set<unknown>([target, transport, driver.map, shadow, watch.memo, ...machine.actions])

/** Tells an observation that has no arguments, or these. */
export const tell = ({ sink, machine }: Rig, name: string, args: Args = {}): void => sink(machine.action(name), args)

/** Actions and goals that this very device cannot perform or reach, each with the reason. */
export const whatCannotBe = ({ transport, twoQueues, target }: Rig): Record<string, string> => {
  const { controls } = target.describe().can
  const none: Record<string, string> = {}
  if (transport.interrupts !== 'msix')
    for (const name of ['driver.mask', 'driver.unmask', 'driver.toggleMsix'])
      none[name] = 'the device has no MSI-X that can be seen'
  const offered = transport.deviceFeatures()
  if ((offered & bit(FEATURE.RING_RESET)) === 0n || transport.resetQueue === undefined)
    for (const name of ['driver.resetQueue', 'driver.enableQueue', 'device.finishQueueReset'])
      none[name] = 'the device does not offer the reset of a queue'
  // A request reads and writes, so that without a table elsewhere it takes two descriptors of the queue.
  if ((offered & bit(FEATURE.RING_INDIRECT_DESC)) === 0n)
    none.everyChainOutstanding = none.aFullRing = 'the device does not offer indirect descriptors'
  if ((offered & bit(FEATURE.IN_ORDER)) === 0n) none.aReturnInOrder = 'the device does not offer IN_ORDER'
  if (!twoQueues) none['driver.useNeighbour'] = none['device.serveNeighbour'] = 'the device has one queue'
  const needs: Readonly<Record<string, Control['do']>> = {
    'backend.hold': 'hold',
    'backend.release': 'release',
    'backend.releaseOne': 'release-one',
    'backend.fail': 'fail',
  }
  for (const [name, control] of Object.entries(needs))
    if (!controls.includes(control)) none[name] = `the target has no control "${control}"`
  return none
}
