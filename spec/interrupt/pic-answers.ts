/** What a pair of 8259As answers: vectors, polls, registers, and the level of its INT output. */
import { type Bits, noBits, part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { CASCADE, levels, levelTriggered, requests } from './pic-chip.ts'
import {
  answering,
  COMMANDS,
  chips,
  isPrompt,
  isSettled,
  type PicScope,
  pairState,
  requestedBy,
  type SeenPair,
  vectorOf,
} from './pic-wire.ts'

const CASCADE_ONLY = noBits.with(CASCADE)

export const answers = (scope: PicScope) => {
  const hasReads = (scope.commands & COMMANDS.reads) !== 0
  const due = (s: SeenPair) => answering(s, scope)
  const isRequesting = (s: SeenPair): boolean => requestedBy(s, 'master', scope) !== undefined
  /** INT had not followed yet, so that no cycle took place. */
  const isUnasked = (s: SeenPair, vector: number | undefined): boolean => vector === undefined && (s.late || isVoid(s))
  /** The slave is asked, finds nothing, and says nothing. */
  const isVoid = (s: SeenPair): boolean =>
    scope.spuriousSlave === 0 && due(s).master === CASCADE && due(s).slave === undefined
  const givesWhatIsDue = (s: SeenPair, { vector }: { readonly vector: number | undefined }): boolean =>
    isUnasked(s, vector) || (vector !== undefined && vector % 8 === vectorOf(s, due(s)) % 8)
  /** A request is answered, and this is what the order of priority depends on. */
  const answersWith =
    (condition: (s: SeenPair) => boolean) =>
    (s: SeenPair): boolean =>
      isRequesting(s) && condition(s)
  const isPlain = (s: SeenPair): boolean =>
    [s.master, s.slave].every((chip) => chip.lowest === 7 && !chip.specialMask && !chip.nested)
  const read =
    (register: 'requests' | 'service') =>
    (s: SeenPair, { chip }: { readonly chip: 'master' | 'slave' }) =>
      s[chip].selected === register
  /** It was told to end its highest level, and nothing else since. */
  const isEnded = (s: SeenPair, chip: 'master' | 'slave'): boolean =>
    s.ended === chip && s[chip].selected === 'service' && !s[chip].unsure
  /** What a chip requests, as far as it can be told: the slave's INT cannot while the slave is being set up. */
  const doubtful = (s: SeenPair, chip: 'master' | 'slave'): Bits =>
    chip === 'slave' || s.cascade === 'seen' || (s.master.levelMode && s.cascade === 'doubtful') ? noBits : CASCADE_ONLY
  return part({
    source: 'Intel 8259A; 82371',
    borrows: pairState(scope.bases),
    state: {},
    actions: {
      'irqchip.answerVector': {
        args: { vector: t.maybe(t.below(8 * scope.bases)) },
        requires: {
          answersARequest: {
            clause: clause('PIC-21'),
            given: (s) => isRequesting(s) && !s.late && !isVoid(s),
            holds: (_s, { vector }) => vector !== undefined,
          },
          defaultIsLevelSeven: {
            clause: clause('PIC-16'),
            given: (s) => !isRequesting(s) || (due(s).master === CASCADE && due(s).slave === undefined),
            holds: (s, { vector }) =>
              isUnasked(s, vector) || vector === vectorOf(s, due(s)) || (vector === undefined && !isRequesting(s)),
          },
          highestComesFirst: { clause: clause('PIC-01'), given: answersWith(isPlain), holds: givesWhatIsDue },
          rotatedOrder: {
            clause: clause('PIC-11'),
            given: answersWith((s) => s.master.lowest !== 7 || s.slave.lowest !== 7),
            holds: givesWhatIsDue,
          },
          masksBlockOnlyThemselves: {
            clause: clause('PIC-08'),
            given: answersWith((s) => s.master.specialMask || s.slave.specialMask),
            holds: givesWhatIsDue,
          },
          nestsTheSlave: {
            clause: clause('PIC-15'),
            given: answersWith((s) => s.master.nested && s.master.served.has(CASCADE)),
            holds: givesWhatIsDue,
          },
          inOrder: { clause: clause('PIC-01'), given: isRequesting, holds: givesWhatIsDue },
          slaveGivesTheVector: {
            clause: clause('PIC-14'),
            given: (s) => due(s).master === CASCADE,
            holds: (s, { vector }) => isUnasked(s, vector) || vector === vectorOf(s, due(s)),
          },
          baseAndLevel: {
            clause: clause('PIC-13'),
            given: isRequesting,
            holds: (s, { vector }) => isUnasked(s, vector) || vector === vectorOf(s, due(s)),
          },
        },
      },
      'irqchip.answerPoll': {
        args: { chip: chips, level: t.maybe(t.below(8)) },
        requires: {
          acknowledgesTheHighest: {
            clause: clause('PIC-17'),
            given: () => scope.pollServes !== 2,
            holds: (s, { chip, level }) => level === requestedBy(s, chip, scope),
          },
        },
      },
      'driver.readRegister': {
        does: 'Reads the command port.',
        args: { chip: chips },
        weight: 4,
        when: (s, { chip }) => hasReads && s.asked === 'nothing' && s[chip].phase === 'ready',
      },
      'irqchip.answerRegister': {
        args: { chip: chips, levels },
        when: () => hasReads,
        requires: {
          edgesAreKept: {
            clause: clause('PIC-02'),
            given: read('requests'),
            holds: (s, { chip, levels }) =>
              levels.union(doubtful(s, chip)).contains(requests(s[chip]).minus(levelTriggered(s[chip]))),
          },
          levelsAreFollowed: {
            clause: clause('PIC-05'),
            given: (s, { chip }) => s[chip].selected === 'requests' && !levelTriggered(s[chip]).isEmpty,
            holds: (s, { chip, levels }) =>
              levels
                .and(levelTriggered(s[chip]))
                .minus(doubtful(s, chip))
                .equals(requests(s[chip]).and(levelTriggered(s[chip])).minus(doubtful(s, chip))),
          },
          slaveIsFollowed: {
            clause: clause('PIC-14'),
            given: (s, { chip }) => chip === 'master' && s[chip].selected === 'requests' && doubtful(s, chip).isEmpty,
            holds: (s, { levels }) => levels.has(CASCADE) === requests(s.master).has(CASCADE),
          },
          withdrawnAreGone: {
            clause: clause('PIC-16'),
            given: (s, { chip }) => s[chip].selected === 'requests' && scope.withdraws === 1,
            holds: (s, { chip, levels }) => s[chip].high.union(CASCADE_ONLY).contains(levels),
          },
          oneRequestForAnEdge: {
            clause: clause('PIC-04'),
            given: read('requests'),
            holds: (s, { chip, levels }) => requests(s[chip]).union(doubtful(s, chip)).contains(levels),
          },
          passesOverWhatIsMasked: {
            clause: clause('PIC-09'),
            given: (s, { chip }) =>
              isEnded(s, chip) &&
              scope.sparesMasked === 1 &&
              s[chip].specialMask &&
              s[chip].served.meets(s[chip].masked),
            holds: (s, { chip, levels }) => levels.contains(s[chip].served.and(s[chip].masked)),
          },
          theHighestIsEnded: {
            clause: clause('PIC-06'),
            given: (s, { chip }) => isEnded(s, chip),
            holds: (s, { chip, levels }) => levels.equals(s[chip].served),
          },
          inServiceIsKept: {
            clause: clause('PIC-03'),
            given: (s, { chip }) => s[chip].selected === 'service' && !s[chip].unsure,
            holds: (s, { chip, levels }) => levels.contains(s[chip].served),
          },
          automaticallyEnded: {
            clause: clause('PIC-10'),
            given: (s, { chip }) => s[chip].selected === 'service' && s[chip].autoEoi,
            holds: (s, { chip, levels }) => s[chip].served.contains(levels),
          },
          endedIsNotInService: {
            clause: clause('PIC-07'),
            given: read('service'),
            holds: (s, { chip, levels }) => s[chip].served.contains(levels),
          },
        },
      },
      'driver.readMask': {
        does: 'Reads the data port.',
        args: { chip: chips },
        weight: 3,
        when: (s, { chip }) => hasReads && s.asked === 'nothing' && s[chip].phase === 'ready',
      },
      'irqchip.answerMask': {
        args: { chip: chips, levels },
        when: () => hasReads,
        requires: {
          clearAfterInitialisation: {
            clause: clause('PIC-12'),
            given: (s, { chip }) => s[chip].masked.isEmpty,
            holds: (_s, { levels }) => levels.isEmpty,
          },
          asWritten: { clause: clause('PIC-20'), holds: (s, { chip, levels }) => levels.equals(s[chip].masked) },
        },
      },
      'driver.readTrigger': {
        does: 'Reads the ELCR.',
        args: { chip: chips },
        weight: 2,
        when: (s) => hasReads && s.asked === 'nothing',
      },
      'irqchip.answerTrigger': {
        args: { chip: chips, levels },
        when: () => hasReads,
        requires: {
          asWrittenWhereItCanBe: {
            clause: clause('PIC-18'),
            holds: (s, { chip, levels }) => levels.equals(s[chip].triggered),
          },
        },
      },
      'irqchip.raise': {
        requires: { forARequest: { clause: clause('PIC-21'), given: isPrompt, holds: isRequesting } },
        eager: (s) => (scope.int === 1 && !s.int && isSettled(s) && isRequesting(s) ? {} : undefined),
      },
      'irqchip.lower': {
        requires: { withoutARequest: { clause: clause('PIC-21'), given: isPrompt, holds: (s) => !isRequesting(s) } },
        eager: (s) => (scope.int === 1 && s.int && isSettled(s) && !isRequesting(s) ? {} : undefined),
      },
    },
    owes: {
      'irqchip.raise': {
        clause: clause('PIC-21'),
        when: (s) => scope.int === 1 && !s.int && isPrompt(s) && s.asked === 'nothing' && isRequesting(s),
      },
      'irqchip.lower': {
        clause: clause('PIC-21'),
        when: (s) => scope.int === 1 && s.int && isPrompt(s) && s.asked === 'nothing' && !isRequesting(s),
      },
    },
  })
}
