/** The local APICs of one or two CPUs. */
import { compose, type ErasedBody, scoped } from '../../src/kernel/language/index.ts'
import { lapicErrors } from './lapic-errors.ts'
import { lapicNames } from './lapic-names.ts'
import { lapicRequests } from './lapic-requests.ts'
import { lapicLints, lapicTimer } from './lapic-sources.ts'

/** What several parts take part in. */
const SHARED = ['driver.restart', 'driver.sendInit', 'driver.setEnabled', 'bus.advance']
/** What moves with the part that it belongs to. */
const OWN = [
  'device.drive',
  'driver.armPastDeadline',
  'driver.sendIllegal',
  'bus.messageIllegal',
  'driver.touchReserved',
]

/** A part that does nothing by itself, and is there because others look at it. */
const still = (body: ErasedBody): ErasedBody => ({
  ...body,
  actions: Object.fromEntries(
    Object.entries(body.actions).map(([name, action]) => [
      name,
      SHARED.includes(name) ? action : { ...action, when: () => false },
    ]),
  ),
  goals: {},
})

/**
 * `vectors` is even: they come in pairs of one priority class. The others say which parts move: the whole is too much to be
 * walked at once.
 */
export const lapic = scoped(
  'lapic',
  {
    explored: { cpus: 1, vectors: 2, names: 0, lints: 0, timer: 0, errors: 0 },
    nested: { cpus: 1, vectors: 4, names: 0, lints: 0, timer: 0, errors: 0 },
    lines: { cpus: 1, vectors: 2, names: 0, lints: 1, timer: 0, errors: 0 },
    time: { cpus: 1, vectors: 2, names: 0, lints: 0, timer: 1, errors: 0 },
    errors: { cpus: 1, vectors: 2, names: 0, lints: 0, timer: 0, errors: 1 },
    played: { cpus: 2, vectors: 6, names: 1, lints: 1, timer: 1, errors: 1 },
  },
  ({ cpus, vectors, names, lints, timer, errors }) => {
    const moving = (moves: number, body: ErasedBody): ErasedBody => (moves === 1 ? body : still(body))
    return compose(
      {
        // The requests come first: they ask what timers and lines did before those have moved on.
        requests: lapicRequests(cpus, vectors),
        names: moving(names, lapicNames(cpus, vectors)),
        lints: moving(lints, lapicLints(cpus, vectors)),
        timer: moving(timer, lapicTimer(cpus, vectors)),
        errors: moving(errors, lapicErrors(cpus, vectors)),
      },
      { shared: ['mode', 'cpus', 'names', 'lints', 'timers', 'entries'], synchronised: [...SHARED, ...OWN] },
    )
  },
)
