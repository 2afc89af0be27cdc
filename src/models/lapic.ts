/** The lapic machine on local APICs whose registers can be reached by their CPUs. */
import { lapic } from '../../spec/interrupt/lapic.ts'
import type { Description, DeviceDescription } from '../contract/target.ts'
import type { Model } from '../kernel/model.ts'
import { LapicSession } from './irqchip/lapic-session.ts'

const lapicsOf = ({ devices }: Description): DeviceDescription[] =>
  devices.filter(({ kind, transport }) => kind === 'local-apic' && transport.kind === 'chip')

const because = (reason: string, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, reason]))

const OF_LINES = ['device.drive'] as const
const OF_THE_CPU = [
  'bus.messageNmi',
  'driver.sendNmi',
  'driver.sendInit',
  'driver.sendDeassert',
  'driver.sendStartup',
] as const
const OF_DEADLINES = [
  'driver.armDeadline',
  'driver.armPastDeadline',
  'driver.switchTimer',
  'driver.writeOtherCount',
] as const
const OF_TIME = ['bus.advance', 'driver.armTimer', 'driver.readTimer', ...OF_DEADLINES] as const

/** What an APIC is described with beside `apicId` and `x2apic`. */
const factOf = (target: Description, fact: string) => lapicsOf(target)[0]?.facts?.[fact]

export const lapicModel: Model = {
  machine: lapic,
  played: ['driver', 'device', 'bus', 'cpu'],
  notApplicable(target) {
    if (lapicsOf(target).length === 0) return 'it has no local APIC that could be driven by itself'
    if (target.can.message !== true) return 'no message can be sent to its local APICs'
    if (target.can.acknowledge !== true) return 'its CPUs acknowledge no interrupts for us'
    return (target.observes.interrupt ?? 'none') === 'none' ? 'it does not show ends of level interrupts' : undefined
  },
  scope: (target) => ({ scope: 'played', bounds: { cpus: Math.min(2, lapicsOf(target).length) } }),
  unavailable: (target) => ({
    ...(factOf(target, 'external') === undefined ? because('nothing of ours drives its pins', OF_LINES) : {}),
    ...(factOf(target, 'tellsCpu') === true
      ? {}
      : because('it does not show what reaches a processor beside vectors', OF_THE_CPU)),
    ...(target.can.advance === true && typeof factOf(target, 'timerHz') === 'number'
      ? {}
      : because('its time is not ours', OF_TIME)),
    ...(factOf(target, 'deadline') === true ? {} : because('its timer knows no deadlines', OF_DEADLINES)),
    ...(factOf(target, 'x2apic') === true ? {} : because('it has no x2APIC mode', ['driver.enterX2'])),
  }),
  unreachableGoals: (target): Readonly<Record<string, string>> =>
    factOf(target, 'external') === undefined ? { anExternalBesideAVector: 'nothing of ours drives its pins' } : {},
  open: (target, machine, sink) => new LapicSession(target, machine, sink, lapicsOf(target.describe())),
}
