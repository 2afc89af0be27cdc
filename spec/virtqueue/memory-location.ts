/**
 * Memory between two agents, as weak as VIRTIO has to live with. Every location has one writer and one reader.
 *
 *     writer --store--> `stored` --drain--> `memory` --early load--> `seen` --load--> reader
 *
 * - A store waits in the writer's store buffer and drains at any time; stores to different locations drain in any order.
 * - A load may have been performed earlier than its place in the program: the reader uses `seen`, what the location held
 *   at some time since the reader's last read barrier.
 * - Per location nothing runs backwards: `seen` only ever follows `memory`, and `memory` follows `stored`.
 *
 * So loads overtake loads, loads overtake stores, and stores overtake stores. A store that overtakes an earlier load is
 * not expressed here but as a load that the machine performs late, see `device.read` in `weak-memory.ts`. A dependency
 * orders nothing, as on Alpha; what holds here holds where it does.
 */
import type { Type } from '../../src/kernel/language/index.ts'
import { t } from '../../src/kernel/language/index.ts'

/** A location that holds a value of the type. */
export const location = <T extends Type>(value: T) => t.record({ stored: value, memory: value, seen: value })

/** Any location, whatever it holds. */
export interface Location<V = number> {
  stored: V
  memory: V
  seen: V
}

/** A store is still in its writer's buffer. */
export const isPending = (at: Readonly<Location>): boolean => at.stored !== at.memory

/** The reader may still use an older value. */
export const isOutdated = (at: Readonly<Location>): boolean => at.memory !== at.seen

/** The store becomes visible to everybody. */
export const drain = (at: Location): void => void (at.memory = at.stored)

/** The reader performs its load, early or not. */
export const load = (at: Location): void => void (at.seen = at.memory)

/** A location of which everybody has always seen this value. */
export const setAll = (at: Location, value: number): void => {
  at.stored = at.memory = at.seen = value
}

/**
 * What a barrier keeps apart: `write` earlier stores from later stores, `read` earlier loads from later loads, `release`
 * earlier loads and stores from later stores, `full` everything from everything. `none` is the absence of one.
 */
export const STRENGTHS = ['none', 'write', 'read', 'release', 'full'] as const
export type Strength = (typeof STRENGTHS)[number]

/** Waits until every earlier store of its side is in memory. */
export const waitsForStores = (strength: Strength): boolean => ['write', 'release', 'full'].includes(strength)
/** Waits until every earlier load of its side has been performed. */
export const waitsForLoads = (strength: Strength): boolean => ['read', 'release', 'full'].includes(strength)
/** Forgets what was loaded early: later loads are performed after it. */
export const forgetsLoads = (strength: Strength): boolean => strength === 'read' || strength === 'full'
