/** The door to the reference: `reference:virtio-blk?queueSize=4&fault=…`. It runs in process and is synchronous. */

import { hintFor } from '../contract/codec.ts'
import { type Door, type Target, TargetError } from '../contract/index.ts'
import { type Fault, faults } from '../reference/faults/index.ts'
import {
  type AnyBoard,
  boards,
  defaultOptions,
  openBoardOf,
  openPlatform,
  type PlatformOptions,
} from '../reference/index.ts'

/** What can be asked of a reference machine. */
export interface ReferenceOptions extends Partial<Omit<PlatformOptions, 'install' | 'name'>> {
  /** One of the boards, instead of virtio-blk. */
  readonly board?: AnyBoard
  /** A seeded fault: the id of a registered one, or one of your own. */
  readonly fault?: string | Fault
}

/** Opens a reference machine at once. Without options: virtio-blk over PCI. */
export function openReference({ fault, ...rest }: ReferenceOptions = {}): Target {
  const seeded = typeof fault === 'string' ? faultOf(fault) : fault
  const { board = seeded?.board, ...options } = rest
  if (board !== undefined) return openBoardWith(board, seeded)
  if (seeded === undefined) return openPlatform(options)
  const only = seeded.transport
  if (only !== undefined && options.transport !== undefined && options.transport !== only)
    throw new TargetError(
      'address',
      `fault '${seeded.id}' shows only over ${only}, found transport ${options.transport}`,
    )
  return openPlatform({
    ...(only === undefined ? {} : { transport: only }),
    ...seeded.needs,
    ...options,
    name: `${defaultOptions.name}+${seeded.id}`,
    install: (parts) => seeded.install(parts),
  })
}

function openBoardWith(board: AnyBoard, fault: Fault | undefined): Target {
  if (fault === undefined) return openBoardOf(board, `${defaultOptions.name} ${board.name}`)
  if (fault.board !== board)
    throw new TargetError(
      'address',
      `fault '${fault.id}' is one of reference:${fault.board?.name ?? 'virtio-blk'}, found reference:${board.name}`,
    )
  return openBoardOf(board, `${defaultOptions.name} ${board.name}+${fault.id}`, (parts) => fault.install(parts))
}

const NAMED = ['virtio-blk', 'virtio-blk-mmio', ...boards.map(({ name }) => name)]

export const referenceDoor: Door = {
  scheme: 'reference',
  summary: `the reference devices: ${NAMED.map((name) => `reference:${name}`).join(', ')}`,
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
  const board = boards.find((candidate) => candidate.name === name)
  const device = board === undefined ? DEVICES[name] : { board }
  if (device === undefined)
    throw new TargetError(
      'address',
      `reference:${rest}: unknown device '${name}'; ${hintFor(name, [...Object.keys(DEVICES), ...boards.map((each) => each.name)])}`,
    )
  const options = parseOptions([...new URLSearchParams(query)])
  const other = Object.keys(options).find((key) => key !== 'fault')
  if (board !== undefined && other !== undefined)
    throw new TargetError('address', `reference:${rest}: expected no option but fault, found '${other}'`)
  return { ...device, ...options }
}

type Parser = (key: string, text: string) => ReferenceOptions

const powerOfTwo = (value: number) => value > 0 && (value & (value - 1)) === 0

const number =
  (low: number, high: number, valid: (value: number) => boolean = () => true, also = ''): Parser =>
  (key, text) => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isInteger(value) || value < low || value > high || !valid(value))
      throw new TargetError(
        'address',
        `option ${key}: expected a whole number${also} from ${low} to ${high}, found '${text}'`,
      )
    return { [key]: value }
  }

const flag: Parser = (key, text) => {
  if (!['0', '1', 'true', 'false'].includes(text))
    throw new TargetError('address', `option ${key}: expected 0 or 1, found '${text}'`)
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
      throw new TargetError('address', `unknown option '${key}'; ${hintFor(key, Object.keys(OPTIONS))}`)
    options = { ...options, ...parser(key, text) }
  }
  return options
}

function faultOf(id: string): Fault {
  const fault = faults.find((candidate) => candidate.id === id)
  if (fault !== undefined) return fault
  throw new TargetError(
    'address',
    `unknown fault '${id}'; ${hintFor(
      id,
      faults.map((candidate) => candidate.id),
    )}`,
  )
}
