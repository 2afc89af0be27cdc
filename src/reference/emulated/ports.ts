/** Devices of the ISA bus: registers of a byte each at fixed ports. */

export interface BytePorts {
  /** The first port, and how many there are. */
  readonly base: number
  readonly count: number
  readByte(offset: number): number
  writeByte(offset: number, value: number): void
}

/** A wider access is cycles of a byte each, lowest port first; bytes beyond the device read as all ones. */
export const readPorts = (device: BytePorts, space: string, address: number, width: number): number | undefined => {
  if (!meets(device, space, address, width)) return undefined
  let value = 0
  for (let byte = 0; byte < width; byte++) {
    const offset = address + byte - device.base
    value += (isInside(device, offset) ? device.readByte(offset) : 0xff) * 2 ** (8 * byte)
  }
  return value
}

export const writePorts = (
  device: BytePorts,
  space: string,
  address: number,
  width: number,
  value: number,
): boolean => {
  if (!meets(device, space, address, width)) return false
  for (let byte = 0; byte < width; byte++) {
    const offset = address + byte - device.base
    if (isInside(device, offset)) device.writeByte(offset, (value >>> (8 * byte)) & 0xff)
  }
  return true
}

const isInside = ({ count }: BytePorts, offset: number): boolean => offset >= 0 && offset < count

const meets = ({ base, count }: BytePorts, space: string, address: number, width: number): boolean =>
  space === 'port' && address + width > base && address < base + count
