/** The door `kvm:`, to the interrupt controllers inside Linux's KVM, through a small program that is compiled on the spot. */

import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { threadId } from 'node:worker_threads'
import { type Door, type OpenOptions, type Target, TargetError } from '../../contract/target.ts'
import { KvmPicTarget } from './target.ts'

const SOURCE = fileURLToPath(new URL('chips.c', import.meta.url))
const DEVICE = '/dev/kvm'
const NAMES = ['pic'] as const

export const kvmDoor: Door = {
  scheme: 'kvm',
  summary: "the 8259s inside Linux's KVM (needs /dev/kvm and a C compiler): kvm:pic",
  open: (rest, options) => open(rest, options),
}

async function open(name: string, options: OpenOptions): Promise<Target> {
  if (!NAMES.some((each) => each === name))
    throw new TargetError('address', `kvm has no '${name}'; it has ${NAMES.join(', ')}`)
  try {
    accessSync(DEVICE, constants.R_OK | constants.W_OK)
  } catch (error) {
    throw new TargetError('address', `kvm: ${DEVICE} cannot be used (${(error as NodeJS.ErrnoException).code})`)
  }
  return KvmPicTarget.open(compiled(options.directory), options)
}

/** The program, in the folder of the run: compiling takes less than its start would take to be worth keeping. */
function compiled(folder: string): string {
  const compiler = process.env.CC ?? 'cc'
  const program = join(folder, `kvm-chips-${process.pid}-${threadId}`)
  if (existsSync(program)) return program
  try {
    execFileSync(compiler, ['-O2', '-o', program, SOURCE], { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { readonly stderr?: Buffer }
    if (code === 'ENOENT') throw new TargetError('address', `kvm: expected a C compiler, found no ${compiler} in PATH`)
    throw new TargetError('start', 'kvm: its program does not compile', stderr?.toString('utf8') ?? '')
  }
  return program
}
