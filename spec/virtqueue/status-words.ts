/** Words of device status and feature negotiation that their parts share. */
import { t } from '../../src/kernel/language/index.ts'

/** Number of each bit of the device status, 2.1. */
export const STATUS_BITS = {
  ACKNOWLEDGE: 0,
  DRIVER: 1,
  DRIVER_OK: 2,
  FEATURES_OK: 3,
  NEEDS_RESET: 6,
  FAILED: 7,
} as const

/** Bits that a driver sets on its way, in the order of 3.1.1. */
export const driverBit = t.oneOf('ACKNOWLEDGE', 'DRIVER', 'FEATURES_OK', 'DRIVER_OK')

/**
 * Sets of features that a driver accepts. `offered`: all of them; `versionOnly`: VERSION_1 alone; `withoutVersion`: all
 * others; `notOffered`: VERSION_1 and one bit that was not offered. A driver accepts only the first two by right.
 */
export const choice = t.oneOf('offered', 'versionOnly', 'withoutVersion', 'notOffered', 'empty')
export const RIGHTFUL: readonly string[] = ['offered', 'versionOnly']
