/** Starts v86 with nothing running in it: a PC that consists of one virtio device, as far as we are concerned. */

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { TargetError } from '../../contract/target.ts'
import type { NinePBackend } from './backend.ts'
import { INSTALL } from './surface.ts'

/** Node has it; the type packages that this project uses do not. */
declare const WebAssembly: {
  compile(code: Uint8Array): Promise<object>
  instantiate(code: object, imports: object): Promise<{ readonly exports: unknown }>
}

/** Bytes of guest memory, a multiple of 128 KiB. */
const MEMORY_BYTES = 4 * 2 ** 20

/** The address space between conventional memory and 1 MiB belongs to the screen and the firmware. */
export const MEMORY = [
  { start: 0, end: 0xa_0000 },
  { start: 0x10_0000, end: MEMORY_BYTES },
] as const

const FIRMWARE_BYTES = 0x1_0000
/** Where a PC starts, in the firmware: `cli; hlt; jmp -3`. Nothing here ever runs the processor; it would stay there. */
const RESET_VECTOR = 0xfff0
const HALT = [0xfa, 0xf4, 0xeb, 0xfd]
const VIDEO_FIRMWARE_BYTES = 0x8000
const VIDEO_MEMORY_BYTES = 0x2_0000

/** The parts of the `v86` package that starting needs. */
export interface Package {
  readonly version: string
  readonly V86: new (options: object) => Emulator
  /** Makes one instance of the emulator's WebAssembly code and returns its exports. */
  readonly instantiate: (imports: Imports) => Promise<unknown>
}

export interface Emulator {
  add_listener(event: string, listener: () => void): void
  destroy(): Promise<void>
}

interface Imports {
  readonly env: Record<string, unknown>
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
}

/** What an address names, and what makes v86 have it. */
export const DEVICES = {
  'virtio-9p': { key: 'virtio_9p', options: {} },
  'virtio-console': { key: 'virtio_console', options: { virtio_console: true } },
  'virtio-net': { key: 'virtio_net', options: { net_device: { type: 'virtio' } } },
  'virtio-balloon': { key: 'virtio_balloon', options: { virtio_balloon: true } },
} as const

export type DeviceName = keyof typeof DEVICES

/** Loads the installed package; rejects when there is none. */
export async function installedPackage(): Promise<Package> {
  const { resolve } = createRequire(import.meta.url)
  const { V86 } = (await import('v86')) as unknown as Pick<Package, 'V86'>
  const manifest = JSON.parse(await readFile(resolve('v86/package.json'), 'utf8')) as Pick<Package, 'version'>
  // Compiled once: every further instance starts from this module.
  const code = await WebAssembly.compile(await readFile(join(dirname(resolve('v86')), 'v86.wasm')))
  const instantiate = async (imports: Imports) => (await WebAssembly.instantiate(code, imports)).exports
  return { version: manifest.version, V86, instantiate }
}

/** The package, or in one line what to do to have it. */
export async function loadPackage(load: () => Promise<Package>): Promise<Package> {
  try {
    return await load()
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code
    const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
    const problem = missing ? 'the package v86 is not installed' : `the package v86 does not load (${firstLine(error)})`
    throw new TargetError(missing ? 'address' : 'start', `${problem}: ${INSTALL}`)
  }
}

/** What to start, and how long to wait for it. */
export interface Start {
  /** What makes v86 have what is wanted. */
  readonly options: object
  readonly backend: NinePBackend | undefined
  readonly timeoutMs: number
  /** Takes what the emulator would print. */
  readonly log: (text: string) => void
}

/** Creates an emulator that has what is wanted, and waits until it is ready. */
export async function startEmulator(v86: Package, start: Start): Promise<Emulator> {
  const firmware = new Uint8Array(FIRMWARE_BYTES)
  firmware.set(HALT, RESET_VECTOR)
  let timer: NodeJS.Timeout | undefined
  let failed: (error: unknown) => void = () => {}
  const trouble = new Promise<never>((_, reject) => {
    failed = reject
    const message = `v86 ${v86.version} was not ready after ${start.timeoutMs} ms`
    timer = setTimeout(() => reject(new TargetError('start', message)), start.timeoutMs)
  })
  try {
    const emulator = new v86.V86({
      wasm_fn: (imports: Imports) => instantiateQuietly(v86, imports, start.log).catch(failed),
      autostart: false,
      memory_size: MEMORY_BYTES,
      vga_memory_size: VIDEO_MEMORY_BYTES,
      bios: { buffer: firmware.buffer },
      vga_bios: { buffer: new ArrayBuffer(VIDEO_FIRMWARE_BYTES) },
      disable_keyboard: true,
      disable_mouse: true,
      disable_speaker: true,
      net_device: { type: 'none' },
      ...start.options,
      ...(start.backend === undefined ? {} : { filesystem: { handle9p: start.backend.handle } }),
    })
    await Promise.race([trouble, new Promise<void>((ready) => emulator.add_listener('emulator-loaded', ready))])
    return emulator
  } catch (error) {
    if (error instanceof TargetError) throw error
    throw new TargetError('start', `v86 ${v86.version} does not start (${firstLine(error)}): ${INSTALL}`)
  } finally {
    clearTimeout(timer)
  }
}

/** What the processor is told when it asks for the time until the next timer: none runs here. */
const IDLE_MS = 100

/** Instantiates the WebAssembly part, with its way to print replaced by `log`, and without its timers. */
async function instantiateQuietly(v86: Package, { env }: Imports, log: (text: string) => void): Promise<Exports> {
  const print = (offset: number, bytes: number) => {
    log(new TextDecoder().decode(new Uint8Array(exports.memory.buffer, offset, bytes)))
  }
  const replaced = { ...env, console_log_from_wasm: print, run_hardware_timers: () => IDLE_MS }
  const exports = (await v86.instantiate({ env: replaced })) as Exports
  return exports
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0]!
}
