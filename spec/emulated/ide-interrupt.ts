/** The interrupt of an IDE channel, with its two gates, and when it is owed. */
import { machine } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { canFail, type IdeScope, ideState, isEnabled, isFree, type SeenIde } from './ide-state.ts'
import { backend } from './medium.ts'

export const interrupt = (scope: IdeScope) => {
  /** An error interrupts, even where the first block of a write does not. */
  const mayInterrupt = (s: SeenIde): boolean =>
    s.phase === 'busy' && (s.due || (s.command === 'write' && canFail(s, scope)))
  const isOwed = (s: SeenIde): boolean => s.phase === 'busy' && s.due && !s.stalled
  return machine({
    source: 'ATA/ATAPI-6',
    state: ideState(scope),
    actions: {
      'device.raise': {
        requires: {
          hasACause: {
            clause: clause('IDE-21'),
            holds: (s) => s.pending || s.unsure || mayInterrupt(s),
          },
          notForAFirstBlock: {
            clause: clause('IDE-04'),
            given: (s) => s.phase === 'busy' && s.command === 'write' && !s.due,
            holds: (s) => s.pending || mayInterrupt(s),
          },
          notWhileDisabled: { clause: clause('IDE-02'), holds: (s) => !s.disabled },
          notOfAnAbsentDrive: { clause: clause('IDE-15'), holds: (s) => !s.absent || s.unsure },
        },
        effect(s) {
          // One that was held back by nIEN may be that of a block before.
          const isOld = s.pending || s.unsure
          s.level = s.pending = true
          s.unsure = false
          if (isOld || !mayInterrupt(s)) return
          s.phase = 'over'
          s.due = false
        },
        eager: (s) => (scope.lines === 1 && !s.level && !s.disabled && (s.pending || isOwed(s)) ? {} : undefined),
      },
      'device.lower': {
        requires: {
          onlyWhenCleared: { clause: clause('IDE-01'), holds: (s) => !s.pending || s.disabled || s.unsure },
        },
        effect: (s) => void (s.level = false),
        eager: (s) => (s.level && (!s.pending || s.disabled) ? {} : undefined),
      },
      ...backend(isFree, { weight: 4, when: isFree }),
    },
    owes: {
      'device.raise': [
        { clause: clause('IDE-02'), when: (s) => isEnabled(s, scope) && !s.level && s.pending },
        {
          clause: clause('IDE-03'),
          when: (s) =>
            isEnabled(s, scope) && !s.level && isOwed(s) && (s.command === 'read' || s.command === 'identify'),
        },
        {
          clause: clause('IDE-04'),
          when: (s) => isEnabled(s, scope) && !s.level && isOwed(s) && s.command === 'write',
        },
        {
          clause: clause('IDE-05'),
          when: (s) =>
            isEnabled(s, scope) && !s.level && isOwed(s) && (s.command === 'other' || s.command === 'refused'),
        },
      ],
      'device.lower': [
        {
          clause: clause('IDE-01'),
          when: (s) => s.level && !s.pending && !s.unsure && s.phase !== 'held' && s.phase !== 'busy',
        },
        { clause: clause('IDE-13'), when: (s) => s.level && !s.pending && !s.unsure && s.phase === 'held' },
        {
          clause: clause('IDE-20'),
          when: (s) => s.level && !s.pending && s.phase === 'busy' && (!s.due || s.stalled),
        },
        { clause: clause('IDE-02'), when: (s) => s.level && s.disabled && scope.gates === 1 },
      ],
    },
  })
}
