/**
 * Event channels of one domain whose two ends are both its own: calls that change the page it shares with the hypervisor,
 * one bit a step, so that a virtual CPU can come in between; and the upcall that comes of it, an interrupt or a callback.
 */
import type { Instruction, Space } from '../../contract/index.ts'
import {
  BLOCK,
  CALL,
  EVENT_CHANNEL,
  HVM,
  PORT_STATUS,
  PORTS_PER_WORD,
  RESULT,
  SHARED,
} from '../../layout/event-channel.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { Port, UpcallParts, UpcallState } from './upcall-parts.ts'

const DEVICE = 'upcall'
const PAGE = 0x2000
/** The lowest ports are taken by others, so that the first two of the guest are in different words of the pending array. */
const FIRST_PORT = 63
const PORTS = 8
const VCPUS = 2

/** A step: what comes next; empty: the call returns. */
type Step = (channels: EventChannels) => string

export class EventChannels implements BoardPart {
  readonly describes = [
    {
      id: DEVICE,
      kind: 'event-upcall',
      transport: { kind: 'chip', inputs: 0 },
      facts: { sharedPage: PAGE, firstPort: FIRST_PORT },
    },
  ] as const
  readonly parts: UpcallParts
  readonly #board: BoardServices
  state: UpcallState = fresh()

  constructor(parts: UpcallParts, board: BoardServices) {
    this.parts = parts
    this.#board = board
  }

  read(space: Space, address: number): number | undefined {
    if (space !== 'hypercall') return undefined
    if (address !== CALL.EVENT_CHANNEL && address !== CALL.HVM) return RESULT.UNKNOWN
    return this.state.at === '' ? this.state.result : RESULT.IN_PROGRESS
  }

  write(space: Space, address: number, _width: number, value: number): boolean {
    if (space !== 'hypercall') return false
    // A caller waits for the call before.
    while (this.state.at !== '') this.step()
    this.state.result = 0
    this.state.block = value
    if (!this.#board.memory.covers(value, BLOCK.BYTES)) this.state.result = RESULT.INVALID
    else if (address === CALL.EVENT_CHANNEL) this.state.at = COMMANDS[this.argument(0)] ?? 'unknown'
    else if (address === CALL.HVM) this.state.at = HVM_COMMANDS[this.argument(0)] ?? 'unknown'
    else this.state.result = RESULT.UNKNOWN
    return true
  }

  execute(_cpu: number, instruction: Instruction): void {
    if (instruction === 'sti') this.state.enabled = true
    if (instruction === 'cli') this.state.enabled = false
  }

  step(): boolean {
    const { state } = this
    if (state.at !== '') {
      state.at = STEPS[state.at]!(this)
      return true
    }
    if (state.callback === 0 || !this.parts.callsBack(this.#byte(SHARED.UPCALL) !== 0, state.enabled)) return false
    this.parts.enterCallback(state)
    this.#board.emit({ kind: 'taken', cpu: 0, vector: state.callback })
    return true
  }

  /** Tells the virtual CPU of a new mark; a callback finds it by itself. */
  tell(): void {
    if (this.state.vector === 0) return
    this.#board.emit({
      kind: 'interrupt',
      device: DEVICE,
      destination: 0,
      logical: false,
      delivery: 'fixed',
      level: false,
      vector: this.state.vector,
    })
  }

  /** 32 bits of the block of the call. */
  argument(offset: number): number {
    const bytes = this.#board.memory.load(this.state.block + offset, 4)
    return new DataView(bytes.buffer).getUint32(0, true)
  }

  answer(offset: number, value: number): void {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, value, true)
    this.#board.memory.store(this.state.block + offset, bytes)
  }

