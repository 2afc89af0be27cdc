/** Accesses of a CPU to the spaces of a PC, as qtest commands. */

import { type Location, TargetError, type Width } from '../../contract/index.ts'
import { CONFIG_ADDRESS_PORT, CONFIG_DATA_PORT } from '../../layout/pci.ts'
import type { Qtest } from './qtest.ts'

const SUFFIX = { 1: 'b', 2: 'w', 4: 'l', 8: 'q' } as const
/** Configuration mechanism 1 reaches the first 256 bytes of a function. */
const CONFIG_BYTES = 0x100

/** Reads as a CPU does; what nobody claims reads as all ones. */
export function readAt(qtest: Qtest, at: Location, width: Width): bigint {
  const address = checked(at.address)
  if (at.space === 'mmio') return BigInt(qtest.ask(`read${SUFFIX[width]} ${address}`))
  if (at.space === 'hypercall' || (at.space === 'config' && !isReachable(address)))
    return (1n << BigInt(8 * width)) - 1n
  if (width === 8) return readAt(qtest, at, 4) | (readAt(qtest, { ...at, address: address + 4 }, 4) << 32n)
  if (at.space === 'port') return BigInt(qtest.ask(`in${SUFFIX[width]} ${address}`))
  selectConfig(qtest, address)
  return BigInt(qtest.ask(`in${SUFFIX[width]} ${CONFIG_DATA_PORT + (address & 3)}`))
}

/** A read in its place among the commands, whose answer is told once it is there. */
export function readAtLater(qtest: Qtest, at: Location, width: Width, then: (value: bigint) => void): void {
  if (at.space !== 'mmio') then(readAt(qtest, at, width))
  else qtest.postFor(`read${SUFFIX[width]} ${checked(at.address)}`, (answer) => then(BigInt(answer)))
}

/** Queues a write as a CPU makes it. */
export function writeAt(qtest: Qtest, at: Location, width: Width, value: bigint): void {
  const address = checked(at.address)
  const data = BigInt.asUintN(8 * width, value)
  // A number becomes text in half the time.
  const text = width === 8 ? data : Number(data)
  if (at.space === 'mmio') qtest.post(`write${SUFFIX[width]} ${address} ${text}`)
  else if (at.space === 'hypercall' || (at.space === 'config' && !isReachable(address))) return
  else if (width === 8) {
    writeAt(qtest, at, 4, data)
    writeAt(qtest, { ...at, address: address + 4 }, 4, data >> 32n)
  } else if (at.space === 'port') qtest.post(`out${SUFFIX[width]} ${address} ${text}`)
  else {
    selectConfig(qtest, address)
    qtest.post(`out${SUFFIX[width]} ${CONFIG_DATA_PORT + (address & 3)} ${text}`)
  }
}

function selectConfig(qtest: Qtest, address: number): void {
  const routing = Math.floor(address / 0x1000) & 0xffff
  qtest.post(`outl ${CONFIG_ADDRESS_PORT} ${(0x80000000 | (routing << 8) | (address & 0xfc)) >>> 0}`)
}

function isReachable(configAddress: number): boolean {
  return configAddress % 0x1000 < CONFIG_BYTES
}

/** QEMU aborts on a number that it cannot parse, which would look like a crash of the device. */
function checked(address: number): number {
  if (Number.isSafeInteger(address) && address >= 0) return address
  throw new TargetError('refused', `qemu: expected an address from 0 to 2^53, found ${address}`)
}
