/** Reference models state no standard: their laws cite themselves. */
import type { Clause } from '../../../src/kernel/language/index.ts'

export const ownClause = (id: string): Clause => ({ id }) as Clause
