/** Joins the event-upcall machine to a domain with event channels whose shared page shows the stores of the hypervisor. */
import { eventUpcall } from '../../spec/interrupt/event-upcall.ts'
import type { Description, DeviceDescription, Target, TargetEvent } from '../contract/target.ts'
import type { Action, Args, Machine } from '../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../kernel/model.ts'
import {
  BLOCK,
  CALL,
  DOMID_SELF,
  EVENT_CHANNEL,
  FOREIGN_DOMAIN,
  HVM,
  PORT_STATUS,
  PORTS_PER_WORD,
  RESULT,
  SHARED,
} from '../layout/event-channel.ts'
import { notesOf } from './guest/notes.ts'

/** The CPU that makes calls, while another takes upcalls. */
const CALLER = 1
const RECEIVER = 0
const VECTOR = 0xf3
const BLOCK_GPA = 0x1000
/** What calls fail with is negative. */
const NEGATIVE = 0x8000_0000

/** A port far beyond those that are opened. */
const NEVER_OPENED = 1000
/** What a status says that is asked for. */
const ASKED: Readonly<Record<number, string>> = {
  [PORT_STATUS.UNBOUND]: 'unbound',
  [PORT_STATUS.INTERDOMAIN]: 'bound',
}

/** Calls that name another domain; where they name a port, it is one that the guest has as well. */
const REACHES = {
  open: { command: EVENT_CHANNEL.ALLOC_UNBOUND, domains: FOREIGN_DOMAIN | (DOMID_SELF << 16), port: 0 },
  bind: { command: EVENT_CHANNEL.BIND_INTERDOMAIN, domains: FOREIGN_DOMAIN, port: BLOCK.REMOTE_PORT },
  status: { command: EVENT_CHANNEL.STATUS, domains: FOREIGN_DOMAIN, port: BLOCK.STATUS_PORT },
  reset: { command: EVENT_CHANNEL.RESET, domains: FOREIGN_DOMAIN, port: 0 },
} as const

const channelsOf = (target: Description): DeviceDescription | undefined =>
  target.devices.find(({ kind }) => kind === 'event-upcall')

class EventUpcallSession implements Session {
  readonly device: string
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #page: number
  #target: Target
  /** The shared page as both sides left it. */
  #shared = new Uint8Array(SHARED.BYTES)
  /** Numbers of the ports, by id; -1: none. */
  #ports: number[]
  /** The call in progress, and the port whose number it will tell. */
  #call: number | undefined
  #fresh: { readonly port: number; readonly offset: number } | undefined
  #closing = -1
  /** It asks for a status. */
  #queried = false

  constructor(target: Target, machine: Machine, sink: Sink) {
    const channels = channelsOf(target.describe())
    const page = channels?.facts?.sharedPage
    if (channels === undefined || typeof page !== 'number')
      throw new ModelError('expected event channels that say under sharedPage where their page is')
    this.device = channels.id
    this.#page = page
    this.#target = target
    this.#machine = machine
    this.#sink = sink
    this.#ports = this.#noPorts()
  }

  #noPorts(): number[] {
    return new Array<number>(this.#machine.scope.ports!).fill(-1)
  }

