import { COMMAND } from '../../layout/pci.ts'
import { ISR } from '../../layout/virtio.ts'
import type { Fault } from '../faults/fault.ts'
import { correctParts, type PciParts } from './parts.ts'

interface PciFault<Name extends keyof PciParts> extends Pick<Fault, 'id' | 'area' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: PciParts[Name]
}

/** Seeds one wrong part of the PCI half, and nothing else. */
const fault = <Name extends keyof PciParts>({ replaces, part, ...what }: PciFault<Name>): Fault => ({
  ...what,
  replaces: `pci.${replaces}`,
  transport: 'pci',
  install(parts) {
    parts.pci[replaces] = part
  },
})

const { masked, mayMaster, maySend, intxLevel, registersAfterReset, message, decodes } = correctParts

/** Faults that show over PCI only. */
export const pciFaults: readonly Fault[] = [
  fault({
    id: 'irq-msix-pending-lost-while-masked',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'An event on a masked entry is forgotten: no pending bit, no message when the mask goes.',
    replaces: 'remember',
    part: () => {},
  }),
  fault({
    id: 'irq-msix-function-mask-ignored',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'Messages are sent although the function mask is set, and nothing is recorded as pending.',
    replaces: 'masked',
    part: (msix, vector) => masked({ ...msix, functionMask: false }, vector),
  }),
  fault({
    id: 'irq-msix-route-stale-after-masked-write',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'The message of an entry is fixed when it is sent first; what software writes to the entry later has no effect.',
    replaces: 'message',
    part(msix, vector) {
      msix.stale[vector] ??= message(msix, vector)
      return msix.stale[vector]
    },
  }),
  fault({
    id: 'irq-msix-pending-sent-again',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'The pending bit stays when its message is sent, so that every later change sends the message once more.',
    replaces: 'forget',
    part: () => {},
  }),
  fault({
    id: 'irq-isr-not-cleared-on-read',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'Reading the ISR register leaves the causes, and with them the line, as they are.',
    replaces: 'causesAfterRead',
    part: (state) => state.causes,
  }),
  fault({
    id: 'irq-isr-read-clears-queue-bit-only',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'Reading the ISR register clears the queue bit and leaves the configuration bit.',
    replaces: 'causesAfterRead',
    part: (state) => state.causes & ~ISR.QUEUE,
  }),
  fault({
    id: 'irq-intx-stays-up-after-isr-read',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'The line once up stays up although software has taken all causes.',
    replaces: 'intxLevel',
    part: (state) => intxLevel(state) || intxLevel({ ...state, causes: state.line ? 1 : 0 }),
  }),
  fault({
    id: 'irq-intx-beside-msix',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'The line follows the ISR register although MSI-X is enabled.',
    replaces: 'intxLevel',
    part: (state) => intxLevel({ ...state, msix: { ...state.msix, enabled: false } }),
  }),
  fault({
    id: 'irq-intx-disable-ignored',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'The Interrupt Disable bit of the command register does not gate the line.',
    replaces: 'intxLevel',
    part: (state) => intxLevel({ ...state, command: state.command & ~COMMAND.INTX_DISABLE }),
  }),
  fault({
    id: 'irq-isr-not-set-for-queues',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'A used-buffer notification without MSI-X leaves the ISR register zero, and the line down.',
    replaces: 'causesAfterEvent',
    part: (state, cause) => (cause === ISR.QUEUE ? state.causes : state.causes | cause),
  }),
  fault({
    id: 'irq-isr-not-set-on-dataplane-path',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'A used-buffer notification raises the line and does not show in the ISR register.',
    replaces: 'causesToRead',
    part: (state) => state.causes & ~ISR.QUEUE,
  }),
  fault({
    id: 'irq-isr-configuration-bit-lost-with-msix',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'With MSI-X enabled a configuration change does not set its ISR bit.',
    replaces: 'causesAfterEvent',
    part: (state, cause) => (state.msix.enabled ? state.causes : state.causes | cause),
  }),
  fault({
    id: 'irq-isr-second-cause-replaces-first',
    area: 'interrupt',
    difficulty: 'deep',
    what: 'The ISR register holds the last cause only: one that was not read yet is lost when another comes.',
    replaces: 'causesAfterEvent',
    part: (_state, cause) => cause,
  }),
  fault({
    id: 'irq-sent-with-no-vector',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'An event that is mapped to no vector sends the message of the last entry.',
    replaces: 'vectorOf',
    part: (register, vectors) => Math.min(register, vectors - 1),
  }),
  fault({
    id: 'irq-vector-out-of-range-accepted',
    area: 'interrupt',
    difficulty: 'shallow',
    what: 'A vector register keeps a number that the table does not have instead of reading back no vector.',
    replaces: 'vectorAfterWrite',
    part: (value) => value,
  }),
  fault({
    id: 'irq-vectors-survive-device-reset',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'After a device reset the queues are still mapped to the vectors of the old driver.',
    replaces: 'vectorsAfterReset',
    part: (vectors) => [...vectors],
  }),
  fault({
    id: 'irq-message-without-bus-master',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'Messages are sent although bus mastering is off.',
    replaces: 'maySend',
    part: (state) => maySend({ ...state, command: state.command | COMMAND.BUS_MASTER }),
  }),
  fault({
    id: 'pci-dma-without-bus-master',
    area: 'transport',
    difficulty: 'medium',
    what: 'The function reads and writes memory although bus mastering is off.',
    replaces: 'mayMaster',
    part: (state) => mayMaster({ ...state, command: state.command | COMMAND.BUS_MASTER }),
  }),
  fault({
    id: 'pci-bar-writes-through-fixed-bits',
    area: 'transport',
    difficulty: 'shallow',
    what: 'All bits of a base address register can be written: sizing shows a window of 1 byte, the type is lost.',
    replaces: 'barAfterWrite',
    part: (_old, value) => value,
  }),
  fault({
    id: 'pci-d3hot-still-decodes',
    area: 'transport',
    difficulty: 'medium',
    what: 'In D3hot the windows still answer.',
    replaces: 'decodes',
    part: (state, kind) => decodes({ ...state, power: 0 }, kind),
  }),
  fault({
    id: 'pci-flr-leaves-msix-enabled',
    area: 'interrupt',
    difficulty: 'medium',
    what: 'A function-level reset keeps MSI-X enabled and its table as it was.',
    replaces: 'registersAfterReset',
    part: (fn) => ({ ...registersAfterReset(fn), msix: fn.state.msix }),
  }),
  fault({
    id: 'pci-flr-leaves-requests-in-flight',
    area: 'transport',
    difficulty: 'deep',
    what: 'A function-level reset does not stop the device: as soon as bus mastering is on again, old requests complete.',
    replaces: 'stopRequests',
    part: () => {},
  }),
  fault({
    id: 'mig-transport-registers-lost-mid-init',
    area: 'migration',
    difficulty: 'medium',
    what: 'The selectors are not saved: set-up that is interrupted by a restore goes on with the wrong queue.',
    replaces: 'transportToSave',
    part: (state) => ({ ...state, deviceFeatureSelect: 0, driverFeatureSelect: 0, queueSelect: 0 }),
  }),
]
