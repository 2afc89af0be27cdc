/** MSI-X by itself: masks, pending bits and messages of a function, over its resets, its sleep, and bus mastering. */
import { compose, scoped } from '../../src/kernel/language/index.ts'
import { afterABreach, lifecycle } from '../pci/lifecycle.ts'
import { messages } from './messages.ts'

export const msix = scoped('msix', { explored: { vectors: 2 }, played: { vectors: 3 } }, ({ vectors }) =>
  compose(
    { lifecycle: lifecycle(), messages: messages(vectors, vectors > 2), breach: afterABreach },
    {
      shared: ['phase', 'decode', 'master', 'intxOff', 'power', 'resetting', 'hasMessages', 'stalled'],
      synchronised: [
        'driver.setUp',
        'driver.restart',
        'driver.setCommand',
        'driver.setPower',
        'driver.resetFunction',
        'device.wake',
      ],
    },
  ),
)