  start(): void {
    this.#target.reset('system')
    this.#shared.fill(0)
    this.#shared.fill(0xff, SHARED.MASK, SHARED.BYTES)
    this.#target.store(this.#page, this.#shared)
    this.#ports = this.#noPorts()
    this.#closing = -1
    this.#queried = false
    this.#open(0)
    this.#finishCall()
    this.#bind(1, 0)
    this.#finishCall()
    for (const number of this.#ports.slice(0, 2)) this.#set(SHARED.MASK, number, false)
    // What binding announced is none of the machine's business.
    this.#target.store(this.#page, this.#shared)
    this.#target.events()
  }

  /** While the machine is not told yet. */
  #finishCall(): void {
    this.#target.settle(0)
    this.#learnPort()
    this.#call = this.#fresh = undefined
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or guest`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.open': ({ port }) => this.#open(port as number),
    'driver.bind': ({ port, to }) => this.#bind(port as number, to as number),
    'driver.close': ({ port }) => {
      const number = this.#numberOf(port)
      this.#set(SHARED.MASK, number, true)
      this.#make(CALL.EVENT_CHANNEL, EVENT_CHANNEL.CLOSE, { [BLOCK.PORT]: number })
      this.#closing = port as number
    },
    'driver.send': ({ port }) =>
      this.#make(CALL.EVENT_CHANNEL, EVENT_CHANNEL.SEND, { [BLOCK.PORT]: this.#numberOf(port) }),
    'driver.unmask': ({ port }) =>
      this.#make(CALL.EVENT_CHANNEL, EVENT_CHANNEL.UNMASK, { [BLOCK.PORT]: this.#numberOf(port) }),
    'driver.query': ({ port }) => {
      this.#make(CALL.EVENT_CHANNEL, EVENT_CHANNEL.STATUS, {
        [BLOCK.DOMAIN]: DOMID_SELF,
        [BLOCK.STATUS_PORT]: this.#numberOf(port),
      })
      this.#queried = true
    },
    'driver.move': ({ ipi }) => this.#move(ipi === true),
    'driver.reachOut': ({ by }) => this.#reachOut(by as keyof typeof REACHES),
    'driver.misuse': ({ by }) => {
      const command = by === 'send' ? EVENT_CHANNEL.SEND : EVENT_CHANNEL.CLOSE
      this.#say('hypervisor.answerMisuse', { done: this.#complete(command, { [BLOCK.PORT]: NEVER_OPENED }) })
    },
    'driver.choosePath': ({ path }) => this.#choose(path),
    'driver.choosePathLate': ({ path }) => this.#choose(path),
    'guest.takeMark': () => this.#set(SHARED.UPCALL, 0, false),
    'guest.takeSelector': () => {
      this.#shared.fill(0, SHARED.SELECTOR, SHARED.SELECTOR + 8)
      this.#target.store(this.#page + SHARED.SELECTOR, new Uint8Array(8))
    },
    'guest.handle': ({ port }) => this.#set(SHARED.PENDING, this.#numberOf(port), false),
    'guest.finish': () => {},
    'guest.mask': ({ port }) => this.#set(SHARED.MASK, this.#numberOf(port), true),
    'guest.clearMask': ({ port }) => this.#set(SHARED.MASK, this.#numberOf(port), false),
    'guest.lookAgain': () => {},
    'guest.goOn': () => {},
    'guest.enable': () => this.#target.execute!(RECEIVER, 'sti'),
    'guest.disable': () => this.#target.execute!(RECEIVER, 'cli'),
  }

  #open(port: number): void {
    this.#make(CALL.EVENT_CHANNEL, EVENT_CHANNEL.ALLOC_UNBOUND, { 4: DOMID_SELF | (DOMID_SELF << 16) })
    this.#fresh = { port, offset: BLOCK.NEW_PORT }
  }

  #bind(port: number, to: number): void {
    const block = { 4: DOMID_SELF, [BLOCK.REMOTE_PORT]: this.#numberOf(to) }
    this.#make(CALL.EVENT_CHANNEL, EVENT_CHANNEL.BIND_INTERDOMAIN, block)
    this.#fresh = { port, offset: BLOCK.LOCAL_PORT }
  }

  #choose(path: unknown): void {
    if (path === 'interrupt') this.#make(CALL.HVM, HVM.SET_UPCALL_VECTOR, { 4: RECEIVER, [BLOCK.VECTOR]: VECTOR })
    else
      this.#make(CALL.HVM, HVM.SET_PARAM, {
        4: DOMID_SELF,
        8: HVM.CALLBACK_PARAM,
        [BLOCK.VALUE]: VECTOR,
        [BLOCK.VALUE + 4]: HVM.CALLBACK_BY_VECTOR * 2 ** 24,
      })
  }

  /** A whole call while the machine knows of none: whether it was carried out. */
  #complete(command: number, block: Readonly<Record<number, number>>): boolean {
    this.#make(CALL.EVENT_CHANNEL, command, block)
    this.#call = undefined
    this.#target.settle(0)
    const at = { space: 'hypercall', address: CALL.EVENT_CHANNEL, cpu: CALLER } as const
    return Number(this.#target.read(at, 4)) < NEGATIVE
  }

  #answered(offset: number): number {
    return new DataView(this.#target.load(BLOCK_GPA + offset, 4).buffer).getUint32(0, true)
  }

  /** Opens a port, for interrupts between virtual CPUs or for a channel; its number. */
  #openMore(ipi: boolean): number | undefined {
    const isOpen = ipi
      ? this.#complete(EVENT_CHANNEL.BIND_IPI, { [BLOCK.IPI_VCPU]: RECEIVER })
      : this.#complete(EVENT_CHANNEL.ALLOC_UNBOUND, { [BLOCK.DOMAIN]: DOMID_SELF | (DOMID_SELF << 16) })
    return isOpen ? this.#answered(ipi ? BLOCK.IPI_PORT : BLOCK.NEW_PORT) : undefined
  }

  #notified(port: number): number {
    this.#complete(EVENT_CHANNEL.STATUS, { [BLOCK.DOMAIN]: DOMID_SELF, [BLOCK.STATUS_PORT]: port })
    return this.#answered(BLOCK.STATUS_VCPU)
  }

  #move(ipi: boolean): void {
    const port = this.#openMore(ipi)
    // It may have no more ports.
    if (port === undefined) return
    const moved = this.#complete(EVENT_CHANNEL.BIND_VCPU, { [BLOCK.PORT]: port, [BLOCK.VCPU]: CALLER })
    const first = !moved && this.#notified(port) === RECEIVER
    this.#complete(EVENT_CHANNEL.CLOSE, { [BLOCK.PORT]: port })
    if (ipi) this.#say('hypervisor.answerMove', { ipi, first })
    if (ipi || !moved) return
    const again = this.#openMore(false)
    if (again === undefined) return
    if (again === port) this.#say('hypervisor.answerMove', { ipi, first: this.#notified(again) === RECEIVER })
    this.#complete(EVENT_CHANNEL.CLOSE, { [BLOCK.PORT]: again })
  }

  #reachOut(by: keyof typeof REACHES): void {
    const { command, domains, port } = REACHES[by]
    const number = this.#ports.find((each) => each >= 0) ?? 1
    const block = { [BLOCK.DOMAIN]: domains, ...(port === 0 ? {} : { [port]: number }) }
    this.#say('hypervisor.answerReach', { by, done: this.#complete(command, block) })
  }

  /** Makes a call; `block` is its arguments by offset, behind the command. */
  #make(call: number, command: number, block: Readonly<Record<number, number>>): void {
    const bytes = new Uint8Array(BLOCK.BYTES)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, command, true)
    for (const [offset, value] of Object.entries(block)) view.setUint32(Number(offset), value >>> 0, true)
    this.#target.store(BLOCK_GPA, bytes)
    this.#call = call
    this.#target.write({ space: 'hypercall', address: call, cpu: CALLER }, 4, BigInt(BLOCK_GPA))
  }

  #numberOf(port: unknown): number {
    return this.#ports[port as number]!
  }

  /** A store of the guest to one bit of the page, which leaves the others as they are. */
  #set(offset: number, bit: number, to: boolean): void {
    const at = offset + (bit >> 3)
    const mask = 1 << (bit & 7)
    this.#shared[at] = to ? this.#shared[at]! | mask : this.#shared[at]! & ~mask
    this.#target.store(this.#page + at, this.#shared.subarray(at, at + 1))
  }

  collect(): void {
    for (const event of this.#target.events()) this.#tell(event)
    if (this.#call === undefined) return
    const result = Number(this.#target.read({ space: 'hypercall', address: this.#call, cpu: CALLER }, 4))
    if (result !== RESULT.IN_PROGRESS) this.#returned(result < NEGATIVE)
  }

  /** The number of a new port; the word of its bit. */
  #learnPort(): number {
    const { port, offset } = this.#fresh!
    const number = new DataView(this.#target.load(BLOCK_GPA + offset, 4).buffer).getUint32(0, true)
    this.#ports[port] = number
    return this.#wordOf(number)
  }

  #returned(done: boolean): void {
    const word = this.#fresh !== undefined && done ? this.#learnPort() : 0
    if (this.#queried && done)
      this.#say('hypervisor.answerStatus', { is: ASKED[this.#answered(BLOCK.STATUS)] ?? 'other' })
    this.#queried = false
    if (this.#closing >= 0) {
      this.#set(SHARED.PENDING, this.#numberOf(this.#closing), false)
      this.#ports[this.#closing] = -1
    }
    this.#call = this.#fresh = undefined
    this.#closing = -1
    this.#say('hypervisor.return', { done, word })
  }

  #wordOf(port: number): number {
    return Math.min(Math.floor(port / PORTS_PER_WORD), this.#machine.scope.words! - 1)
  }

  #tell(event: TargetEvent): void {
    if (event.kind === 'interrupt') this.#say('hypervisor.interrupt', { right: event.vector === VECTOR })
    else if (event.kind === 'taken') this.#say('hypervisor.callBack', { right: event.vector === VECTOR })
    else if (event.kind === 'dma' && event.access === 'write')
      for (const [i, byte] of event.data.entries()) this.#stored(event.gpa + i - this.#page, byte)
  }

  /** The hypervisor stored a byte of the page. */
  #stored(at: number, now: number): void {
    if (at < 0 || at >= SHARED.BYTES) return
    const before = this.#shared[at]!
    this.#shared[at] = now
    for (let bit = 0; bit < 8; bit++) if (((before ^ now) >> bit) & 1) this.#changed(at, bit, ((now >> bit) & 1) === 1)
  }

  #changed(at: number, bit: number, set: boolean): void {
    if (at === SHARED.UPCALL && set) this.#say('hypervisor.mark', {})
    else if (at >= SHARED.SELECTOR && at < SHARED.SELECTOR + 8 && set)
      this.#say('hypervisor.select', {
        word: Math.min(8 * (at - SHARED.SELECTOR) + bit, this.#machine.scope.words! - 1),
      })
    else {
      const masks = at >= SHARED.MASK
      const port = this.#idOf(8 * (at - (masks ? SHARED.MASK : SHARED.PENDING)) + bit)
      if (at < SHARED.PENDING || port === undefined || masks === set) this.#say('hypervisor.spoil', {})
      else this.#say(masks ? 'hypervisor.clearMask' : 'hypervisor.pend', { port })
    }
  }

  /** A number that nobody has been told yet is that of the port in the making. */
  #idOf(number: number): number | undefined {
    const port = this.#ports.indexOf(number)
    return port >= 0 ? port : this.#fresh?.port
  }

  #say(action: string, args: Args): void {
    this.#sink(this.#machine.action(action), args)
  }

  move(target: Target): void {
    this.#target = target
  }

  remembers(): string {
    return notesOf([this.#ports, this.#call, this.#fresh, this.#closing, this.#queried])
  }
}

export const eventUpcallModel: Model = {
  machine: eventUpcall,
  played: ['driver', 'guest'],
  notApplicable(target) {
    if (channelsOf(target) === undefined) return 'it has no event channels'
    if (!target.can.execute) return 'its virtual CPU cannot be told to enable interrupts'
    return target.observes.interrupt === 'exact' && target.observes.dma === 'exact'
      ? undefined
      : 'it does not show each store to the shared page'
  },
  /** Whether the first two ports that it allocates have bits in different words. */
  scope(target) {
    const first = channelsOf(target)?.facts?.firstPort
    const straddle = typeof first === 'number' && (first + 1) % PORTS_PER_WORD === 0
    return { scope: 'played', bounds: straddle ? {} : { words: 1 } }
  },
  open: (target, machine, sink) => new EventUpcallSession(target, machine, sink),
}
