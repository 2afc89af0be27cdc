/** Every command, in the order of help. */
import type { Command } from '../command.ts'
import { check } from './check.ts'
import { explore } from './explore.ts'
import { list } from './list.ts'
import { targets } from './targets.ts'

export const commands: readonly Command[] = [list, explore, check, targets]
