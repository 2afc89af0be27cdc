/** The tables of an AMD-Vi unit, in memory: what they say now, whatever is cached (AMD IOMMU 3.08, 2.2). */
import {
  AMD_EVENT,
  AMD_EVENT_FLAGS,
  AMD_PAGE,
  DEVICE_ENTRY,
  DEVICE_ENTRY_FLAGS,
  DEVICE_ENTRY_HIGH,
  DEVICE_TABLE,
} from '../../layout/amd-iommu.ts'
import type { GuestMemory } from '../memory.ts'
import { type AmdParts, nextOf } from './amd-parts.ts'
import type { DeviceEntry, Directory, Halves, Leaf, Refusal } from './amd-state.ts'
import { readDwords } from './vtd-tables.ts'

const addressOf = (low: number, high: number): number => (high & 0xf_ffff) * 2 ** 32 + ((low & ~0xfff) >>> 0)
const fault = (flags: number): Refusal => ({ kind: AMD_EVENT.PAGE_FAULT, flags })

/** What the device table says of a requester. */
export const readDeviceEntry = (
  memory: GuestMemory,
  parts: AmdParts,
  [low, high]: Readonly<Halves>,
  requester: number,
): DeviceEntry | Refusal => {
  const bytes = 4096 * ((low & DEVICE_TABLE.SIZE_MASK) + 1)
  if (parts.isOutside(requester, bytes)) return { kind: AMD_EVENT.ILLEGAL_ENTRY, flags: 0 }
  const at = addressOf(low, high) + DEVICE_ENTRY.bytes * requester
  const entry = readDwords(memory, at, DEVICE_ENTRY.bytes / 4)
  if (entry === undefined) return { kind: AMD_EVENT.DEVICE_TABLE_ERROR, flags: 0, at }
  if (parts.isIllegalEntry(entry)) return { kind: AMD_EVENT.ILLEGAL_ENTRY, flags: AMD_EVENT_FLAGS.RESERVED }
  const [first, second, third, fourth] = entry as [number, number, number, number]
  return {
    through: (first & DEVICE_ENTRY.VALID) === 0,
    translates: (first & DEVICE_ENTRY.TRANSLATION) !== 0,
    domain: third & 0xffff,
    levels: (first >>> DEVICE_ENTRY.MODE_SHIFT) & DEVICE_ENTRY.MODE_MASK,
    table: addressOf(first, second),
    read: (second & DEVICE_ENTRY_HIGH.READ) !== 0,
    write: (second & DEVICE_ENTRY_HIGH.WRITE) !== 0,
    deviceTlb: (fourth & DEVICE_ENTRY_FLAGS.DEVICE_TLB) !== 0,
    quiet: (fourth & DEVICE_ENTRY_FLAGS.SUPPRESS_ALL) !== 0,
    excluded: (fourth & DEVICE_ENTRY_FLAGS.EXCLUDED) !== 0,
  }
}

/** Walks from a table down to what maps `page`; each table below it is told to `passed`. */
export const walk = (
  memory: GuestMemory,
  parts: AmdParts,
  from: Directory,
  page: number,
  passed: (below: Directory) => void,
): Leaf | Refusal => {
  let { level, table, read, write } = from
  for (;;) {
    const unit = 512 ** (level - 1)
    const at = table + AMD_PAGE.bytes * (Math.floor(page / unit) % 512)
    const entry = readDwords(memory, at, 2)
    if (entry === undefined) return { kind: AMD_EVENT.PAGE_TABLE_ERROR, flags: 0, at }
    const [low, high] = entry as [number, number]
    if ((low & AMD_PAGE.PRESENT) === 0) return fault(0)
    const next = nextOf(low)
    const leads = next !== 0 && next !== AMD_PAGE.NEXT_SIZED
    const illegal = fault(AMD_EVENT_FLAGS.PRESENT | AMD_EVENT_FLAGS.RESERVED)
    if (parts.isReserved(high, leads)) return illegal
    ;({ read, write } = parts.rights({ read, write }, high, leads))
    if (!leads) {
      const pages = next === 0 ? unit : parts.sizeTold(level, low, high)
      if (pages === undefined) return illegal
      const host = addressOf(low, high) / 4096
      return { page: page - (page % pages), pages, host: host - (host % pages), read, write }
    }
    if (!parts.isLower(level, next)) return illegal
    if (!parts.maySkip(page, level, next)) return fault(AMD_EVENT_FLAGS.PRESENT)
    level = next
    table = addressOf(low, high)
    passed({ level, table, read, write })
  }
}
