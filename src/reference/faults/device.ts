/** Faults of virtio-blk, of the device status, and of the MMIO transport. */

import { BLK_STATUS } from '../../layout/blk.ts'
import { STATUS } from '../../layout/virtio.ts'
import { honestParts } from '../paravirtual/parts.ts'
import type { Fault } from './fault.ts'

const honest = honestParts()

export const deviceFaults: readonly Fault[] = [
  {
    id: 'blk-status-byte-missing',
    area: 'blk',
    difficulty: 'shallow',
    what: 'Returns requests without writing their status.',
    replaces: 'complete.writeStatus',
    install: (parts) => {
      parts.complete.writeStatus = () => 'writeUsedElement'
    },
  },
  {
    id: 'blk-read-only-write-applied',
    area: 'blk',
    difficulty: 'medium',
    what: 'A write to a read-only medium fails, and is carried out all the same.',
    replaces: 'blk.write',
    needs: { readOnly: true },
    install: (parts) => {
      parts.blk.write = (device, request, sector) => {
        const writable = { ...device, options: { ...device.options, readOnly: false } }
        honest.blk.write(writable, request, sector)
        return device.options.readOnly ? BLK_STATUS.IOERR : BLK_STATUS.OK
      }
    },
  },
  {
    id: 'blk-one-sector-too-many',
    area: 'blk',
    difficulty: 'shallow',
    what: 'Reads and writes one sector past the end of the medium.',
    replaces: 'blk.isOnMedium',
    install: (parts) => {
      parts.blk.isOnMedium = (sector, bytes, sectors) => honest.blk.isOnMedium(sector, bytes, sectors + 1)
    },
  },
  {
    id: 'blk-unknown-type-succeeds',
    area: 'blk',
    difficulty: 'shallow',
    what: 'Answers request types that it does not know with success.',
    replaces: 'blk.unknown',
    install: (parts) => {
      parts.blk.unknown = () => BLK_STATUS.OK
    },
  },
  {
    id: 'blk-generation-not-bumped',
    area: 'blk',
    difficulty: 'medium',
    what: 'The capacity changes and the configuration generation does not: two halves of two values look like one.',
    replaces: 'blk.configChanged',
    install: (parts) => {
      parts.blk.configChanged = () => {}
    },
  },
  {
    id: 'status-features-ok-for-unoffered',
    area: 'status',
    difficulty: 'shallow',
    what: 'Accepts features that it did not offer.',
    replaces: 'lifecycle.featuresAcceptable',
    install: (parts) => {
      parts.lifecycle.featuresAcceptable = () => true
    },
  },
  {
    id: 'status-consumes-before-driver-ok',
    area: 'status',
    difficulty: 'medium',
    what: 'Processes queues from FEATURES_OK on, before DRIVER_OK.',
    replaces: 'lifecycle.isLive',
    install: (parts) => {
      parts.lifecycle.isLive = (state) => honest.lifecycle.isLive({ ...state, status: state.status | STATUS.DRIVER_OK })
    },
  },
  {
    id: 'mmio-interrupt-ack-ignored',
    area: 'transport',
    difficulty: 'shallow',
    what: 'InterruptACK clears nothing: the line stays up.',
    replaces: 'mmio.acknowledge',
    transport: 'mmio',
    install: (parts) => {
      parts.mmio.acknowledge = (pending) => pending
    },
  },
  {
    id: 'mmio-interrupt-ack-clears-all',
    area: 'transport',
    difficulty: 'medium',
    what: 'InterruptACK clears causes that were not acknowledged: a configuration change goes under.',
    replaces: 'mmio.acknowledge',
    transport: 'mmio',
    install: (parts) => {
      parts.mmio.acknowledge = () => 0
    },
  },
]
