/** Each action of the machine that we play, as a few pokes. */
import type { Control } from '../../contract/target.ts'
import type { Args } from '../../kernel/language/machine.ts'
import { enableQueue, initialise, rewriteRegisters } from './bring-up.ts'
import { runLap } from './lap.ts'
import type { Rig } from './rig.ts'

type Perform = (rig: Rig, args: Args) => void

export const control = ({ target, device }: Rig, order: Control): void => target.control!(device, order)

const suppress =
  (on: boolean): Perform =>
  ({ driver, watch, can }) => {
    driver.setNoInterrupt(on)
    watch.racing = !can.synchronous
  }

export const performers: Readonly<Record<string, Perform>> = {
  'driver.start': (rig, args) => initialise(rig, args, true),
  'driver.startUnagreed': (rig) => initialise(rig, { withQueue: true }, false),
  'driver.reset'({ transport, life }) {
    transport.setStatus(0)
    life.phase = 'resetting'
  },
  'driver.resetQueue'({ transport, life }) {
    transport.resetQueue!(0)
    life.queueResetting = true
  },
  'driver.enableQueue': enableQueue,
  'driver.rewriteRegisters'(rig) {
    rewriteRegisters(rig)
    rig.life.suspicious = true
  },
  'driver.add'({ driver, kind, life }, args) {
    driver.add(args.head as number, kind.request(args), args as never)
    if (args.defect !== 'none') life.suspicious = true
  },
  'driver.publish': ({ driver }) => driver.publish(),
  'driver.jump'({ driver, life }) {
    driver.setAvailIdx(driver.availIdx + driver.map.size + 1)
    life.suspicious = true
  },
  'driver.scribble'({ driver, life }, args) {
    driver.scribble(args.head as number, args.field as string, args.which as string)
    life.suspicious = true
  },
  'driver.check': () => undefined,
  'driver.kick'({ driver, transport }) {
    driver.offer()
    transport.kick(0)
  },
  'driver.consume'({ driver, life }, args) {
    driver.release(args.head as number)
    life.seenIdx = (life.seenIdx + 1) & 0xffff
  },
  'driver.suppress': suppress(true),
  'driver.unsuppress': suppress(false),
  'driver.setUsedEvent'({ driver, watch, can, life }, args) {
    driver.setUsedEvent((life.seenIdx + (args.ahead as number)) & 0xffff)
    watch.racing = !can.synchronous
  },
  'driver.mask': ({ interrupts }) => interrupts.mask(true),
  'driver.unmask': ({ interrupts }) => interrupts.mask(false),
  'driver.toggleMsix'({ transport }) {
    transport.enableMsix!(false)
    transport.enableMsix!(true)
  },
  'driver.useNeighbour'({ neighbour, kind, life, transport }) {
    neighbour.submit(kind.plain)
    life.neighbourBusy = true
    transport.kick(1)
  },
  'driver.lap': runLap,
  'backend.hold'(rig) {
    rig.life.held = true
    control(rig, { do: 'hold' })
  },
  'backend.release'(rig, args) {
    rig.life.held = false
    control(rig, { do: 'release', order: args.order as 'fifo' | 'lifo' })
  },
  'backend.releaseOne': (rig, args) => control(rig, { do: 'release-one', index: args.index as number }),
  'backend.fail'(rig) {
    rig.life.failing = true
    control(rig, { do: 'fail', count: 1 })
  },
}
