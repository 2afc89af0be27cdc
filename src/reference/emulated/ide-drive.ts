/** The drive: its registers, its commands, and the medium behind it. */
import {
  ATA_COMMAND,
  ATA_CONTROL,
  ATA_DEVICE,
  ATA_ERROR,
  ATA_FEATURE,
  ATA_STATUS,
  BUS_MASTER_STATUS,
  IDE,
  IDENTIFY,
  IDENTIFY_LBA,
  SECTOR_BYTES,
} from '../../layout/ide.ts'
import type { IdeParts } from './ide-parts.ts'
import { type IdeState, isSecondSelected, SECTORS, sectorOf } from './ide-state.ts'

/** One channel, as its parts see it. */
export interface Channel {
  readonly parts: IdeParts
  readonly state: IdeState
  /** The level of the line may have changed. */
  settleLine(): void
}

const READY = ATA_STATUS.DRDY | ATA_STATUS.DSC
const FEATURES: readonly number[] = [ATA_FEATURE.WRITE_CACHE_ON, ATA_FEATURE.TRANSFER_MODE, ATA_FEATURE.WRITE_CACHE_OFF]

/** The drive asks for attention; the bus master sees every rising edge of that. */
export function interrupt(channel: Channel): void {
  const { state } = channel
  if (!state.interrupt) state.master.status |= BUS_MASTER_STATUS.INTERRUPT
  state.interrupt = true
  channel.settleLine()
}

function finish({ state }: Channel, status: number = READY, error = 0): void {
  state.stage = 'idle'
  state.status = status
  state.error = error
}

/** The command ends in an error. */
function fail(channel: Channel, error: number): void {
  finish(channel, READY | ATA_STATUS.ERR, error)
  interrupt(channel)
}

export function readRegister(channel: Channel, register: number): number {
  const { state, parts } = channel
  const { registers } = state
  switch (register) {
    case IDE.error:
      return state.error
    case IDE.count:
      return registers.count
    case IDE.lbaLow:
      return registers.lbaLow
    case IDE.lbaMid:
      return registers.lbaMid
    case IDE.lbaHigh:
      return registers.lbaHigh
    case IDE.device:
      return state.device | ATA_DEVICE.OBSOLETE
    default: {
      const status = readStatus(channel)
      if (parts.clears('status')) state.interrupt = false
      channel.settleLine()
      return status
    }
  }
}

export function readAlternate(channel: Channel): number {
  const status = readStatus(channel)
  if (channel.parts.clears('alternate')) channel.state.interrupt = false
  channel.settleLine()
  return status
}

const readStatus = ({ state, parts }: Channel): number =>
  isSecondSelected(state) ? parts.absentStatus(state) : state.status

export function writeRegister(channel: Channel, register: number, value: number): void {
  const { state } = channel
  if (register === IDE.command) {
    command(channel, value)
    return
  }
  // What is written while the drive is busy is lost.
  if ((state.status & (ATA_STATUS.BSY | ATA_STATUS.DRQ)) !== 0) return
  if (register === IDE.features) state.registers.features = value
  else if (register === IDE.count) state.registers.count = value
  else if (register === IDE.lbaLow) state.registers.lbaLow = value
  else if (register === IDE.lbaMid) state.registers.lbaMid = value
  else if (register === IDE.lbaHigh) state.registers.lbaHigh = value
  else if (register === IDE.device) state.device = value
  channel.settleLine()
}

export function writeControl(channel: Channel, value: number): void {
  const { state } = channel
  const before = state.control
  state.control = value & (ATA_CONTROL.SRST | ATA_CONTROL.NIEN)
  if ((value & ATA_CONTROL.SRST) !== 0) {
    state.stage = 'idle'
    state.status = ATA_STATUS.BSY
    state.device = 0
    state.backend.waiting = 'nothing'
    channel.parts.afterReset(state)
  } else if ((before & ATA_CONTROL.SRST) !== 0) state.stage = 'reset'
  channel.settleLine()
}

function command(channel: Channel, code: number): void {
  const { state, parts } = channel
  const { registers } = state
  // A transfer that leaves the medium fails as a whole, before anything is transferred.
  const fits = (): boolean => parts.fits(state.lba, state.left)
  if (!parts.isAddressed(state) || (state.status & (ATA_STATUS.BSY | ATA_STATUS.DRQ)) !== 0) return
  state.interrupt = false
  channel.settleLine()
  state.command = code
  state.error = 0
  state.lba =
    registers.lbaLow +
    registers.lbaMid * 2 ** 8 +
    registers.lbaHigh * 2 ** 16 +
    (state.device & ATA_DEVICE.HIGH) * 2 ** 24
  state.left = registers.count === 0 ? 256 : registers.count
  state.at = 0
  switch (code) {
    case ATA_COMMAND.READ:
    case ATA_COMMAND.FLUSH:
    case ATA_COMMAND.READ_DMA:
      if (code !== ATA_COMMAND.FLUSH && !fits()) fail(channel, ATA_ERROR.IDNF)
      else ask(channel)
      return
    case ATA_COMMAND.WRITE:
      if (fits()) offerBlock(channel, 'out', 0)
      else fail(channel, ATA_ERROR.IDNF)
      return
    case ATA_COMMAND.WRITE_DMA:
      if (fits()) beginDma(channel, new Uint8Array(state.left * SECTOR_BYTES))
      else fail(channel, ATA_ERROR.IDNF)
      return
    case ATA_COMMAND.IDENTIFY:
      state.left = 1
      state.buffer = identity()
      offerBlock(channel, 'in', 0)
      return
    case ATA_COMMAND.SET_FEATURES:
      if (FEATURES.includes(registers.features)) complete(channel)
      else fail(channel, ATA_ERROR.ABRT)
      return
    default:
      if (parts.refusesUnknown()) fail(channel, ATA_ERROR.ABRT)
      else complete(channel)
  }
}

