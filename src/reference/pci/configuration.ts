import { CAPABILITY, PCI, PCI_STATUS } from '../../layout/pci.ts'
import { barRegisters } from './bars.ts'
import { type Capability, commandBits, type PciFunction, type Personality, type Register, settle } from './function.ts'
import { expressCapability, powerCapability } from './management.ts'
import { msixCapability } from './msix.ts'

/** Bytes of conventional configuration space. Above it there are no extended capabilities: it reads zero. */
const CONFIGURATION_BYTES = 256
/** First capability; everything below is the header. */
const FIRST_CAPABILITY = 0x40
/** Error bits of the status register that are written 1 to clear, PCI 3.0 6.2.3. */
const ERRORS = 0xf900

/** For every byte of configuration space the register that it belongs to. */
export type ConfigurationSpace = readonly (Register | undefined)[]

/** Those of functions that are alike: their registers know of nothing but this. */
const known = new WeakMap<Personality['bars'], Pick<Personality, 'identity' | 'msix'> & { space: ConfigurationSpace }>()

/** Lays out the header and the chain of capabilities of a function. Constant over its life. */
export function configurationSpace(personality: Personality): ConfigurationSpace {
  const { identity, bars, msix, capabilities } = personality
  if (capabilities.length > 0) return laidOut(personality)
  const like = known.get(bars)
  if (like !== undefined && like.identity === identity && like.msix === msix) return like.space
  const space = laidOut(personality)
  known.set(bars, { identity, msix, space })
  return space
}

function laidOut(personality: Personality): ConfigurationSpace {
  const capabilities = [
    powerCapability,
    ...(personality.msix ? [msixCapability(personality.msix)] : []),
    expressCapability,
    ...personality.capabilities,
  ]
  const bytes: (Register | undefined)[] = new Array(CONFIGURATION_BYTES).fill(undefined)
  for (const register of [...header(personality), ...chain(capabilities)]) {
    if (register.at + register.bytes > CONFIGURATION_BYTES) {
      throw new Error(`configuration space of 256 bytes is full: '${register.name}' would start at ${register.at}`)
    }
    bytes.fill(register, register.at, register.at + register.bytes)
  }
  return bytes
}

/** Reads 1, 2 or 4 bytes; bytes that belong to no register read zero. */
export function readConfiguration(space: ConfigurationSpace, fn: PciFunction, offset: number, width: number): number {
  let value = 0
  forEachRegister(space, offset, width, (register) => {
    const bits = register.read(fn)
    const shift = 8 * (register.at - offset)
    value |= shift >= 0 ? bits << shift : bits >>> -shift
  })
  return (value & ones(width)) >>> 0
}

/** Writes 1, 2 or 4 bytes. Each register sees only the bytes that the access enables; then consequences follow. */
export function writeConfiguration(
  space: ConfigurationSpace,
  fn: PciFunction,
  offset: number,
  width: number,
  value: number,
): void {
  const written = ones(width)
  forEachRegister(space, offset, width, (register) => {
    const shift = 8 * (register.at - offset)
    const place = (bits: number) => (shift >= 0 ? bits >>> shift : bits << -shift) & ones(register.bytes)
    register.write?.(fn, place(value) >>> 0, place(written))
  })
  settle(fn)
}

function forEachRegister(space: ConfigurationSpace, offset: number, width: number, visit: (r: Register) => void): void {
  let last: Register | undefined
  for (let at = offset; at < offset + width; at++) {
    const register = space[at]
    if (register && register !== last) visit(register)
    last = register
  }
}

const ones = (width: number): number => (width === 4 ? -1 : (1 << (8 * width)) - 1)

const constant = (at: number, bytes: 1 | 2 | 4, name: string, value: number): Register => {
  return { at, bytes, name, read: () => value }
}

/** The type 0 header, PCI 3.0 6.1. */
function header({ identity, bars }: Personality): Register[] {
  const writable = commandBits(bars)
  return [
    constant(PCI.vendorId, 2, 'vendor id', identity.vendorId),
    constant(PCI.deviceId, 2, 'device id', identity.deviceId),
    {
      at: PCI.command,
      bytes: 2,
      name: 'command',
      read: (fn) => fn.state.command,
      write(fn, value, touched) {
        fn.state.command = (fn.state.command & ~(touched & writable)) | (value & touched & writable)
      },
    },
    {
      at: PCI.status,
      bytes: 2,
      name: 'status',
      read: ({ state, parts }) =>
        PCI_STATUS.CAPABILITIES | state.errors | (parts.interruptStatus(state) ? PCI_STATUS.INTERRUPT : 0),
      write(fn, value, touched) {
        fn.state.errors &= ~(value & touched & ERRORS)
      },
    },
    constant(PCI.revision, 1, 'revision', identity.revision),
    constant(PCI.classCode, 1, 'programming interface', identity.classCode & 0xff),
    constant(PCI.classCode + 1, 2, 'class', identity.classCode >>> 8),
    constant(PCI.headerType, 1, 'header type', 0),
    ...barRegisters(bars),
    constant(PCI.subsystemVendorId, 2, 'subsystem vendor id', identity.subsystemVendorId),
    constant(PCI.subsystemId, 2, 'subsystem id', identity.subsystemId),
    constant(PCI.capabilities, 1, 'capabilities pointer', FIRST_CAPABILITY),
    {
      at: PCI.interruptLine,
      bytes: 1,
      name: 'interrupt line',
      read: (fn) => fn.state.interruptLine,
      write(fn, value) {
        fn.state.interruptLine = value
      },
    },
    { at: PCI.interruptPin, bytes: 1, name: 'interrupt pin', read: (fn) => (fn.options.pin ?? 0) + 1 },
  ]
}

/** Strings capabilities together from the first dword after the header; the last one's next pointer is zero. */
function chain(capabilities: readonly Capability[]): Register[] {
  const registers: Register[] = []
  let start = FIRST_CAPABILITY
  for (const [index, capability] of capabilities.entries()) {
    const end = (start + capability.bytes + 3) & ~3
    registers.push(constant(start, 1, 'capability id', capability.id))
    registers.push(constant(start + 1, 1, 'next capability', index + 1 < capabilities.length ? end : 0))
    for (const register of capability.registers) registers.push({ ...register, at: start + register.at })
    // Virtio capabilities carry their own length, 4.1.4; for others the byte is part of a register.
    if (capability.id === CAPABILITY.VENDOR) registers.push(constant(start + 2, 1, 'length', capability.bytes))
    start = end
  }
  return registers
}
