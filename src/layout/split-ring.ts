/** Byte layout of a split virtqueue, VIRTIO 1.3 section 2.7. All fields are little endian. */

/** Descriptor flags, 2.7.5. */
export const DESC_FLAG = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const

/** One descriptor: offsets of its fields and its size, in bytes. */
export const DESC = { address: 0, length: 8, flags: 12, next: 14, bytes: 16 } as const

/** Alignment of the three areas in bytes, 2.7. */
export const ALIGN = { descriptors: 16, avail: 2, used: 4 } as const

/** `avail.flags`: the driver asks for no used-buffer notification, 2.7.6. */
export const AVAIL_NO_INTERRUPT = 1
/** `used.flags`: the device asks for no available-buffer notification, 2.7.8. */
export const USED_NO_NOTIFY = 1

/** Available ring (driver area): offset of each field in bytes; `size` is the queue size. */
export const avail = {
  flags: 0,
  idx: 2,
  ring: (slot: number) => 4 + 2 * slot,
  usedEvent: (size: number) => 4 + 2 * size,
  bytes: (size: number) => 6 + 2 * size,
} as const

/** Used ring (device area): offset of each field in bytes; an element is `id` (4 bytes) and `len` (4 bytes). */
export const used = {
  flags: 0,
  idx: 2,
  ring: (slot: number) => 4 + 8 * slot,
  availEvent: (size: number) => 4 + 8 * size,
  bytes: (size: number) => 6 + 8 * size,
} as const
