/** A PCI function with an engine: it fetches a command, moves 16 bytes, writes a status, and sends a message. One step each. */
import { DEVICE_COMMAND, DEVICE_DATA, DEVICE_STATUS } from '../../layout/dma-device.ts'
import type { BoardServices } from '../board.ts'
import { type Iommu, movePieces, type Piece } from '../iommu/iommu.ts'

const PAGE_BYTES = 4096
const MOVED_BYTES = 16
/** Steps that a reset takes. */
const RESET_STEPS = 6
/** Steps that a request is on its way. */
const LATENCY = 4

/** Plain data. */
export interface DmaDeviceState {
  master: boolean
  stage: 'idle' | 'fetch' | 'move' | 'complete' | 'stopped'
  page: number
  write: boolean
  failed: boolean
  /** What left the device and has not arrived: translated already. */
  flight: Piece[] | null
  /** Steps until it arrives by itself. */
  latency: number
  /** A message is to be sent. */
  messaging: boolean
  scratch: number
  address: number
  data: number
  /** Steps of a reset that are left. */
  resetting: number
}

export const freshDevice = (): DmaDeviceState => ({
  master: false,
  stage: 'idle',
  page: 0,
  write: false,
  failed: false,
  flight: null,
  latency: 0,
  messaging: false,
  scratch: 0,
  address: 0,
  data: 0,
  resetting: 0,
})

/** Decisions of the hardware that a fault can replace. */
export interface DmaDeviceParts {
  /** May a request leave? */
  mayMaster(state: DmaDeviceState): boolean
  /** What a reset leaves. */
  afterReset(state: DmaDeviceState): DmaDeviceState
  /** Bus master enable is cleared: what is in flight arrives before the write is over. */
  settles(): boolean
}

export const correctDmaDevice: DmaDeviceParts = {
  mayMaster: ({ master }) => master,
  afterReset: freshDevice,
  settles: () => true,
}

export class DmaDevice {
  readonly id: string
  readonly requester: number
  readonly #slot: number
  readonly #services: BoardServices
  readonly #iommu: Iommu
  readonly #parts: DmaDeviceParts
  state = freshDevice()

  /** `number` tells where its commands are. */
  constructor(services: BoardServices, iommu: Iommu, parts: DmaDeviceParts, number: number, requester: number) {
    this.id = `device${number}`
    this.requester = requester
    this.#slot = DEVICE_COMMAND.slot * number
    this.#services = services
    this.#iommu = iommu
    this.#parts = parts
  }

  /** A doorbell counts for nothing while a command runs, and while the device is reset. */
  ring(): void {
    const { state } = this
    if ((state.stage !== 'idle' && state.stage !== 'stopped') || state.resetting > 0) return
    state.stage = 'fetch'
    state.failed = false
  }

  setMaster(on: boolean): void {
    this.state.master = on
    if (!on && this.#parts.settles()) this.land()
  }

  beginReset(): void {
    this.state.resetting = RESET_STEPS
  }

  reset(): void {
    this.state = freshDevice()
  }

  /** What is in flight arrives. */
  land(): void {
    const { state } = this
    if (state.flight === null) return
    const pieces = state.flight
    state.flight = null
    const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0)
    const data = new Uint8Array(bytes).fill(state.page + 1)
    movePieces(this.#services.memory, this.id, pieces, {
      access: state.write ? 'write' : 'read',
      iova: 0n,
      bytes,
      ...(state.write ? { data } : {}),
    })
  }

  step(): boolean {
    const { state } = this
    if (state.resetting > 0) {
      this.land()
      state.resetting--
      if (state.resetting === 0) this.state = this.#parts.afterReset(state)
      return true
    }
    if (state.flight !== null) {
      if (state.latency > 0) state.latency--
      else this.land()
      return true
    }
    if (!this.#parts.mayMaster(state)) return false
    if (state.messaging) {
      state.messaging = false
      if (state.address !== 0)
        this.#services.emit({ kind: 'msi', device: this.id, address: state.address, data: state.data })
      return true
    }
    switch (state.stage) {
      case 'idle':
      case 'stopped':
        return false
      case 'fetch':
        this.#fetch()
        break
      case 'move':
        this.#move()
        break
      case 'complete':
        this.#complete()
        break
    }
    return true
  }

  #access(access: 'read' | 'write', at: number, bytes: number, data?: Uint8Array): Uint8Array | undefined {
    const iova = BigInt(at)
    const pieces = this.#iommu.translate({ requester: this.requester, access, iova, bytes })
    const asked = { access, iova, bytes, ...(data === undefined ? {} : { data }) } as const
    const outcome = movePieces(this.#services.memory, this.id, pieces, asked)
    return outcome.moved === bytes ? (outcome.data ?? new Uint8Array(0)) : undefined
  }

  #fetch(): void {
    const { state } = this
    const bytes = this.#access('read', this.#slot, DEVICE_COMMAND.bytes)
    if (bytes === undefined) {
      state.stage = 'stopped'
      return
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    state.page = view.getUint32(DEVICE_COMMAND.page, true)
    state.write = view.getUint32(DEVICE_COMMAND.write, true) !== 0
    state.stage = 'move'
  }

  /** Translated now, moved at the next step. */
  #move(): void {
    const { state } = this
    const iova = BigInt(state.page) * BigInt(PAGE_BYTES) + BigInt(DEVICE_DATA)
    const access = state.write ? 'write' : 'read'
    const pieces = this.#iommu.translate({ requester: this.requester, access, iova, bytes: MOVED_BYTES })
    state.failed = pieces.length === 0
    state.flight = state.failed ? null : [...pieces]
    state.latency = LATENCY
    state.stage = 'complete'
  }

  #complete(): void {
    const { state } = this
    const status = Uint8Array.of(state.failed ? DEVICE_STATUS.FAILED : DEVICE_STATUS.DONE, 0, 0, 0)
    const isTold = this.#access('write', this.#slot + DEVICE_COMMAND.status, 4, status) !== undefined
    state.stage = isTold ? 'idle' : 'stopped'
    state.messaging = isTold
  }
}
