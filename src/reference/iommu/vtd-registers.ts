/** Registers of a VT-d style unit as they read, and what does not change (VT-d 4.1, chapter 11). */
import {
  COMPLETION_WAIT,
  EVENT,
  FAULT_RECORD,
  PROTECTED,
  VTD,
  VTD_BASE,
  VTD_CAPABILITY_HIGH,
  VTD_CAPABILITY_LOW,
  VTD_EXTENDED,
  VTD_EXTENDED_HIGH,
  VTD_IOTLB,
} from '../../layout/vtd.ts'
import { faultStatus, recordDword } from './vtd-faults.ts'
import { ADDRESS_MASK_MAX } from './vtd-queue.ts'
import type { EventState, VtdState } from './vtd-state.ts'

/** Offsets of the fault records and of the IOTLB registers. */
export const RECORDS_AT = 0x220
export const IOTLB_AT = 0x100
export const RECORDS = 4

export interface VtdShape {
  /** Caching mode. */
  readonly caches: boolean
  readonly scalable: boolean
}

const IOVA_BITS = 48
/** 2^16 domains, and tables of 3 and of 4 levels. */
const capability = ({ caches }: VtdShape): number =>
  6 |
  VTD_CAPABILITY_LOW.PROTECTED_LOW |
  VTD_CAPABILITY_LOW.PROTECTED_HIGH |
  (caches ? VTD_CAPABILITY_LOW.CACHING_MODE : 0) |
  (6 << VTD_CAPABILITY_LOW.WIDTHS_SHIFT) |
  ((IOVA_BITS - 1) << VTD_CAPABILITY_LOW.ADDRESS_SHIFT) |
  VTD_CAPABILITY_LOW.ZERO_LENGTH_READ |
  ((RECORDS_AT / 16) << VTD_CAPABILITY_LOW.RECORDS_OFFSET_SHIFT)

const CAPABILITY_HIGH =
  VTD_CAPABILITY_HIGH.LARGE_2M |
  VTD_CAPABILITY_HIGH.LARGE_1G |
  VTD_CAPABILITY_HIGH.PAGE_SELECTIVE |
  ((RECORDS - 1) << VTD_CAPABILITY_HIGH.RECORDS_SHIFT) |
  (ADDRESS_MASK_MAX << VTD_CAPABILITY_HIGH.ADDRESS_MASK_SHIFT) |
  VTD_CAPABILITY_HIGH.DRAIN_WRITE |
  VTD_CAPABILITY_HIGH.DRAIN_READ

const EXTENDED =
  VTD_EXTENDED.COHERENT |
  VTD_EXTENDED.QUEUE |
  VTD_EXTENDED.DEVICE_TLB |
  VTD_EXTENDED.PASS_THROUGH |
  VTD_EXTENDED.SNOOP |
  ((IOTLB_AT / 16) << VTD_EXTENDED.IOTLB_SHIFT)

const EXTENDED_SCALABLE =
  (19 << VTD_EXTENDED_HIGH.PASID_BITS_SHIFT) |
  VTD_EXTENDED_HIGH.PASID |
  VTD_EXTENDED_HIGH.SCALABLE |
  VTD_EXTENDED_HIGH.SECOND_LEVEL

const control = ({ mask, pending }: EventState): number => (mask ? EVENT.MASK : 0) + (pending ? EVENT.PENDING : 0)

/** A dword of the registers. */
export const readRegister = (s: VtdState, shape: VtdShape, at: number): number => {
  switch (at) {
    case VTD.version:
      return 0x10
    case VTD.capability:
      return capability(shape)
    case VTD.capability + 4:
      return CAPABILITY_HIGH
    case VTD.extendedCapability:
      return EXTENDED
    case VTD.extendedCapability + 4:
      return shape.scalable ? EXTENDED_SCALABLE : 0
    case VTD.status:
      return s.status
    case VTD.rootAddress:
    case VTD.rootAddress + 4:
      return s.rootAddress[(at - VTD.rootAddress) / 4]!
    case VTD.contextCommand:
    case VTD.contextCommand + 4:
      return s.contextCommand[(at - VTD.contextCommand) / 4]!
    case VTD.faultStatus:
      return faultStatus(s)
    case VTD.faultControl:
      return control(s.fault)
    case VTD.faultData:
    case VTD.faultAddress:
    case VTD.faultUpperAddress:
      return s.fault.message[(at - VTD.faultData) / 4]!
    case VTD.protectedEnable:
      return s.protects ? PROTECTED.ENABLE | PROTECTED.STATUS : 0
    case VTD.protectedLowBase:
    case VTD.protectedLowLimit:
      return s.protectedLow[(at - VTD.protectedLowBase) / 4]!
    case VTD.protectedHighBase:
    case VTD.protectedHighBase + 4:
      return s.protectedHighBase[(at - VTD.protectedHighBase) / 4]!
    case VTD.protectedHighLimit:
    case VTD.protectedHighLimit + 4:
      return s.protectedHighLimit[(at - VTD.protectedHighLimit) / 4]!
    case VTD.queueHead:
      return s.head
    case VTD.queueTail:
      return s.tail
    case VTD.queueAddress:
    case VTD.queueAddress + 4:
      return s.queueAddress[(at - VTD.queueAddress) / 4]!
    case VTD.completionStatus:
      return s.completed ? COMPLETION_WAIT : 0
    case VTD.completionControl:
      return control(s.completion)
    case VTD.completionData:
    case VTD.completionAddress:
    case VTD.completionUpperAddress:
      return s.completion.message[(at - VTD.completionData) / 4]!
    case VTD.queueErrorRecord:
      return s.queueErrorInfo
    case IOTLB_AT + VTD_IOTLB.address:
    case IOTLB_AT + VTD_IOTLB.address + 4:
      return s.iotlbAddress[(at - IOTLB_AT - VTD_IOTLB.address) / 4]!
    case IOTLB_AT + VTD_IOTLB.command:
    case IOTLB_AT + VTD_IOTLB.command + 4:
      return s.iotlbCommand[(at - IOTLB_AT - VTD_IOTLB.command) / 4]!
    default: {
      const inRecords = at - RECORDS_AT
      if (inRecords < 0 || inRecords >= RECORDS * FAULT_RECORD.bytes) return 0
      return recordDword(s.records[inRecords >>> 4]!, inRecords & 12)
    }
  }
}

/** The offset of an access to the registers; undefined: it is none. */
export const offsetOf = (space: string, address: number, width: number): number | undefined => {
  const at = address - VTD_BASE
  return space === 'mmio' && at >= 0 && at + width <= VTD.bytes ? at : undefined
}
