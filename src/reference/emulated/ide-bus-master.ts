/**
 * The bus master of the channel: registers behind BAR 4, and transfers as steps (fetch a descriptor, move what fits,
 * finish). Where a transfer stands is data: it can be saved between any two steps.
 */
import {
  ATA_COMMAND,
  ATA_STATUS,
  BUS_MASTER,
  BUS_MASTER_BAR,
  BUS_MASTER_COMMAND,
  BUS_MASTER_STATUS,
  PRD,
} from '../../layout/ide.ts'
import type { GuestMemory } from '../memory.ts'
import type { BarWindow } from '../pci/bars.ts'
import type { Identity, PciFunction, Personality } from '../pci/function.ts'
import { askToStore, type Channel, interrupt } from './ide-drive.ts'
import type { IdeState } from './ide-state.ts'

const BYTES_AT_ONCE = 512
const READY = ATA_STATUS.DRDY | ATA_STATUS.DSC

const IDENTITY: Identity = {
  vendorId: 0x8086,
  deviceId: 0x7010,
  revision: 0,
  classCode: 0x010180,
  subsystemVendorId: 0,
  subsystemId: 0,
}
const BARS: readonly BarWindow[] = [{ index: BUS_MASTER_BAR, kind: 'io', bytes: BUS_MASTER.bytes }]

export class IdeBusMaster implements Personality {
  readonly identity = IDENTITY
  readonly bars = BARS
  readonly msix = undefined
  readonly capabilities = []
  readonly #channel: () => Channel
  /** What the command register of the function says. */
  mayMaster = false

  constructor(channel: () => Channel) {
    this.#channel = channel
  }

  connect(): void {}

  readBar(_fn: PciFunction, _bar: number, offset: number, width: 1 | 2 | 4): number {
    const { command, status, table } = this.#channel().state.master
    let value = 0
    for (let byte = 0; byte < width; byte++) {
      const at = offset + byte
      const table8 = (table >>> (8 * (at - BUS_MASTER.table))) & 0xff
      const value8 = at === BUS_MASTER.command ? command : at === BUS_MASTER.status ? status : inTable(at) ? table8 : 0
      value |= value8 << (8 * byte)
    }
    return value >>> 0
  }

  writeBar(_fn: PciFunction, _bar: number, offset: number, width: 1 | 2 | 4, value: number): void {
    for (let byte = 0; byte < width; byte++) this.#write(offset + byte, (value >>> (8 * byte)) & 0xff)
  }

  #write(at: number, value: number): void {
    const { state, parts } = this.#channel()
    const { master } = state
    if (at === BUS_MASTER.command) writeCommand(state, value)
    else if (at === BUS_MASTER.status) master.status = parts.statusAfterWrite(master.status, value)
    else if (inTable(at)) {
      const shift = 8 * (at - BUS_MASTER.table)
      // The table begins at a doubleword.
      master.table = ((master.table & ~(0xff << shift)) | (value << shift)) & ~3
    }
  }

  reset(): void {}
  resetDevice(): void {}
  quiesced(): boolean {
    return true
  }
  busMaster(enabled: boolean): void {
    this.mayMaster = enabled
  }
  save(): unknown {
    return this.mayMaster
  }
  restore(state: unknown): void {
    this.mayMaster = state as boolean
  }
}

const inTable = (at: number): boolean => at >= BUS_MASTER.table && at < BUS_MASTER.table + 4

function writeCommand({ master }: IdeState, value: number): void {
  const started = (master.command & BUS_MASTER_COMMAND.START) !== 0
  const starts = (value & BUS_MASTER_COMMAND.START) !== 0
  master.command = value & (BUS_MASTER_COMMAND.START | BUS_MASTER_COMMAND.TO_MEMORY)
  if (starts && !started) {
    master.status |= BUS_MASTER_STATUS.ACTIVE
    Object.assign(master, { next: master.table >>> 0, count: 0, end: false })
  }
  if (!starts) master.status &= ~BUS_MASTER_STATUS.ACTIVE
}

/** One step of a transfer; false: nothing is to be done. */
export function stepTransfer(channel: Channel, memory: GuestMemory, device: string): boolean {
  const { state, parts } = channel
  const { master } = state
  if (state.stage !== 'dma' || !parts.mayMove(state)) return false
  const toMemory = state.command === ATA_COMMAND.READ_DMA
  if (toMemory !== ((master.command & BUS_MASTER_COMMAND.TO_MEMORY) !== 0)) return false
  const left = state.buffer.length - state.at
  if (left <= 0) finish(channel, toMemory)
  else if (master.count > 0) move(channel, memory, device, toMemory)
  else if (!master.end) fetch(channel, memory, device)
  else if (parts.completesShort()) finish(channel, toMemory)
  else {
    // The drive still wants to transfer: it says nothing until it is reset.
    master.status &= ~BUS_MASTER_STATUS.ACTIVE
    state.stage = 'stuck'
    state.status = READY | ATA_STATUS.DRQ
  }
  return true
}

function fetch({ state, parts }: Channel, memory: GuestMemory, device: string): void {
  const { master } = state
  const entry = memory.read(device, master.next, PRD.bytes)
  if (entry === undefined) {
    abort(state)
    return
  }
  const view = new DataView(entry.buffer, entry.byteOffset, PRD.bytes)
  const flags = view.getUint32(PRD.count, true)
  master.address = (view.getUint32(PRD.address, true) & ~1) >>> 0
  master.count = parts.regionBytes(flags & 0xfffe)
  master.end = parts.isLastRegion(flags)
  master.next = (master.next + PRD.bytes) >>> 0
}

function move(channel: Channel, memory: GuestMemory, device: string, toMemory: boolean): void {
  const { state, parts } = channel
  const { master } = state
  const left = state.buffer.length - state.at
  const bytes = Math.min(BYTES_AT_ONCE, parts.share(master.count, left))
  if (toMemory && left <= bytes && !state.interrupt && !parts.interruptWaits()) {
    interrupt(channel)
    return
  }
  if (toMemory) {
    if (!memory.write(device, master.address, state.buffer.slice(state.at, state.at + bytes))) abort(state)
  } else {
    const data = memory.read(device, master.address, bytes)
    if (data === undefined) abort(state)
    else state.buffer.set(data.subarray(0, left), state.at)
  }
  state.at += bytes
  master.address += bytes
  master.count = Math.max(0, master.count - bytes)
}

function finish(channel: Channel, toMemory: boolean): void {
  const { state, parts } = channel
  const { master } = state
  if (!parts.staysActive(master.end && master.count === 0)) master.status &= ~BUS_MASTER_STATUS.ACTIVE
  if (!toMemory) {
    askToStore(channel)
    return
  }
  state.stage = 'idle'
  state.status = READY
  interrupt(channel)
}

/** The bus refused an access. */
function abort(state: IdeState): void {
  state.master.status = (state.master.status | BUS_MASTER_STATUS.ERROR) & ~BUS_MASTER_STATUS.ACTIVE
  state.stage = 'stuck'
}
