/**
 * Drives one split queue of a virtio device. Each action of the machine that we play is a few pokes in `perform`; what
 * the device answers is read back by `Watch`.
 */
import type { DeviceDescription, Target, TargetEvent } from '../../contract/target.ts'
import { TargetError } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/machine.ts'
import { ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { FEATURE, ISR, STATUS } from '../../layout/virtio.ts'
import { notesOf } from '../guest/notes.ts'
import { expectAgreed } from './bring-up.ts'
import type { DeviceKind } from './device-kind.ts'
import { VECTOR } from './interrupts.ts'
import { control, performers } from './perform.ts'
import { apartFrom, bit, moveRig, type Rig, rigNotes, rigUp, tell, whatCannotBe } from './rig.ts'

/** Actions that give a device nothing to do, where no chain is available that it may have noticed. */
const QUIET: ReadonlySet<string> = new Set([
  ...['driver.start', 'driver.add', 'driver.publish', 'driver.check', 'driver.kick', 'driver.consume'],
  ...['driver.suppress', 'driver.unsuppress', 'driver.setUsedEvent'],
])
/** Actions that make the device work at once. */
const POKES: ReadonlySet<string> = new Set(['driver.kick', 'driver.useNeighbour'])
/** Time for a reset to show in the status, on targets that work by themselves. */
const RESET_MS = 200

export class QueueSession implements Session {
  readonly device: string
  readonly unavailable: Readonly<Record<string, string>>
  private readonly rig: Rig
  /** What the driver did last gives a device that has noticed no chain nothing to do. */
  private quietAct = false
  /** What the driver did last makes the device work, and nobody has looked since. */
  private poked = false
  /** The status was read since the driver last did something. */
  private looked = false
  /** An interrupt of a queue that was reset may have been sent before: until the next rest nobody can tell. */
  private lateInterrupts = false
  /** A configuration-change notification that came before its reason was seen in the status. */
  private earlyConfig = false

  constructor(
    target: Target,
    device: DeviceDescription,
    machine: Machine,
    kind: DeviceKind,
    sink: Sink,
    alive: () => void = () => {},
  ) {
    this.device = device.id
    this.rig = rigUp(target, device, machine, kind, sink, alive)
    this.unavailable = whatCannotBe(this.rig)
  }

  move(target: Target): void {
    moveRig(this.rig, target)
  }

  remembers(): string {
    return notesOf(
      [this.quietAct, this.poked, this.looked, this.lateInterrupts, this.earlyConfig, ...rigNotes(this.rig)],
      apartFrom(this.rig),
    )
  }

  start(): void {
    const { rig } = this
    const { life, transport, can } = rig
    if (life.held) control(rig, { do: 'release', order: 'fifo' })
    life.held = false
    if (life.failing) control(rig, { do: 'fail', count: 0 })
    life.failing = false
    rig.interrupts.unmask()
    transport.setStatus(0)
    this.awaitReset()
    rig.interrupts.forget()
    this.afterReset()
    rig.driver.former = []
    rig.kind.restart((offset) => transport.readConfigWide(offset))
    rig.shadow?.restart()
    // Reading them costs four accesses; a target in another process is asked once.
    if (can.synchronous) rig.offered = undefined
    rig.offered ??= transport.deviceFeatures()
    const { offered } = rig
    const has = (feature: number): boolean => (offered & bit(feature)) !== 0n
    tell(rig, 'device.offer', {
      eventIdx: has(FEATURE.RING_EVENT_IDX),
      indirect: has(FEATURE.RING_INDIRECT_DESC),
      ringReset: has(FEATURE.RING_RESET) && transport.resetQueue !== undefined,
      inOrder: has(FEATURE.IN_ORDER),
    })
  }

  perform(action: Action, args: Args): void {
    this.looked = false
    this.quietAct = !this.rig.can.synchronous && QUIET.has(action.name)
    this.poked = POKES.has(action.name)
    const perform = performers[action.name]
    if (perform === undefined)
      throw new ModelError(`${this.rig.machine.name}: ${action.name}: this model does not know how to perform it`)
    perform(this.rig, args)
  }

  collect(at?: 'rest' | 'end'): void {
    const { watch, interrupts, life, transport, can } = this.rig
    if (at === undefined && this.quietAct && this.isCalm) {
      watch.racing = false
      return
    }
    const atRest = at !== undefined
    // The read of the status also carries out the write that asked for the reset: one round trip less.
    const isReset = !can.synchronous && life.phase === 'resetting' && transport.status() === 0
    const { events, causes } = this.poked ? interrupts.afterPoke() : interrupts.seen()
    expectAgreed(this.rig)
    this.poked = false
    // An interrupt never comes before what it is about: where the rings are compared, they are looked at after the
    // interrupts were taken, and told first.
    const active = watch.compare()
    watch.racing = false
    if (atRest || active) watch.inspect()
    for (const event of events) this.take(event)
    if (causes !== 0) this.interruptCauses(causes)
    if (atRest) this.lateInterrupts = false
    this.poll(at, isReset)
  }

  private take(event: TargetEvent): void {
    const { watch, interrupts } = this.rig
    switch (event.kind) {
      case 'dma':
        watch.access(event)
        break
      case 'fault':
        watch.refused(event)
        break
      case 'msi':
        if (interrupts.isMessage(VECTOR.queue, event.address, event.data)) this.interrupt()
        else if (interrupts.isMessage(VECTOR.config, event.address, event.data)) this.configInterrupt()
        break
      case 'livelock':
        throw new TargetError('livelock', event.detail)
      case 'line':
        break
    }
  }

  /** Nothing is under way. */
  private get isCalm(): boolean {
    const { life, interrupts, driver } = this.rig
    const busy = life.neighbourBusy || life.suspicious || life.needsReset || life.queueResetting || interrupts.masked
    return life.phase === 'running' && !busy && !driver.isServed
  }

  /** Looks at what the device does not tell by itself. */
  private poll(at: 'rest' | 'end' | undefined, isReset: boolean): void {
    const { rig } = this
    const { life, transport, can } = rig
    if (life.phase === 'resetting') {
      if (isReset || (can.synchronous && transport.status() === 0)) {
        // What happened before the status was read came before the end of the reset.
        if (!can.synchronous) rig.interrupts.forget()
        rig.watch.overlook()
        this.afterReset()
        tell(rig, 'device.finishReset')
      }
      return
    }
    if (life.queueResetting && !transport.queueInReset!(0)) {
      life.queueResetting = false
      const enabled = transport.queueEnabled(0)
      if (!can.synchronous) this.collect('rest')
      this.forgetQueue()
      tell(rig, 'device.finishQueueReset', { enabled })
      this.lateInterrupts = !can.synchronous
    }
    if (life.neighbourBusy) {
      const right = rig.neighbour.answer(rig.kind.plain)
      if (right !== undefined) {
        life.neighbourBusy = false
        tell(rig, 'device.serveNeighbour', { right })
      }
    }
    // A device that asks for a reset says so by an interrupt. That it forgot to is found out where it owes something,
    // and at the end.
    const isDue = life.suspicious || at === 'end' || (at === 'rest' && rig.driver.isWaiting)
    if (life.phase === 'running' && !life.needsReset && !this.looked && isDue) this.lookAtStatus()
  }

  private lookAtStatus(): void {
    const { rig } = this
    this.looked = true
    if ((rig.transport.status() & STATUS.DEVICE_NEEDS_RESET) === 0) return
    rig.life.needsReset = true
    tell(rig, 'device.needReset', { mixed: rig.driver.offersMixed })
    if (this.earlyConfig) tell(rig, 'device.configInterrupt')
    this.earlyConfig = false
  }

  private interruptCauses(causes: number): void {
    const { life, driver } = this.rig
    if ((causes & ISR.QUEUE) !== 0) {
      // The bit is shared by both queues: with this one down it speaks for the other.
      const forNeighbour = life.neighbourUp && (driver.rings === undefined || life.neighbourBusy)
      if (!forNeighbour || !life.queueResetting) this.interrupt(forNeighbour)
    }
    if ((causes & ISR.CONFIG) !== 0) this.configInterrupt()
  }

  private interrupt(forNeighbour = false): void {
    const { life, driver } = this.rig
    if (life.phase === 'resetting' || (forNeighbour && driver.rings === undefined)) return
    if (this.lateInterrupts && driver.rings === undefined) return
    tell(this.rig, 'device.interrupt')
  }

  private configInterrupt(): void {
    const { life } = this.rig
    if (life.phase === 'resetting') return
    if (life.phase === 'running' && !life.needsReset) {
      this.earlyConfig = true
      this.lookAtStatus()
    } else tell(this.rig, 'device.configInterrupt')
  }

  private forgetQueue(): void {
    const { rig } = this
    const { interrupts } = rig
    rig.driver.forget()
    rig.life.seenIdx = 0
    const wasMasked = interrupts.masked
    interrupts.unmask()
    // What was pending is not the next queue's: the message that unmasking lets out is not told.
    if (wasMasked) rig.target.events()
  }

  private afterReset(): void {
    const { life, watch, interrupts, driver } = this.rig
    life.phase = 'reset'
    life.queueResetting = life.neighbourBusy = life.neighbourUp = false
    life.refusal = undefined
    life.needsReset = life.suspicious = this.earlyConfig = this.lateInterrupts = false
    interrupts.forgetEarly()
    watch.muted = false
    this.forgetQueue()
    driver.formerHeads.clear()
  }

  /** Waits until the status reads zero: only when a run starts, where nothing is judged yet. */
  private awaitReset(): void {
    const { transport, target, can } = this.rig
    for (let waited = 0; transport.status() !== 0; waited += 1 + (waited >> 1)) {
      if (waited > RESET_MS)
        throw new ModelError(
          `${this.device}: expected the device status to read 0 after a reset, found 0x${transport.status().toString(16)}`,
        )
      if (target.settle(can.synchronous ? 0 : 1 + (waited >> 1)) === 'dead')
        throw new TargetError('dead', 'the target ended during a reset')
    }
    if (can.step) target.settle(0)
  }
}
