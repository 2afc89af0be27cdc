/** Where the interrupt chips are in QEMU's object tree. */

import { TargetError } from '../../../contract/index.ts'
import type { Monitor } from '../monitor.ts'

export interface ChipPaths {
  readonly master: string
  readonly slave: string
  readonly ioapic: string
}

interface Property {
  readonly name: string
  readonly type: string
}

/** Folders of the tree that the board keeps them in. */
const FOLDERS = ['/machine/unattached', '/machine/i440fx', '/machine/q35'] as const

export function chipsOf(monitor: Monitor): ChipPaths {
  const found = new Map<string, string[]>()
  const [first] = FOLDERS
  for (const folder of FOLDERS) {
    if (folder !== first && !childrenOf(monitor, '/machine').some(({ name }) => folder.endsWith(`/${name}`))) continue
    for (const { name, type } of childrenOf(monitor, folder))
      found.set(type, [...(found.get(type) ?? []), `${folder}/${name}`])
  }
  // The board makes the master first.
  const [master, slave] = (found.get('child<isa-i8259>') ?? []).sort((a, b) => numberOf(a) - numberOf(b))
  const [ioapic] = found.get('child<ioapic>') ?? []
  if (master === undefined || slave === undefined || ioapic === undefined)
    throw new TargetError('start', `qemu: expected two isa-i8259 and an ioapic, found ${[...found.keys()].join(', ')}`)
  return { master, slave, ioapic }
}

const childrenOf = (monitor: Monitor, path: string): readonly Property[] =>
  monitor.run('qom-list', { path }) as readonly Property[]

const numberOf = (path: string): number => Number(/\[(\d+)\]$/.exec(path)?.[1])
