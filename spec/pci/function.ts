/** A PCI function as its driver sees it: registers, MSI-X, and the interrupt line. */
import { compose, scoped } from '../../src/kernel/language/index.ts'
import { line } from '../interrupt/line.ts'
import { messages } from '../interrupt/messages.ts'
import { afterABreach, lifecycle } from './lifecycle.ts'
import { registers } from './registers.ts'

export const pciFunction = scoped(
  'pci-function',
  { explored: { vectors: 1, config: 1 }, played: { vectors: 2, config: 1 } },
  ({ vectors, config }) =>
    compose(
      {
        lifecycle: lifecycle(),
        registers: registers(),
        messages: messages(vectors, vectors > 1),
        line: line(config === 1),
        breach: afterABreach,
      },
      {
        shared: [
          ...['phase', 'decode', 'master', 'intxOff', 'power', 'resetting', 'hasMessages', 'stalled'],
          ...['hasPower', 'waking', 'enabled', 'prompt'],
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
