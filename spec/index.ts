/** Every machine, by name. */
import type { ScopedMachine } from '../src/kernel/language/index.ts'
import { configSpace } from './paravirtual/config-space.ts'
import { virtioBlk } from './paravirtual/virtio-blk.ts'
import { pciFunction } from './pci/function.ts'
import { deviceStatus } from './virtqueue/device-status.ts'
import { splitQueue } from './virtqueue/split-queue.ts'

export const machines: readonly ScopedMachine[] = [splitQueue, virtioBlk, deviceStatus, configSpace, pciFunction]
