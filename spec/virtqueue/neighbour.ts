/** A second queue of the same device, in plain use: whatever befalls the first, it is served. */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { lifecycleState } from './lifecycle.ts'
import { serviceState } from './service.ts'

/** What other parts may borrow. */
export const neighbourState = { neighbour: t.oneOf('down', 'idle', 'busy') }

export const neighbour = () =>
  part({
    source: 'VIRTIO 1.4',
    borrows: { ...lifecycleState, ...serviceState },
    state: neighbourState,
    actions: {
      'driver.start': { effect: (s) => void (s.neighbour = 'idle') },
      'driver.useNeighbour': {
        does: 'Sends one request through the second queue.',
        weight: 0.7,
        when: (s) => s.phase === 'running' && s.neighbour === 'idle' && !s.needsReset,
        effect: (s) => void (s.neighbour = 'busy'),
      },
      'device.serveNeighbour': {
        does: 'Has returned the request of the second queue.',
        args: { right: t.flag },
        when: (s) => s.neighbour === 'busy',
        requires: { asAsked: { clause: clause('SAF-15'), holds: (_s, { right }) => right, safety: true } },
        effect: (s) => void (s.neighbour = 'idle'),
        eager: (s) => (s.neighbour === 'busy' && !s.held ? { right: true } : undefined),
      },
      'device.finishReset': { effect: (s) => void (s.neighbour = 'down') },
    },
    owes: {
      'device.serveNeighbour': [
        {
          clause: clause('VIO-QRST-06'),
          when: (s) => s.neighbour === 'busy' && !s.held && !s.needsReset && !s.broken,
        },
        {
          clause: clause('SAF-05'),
          when: (s) => s.neighbour === 'busy' && !s.held && !s.needsReset && s.broken,
          safety: true,
        },
      ],
    },
    goals: { aNeighbourServedInTrouble: { on: 'device.serveNeighbour', when: (s) => s.broken || !s.queueUp } },
  })
