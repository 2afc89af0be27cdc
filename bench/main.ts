/** `npm run bench`: every benchmark that this machine can run. Nothing here gates a test. */
import { run as core } from './core.ts'
import { run as qemu } from './qemu.ts'
import { run as v86 } from './v86.ts'

for (const [name, run] of [
  ['core', core],
  ['v86', v86],
  ['qemu', qemu],
] as const) {
  console.log(`\n${name}`)
  try {
    await run()
  } catch (error) {
    console.log(`  not measured: ${(error as Error).message}`)
  }
}
