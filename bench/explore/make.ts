/** Makes the reference model in a scope, for every thread that explores it. */
import type { Machine } from '../../src/kernel/language/index.ts'
import { splitQueueTso } from './split-queue-tso.ts'

export const splitQueueTsoAt = (scope: string): Machine => splitQueueTso.at(scope)
