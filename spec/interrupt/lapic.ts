/** The local APICs of one or two CPUs. */
import { compose, scoped } from '../../src/kernel/language/index.ts'
import { lapicErrors } from './lapic-errors.ts'
import { lapicNames } from './lapic-names.ts'
import { lapicRequests } from './lapic-requests.ts'
import { lapicLints, lapicTimer } from './lapic-sources.ts'

/** `vectors` is even: they come in pairs of one priority class. */
export const lapic = scoped(
  'lapic',
  { explored: { cpus: 1, vectors: 2 }, played: { cpus: 2, vectors: 6 } },
  ({ cpus, vectors }) =>
    compose(
      {
        // The requests come first: they ask what timers and lines did before those have moved on.
        requests: lapicRequests(cpus, vectors),
        names: lapicNames(cpus, vectors),
        lints: lapicLints(cpus, vectors),
        timer: lapicTimer(cpus, vectors),
        errors: lapicErrors(cpus, vectors),
      },
      {
        shared: ['mode', 'cpus', 'names', 'lints', 'timers'],
        synchronised: ['driver.restart', 'driver.sendInit', 'driver.setEnabled', 'bus.advance', 'device.drive'],
      },
    ),
)
