/** Joins the machines of PCI functions to targets: all of a function, its messages alone, its line alone. */
import { intx } from '../../spec/interrupt/intx.ts'
import { msix } from '../../spec/interrupt/msix.ts'
import { pciFunction } from '../../spec/pci/function.ts'
import type { Model } from '../kernel/model.ts'
import { because, hasTwoEvents, noFunction, openSubject, sharesItsLine, unavailableOf } from './pci/function-model.ts'
import { PciFunctionSession } from './pci/session.ts'

const MESSAGE_ACTIONS = [
  'driver.enableMessages',
  'driver.disableMessages',
  'driver.maskFunction',
  'driver.mask',
  'driver.unmask',
  'driver.rewrite',
  'driver.mapEvent',
  'driver.mapBeyond',
  'driver.mapNowhere',
  'driver.resolve',
  'driver.rewriteWide',
  'driver.writeBeside',
  'driver.writePending',
  'driver.readPending',
  'driver.readEntry',
] as const
const CANNOT_BE_MAPPED = 'its event cannot be mapped anew while the queue is enabled'
const SHOWS_NO_MESSAGES = 'it shows no message-signalled interrupts'
const SHOWS_NO_LINES = 'it does not show interrupt lines, which this is about'

const open: Model['open'] = (target, machine, sink) => new PciFunctionSession(openSubject(target), machine, sink)

export const pciFunctionModel: Model = {
  machine: pciFunction,
  played: ['driver'],
  notApplicable: (target) => noFunction(target) ?? (target.observes.line === 'none' ? SHOWS_NO_LINES : undefined),
  scope: (target) => ({ scope: 'played', bounds: { config: hasTwoEvents(target) ? 1 : 0 } }),
  unavailable: (target): Readonly<Record<string, string>> => ({
    ...unavailableOf(target),
    ...(target.observes.msi === 'none' ? because(MESSAGE_ACTIONS, SHOWS_NO_MESSAGES) : {}),
    ...(hasTwoEvents(target) ? {} : because(MESSAGE_ACTIONS, CANNOT_BE_MAPPED)),
  }),
  open,
}

export const msixModel: Model = {
  machine: msix,
  played: ['driver'],
  notApplicable(target) {
    if (target.observes.msi === 'none') return `${SHOWS_NO_MESSAGES}, which this is about`
    return noFunction(target) ?? (hasTwoEvents(target) ? undefined : CANNOT_BE_MAPPED)
  },
  unavailable: unavailableOf,
  open,
}

export const intxModel: Model = {
  machine: intx,
  played: ['driver'],
  notApplicable: (target) => noFunction(target) ?? (target.observes.line === 'none' ? SHOWS_NO_LINES : undefined),
  scope: (target) => ({
    scope: 'played',
    bounds: { config: hasTwoEvents(target) ? 1 : 0, shared: sharesItsLine(target) ? 1 : 0 },
  }),
  unavailable: unavailableOf,
  open,
}
