/**
 * Many requests, so that the indexes come close to their wrap; nothing of it is told one by one. The same chains go
 * round, all of them at each kick; where they can be indirect, they fill the ring.
 */
import { beforeWrap } from '../../../spec/virtqueue/split-ring.ts'
import { TargetError } from '../../contract/target.ts'
import { used } from '../../layout/split-ring.ts'
import { collectQuietly } from './interrupts.ts'
import { type Rig, tell } from './rig.ts'

/** Time for the requests of a lap, on a machine that is busy with other things. */
const LAP_MS = 2_000
/** Looks at the used ring before the target is asked to settle, and rounds between looks at events. */
const LAP_SPINS = 64
const LAP_ROUNDS = 16
/** So many rounds wait for their back end first: what a device mistakes each time its back end is full adds up. */
const JAMS = 24

export const runLap = (rig: Rig): void => {
  const { driver, watch, transport, target, can, life } = rig
  const { size } = driver.map
  const { wrap } = rig.machine.scope
  const end = beforeWrap(wrap!)
  const start = driver.availIdx
  collectQuietly(target)
  watch.muted = true
  if (watch.eventIdx) driver.setUsedEvent(wrap! - 1)
  const via = life.indirect ? 'indirect' : 'direct'
  const chains = life.indirect ? size : Math.floor(size / 2)
  for (let logical = 0; logical < size; logical++) driver.release(logical)
  for (let logical = 0; logical < chains; logical++)
    driver.add(logical, rig.kind.quick, { readable: 1, writable: 1, via, place: 0, defect: 'none' })
  driver.repeat(chains)
  const { controls } = target.describe().can
  // Where the target is another process, holding the back end costs more than it may show.
  const canJam = can.synchronous && controls.includes('hold') && controls.includes('release')
  let exactly = true
  for (let round = 1; driver.availIdx < end && exactly; round++) {
    rig.alive()
    const count = Math.min(chains, end - driver.availIdx)
    driver.setAvailIdx(driver.availIdx + count)
    const jams = round <= JAMS && canJam
    if (jams) target.control!(rig.device, { do: 'hold' })
    transport.kick(0)
    if (jams) {
      target.settle(0)
      target.control!(rig.device, { do: 'release', order: 'fifo' })
    }
    const pauses = round % LAP_ROUNDS === 0 || driver.availIdx === end
    // A device that is done when the kick returns is looked at now and then: each look is a round trip.
    if (pauses || !can.synchronous || can.step)
      exactly = awaitUsed(rig, driver.availIdx) && namesEachOnce(rig, driver.availIdx, count, start, chains)
    if (pauses) collectQuietly(target)
  }
  driver.goOnAfter(driver.chains[(driver.availIdx - start + chains - 1) % chains]!)
  for (let logical = 0; logical < chains; logical++) driver.release(logical)
  life.seenIdx = driver.availIdx
  collectQuietly(target)
  if (transport.interrupts !== 'msix') transport.interruptStatus()
  watch.overlook()
  watch.muted = false
  watch.skipTo(driver.availIdx)
  tell(rig, 'device.lap', { exactly })
}

const awaitUsed = ({ driver, target, can }: Rig, idx: number): boolean => {
  const at = driver.rings!.used + used.idx
  // A look at memory is cheap; a target that works by itself is mostly done at the first of them.
  let spins = can.synchronous ? 0 : LAP_SPINS
  for (let waited = 0; waited < LAP_MS; ) {
    const now = target.load(at, 2)
    if ((now[0]! | (now[1]! << 8)) === idx) return true
    if (spins-- > 0) continue
    if (target.settle(waited) === 'dead') throw new TargetError('dead', 'the target ended during a lap')
    waited += 1 + (waited >> 1)
  }
  return false
}

/** Whether the last `count` used entries name the chains that were made available last, each once. */
const namesEachOnce = ({ driver, target }: Rig, idx: number, count: number, start: number, inLap: number): boolean => {
  // With IN_ORDER one entry may stand for a batch.
  if (driver.inOrder) return true
  const { rings, map, chains } = driver
  const ring = target.load(rings!.used, used.ring(map.size))
  const view = new DataView(ring.buffer, ring.byteOffset, ring.byteLength)
  const expected = new Set<number>()
  for (let at = idx - count; at < idx; at++) expected.add(chains[(at - start) % inLap]!.physical)
  for (let at = idx - count; at < idx; at++) expected.delete(view.getUint32(used.ring(at % map.size), true))
  return expected.size === 0
}
