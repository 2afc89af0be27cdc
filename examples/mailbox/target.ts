/** The mailbox in software, as a module target. `BUG` seeds the mistake that the tutorial finds. */
import type { Location, Target, TargetEvent } from 'iospec/target'

export const BASE = 0x1000_0000
export const PAGE_BYTES = 4096
const PAGES = 8

/** Register offsets. */
export const MBOX = { slot: 0x0, status: 0x4, acknowledge: 0x8, mask: 0xc } as const

/** The line is looked at when a completion arrives, and forgotten when the mask is lifted. */
const BUG = process.env.MAILBOX_BUG === '1'

export default (): Target => {
  const memory = new Uint8Array(PAGES * PAGE_BYTES)
  let events: TargetEvent[] = []
  let slot: number | undefined
  let pend = false
  let masked = false
  let line = false

  const update = (): void => {
    const level = pend && !masked
    if (level !== line) events.push({ kind: 'line', device: 'mailbox', pin: 0, level })
    line = level
  }
  const work = (): void => {
    if (slot === undefined) return
    const gpa = slot * PAGE_BYTES
    if (gpa + 4 > memory.length)
      events.push({ kind: 'fault', device: 'mailbox', access: 'read', iova: `0x${gpa.toString(16)}`, bytes: 4 })
    else events.push({ kind: 'dma', device: 'mailbox', access: 'read', gpa, data: memory.slice(gpa, gpa + 4) })
    slot = undefined
    pend = true
    update()
  }
  const registers: Record<number, { read?: () => number; write?: (value: number) => void }> = {
    [MBOX.slot]: { write: (value) => void (slot = value) },
    [MBOX.status]: { read: () => (slot === undefined ? 0 : 1) | (pend ? 2 : 0) },
    [MBOX.acknowledge]: {
      write: () => {
        pend = false
        update()
      },
    },
    [MBOX.mask]: {
      read: () => Number(masked),
      write: (value) => {
        masked = value !== 0
        if (masked || !BUG) update()
      },
    },
  }
  const at = ({ space, address }: Location) => (space === 'mmio' ? registers[address - BASE] : undefined)
  return {
    describe: () => ({
      name: 'mailbox',
      version: '1',
      vms: 1,
      cpus: 1,
      memory: [{ start: 0, end: memory.length }],
      devices: [{ id: 'mailbox', kind: 'mailbox', transport: { kind: 'mmio', base: BASE } }],
      observes: { dma: 'exact', msi: 'none', line: 'exact', fault: 'exact' },
      can: {
        step: false,
        save: false,
        migrate: false,
        fingerprint: false,
        resets: ['system'],
        controls: [],
        synchronous: true,
      },
    }),
    reset: () => {
      memory.fill(0)
      slot = undefined
      pend = masked = line = false
      events = []
    },
    read: (where, width) => BigInt(at(where)?.read?.() ?? 2 ** (8 * width) - 1),
    write: (where, _width, value) => at(where)?.write?.(Number(value)),
    load: (gpa, bytes) => memory.slice(gpa, gpa + bytes),
    store: (gpa, data) => memory.set(data, gpa),
    events: () => {
      const seen = events
      events = []
      return seen
    },
    // The mailbox works when it is given time, not within the write: that is when interrupts race with masks.
    settle: () => {
      work()
      return 'quiet'
    },
    close: () => undefined,
  }
}
