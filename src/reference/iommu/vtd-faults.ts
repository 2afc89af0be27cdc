/** Faults and interrupts of a VT-d style unit itself (VT-d 4.1, chapter 7). */
import { FAULT_REASON, FAULT_RECORD, FAULT_REQUESTER, FAULT_STATUS } from '../../layout/vtd.ts'
import type { VtdParts } from './vtd-parts.ts'
import type { EventState, FaultRecord, VtdState } from './vtd-state.ts'

/** The fault status; nothing in its lower 8 bits: nothing waits to be looked at. */
export const faultStatus = (s: VtdState): number =>
  (s.overflow ? FAULT_STATUS.OVERFLOW : 0) |
  (s.records.some((record) => record !== null) ? FAULT_STATUS.PENDING : 0) |
  (s.queueError ? FAULT_STATUS.QUEUE_ERROR : 0) |
  (s.first << FAULT_STATUS.INDEX_SHIFT)

const isIdle = (s: VtdState): boolean => (faultStatus(s) & 0xff) === 0

type Send = (message: EventState['message']) => void

/** Sent at once, or as soon as it is unmasked. */
export const raise = (event: EventState, send: Send, keepsMasked = true): void => {
  if (!event.mask) send(event.message)
  else if (keepsMasked) event.pending = true
}
export const setMask = (event: EventState, mask: boolean, send: Send): void => {
  event.mask = mask
  if (mask || !event.pending) return
  event.pending = false
  send(event.message)
}

/** Records a fault, or that there is no room. */
export const record = (s: VtdState, parts: VtdParts, fault: FaultRecord, send: Send): void => {
  if (s.overflow && !parts.recordsPastOverflow()) return
  const raises = parts.raisesAgain() || isIdle(s)
  const occupied = s.records[s.next]!
  if (occupied !== null) {
    s.overflow = true
    s.records[s.next] = parts.overflown(occupied, fault)
  } else {
    if (s.records.every((each) => each === null)) s.first = s.next
    s.records[s.next] = parts.recorded(fault)
    s.next = (s.next + 1) % s.records.length
  }
  if (raises) raise(s.fault, send, parts.keepsMasked())
}

/** The queue stops at a descriptor that is an error. */
export const stopQueue = (s: VtdState, parts: VtdParts, info: number, send: Send): void => {
  const raises = isIdle(s)
  s.queueError = true
  s.queueErrorInfo = info
  if (raises) raise(s.fault, send, parts.keepsMasked())
}

/** What was dealt with no longer asks for an interrupt. */
export const acknowledge = (s: VtdState): void => {
  if (isIdle(s)) s.fault.pending = false
}

/** A dword of a fault record, by its offset. */
export const recordDword = (fault: FaultRecord | null, at: number): number => {
  if (fault === null) return 0
  const { reason, requester, page, read, addressType, pasid } = fault
  switch (at) {
    case FAULT_RECORD.page:
      return (page % 2 ** 20) * 4096
    case FAULT_RECORD.index:
      return Math.floor(page / 2 ** 20)
    case FAULT_RECORD.requester:
      return requester | (pasid === undefined ? 0 : FAULT_REQUESTER.HAS_PASID)
    default:
      return (
        reason |
        ((pasid ?? 0) << FAULT_REASON.PASID_SHIFT) |
        (addressType << FAULT_REASON.ADDRESS_TYPE_SHIFT) |
        (read ? FAULT_REASON.READ : 0) |
        (1 << 31)
      )
  }
}
