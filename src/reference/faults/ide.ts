/** Faults of the IDE channel and its bus master. */
import { BUS_MASTER_STATUS } from '../../layout/ide.ts'
import { ideBoard } from '../emulated/ide-board.ts'
import type { IdeParts } from '../emulated/ide-parts.ts'
import { SECTORS } from '../emulated/ide-state.ts'
import { boardFault, type Fault } from './fault.ts'

const { INTERRUPT, ACTIVE } = BUS_MASTER_STATUS

/** Each replaces one part, named first. */
const fault = (
  id: string,
  difficulty: Fault['difficulty'],
  replaces: keyof IdeParts,
  what: string,
  wrong: Partial<IdeParts>,
): Fault =>
  boardFault(ideBoard, {
    id: `emu-ide-${id}`,
    area: 'emulated',
    difficulty,
    what,
    replaces: `ide.${replaces}`,
    install: (parts: IdeParts) => void Object.assign(parts, wrong),
  })

export const ideFaults: readonly Fault[] = [
  fault(
    'alternate-status-clears',
    'shallow',
    'clears',
    'A read of Alternate Status clears the pending interrupt, so that a handler that looks there first loses it.',
    { clears: () => true },
  ),
  fault('status-does-not-clear', 'shallow', 'clears', 'A read of Status leaves the interrupt pending.', {
    clears: () => false,
  }),
  fault('nien-ignored', 'shallow', 'drivesLine', 'The line is driven although nIEN is set.', {
    drivesLine: () => true,
  }),
  fault('no-signature', 'shallow', 'afterReset', 'A software reset leaves the registers as they were.', {
    afterReset: (state) => void (state.interrupt = false),
  }),
  fault('reset-keeps-interrupt', 'medium', 'afterReset', 'A software reset leaves the pending interrupt.', {
    afterReset(state) {
      Object.assign(state.registers, { count: 1, lbaLow: 1, lbaMid: 0, lbaHigh: 0 })
      state.error = 1
    },
  }),
  fault(
    'absent-drive-answers',
    'shallow',
    'absentStatus',
    'Drive 1, which is not there, shows the status of drive 0.',
    {
      absentStatus: (state) => state.status,
    },
  ),
  fault(
    'absent-drive-obeys',
    'medium',
    'isAddressed',
    'A command to drive 1, which is not there, is performed by drive 0.',
    {
      isAddressed: () => true,
    },
  ),
  fault(
    'first-block-interrupts',
    'shallow',
    'interruptsForBlock',
    'A PIO write interrupts as it becomes ready for its first block.',
    { interruptsForBlock: () => true },
  ),
  fault(
    'one-interrupt-for-all-blocks',
    'medium',
    'interruptsForBlock',
    'A PIO read interrupts for its first block only; a driver waits for the second one for ever.',
    { interruptsForBlock: (direction, index) => (direction === 'in') === (index === 0) },
  ),
  fault('silent-completion', 'shallow', 'interruptsWhenDone', 'A command without data ends without an interrupt.', {
    interruptsWhenDone: () => false,
  }),
  fault('half-a-block', 'shallow', 'isBlockDone', 'DRQ is cleared after half of a block.', {
    isBlockDone: (at, bytes) => at >= bytes / 2,
  }),
  fault(
    'last-sector-of-a-run',
    'medium',
    'fits',
    'Only the first sector of a transfer is held against the size of the medium: a long one runs over the end.',
    { fits: (lba) => lba < SECTORS },
  ),
  fault('failure-untold', 'medium', 'tellsFailure', 'A transfer that the medium failed ends in success.', {
    tellsFailure: () => false,
  }),
  fault('unknown-command-succeeds', 'shallow', 'refusesUnknown', 'A command that is none ends in success.', {
    refusesUnknown: () => false,
  }),
  fault(
    'prd-zero-is-zero',
    'medium',
    'regionBytes',
    'A region with a count of zero is skipped instead of being 64 KiB.',
    {
      regionBytes: (count) => count,
    },
  ),
  fault('prd-end-ignored', 'medium', 'isLastRegion', 'The end of the table is not seen: what lies behind it is used.', {
    isLastRegion: () => false,
  }),
  fault(
    'past-the-region',
    'medium',
    'share',
    'Whole sectors are moved, whatever the length of a region: the data runs over its end.',
    { share: (_region, transfer) => transfer },
  ),
  fault(
    'interrupt-bit-overwritten',
    'medium',
    'statusAfterWrite',
    'A write of zeros clears the interrupt bit of the bus master.',
    { statusAfterWrite: (status, value) => (status & ACTIVE) | (value & ~ACTIVE & 0xff & ~INTERRUPT) },
  ),
  fault(
    'interrupt-bit-sticks',
    'medium',
    'statusAfterWrite',
    'A one does not clear the interrupt bit: the next transfer seems done before it begins.',
    { statusAfterWrite: (status) => status },
  ),
  fault(
    'long-table-inactive',
    'medium',
    'staysActive',
    'The active bit is cleared at the end of every transfer, so that a table that was too long is not told.',
    { staysActive: () => false },
  ),
  fault('always-active', 'medium', 'staysActive', 'The active bit stays set after a transfer that used up its table.', {
    staysActive: () => true,
  }),
  fault(
    'short-table-succeeds',
    'medium',
    'completesShort',
    'A transfer ends in success where its table was too short.',
    {
      completesShort: () => true,
    },
  ),
  fault('stop-ignored', 'medium', 'mayMove', 'A transfer goes on after the start bit was cleared.', {
    mayMove: ({ master }) => (master.status & ACTIVE) !== 0 || master.next !== 0,
  }),
  fault(
    'interrupt-before-data',
    'deep',
    'interruptWaits',
    'The interrupt of a read by DMA comes before its last bytes are in memory.',
    { interruptWaits: () => false },
  ),
]
