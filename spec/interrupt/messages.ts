/**
 * MSI-X: an event on a masked vector is held back as one pending bit, and leaves as one message when the mask goes,
 * with the address and data that the entry then holds. One event of the device is followed; virtio maps it to a vector.
 */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { isReachable, isUp, READ, registerState } from '../pci/lifecycle.ts'

/** What other parts may borrow. */
export const messageState = {
  /** MSI-X is enabled. */
  enabled: t.flag,
  /** The last message told of an event that had not been held back. */
  prompt: t.flag,
}

/**
 * What an entry owes. `event`: a message for an event. `held`: the pending bit. `release`: the message of a pending bit
 * whose mask has gone; `released`: that message has been sent, and there is no reason for another. `unsure`: PCI does
 * not say whether an event survives what happened since (bus mastering or MSI-X off), so that it may or may not.
 * `resolved`: software has dealt with what was held back.
 */
const due = t.oneOf('nothing', 'event', 'held', 'release', 'released', 'unsure', 'resolved')
/** Which of two messages an entry holds. */
const edition = t.below(2)

interface Entry {
  edition: number
  masked: boolean
  due: 'nothing' | 'event' | 'held' | 'release' | 'released' | 'unsure' | 'resolved'
}
interface Messages {
  readonly enabled: boolean
  readonly functionMask: boolean
  readonly entries: { readonly length: number; at(index: number): Entry }
}

/** Pending bits whose mask has gone are to be sent; without bus mastering or MSI-X nobody can say. */
const canSend = (s: { readonly master: boolean; readonly stalled: boolean }): boolean => s.master && !s.stalled
const release = (s: Messages, master: boolean): void => {
  for (let v = 0; v < s.entries.length; v++) {
    const entry = s.entries.at(v)
    if (entry.due === 'held' && s.enabled && !s.functionMask && !entry.masked) entry.due = master ? 'release' : 'unsure'
  }
}
/** A message that was due and has not been seen may have left, may wait, or may be lost. */
const doubt = (s: Messages, isDoubtful: (entry: Entry, index: number) => boolean): void => {
  for (let v = 0; v < s.entries.length; v++) {
    const entry = s.entries.at(v)
    if (isDoubtful(entry, v)) entry.due = 'unsure'
  }
}
/** A device that could not reach its queue may give up at any time, and tell of that on the vector of the event. */
const mayGiveUp = (s: { readonly stalled: boolean; readonly mapped: number | undefined }, vector: number): boolean =>
  s.stalled && vector === s.mapped
const onItsWay = (entry: Entry): boolean => entry.due === 'event' || entry.due === 'release'
const awaited = (entry: Entry): boolean => onItsWay(entry) || entry.due === 'held'

