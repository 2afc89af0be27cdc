/** A PCI function as its driver sees it: registers, MSI-X, and the interrupt line. */
import { compose, type ErasedBody, scoped, t } from '../../src/kernel/language/index.ts'
import { line } from '../interrupt/line.ts'
import { messages } from '../interrupt/messages.ts'
import { registers } from './registers.ts'

/** A driver that broke a duty is owed nothing until it has reset the function; the laws of safety stay. */
const afterABreach: ErasedBody = {
  source: 'PCI 3.0',
  state: { broken: t.flag },
  actions: {
    'driver.resetFunction': { effect: (s: { broken: boolean }) => void (s.broken = false) },
  },
  breach: (s: { broken: boolean }) => void (s.broken = true),
  unspecified: (s: { broken: boolean }) => s.broken,
}

export const pciFunction = scoped(
  'pci-function',
  { explored: { vectors: 1, config: 1 }, played: { vectors: 2, config: 1 } },
  ({ vectors, config }) =>
    compose(
      { registers: registers(), messages: messages(vectors), line: line(config === 1), breach: afterABreach },
      {
        shared: [
          ...['phase', 'decode', 'master', 'intxOff', 'power', 'resetting', 'hasMessages', 'stalled'],
          ...['enabled', 'prompt'],
        ],
        synchronised: [
          'driver.setUp',
          'driver.restart',
          'driver.setCommand',
          'driver.setPower',
          'driver.provoke',
          'driver.enableMessages',
          'driver.disableMessages',
          'driver.resetFunction',
          'device.message',
          'device.wake',
        ],
      },
    ),
)
