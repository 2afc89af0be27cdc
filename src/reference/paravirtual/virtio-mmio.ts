/**
 * The MMIO transport, version 2. VIRTIO 1.3 section 4.2. Control registers answer to aligned 32-bit accesses only:
 * other writes are ignored, other reads give zero. The configuration space takes any width.
 */

import type { Gpa, TargetEvent } from '../../contract/index.ts'
import { ISR, MMIO, MMIO_MAGIC } from '../../layout/virtio.ts'
import type { QueueArea, VirtioDevice } from './device.ts'
import type { Parts } from './parts.ts'

/** Bytes of address space that the registers and the configuration space take. */
export const MMIO_BYTES = 0x200
const VERSION = 2
const VENDOR = 0x6f_69_76_73

interface MmioState {
  deviceFeaturesSel: number
  driverFeaturesSel: number
  queueSel: number
  interruptStatus: number
}

export interface MmioTransport {
  readonly base: Gpa
  /** `offset` is relative to the base; `width` is 1, 2 or 4. */
  read(offset: number, width: number): number
  write(offset: number, width: number, value: number): void
  /** The transport's own registers at power-on. */
  reset(): void
  save(): unknown
  restore(state: unknown): void
}

const ADDRESSES: Readonly<Record<number, readonly [QueueArea, 0 | 1]>> = {
  [MMIO.queueDescLow]: ['desc', 0],
  [MMIO.queueDescHigh]: ['desc', 1],
  [MMIO.queueDriverLow]: ['driver', 0],
  [MMIO.queueDriverHigh]: ['driver', 1],
  [MMIO.queueDeviceLow]: ['device', 0],
  [MMIO.queueDeviceHigh]: ['device', 1],
}

const fresh = (): MmioState => ({ deviceFeaturesSel: 0, driverFeaturesSel: 0, queueSel: 0, interruptStatus: 0 })

export function createMmioTransport(
  id: string,
  base: Gpa,
  device: VirtioDevice,
  emit: (event: TargetEvent) => void,
  mmio: Parts['mmio'],
): MmioTransport {
  let state = fresh()

  const setInterruptStatus = (next: number) => {
    const was = state.interruptStatus !== 0
    state.interruptStatus = next
    if (was !== (next !== 0)) emit({ kind: 'line', device: id, pin: 0, level: next !== 0 })
  }
  device.attach({
    queueInterrupt: () => setInterruptStatus(state.interruptStatus | ISR.QUEUE),
    configInterrupt: () => setInterruptStatus(state.interruptStatus | ISR.CONFIG),
  })

  /** A reset may complete later; the interrupt goes away with the write that asks for it. */
  const reset = () => setInterruptStatus(0)

  const readRegister = (offset: number): number => {
    switch (offset) {
      case MMIO.magicValue:
        return MMIO_MAGIC
      case MMIO.version:
        return VERSION
      case MMIO.deviceId:
        return device.type
      case MMIO.vendorId:
        return VENDOR
      case MMIO.deviceFeatures:
        return device.deviceFeatures(state.deviceFeaturesSel)
      case MMIO.queueSizeMax:
        return device.queue(state.queueSel)?.sizeMax ?? 0
      case MMIO.queueReady:
        return device.queue(state.queueSel)?.enabled === true ? 1 : 0
      case MMIO.queueReset:
        return device.queue(state.queueSel)?.resetting === true ? 1 : 0
      case MMIO.interruptStatus:
        return state.interruptStatus
      case MMIO.status:
        return device.status()
      case MMIO.configGeneration:
        return device.configGeneration()
      default:
        return 0
    }
  }

  const writeRegister = (offset: number, value: number): void => {
    const area = ADDRESSES[offset]
    if (area !== undefined) {
      device.setQueueAddress(state.queueSel, area[0], area[1], value)
      return
    }
    switch (offset) {
      case MMIO.deviceFeaturesSel:
        state.deviceFeaturesSel = value
        return
      case MMIO.driverFeaturesSel:
        state.driverFeaturesSel = value
        return
      case MMIO.driverFeatures:
        device.setDriverFeatures(state.driverFeaturesSel, value)
        return
      case MMIO.queueSel:
        state.queueSel = value
        return
      case MMIO.queueSize:
        device.setQueueSize(state.queueSel, value)
        return
      case MMIO.queueReady:
        if (value === 1) device.enableQueue(state.queueSel)
        else if (value === 0) device.disableQueue(state.queueSel)
        return
      case MMIO.queueReset:
        if (value === 1) device.resetQueue(state.queueSel)
        return
      case MMIO.queueNotify:
        device.kick(value)
        return
      case MMIO.interruptAck:
        setInterruptStatus(mmio.acknowledge(state.interruptStatus, value))
        return
      case MMIO.status:
        if (value === 0) reset()
        device.setStatus(value)
    }
  }

  return {
    base,
    read(offset, width) {
      if (offset >= MMIO.config) return device.readConfig(offset - MMIO.config, width as 1 | 2 | 4)
      return width === 4 && (offset & 3) === 0 ? readRegister(offset) : 0
    },
    write(offset, width, value) {
      if (offset >= MMIO.config) device.writeConfig(offset - MMIO.config, width as 1 | 2 | 4, value)
      else if (width === 4 && (offset & 3) === 0) writeRegister(offset, value)
    },
    reset() {
      reset()
      state = fresh()
    },
    save: () => ({ ...state }),
    restore(saved) {
      state = { ...(saved as MmioState) }
    },
  }
}
