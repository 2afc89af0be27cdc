/** A machine in which somebody may wait for ever. */
import { type ActionName, type Actor, type Clause, machine, scoped, t } from '../../../src/kernel/language/index.ts'

/** A door that is opened only while its bell is silent; a patient guest rings once. */
export const doorWithABell = (fair: readonly (ActionName | Actor)[], patient = false) =>
  scoped('door', { explored: {}, played: {} }, () =>
    machine({
      source: 'none',
      state: { waiting: t.flag, bell: t.flag },
      actions: {
        'driver.ring': {
          when: (s) => !s.bell && !(patient && s.waiting),
          effect: (s) => void (s.bell = s.waiting = true),
        },
        'device.doze': { when: (s) => s.bell, effect: (s) => void (s.bell = false) },
        'device.open': { when: (s) => s.waiting && !s.bell, effect: (s) => void (s.waiting = false) },
      },
      fair,
      leadsTo: { whoWaitsIsLetIn: { clause: { id: 'DOOR' } as Clause, from: (s) => s.waiting, to: (s) => !s.waiting } },
    }),
  )
