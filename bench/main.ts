/**
 * `npm run bench`: every benchmark that this machine can run; `npm run bench -- explore large`: one of them, with its
 * arguments. Nothing here gates a test.
 */
import { run as core } from './core.ts'
import { run as explore } from './explore.ts'
import { run as inProcess } from './in-process.ts'
import { run as qemu } from './qemu.ts'
import { run as v86 } from './v86.ts'

const [only, ...rest] = process.argv.slice(2)
for (const [name, run] of [
  ['core', core],
  ['process', () => inProcess(only === 'process' ? rest : [])],
  ['explore', () => explore(rest)],
  ['v86', v86],
  ['qemu', qemu],
] as const) {
  if (only !== undefined && only !== name) continue
  console.log(`\n${name}`)
  try {
    await run()
  } catch (error) {
    console.log(`  not measured: ${(error as Error).message}`)
  }
}
