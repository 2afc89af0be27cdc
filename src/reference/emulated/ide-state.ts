/** All that changes in an IDE channel with one drive. Plain data. */
import { ATA_DEVICE, ATA_SIGNATURE, ATA_STATUS, SECTOR_BYTES } from '../../layout/ide.ts'

/** Sectors of the medium. */
export const SECTORS = 64

/** What goes on in the drive. `backend`: it waits for the medium; `dma`: for the bus master; `stuck`: only a reset helps. */
export type Stage = 'idle' | 'reset' | 'backend' | 'dataIn' | 'dataOut' | 'dma' | 'stuck'

export interface Registers {
  features: number
  count: number
  lbaLow: number
  lbaMid: number
  lbaHigh: number
}

export interface IdeState {
  registers: Registers
  device: number
  control: number
  status: number
  error: number
  /** An interrupt that no read of Status has cleared; the line as it was shown last. */
  interrupt: boolean
  line: boolean
  stage: Stage
  /** The command in progress, its next sector, and how many it still has to transfer. */
  command: number
  lba: number
  left: number
  /** A block or, with DMA, the whole transfer; how far it is transferred. */
  buffer: Uint8Array
  at: number
  /** Sectors that were written. */
  written: Record<string, Uint8Array>
  backend: { holding: boolean; waiting: 'nothing' | 'held' | 'ready'; failures: number; doomed: boolean }
  master: { command: number; status: number; table: number; next: number; address: number; count: number; end: boolean }
}

export const freshIde = (): IdeState => ({
  registers: {
    features: 0,
    count: ATA_SIGNATURE.count,
    lbaLow: ATA_SIGNATURE.lbaLow,
    lbaMid: ATA_SIGNATURE.lbaMid,
    lbaHigh: ATA_SIGNATURE.lbaHigh,
  },
  device: 0,
  control: 0,
  status: ATA_STATUS.DRDY | ATA_STATUS.DSC,
  error: ATA_SIGNATURE.error,
  interrupt: false,
  line: false,
  stage: 'idle',
  command: 0,
  lba: 0,
  left: 0,
  buffer: new Uint8Array(SECTOR_BYTES),
  at: 0,
  written: {},
  backend: { holding: false, waiting: 'nothing', failures: 0, doomed: false },
  master: { command: 0, status: 0, table: 0, next: 0, address: 0, count: 0, end: false },
})

/** Every sector that was never written holds its own number in each of its 32-bit words. */
export const sectorOf = (state: IdeState, lba: number): Uint8Array => {
  const written = state.written[lba]
  if (written !== undefined) return written
  const view = new DataView(new ArrayBuffer(SECTOR_BYTES))
  for (let at = 0; at < SECTOR_BYTES; at += 4) view.setUint32(at, lba, true)
  return new Uint8Array(view.buffer)
}

export const isSecondSelected = (state: IdeState): boolean => (state.device & ATA_DEVICE.DEV) !== 0
