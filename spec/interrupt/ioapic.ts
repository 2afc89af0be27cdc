/**
 * An I/O APIC: redirection entries make messages of edges and of levels. An edge on an unmasked entry is one message; a
 * level is one message until its end, and one more as long as the input is asserted after it.
 */
import { machine, noBits, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import {
  allow,
  DUE_MAX,
  drive,
  end,
  isAsserted,
  isJustified,
  isOwedALevel,
  mayCollapse,
  mayWant,
  ofSome,
  remoteIrr,
  turn,
  type Written,
  wants,
  withdraw,
} from './ioapic-entries.ts'

/** It was made one of edges in service, and one of levels again, and its input is asserted. */
const isSwitched = (s: Written): boolean =>
  s.entries.some((e) => e.remote === 'switched' && mayWant(e) && !s.outstanding.has(e.vector))

/**
 * `exact`: 0 where a message is seen only once until its end. `electrical`: 0 where the level of a line says whether it is
 * asserted, whatever the polarity. `routes`: how many ways there are to address a message.
 */
export const ioapic = scoped(
  'ioapic',
  {
    explored: { pins: 2, vectors: 1, routes: 1, exact: 1, electrical: 0 },
    polarity: { pins: 1, vectors: 2, routes: 1, exact: 1, electrical: 1 },
    collapsing: { pins: 2, vectors: 1, routes: 1, exact: 0, electrical: 0 },
    played: { pins: 3, vectors: 3, routes: 2, exact: 1, electrical: 1 },
  },
  ({ pins, vectors, routes, exact, electrical }) => {
    const pin = t.below(pins)
    const vector = t.below(vectors)
    const route = t.below(routes)
    const flags = { masked: t.flag, level: t.flag, low: t.flag }
    const meansLow = (low: boolean): boolean => low && electrical === 1
    const ended = (s: Written & { outstanding: typeof noBits }, vector: number): void => {
      s.outstanding = s.outstanding.without(vector)
      end(s, vector)
      mayCollapse(s)
    }
    return machine({
      source: '82093AA',
      state: {
        entries: t.array(
          pins,
          t.record({
            ...flags,
            vector,
            route,
            line: t.flag,
            remote: remoteIrr,
            /** So many messages may come that no level asks for; one of them has to. */
            due: t.below(DUE_MAX + 1),
            /** The trigger mode has changed since. */
            turned: t.flag,
            owed: t.flag,
            /** It may be held back after a storm, until time has gone by. */
            resting: t.flag,
          }),
        ),
        /** Vectors of messages that were seen and not ended; unused where messages are seen exactly. */
        outstanding: t.set(vectors),
        /** What may last have made a level entry have something to send. */
        cause: t.oneOf('request', 'unmasking', 'broadcast', 'register'),
      },
      initial(s) {
        for (let p = 0; p < pins; p++) s.entries.at(p).masked = true
      },
      actions: {
        'driver.program': {
          does: 'Writes both halves of an entry; `ones`: with ones in its read-only and reserved bits.',
          args: { pin, ...flags, vector, route, ones: t.flag },
          weight: 6,
          effect(s, { pin, masked, level, low, vector, route }) {
            const entry = s.entries.at(pin)
            withdraw(entry)
            s.cause = 'request'
            const was = { level: entry.level, asserted: isAsserted(entry) }
            turn(entry, level)
            entry.masked = masked
            entry.low = meansLow(low)
            entry.vector = vector
            entry.route = route
            // Whether an input that is asserted by being told so counts as an edge nobody says.
            if (!level && isAsserted(entry) && (was.level || !was.asserted)) allow(entry)
            mayCollapse(s)
          },
        },
        'driver.writeUpper': {
          does: 'Writes the half with the destination alone, as it is.',
          args: { pin },
          weight: 2,
          when: () => vectors > 2,
        },
        'driver.mask': {
          args: { pin },
          weight: 5,
          when: (s, { pin }) => !s.entries.at(pin).masked,
          effect(s, { pin }) {
            const entry = s.entries.at(pin)
            withdraw(entry)
            entry.masked = true
          },
        },
        'driver.unmask': {
          args: { pin },
          weight: 8,
          when: (s, { pin }) => s.entries.at(pin).masked,
          effect(s, { pin }) {
            s.entries.at(pin).masked = false
            s.cause = 'unmasking'
            mayCollapse(s)
          },
        },
        'driver.switchTrigger': {
          does: 'Turns the trigger mode of an entry over, and leaves everything else as it is.',
          args: { pin },
          weight: 4,
          effect(s, { pin }) {
            const entry = s.entries.at(pin)
            withdraw(entry)
            s.cause = 'request'
            turn(entry, !entry.level)
            if (!entry.level && isAsserted(entry)) allow(entry)
            mayCollapse(s)
          },
        },
        'device.raise': {
          args: { pin },
          weight: 10,
          when: (s, { pin }) => !s.entries.at(pin).line,
          effect(s, { pin }) {
            s.cause = 'request'
            drive(s, pin, true)
          },
        },
        'device.lower': {
          args: { pin },
          weight: 8,
          when: (s, { pin }) => s.entries.at(pin).line,
          effect(s, { pin }) {
            // With an entry that is active low this asserts it.
            s.cause = 'request'
            drive(s, pin, false)
          },
        },
        'irqchip.message': {
          does: 'Sends a message; `pins`: the entries that hold what it says.',
          args: { pins: t.set(pins), level: t.flag },
          requires: {
            asProgrammed: { clause: clause('IOA-12'), holds: (_s, { pins }) => !pins.isEmpty },
            whereTheEntrySays: {
              clause: clause('IOA-10'),
              given: () => exact === 1 && routes > 1,
              holds: (_s, { pins }) => !pins.isEmpty,
            },
            ofTheTriggerMode: {
              clause: clause('IOA-12'),
              holds: (s, { pins, level }) => ofSome(s, pins, (entry) => entry.level === level || entry.turned),
            },
            noMaskedEdge: {
              clause: clause('IOA-03'),
              given: (s, { pins }) => ofSome(s, pins, (entry) => !entry.level),
              holds: (s, { pins }) => isJustified(s, pins) || ofSome(s, pins, (e) => e.level || !e.masked),
            },
            noMaskedLevel: {
              clause: clause('IOA-04'),
              given: (s, { pins }) => ofSome(s, pins, (entry) => entry.level),
              holds: (s, { pins }) => isJustified(s, pins) || ofSome(s, pins, (e) => !e.level || !e.masked),
            },
            anEdgeForEach: {
              clause: clause('IOA-05'),
              given: (s, { pins }) => ofSome(s, pins, (entry) => !entry.level),
              holds: (s, { pins }) => isJustified(s, pins) || ofSome(s, pins, (e) => e.level),
            },
            whileAsserted: {
              clause: clause('IOA-17'),
              given: (s, { pins }) => ofSome(s, pins, (entry) => entry.level && !entry.low),
              holds: (s, { pins }) => isJustified(s, pins) || ofSome(s, pins, (e) => isAsserted(e)),
            },
            whileLow: {
              clause: clause('IOA-16'),
              given: (s, { pins }) => ofSome(s, pins, (entry) => entry.level && entry.low),
              holds: (s, { pins }) => isJustified(s, pins) || ofSome(s, pins, (e) => isAsserted(e)),
            },
            onceUntilItsEnd: { clause: clause('IOA-06'), holds: (s, { pins }) => isJustified(s, pins) },
          },
          effect(s, { pins }) {
            const sole = pins.size === 1 || s.entries.count((e, p) => pins.has(p) && (mayWant(e) || e.due > 0)) < 2
            for (let p = 0; p < s.entries.length; p++) {
              const entry = s.entries.at(p)
              if (!pins.has(p)) continue
              if (exact === 0) s.outstanding = s.outstanding.with(entry.vector)
              if (mayWant(entry)) entry.remote = sole ? 'set' : 'unsure'
              else if (sole && entry.due > 0) entry.due--
              if (entry.due === 0) entry.turned = false
              entry.owed = false
            }
            mayCollapse(s)
          },
          eager(s) {
            const p = s.entries.findIndex((entry) => (mayWant(entry) && !entry.resting) || entry.owed)
            return p === undefined ? undefined : { pins: noBits.with(p), level: s.entries.at(p).level }
          },
        },
        'irqchip.misdirect': {
          does: 'Sends a message that is an entry in all but its destination or destination mode.',
          args: { pin },
          when: () => exact === 1 && routes > 1,
          requires: { asTheEntrySays: { clause: clause('IOA-10'), holds: () => false } },
        },
        'cpu.end': {
          does: 'Ends a level interrupt: the broadcast of a local APIC.',
          args: { vector },
          weight: 10,
          effect(s, { vector }) {
            s.cause = 'broadcast'
            ended(s, vector)
          },
        },
        'driver.endDirectly': {
          does: 'Writes the EOI register of the unit.',
          args: { vector },
          weight: 4,
          effect(s, { vector }) {
            s.cause = 'register'
            ended(s, vector)
          },
        },
        'cpu.storm': {
          does: 'Asserts a level entry, and ends its interrupt ten thousand times and more with nothing in between.',
          args: { pin, vector },
          weight: 0,
          effect(s, { pin, vector }) {
            const entry = s.entries.at(pin)
            withdraw(entry)
            entry.masked = entry.low = false
            entry.level = entry.line = true
            entry.vector = vector
            entry.route = 0
            s.cause = 'broadcast'
            ended(s, vector)
          },
        },
        'irqchip.answerStorm': {
          does: 'How a storm ended: with the interrupt held back, or not before we had enough.',
          args: { vector, gaveWay: t.flag },
          requires: { letsTheCpuGetOn: { clause: clause('HRD-37'), holds: (_s, { gaveWay }) => gaveWay } },
          effect(s, { vector, gaveWay }) {
            for (let p = 0; p < pins; p++) {
              const entry = s.entries.at(p)
              if (entry.vector !== vector || !wants(entry)) continue
              if (!gaveWay) entry.remote = 'unsure'
              entry.resting = gaveWay
            }
          },
        },
        'bus.wait': {
          does: 'Time goes by, as much as a chip may hold an interrupt back.',
          weight: 12,
          when: (s) => s.entries.some((entry) => entry.resting),
          effect(s) {
            for (let p = 0; p < pins; p++) s.entries.at(p).resting = false
          },
        },
        'driver.readEntry': { args: { pin }, weight: 4 },
        'irqchip.answerEntry': {
          does: 'What an entry reads as.',
          args: { pin, ...flags, vector: t.maybe(vector), route: t.maybe(route), remote: t.flag },
          requires: {
            asWritten: {
              clause: clause('IOA-13'),
              holds: (s, { pin, masked, level, low, vector, route }) => {
                const entry = s.entries.at(pin)
                return (
                  masked === entry.masked &&
                  level === entry.level &&
                  (electrical === 0 || low === entry.low) &&
                  vector === entry.vector &&
                  route === entry.route
                )
              },
            },
            inServiceIsShown: {
              clause: clause('IOA-14'),
              given: (s, { pin }) => s.entries.at(pin).level && s.entries.at(pin).remote === 'set',
              holds: (_s, { remote }) => remote,
            },
            endedIsShown: {
              clause: clause('IOA-02'),
              given: (s, { pin }) => {
                const entry = s.entries.at(pin)
                // What is wanted or allowed may have been sent a moment ago.
                return entry.level && entry.remote === 'clear' && !wants(entry) && entry.due === 0
              },
              holds: (_s, { remote }) => !remote,
            },
          },
          effect(s, { pin, remote }) {
            const entry = s.entries.at(pin)
            if (entry.level && entry.remote === 'unsure') entry.remote = remote ? 'set' : 'clear'
          },
        },
        'driver.writeReserved': { does: 'Writes registers that there are not, and with other widths.', weight: 2 },
        'irqchip.answerReserved': {
          does: 'Whether the entries read as before.',
          args: { kept: t.flag },
          requires: { changesNothing: { clause: clause('IOA-18'), holds: (_s, { kept }) => kept } },
        },
        'driver.identify': { does: 'Writes all ones to the registers that say what the chip is.', weight: 2 },
        'irqchip.answerIdentity': {
          args: { kept: t.flag, id: t.flag },
          requires: {
            readOnly: { clause: clause('IOA-01'), holds: (_s, { kept, id }) => kept && id },
          },
        },
        'irqchip.answerFresh': {
          does: 'What the entries show after a reset.',
          args: { masked: t.flag },
          requires: { allMasked: { clause: clause('IOA-15'), holds: (_s, { masked }) => masked } },
        },
      },
      owes: {
        'irqchip.message': [
          { clause: clause('IOA-05'), when: (s) => s.entries.some((entry) => entry.owed) },
          { clause: clause('IOA-06'), when: (s) => s.cause === 'request' && isOwedALevel(s) },
          { clause: clause('IOA-04'), when: (s) => s.cause === 'unmasking' && isOwedALevel(s) },
          { clause: clause('IOA-07'), when: (s) => s.cause === 'broadcast' && isOwedALevel(s) },
          { clause: clause('IOA-08'), when: (s) => s.cause === 'register' && isOwedALevel(s) },
          {
            clause: clause('HRD-36'),
            when: isSwitched,
          },
          { clause: clause('IOA-09'), when: isSwitched },
        ],
      },
      goals: {
        aSharedVector: {
          on: 'cpu.end',
          when: (s, { vector }) => s.entries.count((e) => e.level && e.remote === 'set' && e.vector === vector) > 1,
        },
        anAssertedEnd: {
          on: 'cpu.end',
          when: (s, { vector }) =>
            s.entries.some((e) => e.vector === vector && e.remote === 'set' && isAsserted(e) && !e.masked),
        },
        aReleasedEnd: {
          on: 'cpu.end',
          when: (s, { vector }) => s.entries.some((e) => e.vector === vector && e.remote === 'set' && !isAsserted(e)),
        },
        aMaskedEdge: {
          on: 'device.raise',
          when: (s, { pin }) => s.entries.at(pin).masked && !s.entries.at(pin).level && !s.entries.at(pin).low,
        },
        anAssertedLevelUnmasked: {
          on: 'driver.unmask',
          when: (s, { pin }) => s.entries.at(pin).level && isAsserted(s.entries.at(pin)),
        },
        aReprogrammedEntryInService: {
          on: 'driver.program',
          when: (s, { pin }) => s.entries.at(pin).remote === 'set',
        },
        anEntrySwitchedInService: (s) => s.entries.some((e) => e.level && e.remote === 'switched'),
        aStorm: { on: 'cpu.storm' },
      },
    })
  },
)