/** `whole`: with what would only make a walk longer. */
export const messages = (vectors: number, whole: boolean) => {
  const vector = t.below(vectors)
  const forget = (
    s: Messages & {
      enabled: boolean
      functionMask: boolean
      prompt: boolean
      unheard: boolean
      mapped: number | undefined
    },
  ): void => {
    s.enabled = s.functionMask = s.prompt = s.unheard = false
    s.mapped = undefined
    for (let v = 0; v < vectors; v++) {
      s.entries.at(v).masked = true
      s.entries.at(v).due = 'nothing'
    }
  }
  const program = (s: Parameters<typeof forget>[0]) => {
    forget(s)
    for (let v = 0; v < vectors; v++) s.entries.at(v).edition = 0
  }
  return part({
    source: 'PCI 3.0; VIRTIO 1.4',
    borrows: registerState,
    state: {
      ...messageState,
      functionMask: t.flag,
      entries: t.array(vectors, t.record({ masked: t.flag, edition, due })),
      /** Vector of the event. */
      mapped: t.maybe(vector),
      /** The driver last asked for a vector that does not exist. */
      beyond: t.flag,
      /** An event came that was mapped to no vector, with nothing in the way of a message. Where it is `whole`. */
      unheard: t.flag,
    },
    initial: forget,
    actions: {
      'driver.enableMessages': {
        weight: 8,
        when: (s) => s.hasMessages && isUp(s) && !s.enabled,
        effect(s) {
          s.enabled = true
          release(s, canSend(s))
        },
      },
      'driver.disableMessages': {
        weight: 0.5,
        when: (s) => isUp(s) && s.enabled,
        effect(s) {
          s.enabled = false
          doubt(s, awaited)
        },
      },
      'driver.maskFunction': {
        args: { on: t.flag },
        weight: 4,
        when: (s, { on }) => s.hasMessages && isUp(s) && s.functionMask !== on,
        effect(s, { on }) {
          s.functionMask = on
          if (on) doubt(s, onItsWay)
          else release(s, canSend(s))
        },
      },
      'driver.mask': {
        args: { vector },
        weight: 5,
        when: (s, { vector }) => s.hasMessages && isReachable(s) && !s.entries.at(vector).masked,
        effect(s, { vector }) {
          s.entries.at(vector).masked = true
          doubt(s, (entry, v) => v === vector && onItsWay(entry))
        },
      },
      'driver.unmask': {
        args: { vector },
        weight: 6,
        when: (s, { vector }) => s.hasMessages && isReachable(s) && s.entries.at(vector).masked,
        effect(s, { vector }) {
          s.entries.at(vector).masked = false
          release(s, canSend(s))
        },
      },
      'driver.rewrite': {
        does: 'Gives an entry its other address and data.',
        args: { vector },
        weight: 5,
        when: (s) => s.hasMessages && isReachable(s),
        requires: {
          onlyWhileMasked: { clause: clause('PCI-MSIX-06'), holds: (s, { vector }) => s.entries.at(vector).masked },
        },
        effect: (s, { vector }) => void (s.entries.at(vector).edition = 1 - s.entries.at(vector).edition),
      },
      'driver.mapEvent': {
        does: 'Maps the event to a vector, or to none. `look`: and reads the mapping back.',
        args: { vector: t.maybe(vector), look: t.flag },
        weight: 7,
        when: (s) => s.hasMessages && isReachable(s),
        requires: { readsItBack: { clause: clause('VIO-PCI-11'), holds: (_s, { look }) => look } },
        effect(s, { vector }) {
          // Nobody says whether what is pending on the old vector outlives the mapping.
          doubt(s, (entry, v) => mayGiveUp(s, v) || (v === s.mapped && awaited(entry)))
          s.mapped = vector
          s.beyond = s.unheard = false
        },
      },
      'driver.mapBeyond': {
        does: 'Maps the event to a vector beyond the table.',
        hostile: true,
        weight: 3,
        when: (s) => s.hasMessages && isReachable(s),
        requires: { insideTheTable: { clause: clause('VIO-PCI-29'), holds: () => false } },
        effect(s) {
          doubt(s, (entry, v) => mayGiveUp(s, v) || (v === s.mapped && awaited(entry)))
          s.mapped = undefined
          s.beyond = true
          s.unheard = false
        },
      },
      'device.answerVector': {
        args: { reads: t.oneOf('asWritten', 'noVector', 'other') },
        requires: {
          unmapsAgain: {
            clause: clause('VIO-PCI-10'),
            given: (s) => !s.beyond && s.mapped === undefined,
            holds: (_s, { reads }) => reads === 'asWritten',
          },
          readsBackOrFails: {
            clause: clause('VIO-PCI-07'),
            given: (s) => !s.beyond,
            holds: (_s, { reads }) => reads !== 'other',
          },
          mapsWhatItCan: {
            clause: clause('VIO-PCI-31'),
            given: (s) => !s.beyond,
            holds: (_s, { reads }) => reads === 'asWritten',
          },
          failsBeyondTheTable: {
            clause: clause('VIO-PCI-44'),
            given: (s) => s.beyond,
            holds: (_s, { reads }) => reads === 'noVector',
            safety: true,
          },
        },
        effect(s, { reads }) {
          if (reads !== 'asWritten') s.mapped = undefined
        },
      },
      'driver.provoke': {
        does: 'Makes the device have one event to tell of.',
        weight: 10,
        when: (s) => isReachable(s),
        effect(s) {
          if (whole && s.enabled && s.mapped === undefined && canSend(s) && !s.functionMask) s.unheard = true
          if (!s.enabled || s.mapped === undefined) return
          const entry = s.entries.at(s.mapped)
          if (!canSend(s)) entry.due = 'unsure'
          else entry.due = entry.masked || s.functionMask ? 'held' : 'event'
        },
      },
      'driver.mapNowhere': {
        does: 'Maps the event to no vector, and unmasks every entry.',
        weight: 3,
        when: (s) => whole && s.enabled && isReachable(s),
        effect(s) {
          doubt(s, (entry, v) => mayGiveUp(s, v) || (v === s.mapped && awaited(entry)))
          s.mapped = undefined
          s.beyond = s.unheard = false
          for (let v = 0; v < vectors; v++) s.entries.at(v).masked = false
          release(s, canSend(s))
        },
      },
      'driver.resolve': {
        does: 'Deals with the event whose message is held back, without having been told.',
        weight: 9,
        when: (s) =>
          whole && isReachable(s) && s.mapped !== undefined && s.entries.at(s.mapped).due === 'held' && !s.stalled,
        effect: (s) => void (s.entries.at(s.mapped!).due = 'resolved'),
      },
      'device.message': {
        does: 'Sends the message of an entry; `stray` is one of an entry that no event is mapped to, or of none.',
        args: { vector, edition, stray: t.flag },
        requires: {
          afterSetUp: { clause: clause('PCI-FLR-02'), holds: (s) => s.phase === 'up', safety: true },
          awake: { clause: clause('PCI-PM-02'), holds: (s) => s.power === 'D0', safety: true },
          enabled: { clause: clause('MSI-01'), given: (s) => isUp(s), holds: (s) => s.enabled, safety: true },
          mastering: { clause: clause('MSI-09'), given: (s) => isUp(s), holds: (s) => s.master, safety: true },
          ofAMappedEvent: {
            clause: clause('VIO-PCI-09'),
            given: (s, { vector, stray }) =>
              isUp(s) && s.enabled && s.mapped === undefined && (stray || s.entries.at(vector).due === 'nothing'),
            holds: () => false,
            // Whichever entry it might have been: none of them could hold the message back.
            refrains: (s) =>
              s.unheard && !s.functionMask && canSend(s) && s.entries.every(({ masked }) => !masked)
                ? { vector: 0, edition: s.entries.at(0).edition, stray: false }
                : undefined,
          },
          ofAnEntry: { clause: clause('PCI-MSIX-08'), holds: (_s, { stray }) => !stray },
          unmasked: {
            clause: clause('PCI-MSIX-10'),
            given: (s, { stray }) => s.enabled && !s.functionMask && !stray,
            holds: (s, { vector }) => !s.entries.at(vector).masked,
          },
          notUnderTheFunctionMask: {
            clause: clause('PCI-MSIX-03'),
            given: (s) => s.enabled,
            holds: (s) => !s.functionMask,
          },
          asProgrammed: {
            clause: clause('MSI-05'),
            given: (_s, { stray }) => !stray,
            holds: (s, { vector, edition }) => edition === s.entries.at(vector).edition,
          },
          onTheVectorOfTheEvent: {
            clause: clause('VIO-PCI-39'),
            given: (s, { vector }) => s.mapped !== undefined && s.entries.at(vector).due === 'nothing',
            holds: (s, { vector }) => vector === s.mapped,
          },
          notOfWhatWasResolved: {
            clause: clause('MSI-04'),
            given: (s, { vector }) => s.entries.at(vector).due === 'resolved' && !mayGiveUp(s, vector),
            holds: () => false,
            refrains(s) {
              const vector = s.entries.findIndex(({ due, masked }) => due === 'resolved' && !masked)
              return vector === undefined || s.functionMask || !s.enabled || !canSend(s)
                ? undefined
                : { vector, edition: s.entries.at(vector).edition, stray: false }
            },
          },
          onceForAllThatWasHeld: {
            clause: clause('MSI-03'),
            given: (s, { vector }) => !mayGiveUp(s, vector),
            holds: (s, { vector }) => s.entries.at(vector).due !== 'released',
          },
        },
        effect(s, { vector }) {
          const entry = s.entries.at(vector)
          s.prompt = entry.due === 'event'
          entry.due = entry.due === 'release' || entry.due === 'released' ? 'released' : 'nothing'
        },
        eager(s) {
          if (!s.master) return undefined
          const vector = s.entries.findIndex((entry) => onItsWay(entry))
          return vector === undefined ? undefined : { vector, edition: s.entries.at(vector).edition, stray: false }
        },
      },
      'driver.readPending': { args: { vector }, weight: 5 * READ, when: (s) => s.hasMessages && isReachable(s) },
      'device.answerPending': {
        args: { vector, bit: t.flag },
        requires: {
          heldBackIsPending: {
            clause: clause('MSI-02'),
            given: (s, { vector }) => s.entries.at(vector).due === 'held',
            holds: (_s, { bit }) => bit,
          },
          clearedWhenSent: {
            clause: clause('MSI-03'),
            given: (s, { vector }) => s.entries.at(vector).due === 'released' && !mayGiveUp(s, vector),
            holds: (_s, { bit }) => !bit,
          },
          clearedWhenResolved: {
            clause: clause('MSI-04'),
            given: (s, { vector }) => s.entries.at(vector).due === 'resolved' && !mayGiveUp(s, vector),
            holds: (_s, { bit }) => !bit,
          },
          onlyWhatIsHeldBack: {
            clause: clause('PCI-MSIX-12'),
            given: (s, { vector }) => s.entries.at(vector).due === 'nothing' && !mayGiveUp(s, vector),
            holds: (_s, { bit }) => !bit,
          },
        },
      },
      'driver.readEntry': { args: { vector }, weight: READ, when: (s) => s.hasMessages && isReachable(s) },
      'device.answerEntry': {
        args: { vector, masked: t.flag, edition: t.maybe(edition) },
        requires: {
          readsAsWritten: {
            clause: clause('PCI-MSIX-04'),
            holds: (s, { vector, masked, edition }) => {
              const entry = s.entries.at(vector)
              return masked === entry.masked && edition === entry.edition
            },
          },
        },
      },
      'driver.rewriteWide': {
        does: 'Gives an entry that is masked its other address and data, by accesses of eight bytes, and reads it back by such.',
        args: { vector },
        weight: 3,
        when: (s, { vector }) => whole && s.hasMessages && isReachable(s) && s.entries.at(vector).masked,
        effect: (s, { vector }) => void (s.entries.at(vector).edition = 1 - s.entries.at(vector).edition),
      },
      'device.answerWide': {
        does: 'Whether an entry reads in halves of eight bytes as it was written, and as in quarters of four.',
        args: { same: t.flag },
        when: () => whole,
        requires: { accessesOfEightBytes: { clause: clause('MSI-08'), holds: (_s, { same }) => same } },
      },
      'driver.writeBeside': {
        does: 'Writes right behind the table, where nothing is.',
        weight: 1,
        when: (s) => whole && s.hasMessages && isReachable(s),
      },
      'device.answerBeside': {
        does: 'Whether table and pending bits read as before.',
        args: { kept: t.flag },
        when: () => whole,
        requires: { noOtherEntry: { clause: clause('MSI-08'), holds: (_s, { kept }) => kept } },
      },
      'driver.writePending': {
        does: 'Writes pending bits.',
        args: { ones: t.flag },
        hostile: true,
        weight: 3,
        requires: { onlyReadsThem: { clause: clause('PCI-MSIX-13'), holds: () => false } },
        when: (s) => whole && s.hasMessages && isReachable(s),
      },
      'device.answerPendingWritten': {
        does: 'Whether the pending bits read as before.',
        args: { kept: t.flag },
        when: () => whole,
        requires: { readOnly: { clause: clause('MSI-07'), holds: (_s, { kept }) => kept, safety: true } },
      },
      'driver.setUp': { effect: program },
      'driver.restart': { effect: program },
      'device.answerFresh': {
        does: 'What a driver finds that sets up a function after a reset.',
        args: { enabled: t.flag, masked: t.flag, pending: t.flag },
        requires: {
          disabledAndClear: { clause: clause('MSI-06'), holds: (_s, { enabled, pending }) => !enabled && !pending },
          allMasked: { clause: clause('PCI-MSIX-09'), holds: (_s, { masked }) => masked },
        },
      },
      'device.answerMapping': {
        does: 'What the vector registers show after a device reset.',
        args: { mapped: t.flag },
        requires: { unmapped: { clause: clause('VIO-PCI-08'), holds: (_s, { mapped }) => !mapped } },
      },
      'driver.setCommand': {
        args: { decode: t.flag, master: t.flag, intxOff: t.flag },
        effect(s, { master }) {
          if (!master) doubt(s, onItsWay)
          else release(s, !s.stalled)
        },
      },
      'driver.setPower': { args: { to: registerState.power }, effect: (s) => doubt(s, awaited) },
      'driver.resetFunction': { effect: forget },
      'device.wake': {
        args: { reset: t.flag },
        effect(s, { reset }) {
          if (reset) forget(s)
        },
      },
    },
    owes: {
      'device.message': [
        { clause: clause('VIO-PCI-39'), when: (s) => isUp(s) && s.entries.some((entry) => entry.due === 'event') },
        { clause: clause('MSI-03'), when: (s) => isUp(s) && s.entries.some((entry) => entry.due === 'release') },
      ],
    },
    invariants: {
      nothingIsSentThroughAMask: {
        clause: clause('MSI-02'),
        holds: (s) => s.entries.every((entry) => !onItsWay(entry) || !(entry.masked || s.functionMask)),
      },
      whatIsHeldHasAMask: {
        clause: clause('MSI-03'),
        holds: (s) => s.entries.every((entry) => entry.due !== 'held' || entry.masked || s.functionMask),
      },
    },
    goals: {
      aHeldMessage: {
        on: 'driver.readPending',
        when: (s, { vector }) => s.entries.at(vector as number).due === 'held',
      },
      anUnmaskedPendingVector: {
        on: 'driver.unmask',
        when: (s, { vector }) => s.entries.at(vector as number).due === 'held',
      },
      aRewrittenPendingVector: {
        on: 'driver.rewrite',
        when: (s, { vector }) => s.entries.at(vector as number).due === 'held',
      },
      anEventUnderTheFunctionMask: {
        on: 'driver.provoke',
        when: (s) => s.functionMask && s.enabled && s.mapped !== undefined,
      },
      aReleasedFunction: {
        on: 'driver.maskFunction',
        when: (s) => s.functionMask && s.entries.some((e) => e.due === 'held' && !e.masked),
      },
      anUnmappedEvent: { on: 'driver.provoke', when: (s) => s.enabled && s.mapped === undefined },
    },
  })
}
