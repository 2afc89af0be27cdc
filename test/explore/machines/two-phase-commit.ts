/**
 * Two-phase commit, the well-known example of explicit-state checkers, for its published counts. The transaction
 * manager is the driver, the resource managers are the device.
 */
import { type Clause, machine, scoped, t } from '../../../src/kernel/language/index.ts'

const clause = { id: 'TPC-CONSISTENT' } as Clause

export const twoPhaseCommit = scoped('two-phase-commit', { explored: { rms: 3 }, played: { rms: 8 } }, ({ rms }) => {
  const everybody = 2 ** rms - 1
  const rm = t.id('rm', rms)
  return machine({
    source: 'two-phase commit',
    symmetry: { ids: ['rm'] },
    state: {
      /** What each resource manager has come to. */
      rm: t.array(rm, t.oneOf('working', 'prepared', 'committed', 'aborted')),
      /** What the transaction manager has decided, and whom it knows to be prepared. */
      tm: t.oneOf('undecided', 'committed', 'aborted'),
      known: t.set(rm),
      /** Messages that were ever sent; they are never lost, and may be received again. */
      prepared: t.set(rm),
      commit: t.flag,
      abort: t.flag,
    },
    actions: {
      'driver.learn': {
        args: { rm },
        when: (s, { rm }) => s.tm === 'undecided' && s.prepared.has(rm),
        effect: (s, { rm }) => void (s.known = s.known.with(rm)),
      },
      'driver.commit': {
        when: (s) => s.tm === 'undecided' && s.known.mask === everybody,
        effect(s) {
          s.tm = 'committed'
          s.commit = true
        },
      },
      'driver.abort': {
        when: (s) => s.tm === 'undecided',
        effect(s) {
          s.tm = 'aborted'
          s.abort = true
        },
      },
      'device.prepare': {
        args: { rm },
        when: (s, { rm }) => s.rm.at(rm) === 'working',
        effect(s, { rm }) {
          s.rm.set(rm, 'prepared')
          s.prepared = s.prepared.with(rm)
        },
      },
      'device.giveUp': {
        args: { rm },
        when: (s, { rm }) => s.rm.at(rm) === 'working',
        effect: (s, { rm }) => s.rm.set(rm, 'aborted'),
      },
      'device.heedCommit': {
        args: { rm },
        when: (s) => s.commit,
        effect: (s, { rm }) => s.rm.set(rm, 'committed'),
      },
      'device.heedAbort': {
        args: { rm },
        when: (s) => s.abort,
        effect: (s, { rm }) => s.rm.set(rm, 'aborted'),
      },
    },
    invariants: {
      nobodyCommitsBesideAnAbort: {
        clause,
        holds: (s) => !(s.rm.some((at) => at === 'committed') && s.rm.some((at) => at === 'aborted')),
      },
    },
    goals: {
      everybodyCommitted: (s) => s.rm.every((at) => at === 'committed'),
      everybodyAborted: (s) => s.rm.every((at) => at === 'aborted'),
    },
  })
})
