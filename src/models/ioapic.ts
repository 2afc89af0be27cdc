/** The ioapic machine on an I/O APIC whose inputs we drive and whose messages are seen. */
import { ioapic } from '../../spec/interrupt/ioapic.ts'
import type { Description, DeviceDescription } from '../contract/target.ts'
import type { Model } from '../kernel/model.ts'
import { DIRECTED_EOI } from '../layout/ioapic.ts'
import { IoapicSession } from './irqchip/ioapic-session.ts'

const ioapicOf = ({ devices }: Description): DeviceDescription | undefined =>
  devices.find(({ kind, transport }) => kind === 'ioapic' && transport.kind === 'chip')

const factOf = (target: Description, fact: string) => ioapicOf(target)?.facts?.[fact]

export const ioapicModel: Model = {
  machine: ioapic,
  played: ['driver', 'device', 'cpu', 'bus'],
  notApplicable(target) {
    const device = ioapicOf(target)
    if (device === undefined) return 'it has no I/O APIC that could be driven by itself'
    if (target.can.lines !== true) return 'the inputs of its chips cannot be driven'
    if ((target.observes.interrupt ?? 'none') === 'none') return 'it does not show the messages of its interrupt chips'
    return target.can.endOfInterrupt === true ? undefined : 'nobody can end a level interrupt for it'
  },
  scope(target) {
    const exact = target.observes.interrupt === 'exact'
    return {
      scope: 'played',
      bounds: {
        exact: exact ? 1 : 0,
        // Where messages are seen by what a CPU gets, it has to be one that there is.
        ...(exact ? {} : { routes: 1 }),
        electrical: factOf(target, 'polarity') === 'electrical' ? 1 : 0,
      },
    }
  },
  unavailable: (target): Readonly<Record<string, string>> => {
    const version = factOf(target, 'version')
    return typeof version === 'number' && version < DIRECTED_EOI
      ? { 'driver.endDirectly': `its version is 0x${version.toString(16)}, which has no EOI register` }
      : {}
  },
  open: (target, machine, sink) => new IoapicSession(target, machine, sink, ioapicOf(target.describe())!),
}
