/** Saved states: canonical JSON in UTF-8, versioned, and refused with a reason when they do not fit. */

import { TargetError } from '../contract/index.ts'

const FORMAT = 'iospec-reference-state'
/** Raised whenever the meaning of a member changes. */
const VERSION = 1

export interface SavedPlatform {
  readonly memory: unknown
  readonly device: unknown
  readonly transport: unknown
}

/** JSON with the members of every object in one order, so that equal states are equal bytes. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`)
  return `{${members.join(',')}}`
}

/** A board: its memory, and the state of each part in order. */
export interface SavedBoard {
  readonly memory: unknown
  readonly parts: readonly unknown[]
}

export const writeState = (machine: string, state: SavedPlatform | SavedBoard): Uint8Array =>
  new TextEncoder().encode(canonical({ format: FORMAT, version: VERSION, machine, state }))

export const readState = (machine: string, bytes: Uint8Array): SavedPlatform =>
  read(machine, bytes, ['memory', 'device', 'transport']) as unknown as SavedPlatform

export const readBoardState = (machine: string, bytes: Uint8Array): SavedBoard =>
  read(machine, bytes, ['memory', 'parts']) as unknown as SavedBoard

function read(machine: string, bytes: Uint8Array, members: readonly string[]): Record<string, unknown> {
  const refuse = (what: string): never => {
    throw new TargetError('protocol', `saved state: ${what}`)
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    return refuse(`expected JSON in UTF-8, found ${bytes.length} bytes that are not (${(cause as Error).message})`)
  }
  const envelope = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Record<string, unknown>
  const expect = (key: string, wanted: unknown) => {
    if (envelope[key] !== wanted)
      refuse(`member '${key}' is ${JSON.stringify(envelope[key]) ?? 'missing'}, expected ${JSON.stringify(wanted)}`)
  }
  expect('format', FORMAT)
  expect('version', VERSION)
  expect('machine', machine)
  const state = (envelope.state ?? {}) as Record<string, unknown>
  for (const key of members)
    if (typeof state[key] !== 'object' || state[key] === null) refuse(`member 'state.${key}' is missing`)
  return state
}

/** A hash of plain state and of the memory hash, 128 bits as hexadecimal. */
export function stateHash(state: unknown, memory: readonly [number, number]): string {
  // Member order must not count: it differs between a state that grew here and one that was restored.
  const text = canonical(state)
  let a = 0x9e3779b1
  let b = 0x85ebca6b
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b + code, 0x27d4eb2f) ^ (b >>> 15)
  }
  return [a, b, memory[0], memory[1]].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}
