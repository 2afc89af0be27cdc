/** Where a VT-d unit finds the tables of a device: by a context entry, or in scalable mode by an entry of a PASID table. */
import type { Gpa } from '../../contract/target.ts'
import { PASID_ENTRY, PASID_GRANULARITY, PASID_TYPE, ROOT_ADDRESS, TRANSLATION_TYPE } from '../../layout/vtd.ts'
import type { Guest } from '../guest/access.ts'
import {
  absent,
  contextEntry,
  contextInvalidation,
  directoryEntry,
  pasidCacheInvalidation,
  pasidEntry,
  rootEntry,
  scalableContext,
} from '../guest/vtd-entries.ts'
import { storeDwords } from '../guest/vtd-registers.ts'
import type { DmaSource } from './dma-source.ts'
import type { PagePool } from './page-pool.ts'

const ROOT_BYTES = 16
const CONTEXT_BYTES = 16
const SCALABLE_CONTEXT_BYTES = 32

/** Tables of a domain: its number for the unit, and the top one. */
export interface Leading {
  readonly domain: number
  readonly levels: number
  readonly table: Gpa
}

export interface VtdDevices {
  /** One of `ROOT_ADDRESS`. */
  readonly mode: number
  /** Tables in which no device is led anywhere; the root. */
  start(): Gpa
  lead(source: DmaSource, to: Leading | undefined): void
  /** The descriptor that makes the unit forget that it led a device into a domain. */
  forget(source: DmaSource, domain: number): readonly number[]
}

interface Options {
  readonly guest: Guest
  readonly pool: PagePool
  readonly sources: readonly DmaSource[]
}

const widthOf = ({ levels }: Leading): number => levels - 2

export const legacyDevices = ({ guest, pool, sources }: Options): VtdDevices => {
  const tables = new Map<number, Gpa>()
  return {
    mode: ROOT_ADDRESS.LEGACY,
    start() {
      tables.clear()
      const root = pool.take()
      for (const { requester } of sources) {
        const bus = requester >> 8
        if (tables.has(bus)) continue
        const table = pool.take()
        tables.set(bus, table)
        storeDwords(guest, root + ROOT_BYTES * bus, rootEntry(table))
      }
      return root
    },
    lead({ requester }, to) {
      const type = TRANSLATION_TYPE.UNTRANSLATED
      const entry =
        to === undefined
          ? absent(CONTEXT_BYTES)
          : contextEntry({ type, width: widthOf(to), domain: to.domain, table: to.table })
      storeDwords(guest, tables.get(requester >> 8)! + CONTEXT_BYTES * (requester & 0xff), entry)
    },
    // Of all functions of the device: the function that is named does not count.
    forget: ({ requester }, domain) => contextInvalidation({ domain, requester: requester | 7, functions: 3 }),
  }
}

/** The context entries stay as they are: each source has a PASID of its own, whose entry says where it is led. */
export const scalableDevices = ({ guest, pool, sources }: Options): VtdDevices => {
  const pasidOf = (source: DmaSource): number => sources.findIndex(({ id }) => id === source.id) + 1
  let pasids: Gpa = 0
  return {
    mode: ROOT_ADDRESS.SCALABLE,
    start() {
      const [root, directory] = [pool.take(), pool.take()]
      pasids = pool.take()
      storeDwords(guest, directory, directoryEntry(pasids))
      const halves = new Map<number, Gpa>()
      for (const source of sources) {
        // One table for devices 0 to 15 of a bus, one for the others.
        const half = source.requester >> 7
        const table = halves.get(half) ?? pool.take()
        halves.set(half, table)
        storeDwords(guest, root + (ROOT_BYTES / 2) * half, rootEntry(table).slice(0, 2))
        const at = table + SCALABLE_CONTEXT_BYTES * (source.requester & 0x7f)
        storeDwords(guest, at, scalableContext(directory, { requesterPasid: pasidOf(source) }))
      }
      return root
    },
    lead(source, to) {
      const entry =
        to === undefined
          ? absent(PASID_ENTRY.bytes)
          : pasidEntry({ type: PASID_TYPE.SECOND, width: widthOf(to), domain: to.domain, table: to.table })
      storeDwords(guest, pasids + PASID_ENTRY.bytes * pasidOf(source), entry)
    },
    forget: (source, domain) => pasidCacheInvalidation(domain, PASID_GRANULARITY.PASID, pasidOf(source)),
  }
}
