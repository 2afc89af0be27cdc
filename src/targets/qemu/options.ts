/** What may follow `qemu:` in an address: a machine name, then options as a query string. */

import { TargetError } from '../../contract/index.ts'
import { type UnitName, units } from './iommu/units.ts'

/** Options of every machine of this door. */
export interface QemuOptions {
  /** The program to start: a path, or a name to be found in `PATH`. */
  readonly binary: string
  /** The device works in a thread of its own, woken by ioeventfd and interrupting by irqfd: the path that people deploy. */
  readonly iothread: boolean
  /** Size of each virtqueue; QEMU's own default when absent. */
  readonly queueSize?: number
  readonly numQueues: number
  readonly readonly: boolean
  /** The device also has its legacy interface. */
  readonly transitional: boolean
  /** The device joins requests for adjacent sectors into one request of the back end. */
  readonly merging: boolean
  /** Interrupt lines are shown as `line` events. */
  readonly lines: boolean
  /** Size of the medium in sectors. */
  readonly sectors: number
  /** The device is behind that unit, and uses addresses that it translates. */
  readonly iommu?: UnitName
  /** The device asks the unit for translations, and keeps them. */
  readonly ats: boolean
}

/** What an option takes. */
export type OptionKind =
  | { readonly kind: 'flag' }
  | { readonly kind: 'number'; readonly from: number; readonly to: number }
  | { readonly kind: 'text' }
  | { readonly kind: 'choice'; readonly of: readonly string[] }

const known: Readonly<Record<keyof QemuOptions, OptionKind>> = {
  binary: { kind: 'text' },
  iothread: { kind: 'flag' },
  queueSize: { kind: 'number', from: 4, to: 1024 },
  numQueues: { kind: 'number', from: 1, to: 16 },
  readonly: { kind: 'flag' },
  transitional: { kind: 'flag' },
  merging: { kind: 'flag' },
  lines: { kind: 'flag' },
  sectors: { kind: 'number', from: 1, to: 65536 },
  iommu: { kind: 'choice', of: Object.keys(units) },
  ats: { kind: 'flag' },
}

/** The machine's name of an address such as `virtio-blk?iothread=1`, and what stands after the question mark. */
export function splitAddress(rest: string): { readonly machine: string; readonly query: string } {
  const cut = rest.indexOf('?')
  return cut < 0 ? { machine: rest, query: '' } : { machine: rest.slice(0, cut), query: rest.slice(cut + 1) }
}

/** The options that a query gives; one that is not known is an error. */
export function optionsOf<Name extends string>(
  query: string,
  known: Readonly<Record<Name, OptionKind>>,
): Partial<Record<Name, string | number | boolean>> {
  const given: Partial<Record<Name, string | number | boolean>> = {}
  for (const [name, text] of new URLSearchParams(query)) {
    if (!Object.hasOwn(known, name)) {
      throw new TargetError(
        'address',
        `qemu: unknown option '${name}', expected one of ${Object.keys(known).join(', ')}`,
      )
    }
    given[name as Name] = optionValue(name, known[name as Name], text)
  }
  return given
}

/** Splits `virtio-blk?iothread=1&queueSize=8` into the machine's name and its options. */
export function parseAddress(rest: string): { readonly machine: string; readonly options: QemuOptions } {
  const { machine, query } = splitAddress(rest)
  const given = optionsOf(query, known)
  const iothread = given.iothread === true
  return {
    machine,
    options: {
      binary: 'qemu-system-x86_64',
      iothread,
      // A second queue shows whether trouble of the first spreads.
      numQueues: 2,
      readonly: false,
      transitional: false,
      // Off where the harness controls each request of the back end; on, as deployed, in the path that people deploy.
      merging: iothread,
      lines: true,
      sectors: 64,
      ats: false,
      ...(given as Partial<QemuOptions>),
    },
  }
}

function optionValue(name: string, kind: OptionKind, text: string): string | number | boolean {
  switch (kind.kind) {
    case 'flag':
      if (text === '1' || text === 'on' || text === '') return true
      if (text === '0' || text === 'off') return false
      throw new TargetError('address', `qemu: option ${name} expects 1 or 0, found '${text}'`)
    case 'number': {
      const value = Number(text)
      if (/^[0-9]+$/.test(text) && value >= kind.from && value <= kind.to) return value
      throw new TargetError(
        'address',
        `qemu: option ${name} expects a number from ${kind.from} to ${kind.to}, found '${text}'`,
      )
    }
    case 'choice':
      if (kind.of.includes(text)) return text
      throw new TargetError('address', `qemu: option ${name} expects one of ${kind.of.join(', ')}, found '${text}'`)
    case 'text':
      if (text !== '') return text
      throw new TargetError('address', `qemu: option ${name} expects a text, found nothing`)
  }
}
