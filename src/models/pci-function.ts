/** Joins the pci-function machine to virtio devices; its event is a change of capacity, or a used buffer. */

import { pciFunction } from '../../spec/pci/function.ts'
import type { Description, DeviceDescription } from '../contract/target.ts'
import type { Model } from '../kernel/model.ts'
import { hasRequest } from './guest/single-request.ts'
import { virtioOf } from './guest/virtio-device.ts'
import { PciFunctionSession } from './pci/session.ts'

const onPci = (target: Description): DeviceDescription | undefined => {
  const device = virtioOf(target)
  return device?.transport.kind === 'pci' ? device : undefined
}

const MESSAGE_ACTIONS = [
  'driver.enableMessages',
  'driver.disableMessages',
  'driver.maskFunction',
  'driver.mask',
  'driver.unmask',
  'driver.rewrite',
  'driver.mapEvent',
  'driver.mapBeyond',
  'driver.readPending',
  'driver.readEntry',
] as const
const because = (names: readonly string[], reason: string): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, reason]))

export const pciFunctionModel: Model = {
  machine: pciFunction,
  played: ['driver'],
  notApplicable(target) {
    const device = onPci(target)
    if (device === undefined) return 'it has no virtio device on PCI'
    if (target.observes.line === 'none') return 'it does not show interrupt lines, which this is about'
    if (target.can.controls.includes('resize') || hasRequest(device)) return undefined
    return `neither a change of capacity nor a request of a ${device.kind} is known that would make it interrupt`
  },
  scope: (target) => ({ scope: 'played', bounds: { config: target.can.controls.includes('resize') ? 1 : 0 } }),
  unavailable(target) {
    const { observes, can } = target
    const resizes = can.controls.includes('resize')
    const device = onPci(target)
    return {
      ...(device === undefined || hasRequest(device)
        ? {}
        : because(['driver.submit'], `no request is known that a ${device.kind} would answer`)),
      ...(observes.msi === 'none' ? because(MESSAGE_ACTIONS, 'it shows no message-signalled interrupts') : {}),
      ...(resizes ? {} : because(MESSAGE_ACTIONS, 'its event cannot be mapped anew while the queue is enabled')),
      ...(can.resets.includes('function')
        ? {}
        : because(['driver.resetFunction'], 'it declares no function-level reset')),
      ...(can.resets.includes('power-state') ? {} : because(['driver.setPower'], 'it declares no power states')),
    }
  },
  open: (target, machine, sink) => new PciFunctionSession(target, machine, sink),
}
