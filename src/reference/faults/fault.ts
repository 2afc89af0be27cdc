/** What a seeded fault is: one named part of the reference, replaced by a wrong one. */

import type { AnyBoard, BoardDesign } from '../boards.ts'
import type { DeviceOptions } from '../paravirtual/parts.ts'
import type { PlatformParts } from '../platform.ts'

export interface Fault {
  readonly id: string
  readonly area: 'virtqueue' | 'interrupt' | 'emulated' | 'blk' | 'status' | 'migration' | 'transport' | 'dma'
  /** How special a history has to be to show it. */
  readonly difficulty: 'shallow' | 'medium' | 'deep'
  /** What the device does wrong, in one sentence, and when that shows. */
  readonly what: string
  /** Path of the replaced part, for example `queue.needsInterrupt`. */
  readonly replaces: string
  /** The transport that shows it, if only one does. */
  readonly transport?: 'pci' | 'mmio'
  /** Options without which it cannot show, for example a read-only medium. */
  readonly needs?: Partial<DeviceOptions>
  /** Its board, where it is none of virtio-blk. */
  readonly board?: AnyBoard
  install(parts: PlatformParts): void
}

/** A fault of a board. */
export const boardFault = <P>(
  board: BoardDesign<P>,
  fault: Omit<Fault, 'install' | 'board' | 'transport' | 'needs'> & { install(parts: P): void },
): Fault => ({ ...fault, board, install: fault.install as unknown as Fault['install'] })