function complete(channel: Channel): void {
  finish(channel)
  if (channel.parts.interruptsWhenDone()) interrupt(channel)
}

/** DRQ: a block can be transferred. */
function offerBlock(channel: Channel, direction: 'in' | 'out', index: number): void {
  const { state } = channel
  state.stage = direction === 'in' ? 'dataIn' : 'dataOut'
  state.status = READY | ATA_STATUS.DRQ
  state.at = 0
  if (direction === 'out') state.buffer = new Uint8Array(SECTOR_BYTES)
  if (channel.parts.interruptsForBlock(direction, index)) interrupt(channel)
}

const beginDma = ({ state }: Channel, buffer: Uint8Array): void => {
  state.stage = 'dma'
  state.status = ATA_STATUS.BSY
  state.buffer = buffer
  state.at = 0
}

/** The medium is asked; the drive is busy until it has answered. */
function ask({ state }: Channel): void {
  state.stage = 'backend'
  state.status = ATA_STATUS.BSY
  state.backend.waiting = state.backend.holding ? 'held' : 'ready'
  state.backend.doomed = state.backend.failures > 0
  if (state.backend.doomed) state.backend.failures--
}

/** All data of a write by DMA has arrived. */
export const askToStore = (channel: Channel): void => ask(channel)

const indexOf = ({ registers, left }: IdeState): number => (registers.count === 0 ? 256 : registers.count) - left

/** One step of the drive itself; false: it waits, or has nothing to do. */
export function stepDrive(channel: Channel): boolean {
  const { state, parts } = channel
  if (state.stage === 'reset') {
    finish(channel, READY, state.error)
    return true
  }
  if (state.stage !== 'backend' || state.backend.waiting !== 'ready') return false
  state.backend.waiting = 'nothing'
  if (state.backend.doomed && parts.tellsFailure()) {
    fail(channel, ATA_ERROR.UNC)
    return true
  }
  switch (state.command) {
    case ATA_COMMAND.READ:
      state.buffer = state.backend.doomed ? new Uint8Array(SECTOR_BYTES) : sectorOf(state, state.lba).slice()
      offerBlock(channel, 'in', indexOf(state))
      return true
    case ATA_COMMAND.WRITE:
      if (!state.backend.doomed) store(state, state.buffer)
      state.lba++
      state.left--
      if (state.left > 0) offerBlock(channel, 'out', indexOf(state))
      else complete(channel)
      return true
    case ATA_COMMAND.READ_DMA: {
      const data = new Uint8Array(state.left * SECTOR_BYTES)
      for (let i = 0; i < state.left && !state.backend.doomed; i++)
        data.set(sectorOf(state, state.lba + i), i * SECTOR_BYTES)
      beginDma(channel, data)
      return true
    }
    case ATA_COMMAND.WRITE_DMA:
      if (!state.backend.doomed) store(state, state.buffer)
      complete(channel)
      return true
    default:
      complete(channel)
      return true
  }
}

function store(state: IdeState, data: Uint8Array): void {
  for (let at = 0; at < data.length; at += SECTOR_BYTES)
    state.written[state.lba + at / SECTOR_BYTES] = data.slice(at, at + SECTOR_BYTES)
}

/** The data port. `width` bytes at once, as many as the host asks for. */
export function readData(channel: Channel, width: number): number {
  const { state } = channel
  let value = 0
  for (let byte = 0; byte < width; byte++) {
    if (state.stage !== 'dataIn') return value >>> 0
    value |= (state.buffer[state.at++] ?? 0) << (8 * byte)
    if (channel.parts.isBlockDone(state.at, SECTOR_BYTES)) readNext(channel)
  }
  return value >>> 0
}

function readNext(channel: Channel): void {
  const { state } = channel
  state.lba++
  state.left--
  if (state.left > 0) ask(channel)
  else finish(channel)
}

export function writeData(channel: Channel, width: number, value: number): void {
  const { state } = channel
  for (let byte = 0; byte < width; byte++) {
    if (state.stage !== 'dataOut') return
    state.buffer[state.at++] = (value >>> (8 * byte)) & 0xff
    if (channel.parts.isBlockDone(state.at, SECTOR_BYTES)) ask(channel)
  }
}

/** IDENTIFY DEVICE: what drivers look at; everything else is not implemented. */
function identity(): Uint8Array {
  const words = new DataView(new ArrayBuffer(SECTOR_BYTES))
  const set = (word: number, value: number): void => words.setUint16(2 * word, value, true)
  set(IDENTIFY.general, 0x40)
  set(IDENTIFY.capabilities, IDENTIFY_LBA | 0x100)
  set(IDENTIFY.sectorsLow, SECTORS & 0xffff)
  set(IDENTIFY.sectorsHigh, SECTORS >>> 16)
  return new Uint8Array(words.buffer)
}
