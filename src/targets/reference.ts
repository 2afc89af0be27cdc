/** The door to the reference: `reference:virtio-blk?queueSize=4&fault=…`. It runs in process and is synchronous. */

import { type Door, type Target, TargetError } from '../contract/index.ts'
import { type Fault, faults } from '../reference/faults/index.ts'
import { defaultOptions, openPlatform, type PlatformOptions } from '../reference/index.ts'

/** What can be asked of a reference machine. */
export interface ReferenceOptions extends Partial<Omit<PlatformOptions, 'install' | 'name'>> {
  /** A seeded fault: the id of a registered one, or one of your own. */
  readonly fault?: string | Fault
}

/** Opens a reference machine at once. Without options: virtio-blk over PCI. */
export function openReference({ fault, ...options }: ReferenceOptions = {}): Target {
  const seeded = typeof fault === 'string' ? faultOf(fault) : fault
  if (seeded === undefined) return openPlatform(options)
  const only = seeded.transport
  if (only !== undefined && options.transport !== undefined && options.transport !== only)
    throw new TargetError('start', `fault '${seeded.id}' shows only over ${only}, found transport ${options.transport}`)
  return openPlatform({
    ...(only === undefined ? {} : { transport: only }),
    ...seeded.needs,
    ...options,
    name: `${defaultOptions.name}+${seeded.id}`,
    install: (parts) => seeded.install(parts),
  })
}

export const referenceDoor: Door = {
  scheme: 'reference',
  summary: `the reference devices: reference:${['virtio-blk', 'virtio-blk-mmio'].join(', reference:')}`,
  open: async (rest) => openReference(parseReference(rest)),
}

const DEVICES: Readonly<Record<string, ReferenceOptions>> = {
  'virtio-blk': {},
  'virtio-blk-pci': { transport: 'pci' },
  'virtio-blk-io': { transport: 'pci', ioBars: true },
  'virtio-blk-transitional': { transport: 'pci', transitional: true },
  'virtio-blk-mmio': { transport: 'mmio' },
}

/** Reads what stands after `reference:`. */
function parseReference(rest: string): ReferenceOptions {
  const [name = '', query = ''] = rest.split('?', 2)
  const device = DEVICES[name]
  if (device === undefined)
    throw new TargetError('start', `reference:${rest}: unknown device '${name}'${hint(name, Object.keys(DEVICES))}`)
  return { ...device, ...parseOptions([...new URLSearchParams(query)]) }
}

type Parser = (key: string, text: string) => ReferenceOptions

const powerOfTwo = (value: number) => value > 0 && (value & (value - 1)) === 0

const number =
  (low: number, high: number, valid: (value: number) => boolean = () => true, also = ''): Parser =>
  (key, text) => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isInteger(value) || value < low || value > high || !valid(value))
      throw new TargetError(
        'start',
        `option ${key}: expected a whole number${also} from ${low} to ${high}, found '${text}'`,
      )
    return { [key]: value }
  }

const flag: Parser = (key, text) => {
  if (!['0', '1', 'true', 'false'].includes(text))
    throw new TargetError('start', `option ${key}: expected 0 or 1, found '${text}'`)
  return { [key]: text === '1' || text === 'true' }
}

const OPTIONS: Readonly<Record<string, Parser>> = {
  queueSize: number(1, defaultOptions.queueSize, powerOfTwo, ' (a power of two)'),
  queues: number(1, 16),
  capacity: number(0, 2 ** 16),
  depth: number(1, defaultOptions.queueSize),
  resetSteps: number(0, 1000),
  readOnly: flag,
  transitional: flag,
  ioBars: flag,
  fault: (_key, text) => ({ fault: faultOf(text) }),
}

function parseOptions(pairs: readonly (readonly [string, string])[]): ReferenceOptions {
  let options: ReferenceOptions = {}
  for (const [key, text] of pairs) {
    const parser = OPTIONS[key]
    if (parser === undefined)
      throw new TargetError('start', `unknown option '${key}'${hint(key, Object.keys(OPTIONS))}`)
    options = { ...options, ...parser(key, text) }
  }
  return options
}

function faultOf(id: string): Fault {
  const fault = faults.find((candidate) => candidate.id === id)
  if (fault !== undefined) return fault
  throw new TargetError(
    'start',
    `unknown fault '${id}'${hint(
      id,
      faults.map((candidate) => candidate.id),
    )}`,
  )
}

/** The known word that is nearest, or all of them when none is near. */
function hint(word: string, known: readonly string[]): string {
  const ranked = known.map((name) => ({ name, far: distance(word, name) })).sort((a, b) => a.far - b.far)
  const best = ranked[0]
  if (best !== undefined && best.far <= Math.max(2, best.name.length / 2)) return `; did you mean '${best.name}'?`
  return `; expected one of ${known.join(', ')}`
}

/** Edit distance (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)))
    row = next
  }
  return row[to.length]!
}
