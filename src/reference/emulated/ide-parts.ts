/** The decisions of an IDE channel that a seeded fault can replace. Whatever is not here is the same in every build. */
import { ATA_CONTROL, ATA_SIGNATURE, BUS_MASTER_STATUS, PRD } from '../../layout/ide.ts'
import { type IdeState, isSecondSelected, SECTORS } from './ide-state.ts'

export interface IdeParts {
  /** Does a read of this register clear the pending interrupt? */
  clears(register: 'status' | 'alternate'): boolean
  /** Does a pending interrupt drive the line? */
  drivesLine(state: IdeState): boolean
  /** What drive 1, which is not there, shows as its status. */
  absentStatus(state: IdeState): number
  /** Is a command for the drive that is there? */
  isAddressed(state: IdeState): boolean
  /** What a software reset leaves behind. */
  afterReset(state: IdeState): void
  /** Does a block of a PIO command interrupt as it becomes ready? `index` counts from 0 within the command. */
  interruptsForBlock(direction: 'in' | 'out', index: number): boolean
  /** Does a command without data interrupt when it is done? */
  interruptsWhenDone(): boolean
  /** Has a block of which so many bytes are transferred been transferred? */
  isBlockDone(at: number, bytes: number): boolean
  /** Are all of these sectors on the medium? */
  fits(lba: number, count: number): boolean
  /** Is a failure of the medium told? */
  tellsFailure(): boolean
  /** Is a command refused that is none? */
  refusesUnknown(): boolean
  /** Bytes that a descriptor is about. */
  regionBytes(count: number): number
  isLastRegion(flags: number): boolean
  /** Bytes that go to or from this region at once. */
  share(regionLeft: number, transferLeft: number): number
  /** The bus-master status after a byte was written to it. */
  statusAfterWrite(status: number, value: number): number
  /** Is the transfer that has ended one that leaves the bus master active? `tableDone`: its last region is transferred. */
  staysActive(tableDone: boolean): boolean
  /** Does a transfer end in success when its table is used up too early? */
  completesShort(): boolean
  /** May data move: the bus master was started, and not stopped since. */
  mayMove(state: IdeState): boolean
  /** Does the interrupt of a transfer wait for its last bytes? */
  interruptWaits(): boolean
}

const { ERROR, INTERRUPT, CAPABLE, ACTIVE } = BUS_MASTER_STATUS

export const correctIde = (): IdeParts => ({
  clears: (register) => register === 'status',
  drivesLine: (state) => (state.control & ATA_CONTROL.NIEN) === 0 && !isSecondSelected(state),
  absentStatus: () => 0,
  isAddressed: (state) => !isSecondSelected(state),
  afterReset(state) {
    const { error, ...registers } = ATA_SIGNATURE
    Object.assign(state.registers, registers)
    state.error = error
    state.interrupt = false
  },
  interruptsForBlock: (direction, index) => direction === 'in' || index > 0,
  interruptsWhenDone: () => true,
  isBlockDone: (at, bytes) => at >= bytes,
  fits: (lba, count) => lba + count <= SECTORS,
  tellsFailure: () => true,
  refusesUnknown: () => true,
  regionBytes: (count) => (count === 0 ? PRD.WHOLE : count),
  isLastRegion: (flags) => (flags & PRD.END) !== 0,
  share: Math.min,
  statusAfterWrite: (status, value) => (status & ACTIVE) | (status & (ERROR | INTERRUPT) & ~value) | (value & CAPABLE),
  staysActive: (tableDone) => !tableDone,
  completesShort: () => false,
  mayMove: (state) => (state.master.status & ACTIVE) !== 0,
  interruptWaits: () => true,
})
