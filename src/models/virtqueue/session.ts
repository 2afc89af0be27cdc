/**
 * Drives one split queue of a virtio device. Each action of the machine that we play is a few pokes here; what the
 * device answers is read back by `Watch`.
 */

import { beforeWrap } from '../../../spec/virtqueue/split-ring.ts'
import type { Control, DeviceDescription, Target, TargetEvent } from '../../contract/target.ts'
import { TargetError } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/machine.ts'
import { ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { used } from '../../layout/split-ring.ts'
import { FEATURE, ISR, STATUS } from '../../layout/virtio.ts'
import { openTransport, type VirtioTransport } from '../guest/virtio-transport.ts'
import { type BuiltChain, SplitDriver } from './driver.ts'
import { memoryMap } from './memory-map.ts'
import { Neighbour } from './neighbour.ts'
import type { Request } from './requests.ts'
import { Shadow } from './shadow.ts'
import { Watch } from './watch.ts'

/** What a device type adds to the queue: its requests, and what a return of one says. */
export interface DeviceKind {
  /** Feature bits of the device type that the driver accepts where they are offered. */
  readonly features: bigint
  /** The request of a `driver.add`. */
  request(args: Args): Request
  /** The arguments that a return has beside head and lengths. */
  readReturn(driver: SplitDriver, chain: BuiltChain | undefined): Args
  /** A request for the second queue. */
  readonly plain: Request
  /** A request that costs the device little, to be sent many times. */
  readonly quick: Request
  restart(): void
}

const VECTOR = { config: 0, queue: 1, neighbour: 2 } as const
/** Actions that give a device without an available chain nothing to do. */
const QUIET: ReadonlySet<string> = new Set([
  ...['driver.start', 'driver.add', 'driver.check', 'driver.kick', 'driver.consume'],
  ...['driver.suppress', 'driver.unsuppress', 'driver.setUsedEvent'],
])
const bit = (feature: number): bigint => 1n << BigInt(feature)
/** Time for a reset to show in the status, on targets that work by themselves. */
const RESET_MS = 200
/** The same for the requests of a lap, on a machine that is busy with other things. */
const LAP_MS = 2_000
/** During a lap: looks at the used ring before the target is asked to settle, and rounds between looks at events. */
const LAP_SPINS = 64
const LAP_ROUNDS = 16

export class QueueSession implements Session {
  readonly device: string
  readonly unavailable: Readonly<Record<string, string>>
  private target: Target
  private readonly transport: VirtioTransport
  private readonly driver: SplitDriver
  private readonly watch: Watch
  private readonly shadow: Shadow | undefined
  private readonly neighbour: Neighbour
  private readonly kind: DeviceKind
  private readonly sink: Sink
  private readonly machine: Machine
  private readonly can: { readonly step: boolean; readonly synchronous: boolean }
  private readonly twoQueues: boolean
  private phase: 'reset' | 'running' | 'resetting' = 'reset'
  private queueResetting = false
  private neighbourBusy = false
  private neighbourUp = false
  private lapping = false
  private held = false
  private failing = false
  private needsReset = false
  /** Something happened after which the device may ask for a reset. */
  private suspicious = false
  private masked = false
  private offered: bigint | undefined
  /** What the driver did last gives a device without an available chain nothing to do. */
  private quietAct = false
  /** The status was read since the driver last did something. */
  private looked = false
  /** An interrupt of a queue that was reset may have been sent before: until the next rest nobody can tell. */
  private lateInterrupts = false
  /** The interrupt line is up. */
  private lineUp = false
  private readonly showsLine: boolean
  /** INDIRECT_DESC was negotiated. */
  private indirect = false

  constructor(target: Target, device: DeviceDescription, machine: Machine, kind: DeviceKind, sink: Sink) {
    this.target = target
    this.device = device.id
    this.machine = machine
    this.kind = kind
    this.sink = sink
    const description = target.describe()
    this.can = description.can
    this.showsLine = description.observes.line === 'exact'
    this.transport = openTransport(target, device)
    const map = memoryMap(description, device, machine.scope.size!)
    this.shadow = description.observes.dma === 'exact' ? undefined : new Shadow(target, map)
    this.driver = new SplitDriver(target, map, this.shadow)
    this.neighbour = new Neighbour(target, map)
    this.watch = new Watch(machine, this.driver, sink, this.shadow, (chain) => kind.readReturn(this.driver, chain))
    this.watch.elsewhere.push({ start: map.neighbour.start, end: map.slots })
    this.twoQueues = this.transport.queueCount() > 1
    this.unavailable = this.whatCannotBe(description.can.controls)
  }

  private whatCannotBe(controls: readonly Control['do'][]): Record<string, string> {
    const none: Record<string, string> = {}
    if (this.transport.interrupts !== 'msix')
      for (const name of ['driver.mask', 'driver.unmask', 'driver.toggleMsix'])
        none[name] = 'the device has no MSI-X that can be seen'
    const offered = this.transport.deviceFeatures()
    if ((offered & bit(FEATURE.RING_RESET)) === 0n || this.transport.resetQueue === undefined)
      for (const name of ['driver.resetQueue', 'driver.enableQueue', 'device.finishQueueReset'])
        none[name] = 'the device does not offer the reset of a queue'
    // A request reads and writes, so that without a table elsewhere it takes two descriptors of the queue.
    if ((offered & bit(FEATURE.RING_INDIRECT_DESC)) === 0n)
      none.everyChainOutstanding = none.aFullRing = 'the device does not offer indirect descriptors'
    if (!this.twoQueues) none['driver.useNeighbour'] = none['device.serveNeighbour'] = 'the device has one queue'
    const needs = {
      'backend.hold': 'hold',
      'backend.release': 'release',
      'backend.releaseOne': 'release-one',
      'backend.fail': 'fail',
    } as const
    for (const [name, control] of Object.entries(needs))
      if (!controls.includes(control)) none[name] = `the target has no control "${control}"`
    return none
  }

  move(target: Target): void {
    this.target = target
    this.driver.target = target
    this.neighbour.target = target
    if (this.shadow !== undefined) this.shadow.target = target
    this.transport.move(target)
  }

  start(): void {
    if (this.held) this.control({ do: 'release', order: 'fifo' })
    this.held = false
    if (this.failing) this.control({ do: 'fail', count: 0 })
    this.failing = false
    if (this.masked) this.transport.maskVector?.(VECTOR.queue, false)
    this.masked = false
    this.transport.setStatus(0)
    this.awaitReset()
    this.forgetInterrupts()
    this.afterReset()
    this.driver.former = []
    this.kind.restart()
    this.shadow?.restart()
    // Reading them costs four accesses; a target in another process is asked once.
    if (this.can.synchronous) this.offered = undefined
    this.offered ??= this.transport.deviceFeatures()
    const { offered } = this
    const has = (feature: number): boolean => (offered & bit(feature)) !== 0n
    this.sink(this.machine.action('device.offer'), {
      eventIdx: has(FEATURE.RING_EVENT_IDX),
      indirect: has(FEATURE.RING_INDIRECT_DESC),
      ringReset: has(FEATURE.RING_RESET) && this.transport.resetQueue !== undefined,
    })
  }

  perform(action: Action, args: Args): void {
    const { driver, transport } = this
    this.looked = false
    this.quietAct = !this.can.synchronous && QUIET.has(action.name)
    switch (action.name) {
      case 'driver.start':
        this.initialise(args, true)
        return
      case 'driver.startUnagreed':
        this.initialise({ withQueue: true }, false)
        return
      case 'driver.reset':
        transport.setStatus(0)
        this.phase = 'resetting'
        return
      case 'driver.resetQueue':
        transport.resetQueue!(0)
        this.queueResetting = true
        return
      case 'driver.enableQueue':
        this.enableQueue()
        return
      case 'driver.rewriteRegisters':
        this.rewriteRegisters()
        this.suspicious = true
        return
      case 'driver.add':
        driver.add(args.head as number, this.kind.request(args), args as never)
        if (args.defect !== 'none') this.suspicious = true
        return
      case 'driver.publish':
        driver.publish()
        return
      case 'driver.jump':
        driver.setAvailIdx(driver.availIdx + driver.map.size + 1)
        this.suspicious = true
        return
      case 'driver.scribble':
        driver.scribble(args.head as number, args.field as string, args.which as string)
        this.suspicious = true
        return
      case 'driver.check':
        return
      case 'driver.kick':
        transport.kick(0)
        return
      case 'driver.consume':
        driver.release(args.head as number)
        this.seenIdx = (this.seenIdx + 1) & 0xffff
        return
      case 'driver.suppress':
      case 'driver.unsuppress':
        driver.setNoInterrupt(action.name === 'driver.suppress')
        this.watch.racing = !this.can.synchronous
        return
      case 'driver.setUsedEvent':
        driver.setUsedEvent((this.seenIdx + (args.ahead as number)) & 0xffff)
        this.watch.racing = !this.can.synchronous
        return
      case 'driver.mask':
        this.mask(true)
        return
      case 'driver.unmask':
        this.mask(false)
        return
      case 'driver.toggleMsix':
        transport.enableMsix!(false)
        transport.enableMsix!(true)
        return
      case 'driver.useNeighbour':
        this.neighbour.submit(this.kind.plain)
        this.neighbourBusy = true
        transport.kick(1)
        return
      case 'driver.lap':
        this.lap()
        return
      case 'backend.hold':
        this.held = true
        this.control({ do: 'hold' })
        return
      case 'backend.release':
        this.held = false
        this.control({ do: 'release', order: args.order as 'fifo' | 'lifo' })
        return
      case 'backend.releaseOne':
        this.control({ do: 'release-one', index: args.index as number })
        return
      case 'backend.fail':
        this.failing = true
        this.control({ do: 'fail', count: 1 })
        return
      default:
        throw new ModelError(`${this.machine.name}: ${action.name}: this model does not know how to perform it`)
    }
  }

  collect(at?: 'rest' | 'end'): void {
    if (at === undefined && this.quietAct && this.isCalm) {
      this.watch.racing = false
      return
    }
    const atRest = at !== undefined
    const events = this.events()
    const causes = this.causes(events)
    // An interrupt never comes before what it is about: where the rings are compared, they are looked at after the
    // interrupts were taken, and told first.
    const active = this.watch.compare()
    this.watch.racing = false
    if (atRest || active) this.watch.inspect()
    for (const event of events) {
      switch (event.kind) {
        case 'dma':
          this.watch.access(event)
          break
        case 'fault':
          this.watch.refused(event)
          break
        case 'msi':
          this.message(event.address, event.data)
          break
        case 'livelock':
          throw new TargetError('livelock', event.detail)
        case 'line':
          break
      }
    }
    if (causes !== 0) this.interruptCauses(causes)
    if (atRest) this.lateInterrupts = false
    this.poll(at)
  }

  /** Nothing is under way. */
  private get isCalm(): boolean {
    const busy = this.neighbourBusy || this.suspicious || this.needsReset || this.queueResetting || this.masked
    return this.phase === 'running' && !busy && !this.driver.isWaiting
  }

  /** How far the driver has consumed the used ring, by its own count. */
  private seenIdx = 0

  private poll(at: 'rest' | 'end' | undefined): void {
    if (this.phase === 'resetting') {
      if (this.transport.status() === 0) {
        // What happened before the status was read came before the end of the reset.
        if (!this.can.synchronous) this.forgetInterrupts()
        this.watch.overlook()
        this.afterReset()
        this.tell('device.finishReset')
      }
      return
    }
    if (this.queueResetting && !this.transport.queueInReset!(0)) {
      this.queueResetting = false
      const enabled = this.transport.queueEnabled(0)
      if (!this.can.synchronous) this.collect('rest')
      this.forgetQueue()
      this.sink(this.machine.action('device.finishQueueReset'), { enabled })
      this.lateInterrupts = !this.can.synchronous
    }
    if (this.neighbourBusy) {
      const right = this.neighbour.answer(this.kind.plain)
      if (right !== undefined) {
        this.neighbourBusy = false
        this.sink(this.machine.action('device.serveNeighbour'), { right })
      }
    }
    if (this.lapping) this.lapDone()
    // A device that asks for a reset says so by an interrupt. That it forgot to is found out where it owes something,
    // and at the end.
    const isDue = this.suspicious || at === 'end' || (at === 'rest' && this.driver.isWaiting)
    if (this.phase === 'running' && !this.needsReset && !this.looked && isDue) this.lookAtStatus()
  }

  /** Why there was an interrupt: asked for only where the line is up, or was. */
  private causes(events: readonly TargetEvent[]): number {
    if (this.transport.interrupts === 'msix') return 0
    let rose = this.lineUp || !this.showsLine
    for (const event of events) {
      if (event.kind !== 'line' || event.device !== this.device) continue
      this.lineUp = event.level
      rose ||= event.level
    }
    return rose ? this.transport.interruptStatus() : 0
  }

  private forgetInterrupts(): void {
    for (const event of this.target.events())
      if (event.kind === 'line' && event.device === this.device) this.lineUp = event.level
    if (this.transport.interrupts !== 'msix') this.transport.interruptStatus()
  }

  private lookAtStatus(): void {
    this.looked = true
    if ((this.transport.status() & STATUS.DEVICE_NEEDS_RESET) === 0) return
    this.needsReset = true
    this.sink(this.machine.action('device.needReset'), { mixed: this.driver.offersMixed })
    if (this.earlyConfig) this.tell('device.configInterrupt')
    this.earlyConfig = false
  }
  /** A configuration-change notification that came before its reason was seen in the status. */
  private earlyConfig = false

  /** Interrupts of the queue that were under way when their vector was masked, and what came with them. */
  private early: TargetEvent[] = []
  private alongside: readonly TargetEvent[] = []

  private mask(on: boolean): void {
    this.transport.maskVector!(VECTOR.queue, on)
    this.masked = on
    if (!on || this.can.synchronous) return
    // What was under way when the mask was written belongs before it. It is told after the unmasking, which says less
    // and nothing wrong.
    const events = this.target.events()
    const isEarly = (event: TargetEvent): boolean =>
      event.kind === 'msi' && this.isMessage(VECTOR.queue, event.address, event.data)
    this.early.push(...events.filter(isEarly))
    this.alongside = events.filter((event) => !isEarly(event))
  }

  private events(): readonly TargetEvent[] {
    const events = [...this.alongside, ...this.target.events()]
    this.alongside = []
    if (this.masked || this.early.length === 0) return events
    const early = this.early
    this.early = []
    return [...early, ...events]
  }

  private isMessage(vector: number, address: number, data: number): boolean {
    const message = this.transport.messageOf?.(vector)
    return message !== undefined && message.address === address && message.data === data
  }

  private message(address: number, data: number): void {
    if (this.isMessage(VECTOR.queue, address, data)) this.interrupt()
    else if (this.isMessage(VECTOR.config, address, data)) this.configInterrupt()
  }

  private interruptCauses(causes: number): void {
    if ((causes & ISR.QUEUE) !== 0) {
      // The bit is shared by both queues: with this one down it speaks for the other.
      const forNeighbour = this.neighbourUp && (this.driver.rings === undefined || this.neighbourBusy)
      if (!forNeighbour || !this.queueResetting) this.interrupt(forNeighbour)
    }
    if ((causes & ISR.CONFIG) !== 0) this.configInterrupt()
  }

  private interrupt(forNeighbour = false): void {
    if (this.phase === 'resetting' || this.lapping || (forNeighbour && this.driver.rings === undefined)) return
    if (this.lateInterrupts && this.driver.rings === undefined) return
    this.tell('device.interrupt')
  }

  private configInterrupt(): void {
    if (this.phase === 'resetting') return
    if (this.phase === 'running' && !this.needsReset) {
      this.earlyConfig = true
      this.lookAtStatus()
    } else this.tell('device.configInterrupt')
  }

  private initialise(args: Args, agree: boolean): void {
    const { transport } = this
    const wanted =
      bit(FEATURE.VERSION_1) |
      this.kind.features |
      (args.eventIdx === true ? bit(FEATURE.RING_EVENT_IDX) : 0n) |
      (args.indirect === true ? bit(FEATURE.RING_INDIRECT_DESC) : 0n) |
      (args.ringReset === true ? bit(FEATURE.RING_RESET) : 0n)
    const features = (this.offered ?? 0n) & wanted
    // Memory first: between writes to registers it would cost a round trip.
    if (this.twoQueues) this.neighbour.restart()
    transport.setStatus(STATUS.ACKNOWLEDGE)
    transport.setStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER)
    transport.setDriverFeatures(features)
    let status: number = STATUS.ACKNOWLEDGE | STATUS.DRIVER
    if (agree) {
      status |= STATUS.FEATURES_OK
      transport.setStatus(status)
      if ((transport.status() & STATUS.FEATURES_OK) === 0)
        throw new ModelError(
          `${this.device}: expected FEATURES_OK to stay for features 0x${features.toString(16)} out of the offered ones, found it cleared`,
        )
    }
    this.watch.eventIdx = (features & bit(FEATURE.RING_EVENT_IDX)) !== 0n
    this.indirect = (features & bit(FEATURE.RING_INDIRECT_DESC)) !== 0n
    if (transport.interrupts === 'msix') transport.setConfigVector?.(VECTOR.config)
    if (args.withQueue === true) this.enableQueue()
    if (this.twoQueues) {
      const { desc, avail, used } = this.driver.map.neighbour
      transport.setUpQueue(
        1,
        this.driver.map.size,
        desc,
        avail,
        used,
        transport.interrupts === 'msix' ? VECTOR.neighbour : undefined,
      )
      this.neighbourUp = true
    }
    transport.setStatus(status | STATUS.DRIVER_OK)
    this.phase = 'running'
    this.suspicious = !agree || args.withQueue !== true
  }

  private enableQueue(): void {
    const rings = this.driver.layOutRings()
    this.seenIdx = 0
    this.watch.restart()
    const vector = this.transport.interrupts === 'msix' ? VECTOR.queue : undefined
    this.transport.setUpQueue(0, this.driver.map.size, rings.desc, rings.avail, rings.used, vector)
  }

  /** Points the enabled queue at the other ring area, which is thereby given to the device as well. */
  private rewriteRegisters(): void {
    const { rings, map } = this.driver
    const other = map.rings.find((area) => area !== rings)!
    this.driver.grant(other)
    this.transport.setUpQueue(0, map.size, other.desc, other.avail, other.used)
  }

  private forgetQueue(): void {
    this.driver.forget()
    this.seenIdx = 0
    if (this.masked) {
      // What was pending is not the next queue's: the message that unmasking lets out is not told.
      this.transport.maskVector?.(VECTOR.queue, false)
      this.target.events()
    }
    this.masked = false
  }

  private afterReset(): void {
    this.phase = 'reset'
    this.queueResetting = this.neighbourBusy = this.neighbourUp = this.lapping = false
    this.needsReset = this.suspicious = this.earlyConfig = this.lateInterrupts = false
    this.early = []
    this.watch.muted = false
    this.forgetQueue()
    this.driver.formerHeads.clear()
  }

  /** Waits until the status reads zero: only when a run starts, where nothing is judged yet. */
  private awaitReset(): void {
    for (let waited = 0; this.transport.status() !== 0; waited += 1 + (waited >> 1)) {
      if (waited > RESET_MS)
        throw new ModelError(
          `${this.device}: expected the device status to read 0 after a reset, found 0x${this.transport.status().toString(16)}`,
        )
      if (this.target.settle(this.can.synchronous ? 0 : 1 + (waited >> 1)) === 'dead')
        throw new TargetError('dead', 'the target ended during a reset')
    }
    if (this.can.step) this.target.settle(0)
  }

  private tell(name: string): void {
    this.sink(this.machine.action(name), {})
  }
  private control(control: Control): void {
    this.target.control!(this.device, control)
  }

  /**
   * Many requests, so that the indexes come close to their wrap; nothing of it is told one by one. The same chains go
   * round, all of them at each kick; where they can be indirect, they fill the ring.
   */
  private lap(): void {
    const { driver, watch, transport } = this
    const { size } = driver.map
    const { wrap } = this.machine.scope
    const end = beforeWrap(wrap!)
    collectQuietly(this.target)
    watch.muted = true
    this.lapping = true
    if (watch.eventIdx) driver.setUsedEvent(wrap! - 1)
    const via = this.indirect ? 'indirect' : 'direct'
    const chains = this.indirect ? size : Math.floor(size / 2)
    for (let logical = 0; logical < size; logical++) driver.release(logical)
    for (let logical = 0; logical < chains; logical++)
      driver.add(logical, this.kind.quick, { readable: 1, writable: 1, via, place: 0, defect: 'none' })
    driver.repeat(chains)
    this.lapRight = true
    for (let round = 1; driver.availIdx < end && this.lapRight; round++) {
      const count = Math.min(chains, end - driver.availIdx)
      driver.setAvailIdx(driver.availIdx + count)
      transport.kick(0)
      const pauses = round % LAP_ROUNDS === 0 || driver.availIdx === end
      // A device that is done when the kick returns is looked at now and then: each look is a round trip.
      if (pauses || !this.can.synchronous || this.can.step)
        this.lapRight = this.awaitUsed(driver.availIdx) && this.namesEachOnce(driver.availIdx, count, chains)
      if (pauses) collectQuietly(this.target)
    }
    for (let logical = 0; logical < chains; logical++) driver.release(logical)
    this.seenIdx = driver.availIdx
    this.lapDone()
  }
  private lapRight = true

  private lapDone(): void {
    collectQuietly(this.target)
    if (this.transport.interrupts !== 'msix') this.transport.interruptStatus()
    this.watch.overlook()
    this.watch.muted = false
    this.watch.skipTo(this.driver.availIdx)
    this.lapping = false
    this.sink(this.machine.action('device.lap'), { exactly: this.lapRight })
  }

  private awaitUsed(idx: number): boolean {
    const at = this.driver.rings!.used + used.idx
    // A look at memory is cheap; a target that works by itself is mostly done at the first of them.
    let spins = this.can.synchronous ? 0 : LAP_SPINS
    for (let waited = 0; waited < LAP_MS; ) {
      const now = this.target.load(at, 2)
      if ((now[0]! | (now[1]! << 8)) === idx) return true
      if (spins-- > 0) continue
      if (this.target.settle(waited) === 'dead') throw new TargetError('dead', 'the target ended during a lap')
      waited += 1 + (waited >> 1)
    }
    return false
  }

  /** Whether the last `count` used entries name the chains that were made available last, each once. */
  private namesEachOnce(idx: number, count: number, inLap: number): boolean {
    const { rings, map, chains } = this.driver
    const ring = this.target.load(rings!.used, used.ring(map.size))
    const view = new DataView(ring.buffer, ring.byteOffset, ring.byteLength)
    const expected = new Set<number>()
    for (let at = idx - count; at < idx; at++) expected.add(chains[at % inLap]!.physical)
    for (let at = idx - count; at < idx; at++) expected.delete(view.getUint32(used.ring(at % map.size), true))
    return expected.size === 0
  }
}

const collectQuietly = (target: Target): void => {
  for (const event of target.events()) if (event.kind === 'livelock') throw new TargetError('livelock', event.detail)
}
