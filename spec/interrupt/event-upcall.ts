/**
 * Events without a chip: a pending bit and a mask for each port, a selector that says where to look, and an upcall, all in
 * a page that guest and hypervisor share. An event is announced by the first change that nobody has seen yet: pending
 * bit, then selector, then upcall mark, then an interrupt or a callback. What is masked waits in its pending bit.
 */
import { machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { announced, choose, isKnown, paths, upcallState } from './event-upcall-state.ts'

const scopes = { explored: { ports: 2, words: 1 }, played: { ports: 4, words: 2 } } as const

export const eventUpcall = scoped('event-upcall', scopes, ({ ports, words }) => {
  const port = t.id('port', ports)
  const word = t.below(words)
  /** What would only make the walk longer is left to what is played. */
  const isWhole = ports > 2
  return machine({
    source: 'Xen event_channel.h',
    state: upcallState(ports, words),
    // One channel is there from the start, and unmasked, in as many words as there are.
    initial(s) {
      for (let i = 2; i < ports; i++) s.ports.at(i).masked = true
      s.ports.at(0).is = s.ports.at(1).is = 'bound'
      s.ports.at(0).peer = 1
      s.ports.at(1).peer = 0
      s.ports.at(1).word = words - 1
    },
    actions: {
      'driver.open': {
        does: 'Allocates a port that can be bound.',
        args: { port },
        weight: 6,
        when: (s, a) => s.call === 'none' && s.ports.at(a.port).is === 'free',
        effect(s, a) {
          s.call = 'open'
          s.about = a.port
          s.valid = true
          s.ports.at(a.port).is = 'unbound'
        },
      },
      'driver.bind': {
        does: 'Binds a new port to the port at the other end.',
        args: { port, to: port },
        weight: 8,
        when: (s, a) =>
          s.call === 'none' && s.ports.at(a.port).is === 'free' && a.port !== a.to && s.ports.at(a.to).is !== 'free',
        effect(s, a) {
          s.call = 'bind'
          s.about = a.port
          s.valid = s.ports.at(a.to).is === 'unbound'
          if (!s.valid) return
          s.ports.at(a.port).is = s.ports.at(a.to).is = 'bound'
          s.ports.at(a.port).peer = a.to
          s.ports.at(a.to).peer = a.port
          s.left = s.left.without(a.to)
          s.toChange = true
        },
      },
      'driver.close': {
        does: 'Closes a port that it has masked, and clears what is left of it.',
        args: { port },
        weight: 1.5,
        when: (s, a) => s.call === 'none' && s.ports.at(a.port).is !== 'free',
        effect(s, a) {
          s.call = 'close'
          s.about = a.port
          s.valid = true
          const closed = s.ports.at(a.port)
          if (closed.peer !== undefined) {
            s.ports.at(closed.peer).is = 'unbound'
            s.ports.at(closed.peer).peer = undefined
            if (isWhole) s.left = s.left.with(closed.peer)
          }
          s.left = s.left.without(a.port)
          closed.is = 'free'
          closed.masked = true
          closed.pending = false
          closed.peer = undefined
          closed.word = 0
          s.recheck = s.recheck.without(a.port)
          s.owed = s.owed.without(a.port)
        },
      },
      'driver.send': {
        does: 'Sends an event to the other end of this port.',
        args: { port },
        weight: 14,
        when: (s, a) => s.call === 'none' && s.ports.at(a.port).is === 'bound',
        effect(s, a) {
          s.call = 'send'
          s.about = s.ports.at(a.port).peer
          s.valid = true
          s.toChange = !s.ports.at(s.about!).pending
        },
      },
      'driver.unmask': {
        does: 'Has the hypervisor unmask a port.',
        args: { port },
        weight: 6,
        when: (s, a) => s.call === 'none' && s.ports.at(a.port).is !== 'free' && s.ports.at(a.port).masked,
        effect(s, a) {
          s.call = 'unmask'
          s.about = a.port
          s.valid = true
          s.toChange = true
        },
      },
      'driver.query': {
        does: 'Asks for the status of a port.',
        args: { port },
        weight: 3,
        when: (s, a) => isWhole && s.call === 'none' && s.ports.at(a.port).is !== 'free',
        effect(s, a) {
          s.call = 'status'
          s.about = a.port
          s.valid = true
        },
      },
      'hypervisor.answerStatus': {
        does: 'Tells what the port is.',
        args: { is: t.oneOf('unbound', 'bound', 'other') },
        when: (s) => s.call === 'status' && s.about !== undefined,
        requires: {
          unboundWhenLeft: {
            clause: clause('XEVT-07'),
            given: (s) => s.left.has(s.about!),
            holds: (_s, { is }) => is === 'unbound',
          },
          boundAsToldSo: {
            clause: clause('XEVT-06'),
            given: (s) => !s.left.has(s.about!),
            holds: (s, { is }) => is === s.ports.at(s.about!).is,
          },
        },
      },
      'driver.move': {
        does: 'Opens one more port, has it notify another virtual CPU, and closes it; of the next of that number the status is asked for. `ipi`: tries it with a port for interrupts between virtual CPUs.',
        args: { ipi: t.flag },
        weight: 2,
        when: (s) => isWhole && s.call === 'none',
      },
      'hypervisor.answerMove': {
        does: 'Which virtual CPU is notified in the end: of the port in question, of the one that reuses its number.',
        args: { ipi: t.flag, first: t.flag },
        when: () => isWhole,
        requires: {
          fixedForIpis: { clause: clause('XEVT-08'), given: (_s, { ipi }) => ipi, holds: (_s, { first }) => first },
          firstWhenReused: { clause: clause('XEVT-08'), given: (_s, { ipi }) => !ipi, holds: (_s, { first }) => first },
        },
      },
      'driver.reachOut': {
        does: 'Names another domain in a call.',
        args: { by: t.oneOf('open', 'bind', 'status', 'reset') },
        weight: 2,
        when: (s) => isWhole && s.call === 'none',
      },
      'hypervisor.answerReach': {
        args: { by: t.oneOf('open', 'bind', 'status', 'reset'), done: t.flag },
        when: () => isWhole,
        requires: { refused: { clause: clause('XEVT-09'), holds: (_s, { done }) => !done } },
      },
      'driver.misuse': {
        does: 'Sends to a port that was never opened, or closes it.',
        args: { by: t.oneOf('send', 'close') },
        weight: 1,
        when: (s) => isWhole && s.call === 'none',
      },
      'hypervisor.answerMisuse': {
        args: { done: t.flag },
        when: () => isWhole,
        requires: { saysThatItWasNot: { clause: clause('XEVT-12'), holds: (_s, { done }) => !done } },
      },
      'driver.choosePath': {
        does: 'Has upcalls delivered as an interrupt with a vector, or as a callback.',
        args: { path: paths },
        weight: 1,
        when: (s) => s.call === 'none' && s.path === 'none' && !s.marked,
        effect: (s, a) => choose(s, a.path),
      },
      'driver.choosePathLate': {
        does: 'The same with an upcall marked already.',
        args: { path: paths },
        weight: 6,
        when: (s) => s.call === 'none' && s.path === 'none' && s.marked,
        effect: (s, a) => choose(s, a.path),
      },
      'hypervisor.pend': {
        does: 'Sets a pending bit.',
        args: { port },
        requires: {
          ofTheEventThatWasSent: {
            clause: clause('XEVT-13'),
            holds: (s, a) => (s.call === 'send' || s.call === 'bind') && s.about === a.port && s.valid,
          },
        },
        effect(s, a) {
          s.toChange = false
          s.pended = true
          s.ports.at(a.port).pending = true
          if (s.ports.at(a.port).masked) return
          s.announces = s.announces.with(a.port)
          if (!s.selected.has(s.ports.at(a.port).word)) s.owed = s.owed.with(a.port)
        },
        eager: (s) => (s.toChange && s.call !== 'unmask' && s.about !== undefined ? { port: s.about } : undefined),
      },
      'hypervisor.clearMask': {
        does: 'Clears the mask of a port.',
        args: { port },
        requires: {
          whenAsked: { clause: clause('XEVT-13'), holds: (s, a) => s.call === 'unmask' && s.about === a.port },
        },
        effect(s, a) {
          s.toChange = false
          s.ports.at(a.port).masked = false
          if (!s.ports.at(a.port).pending) return
          s.announces = s.announces.with(a.port)
          if (!s.selected.has(s.ports.at(a.port).word)) s.owed = s.owed.with(a.port)
        },
        eager: (s) => (s.toChange && s.call === 'unmask' && s.about !== undefined ? { port: s.about } : undefined),
      },
      'hypervisor.select': {
        does: 'Sets the bit of a word in the selector.',
        args: { word },
        requires: {
          notForAMaskedPort: {
            clause: clause('XEVT-02'),
            given: (s) => s.about !== undefined && s.ports.at(s.about).masked,
            holds: (s, a) => announced(s, s.announces, a.word),
          },
          onlyForANewEvent: {
            clause: clause('XEVT-01'),
            given: (s) => s.about === undefined || !s.ports.at(s.about).masked,
            holds: (s, a) => announced(s, s.announces, a.word),
          },
        },
        effect(s, a) {
          s.selected = s.selected.with(a.word)
          for (const one of s.owed.toArray()) if (s.ports.at(one).word === a.word) s.owed = s.owed.without(one)
          s.mayMark = true
          s.owesMark = !s.marked
        },
        eager: (s) => (s.owed.isEmpty ? undefined : { word: s.ports.at(s.owed.first!).word }),
      },
      'hypervisor.mark': {
        does: 'Marks the upcall.',
        requires: { afterTheSelector: { clause: clause('XEVT-03'), holds: (s) => s.mayMark } },
        effect(s) {
          s.marked = true
          s.mayMark = s.owesMark = false
          if (s.path === 'interrupt') s.mayTell = s.owesTell = true
        },
        eager: (s) => (s.owesMark ? {} : undefined),
      },
      'hypervisor.interrupt': {
        does: 'Sends the interrupt of the upcall.',
        args: { right: t.flag },
        requires: {
          onceForEachMark: { clause: clause('XEVT-10'), holds: (s) => s.mayTell },
          withTheVectorThatWasSet: { clause: clause('XEVT-10'), holds: (_s, a) => a.right },
        },
        effect: (s) => void (s.mayTell = s.owesTell = false),
        eager: (s) => (s.owesTell ? { right: true } : undefined),
      },
      'hypervisor.callBack': {
        does: 'Calls the guest back, which begins with interrupts disabled.',
        args: { right: t.flag },
        requires: {
          whileMarkedAndEnabled: {
            clause: clause('XEVT-11'),
            holds: (s, a) => s.path === 'callback' && s.marked && s.enabled && a.right,
          },
        },
        effect: (s) => void (s.enabled = false),
        eager: (s) => (s.path === 'callback' && s.marked && s.enabled ? { right: true } : undefined),
      },
      'hypervisor.spoil': {
        does: 'Changes anything else in the shared page.',
        requires: { nothingElse: { clause: clause('XEVT-13'), holds: () => false } },
      },
      'hypervisor.return': {
        does: 'Returns from the call; a new port has its bit in this word.',
        args: { done: t.flag, word },
        when: (s) => s.call !== 'none',
        requires: {
          pendingIsRecorded: { clause: clause('XEVT-01'), given: (s) => s.call === 'send', holds: (s) => !s.toChange },
          boundPortIsPending: { clause: clause('XEVT-06'), given: (s) => s.call === 'bind', holds: (s) => !s.toChange },
          bindsWhatMayBeBound: {
            clause: clause('XEVT-06'),
            given: (s) => s.call === 'bind',
            holds: (s, a) => a.done === s.valid,
          },
          unmasks: { clause: clause('XEVT-04'), given: (s) => s.call === 'unmask', holds: (s) => !s.toChange },
          doesWhatItCan: { clause: clause('XEVT-12'), given: (s) => s.call !== 'bind', holds: (_s, a) => a.done },
        },
        effect(s, a) {
          if ((s.call === 'open' || s.call === 'bind') && a.done) s.ports.at(s.about!).word = a.word
          s.call = 'none'
          s.about = undefined
          s.valid = s.toChange = s.pended = false
          s.announces = s.announces.and(s.owed)
          s.mayMark = s.owesMark
        },
        eager: (s) =>
          s.call === 'none' || s.toChange || !s.owed.isEmpty || s.owesMark
            ? undefined
            : { done: s.valid, word: s.call === 'open' || s.call === 'bind' ? s.about! % words : 0 },
      },
      'guest.takeMark': {
        does: 'Clears the mark of the upcall: the first thing that a handler does.',
        weight: 8,
        when: (s) => s.marked,
        effect(s) {
          s.marked = s.owesTell = false
          s.entered = true
        },
      },
      'guest.takeSelector': {
        does: 'Reads and clears the selector.',
        weight: 10,
        when: (s) => s.entered,
        effect(s) {
          s.scan = s.scan.union(s.selected)
          s.selected = noBits
          s.entered = false
        },
      },
      'guest.handle': {
        does: 'Clears a pending bit, and does what the event is about.',
        args: { port },
        weight: 5,
        when: (s, a) => s.ports.at(a.port).pending && isKnown(s, a.port),
        effect(s, a) {
          s.ports.at(a.port).pending = false
          s.owed = s.owed.without(a.port)
          s.recheck = s.recheck.without(a.port)
        },
      },
      'guest.finish': {
        does: 'Has looked through a word.',
        args: { word },
        weight: 8,
        when: (s, a) =>
          s.scan.has(a.word) &&
          s.ports.every((one) => !one.pending || one.masked || one.is === 'free' || one.word !== a.word),
        effect: (s, a) => void (s.scan = s.scan.without(a.word)),
      },
      'guest.mask': {
        does: 'Masks a port.',
        args: { port },
        weight: 1,
        when: (s, a) => isKnown(s, a.port) && !s.ports.at(a.port).masked,
        effect(s, a) {
          s.ports.at(a.port).masked = true
          s.owed = s.owed.without(a.port)
          s.recheck = s.recheck.without(a.port)
        },
      },
      'guest.clearMask': {
        does: 'Unmasks a port by itself, and is to look at its pending bit afterwards.',
        args: { port },
        weight: 4,
        when: (s, a) => isKnown(s, a.port) && s.ports.at(a.port).masked,
        effect(s, a) {
          s.ports.at(a.port).masked = false
          s.recheck = s.recheck.with(a.port)
          s.unmasked = isWhole
          if (s.call === 'unmask' && s.about === a.port) s.toChange = false
          // An event that is being sent may be announced or not: the sender looks at the mask last.
          if (s.about === a.port && s.pended) s.announces = s.announces.with(a.port)
        },
      },
      'guest.lookAgain': {
        does: 'Finds that a port that it has unmasked is not pending.',
        args: { port },
        weight: 5,
        when: (s, a) => s.recheck.has(a.port) && !s.ports.at(a.port).pending,
        effect: (s, a) => void (s.recheck = s.recheck.without(a.port)),
      },
      'guest.goOn': {
        does: 'Goes on with what it did before it unmasked ports by itself.',
        weight: 4,
        when: (s) => s.unmasked,
        requires: { hasLookedAgain: { clause: clause('XEVT-05'), holds: (s) => s.recheck.isEmpty } },
        effect: (s) => void (s.unmasked = false),
      },
      'guest.enable': {
        does: 'Enables interrupts.',
        weight: 5,
        when: (s) => s.path === 'callback' && !s.enabled,
        effect: (s) => void (s.enabled = true),
      },
      'guest.disable': {
        does: 'Disables interrupts.',
        weight: 0.5,
        when: (s) => s.path === 'callback' && s.enabled,
        effect: (s) => void (s.enabled = false),
      },
    },
    owes: {
      'hypervisor.return': { clause: clause('XEVT-12'), when: (s) => s.call !== 'none' },
      'hypervisor.pend': [
        { clause: clause('XEVT-01'), when: (s) => s.toChange && s.call === 'send' },
        { clause: clause('XEVT-06'), when: (s) => s.toChange && s.call === 'bind' },
      ],
      'hypervisor.clearMask': { clause: clause('XEVT-04'), when: (s) => s.toChange && s.call === 'unmask' },
      'hypervisor.select': [
        { clause: clause('XEVT-03'), when: (s) => !s.owed.isEmpty && s.call !== 'unmask' },
        { clause: clause('XEVT-04'), when: (s) => !s.owed.isEmpty && s.call === 'unmask' },
      ],
      'hypervisor.mark': { clause: clause('XEVT-03'), when: (s) => s.owesMark && !s.marked },
      'hypervisor.interrupt': { clause: clause('XEVT-10'), when: (s) => s.owesTell },
      'hypervisor.callBack': { clause: clause('XEVT-11'), when: (s) => s.path === 'callback' && s.marked && s.enabled },
    },
    // Whatever waits at a port that nobody looks at is lost by the guest.
    breach: (s) => void (s.careless = true),
    unspecified: (s) => s.careless,
    invariants: {
      noEventIsStranded: {
        clause: clause('XEVT-03'),
        holds: (s) =>
          s.ports.every(
            (one, i) =>
              one.is === 'free' ||
              one.masked ||
              !one.pending ||
              s.selected.has(one.word) ||
              s.scan.has(one.word) ||
              s.recheck.has(i) ||
              s.owed.has(i),
          ),
      },
      noSelectorIsStranded: {
        clause: clause('XEVT-03'),
        holds: (s) => s.selected.isEmpty || s.marked || s.entered || s.owesMark,
      },
    },
    goals: {
      anEventWhileMasked: { on: 'hypervisor.pend', when: (s, a) => s.ports.at(a.port).masked },
      anEventThatIsPendingAlready: { on: 'driver.send', when: (s, a) => s.ports.at(s.ports.at(a.port).peer!).pending },
      anUnmaskThatAnnounces: { on: 'hypervisor.clearMask', when: (s, a) => s.ports.at(a.port).pending },
      anUnmaskThatFindsAnEvent: { on: 'guest.clearMask', when: (s, a) => s.ports.at(a.port).pending },
      aPathWithAMark: { on: 'driver.choosePathLate' },
      aMarkTakenBeforeTheSelector: { on: 'hypervisor.select', when: (s) => s.entered },
      aCallbackAgain: { on: 'guest.enable', when: (s) => s.marked },
      aBindThatIsRefused: { on: 'hypervisor.return', when: (s) => s.call === 'bind' && !s.valid },
      anEndBoundAgain: {
        on: 'driver.bind',
        when: (s, a) => s.ports.at(a.to).is === 'unbound' && s.ports.at(a.to).pending,
      },
    },
  })
})
