import type { Fault } from './fault.ts'

export type { Fault } from './fault.ts'

/** Every seeded fault of the reference. */
export const faults: readonly Fault[] = []
