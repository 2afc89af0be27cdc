/** Finding the function that the machines of PCI functions are about, and what of them it can be asked. */
import type { Description, DeviceDescription, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { hasRequest } from '../guest/single-request.ts'
import { virtioOf } from '../guest/virtio-device.ts'
import { MSI_KIND, MsiSubject } from './msi-subject.ts'
import type { Subject } from './subject.ts'
import { VirtioSubject } from './virtio-subject.ts'

/** The first function that a driver can be written for. */
const functionOf = (target: Description): DeviceDescription | undefined => {
  const device = target.devices.find(({ kind }) => kind === MSI_KIND) ?? virtioOf(target)
  return device?.transport.kind === 'pci' ? device : undefined
}

export const openSubject = (target: Target): Subject => {
  const description = target.describe()
  const device = functionOf(description)
  if (device === undefined) throw new ModelError(`${description.name}: expected a PCI function, found none`)
  return device.kind === MSI_KIND ? new MsiSubject(target, device) : new VirtioSubject(target)
}

const isBare = (target: Description): boolean => functionOf(target)?.kind === MSI_KIND

/** It has two kinds of events: those that can be mapped anew at any time, and others. */
export const hasTwoEvents = (target: Description): boolean => isBare(target) || target.can.controls.includes('resize')

/** A second function is there to share its line. */
export const sharesItsLine = (target: Description): boolean =>
  isBare(target) && target.devices.filter(({ kind }) => kind === MSI_KIND).length > 1

/** Why no function of this target can be asked. */
export const noFunction = (target: Description): string | undefined => {
  const device = functionOf(target)
  if (device === undefined) return 'it has no PCI function that a driver is known for'
  if (hasTwoEvents(target) || hasRequest(device)) return undefined
  return `neither a change of capacity nor a request of a ${device.kind} is known that would make it interrupt`
}

export const because = (names: readonly string[], reason: string): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, reason]))

/** Resets and sleep that the target does not declare, and events that it cannot be made to have. */
export const unavailableOf = (target: Description): Record<string, string> => {
  const device = functionOf(target)
  // What a bare function can do, its capabilities say.
  if (device === undefined || isBare(target)) return {}
  const { resets } = target.can
  return {
    ...(hasRequest(device)
      ? {}
      : because(['driver.submit', 'twoCauses'], `no request is known that a ${device.kind} would answer`)),
    ...(resets.includes('function') ? {} : because(['driver.resetFunction'], 'it declares no function-level reset')),
    ...(resets.includes('power-state') ? {} : because(['driver.setPower'], 'it declares no power states')),
  }
}
