/** Faults that show only when state is saved and restored. */

import { honestParts } from '../paravirtual/parts.ts'
import type { DeviceState, Queue } from '../paravirtual/state.ts'
import type { Fault } from './fault.ts'

const honest = honestParts()

const savedQueues = (state: DeviceState, change: (queue: Queue) => Queue): unknown =>
  honest.lifecycle.saved({ ...state, queues: state.queues.map(change) })

export const migrationFaults: readonly Fault[] = [
  {
    id: 'mig-in-flight-requests-lost',
    area: 'migration',
    difficulty: 'medium',
    what: 'Requests that the back end keeps are not saved: after a migration they are never returned.',
    replaces: 'lifecycle.saved',
    install: (parts) => {
      parts.lifecycle.saved = (state) => {
        const stays = (id: number) => !state.backend.held.includes(id)
        const backend = { ...state.backend, held: [] }
        return honest.lifecycle.saved({ ...state, backend, requests: state.requests.filter(({ id }) => stays(id)) })
      }
    },
  },
  {
    id: 'mig-pending-kick-lost',
    area: 'migration',
    difficulty: 'deep',
    what: 'A kick that was not served yet is not saved: the chain waits until the next kick.',
    replaces: 'lifecycle.saved',
    install: (parts) => {
      parts.lifecycle.saved = (state) => savedQueues(state, (queue) => ({ ...queue, kicked: false }))
    },
  },
  {
    id: 'mig-notification-base-runs-ahead',
    area: 'migration',
    difficulty: 'deep',
    what: 'The base of the used_event window is restored from the available side: what was in flight is not told.',
    replaces: 'lifecycle.saved',
    install: (parts) => {
      parts.lifecycle.saved = (state) => savedQueues(state, (queue) => ({ ...queue, signalled: queue.lastAvail }))
    },
  },
]