  #byte(offset: number): number {
    return this.#board.memory.load(PAGE + offset, 1)[0]!
  }

  /** A bit of the shared page. */
  bit(offset: number, bit: number): boolean {
    return ((this.#byte(offset + (bit >> 3)) >> (bit & 7)) & 1) === 1
  }

  /** Changes a bit of the shared page, in one access; what it was before. */
  change(offset: number, bit: number, to: boolean): boolean {
    const at = offset + (bit >> 3)
    const before = this.#byte(at)
    const after = to ? before | (1 << (bit & 7)) : before & ~(1 << (bit & 7))
    if (after !== before) this.#board.memory.write(DEVICE, PAGE + at, Uint8Array.of(after))
    return ((before >> (bit & 7)) & 1) === 1
  }

  reset(): void {
    this.state = fresh()
  }

  save(): unknown {
    return this.state
  }

  restore(state: unknown): void {
    this.state = state as UpcallState
  }
}

const fresh = (): UpcallState => ({
  ports: Array.from({ length: PORTS }, () => ({ state: 'free', peer: -1, vcpu: 0 })),
  at: '',
  port: 0,
  result: 0,
  block: 0,
  vector: 0,
  callback: 0,
  enabled: false,
})

const COMMANDS: Readonly<Record<number, string>> = {
  [EVENT_CHANNEL.ALLOC_UNBOUND]: 'alloc',
  [EVENT_CHANNEL.BIND_INTERDOMAIN]: 'bind',
  [EVENT_CHANNEL.CLOSE]: 'close',
  [EVENT_CHANNEL.SEND]: 'send',
  [EVENT_CHANNEL.UNMASK]: 'unmask',
  [EVENT_CHANNEL.STATUS]: 'status',
  [EVENT_CHANNEL.BIND_IPI]: 'ipi',
  [EVENT_CHANNEL.BIND_VCPU]: 'move',
  [EVENT_CHANNEL.RESET]: 'reset',
}

const HVM_COMMANDS: Readonly<Record<number, string>> = {
  [HVM.SET_UPCALL_VECTOR]: 'vector',
  [HVM.SET_PARAM]: 'parameter',
}

const fail = ({ state }: EventChannels, result: number): string => {
  state.result = result
  return ''
}

const STATUS = {
  free: PORT_STATUS.CLOSED,
  unbound: PORT_STATUS.UNBOUND,
  bound: PORT_STATUS.INTERDOMAIN,
  ipi: PORT_STATUS.IPI,
} as const

/** The domain that a call names may be reached. */
const isReached = (channels: EventChannels): boolean =>
  channels.parts.mayReach(channels.argument(BLOCK.DOMAIN) & 0xffff)

const closePort = (channels: EventChannels, port: Port): void => {
  const peer = portOf(channels, port.peer)
  if (peer !== undefined) channels.parts.peerAfterClose(peer)
  channels.parts.close(port)
}

/** A port by its number; undefined: there is none. */
const portOf = ({ state }: EventChannels, port: number) => state.ports[port - FIRST_PORT]

/** The virtual CPU that the port of the call notifies. */
const notified = (channels: EventChannels): number => portOf(channels, channels.state.port)?.vcpu ?? 0

const freePort = ({ state }: EventChannels): number => {
  const index = state.ports.findIndex((port) => port.state === 'free')
  return index < 0 ? -1 : index + FIRST_PORT
}

const STEPS: Readonly<Record<string, Step>> = {
  unknown: (channels) => fail(channels, RESULT.UNKNOWN),
  alloc(channels) {
    if (!isReached(channels)) return fail(channels, RESULT.NOT_PERMITTED)
    const port = freePort(channels)
    if (port < 0) return fail(channels, RESULT.NO_SPACE)
    portOf(channels, port)!.state = 'unbound'
    channels.answer(BLOCK.NEW_PORT, port)
    return ''
  },
  bind(channels) {
    if (!isReached(channels)) return fail(channels, RESULT.INVALID)
    const remote = channels.argument(BLOCK.REMOTE_PORT)
    const other = portOf(channels, remote)
    const port = freePort(channels)
    if (!channels.parts.mayBind(other) || other === undefined) return fail(channels, RESULT.INVALID)
    if (port < 0) return fail(channels, RESULT.NO_SPACE)
    Object.assign(other, { state: 'bound', peer: port })
    Object.assign(portOf(channels, port)!, { state: 'bound', peer: remote })
    channels.answer(BLOCK.LOCAL_PORT, port)
    channels.state.port = port
    return channels.parts.pendsAfterBind() ? 'pend' : ''
  },
  close(channels) {
    const number = channels.argument(BLOCK.PORT)
    const port = portOf(channels, number)
    if (port === undefined || port.state === 'free') return fail(channels, RESULT.INVALID)
    closePort(channels, port)
    return ''
  },
  status(channels) {
    if (!isReached(channels)) return fail(channels, RESULT.NOT_PERMITTED)
    const port = portOf(channels, channels.argument(BLOCK.STATUS_PORT))
    if (port === undefined) return fail(channels, RESULT.INVALID)
    channels.answer(BLOCK.STATUS, STATUS[port.state])
    channels.answer(BLOCK.STATUS_VCPU, port.vcpu)
    if (port.state === 'bound') channels.answer(BLOCK.STATUS_PEER, port.peer)
    return ''
  },
  ipi(channels) {
    const vcpu = channels.argument(BLOCK.IPI_VCPU)
    const port = freePort(channels)
    if (vcpu >= VCPUS) return fail(channels, RESULT.INVALID)
    if (port < 0) return fail(channels, RESULT.NO_SPACE)
    Object.assign(portOf(channels, port)!, { state: 'ipi', vcpu })
    channels.answer(BLOCK.IPI_PORT, port)
    return ''
  },
  move(channels) {
    const port = portOf(channels, channels.argument(BLOCK.PORT))
    const vcpu = channels.argument(BLOCK.VCPU)
    if (port === undefined || vcpu >= VCPUS || !channels.parts.mayMove(port)) return fail(channels, RESULT.INVALID)
    port.vcpu = vcpu
    return ''
  },
  reset(channels) {
    if (!isReached(channels)) return fail(channels, RESULT.NOT_PERMITTED)
    for (const port of channels.state.ports) if (port.state !== 'free') closePort(channels, port)
    return ''
  },
  send(channels) {
    const number = channels.argument(BLOCK.PORT)
    const port = portOf(channels, number)
    if (port?.state !== 'bound' && port?.state !== 'ipi') return fail(channels, RESULT.INVALID)
    channels.state.port = port.state === 'ipi' ? number : port.peer
    return 'pend'
  },
  unmask(channels) {
    const number = channels.argument(BLOCK.PORT)
    const port = portOf(channels, number)
    if (port === undefined || port.state === 'free') return fail(channels, RESULT.INVALID)
    channels.state.port = number
    const wasMasked = channels.change(SHARED.MASK, number, false)
    return channels.parts.announcesAfterUnmask(wasMasked, channels.bit(SHARED.PENDING, number)) ? 'select' : ''
  },
  pend: (channels) =>
    channels.parts.goesOnAfterPending(channels.change(SHARED.PENDING, channels.state.port, true)) ? 'look' : '',
  look: (channels) => (channels.parts.announces(channels.bit(SHARED.MASK, channels.state.port)) ? 'select' : ''),
  select(channels) {
    const word = Math.floor(channels.state.port / PORTS_PER_WORD)
    const at = SHARED.SELECTOR + notified(channels) * SHARED.NEXT_VCPU
    return channels.parts.marksAfterSelect(channels.change(at, word, true)) ? 'mark' : ''
  },
  mark(channels) {
    const vcpu = notified(channels)
    const wasMarked = channels.change(SHARED.UPCALL + vcpu * SHARED.NEXT_VCPU, 0, true)
    return channels.parts.tellsAfterMark(wasMarked) && vcpu === 0 ? 'tell' : ''
  },
  tell(channels) {
    channels.tell()
    return ''
  },
  vector(channels) {
    channels.state.vector = channels.argument(BLOCK.VECTOR) & 0xff
    return channels.parts.tellsAtSetup(channels.bit(SHARED.UPCALL, 0)) ? 'tell' : ''
  },
  parameter(channels) {
    const kind = channels.argument(BLOCK.VALUE + 4) >>> 24
    if (channels.argument(8) !== HVM.CALLBACK_PARAM || kind !== HVM.CALLBACK_BY_VECTOR)
      return fail(channels, RESULT.INVALID)
    channels.state.callback = channels.argument(BLOCK.VALUE) & 0xff
    return ''
  },
}
