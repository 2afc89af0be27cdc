/** Every command, in the order of help. */
import type { Command } from '../command.ts'
import { check } from './check.ts'
import { compare } from './compare.ts'
import { explore } from './explore.ts'
import { init } from './init.ts'
import { list } from './list.ts'
import { replay } from './replay.ts'
import { report } from './report.ts'
import { run } from './run.ts'
import { score } from './score.ts'
import { targets } from './targets.ts'

export const commands: readonly Command[] = [run, replay, compare, report, explore, list, check, targets, init, score]
