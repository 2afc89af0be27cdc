/**
 * The reference model of the explorer: a split virtqueue of four descriptors with one driver and one device that run
 * at the same time, notifications by event index, and a store buffer of one entry on each side, so that a load may
 * overtake the store before it. Its counts are known from SPIN (`split-queue-tso.pml`): states / transitions / depth
 *
 *     small   143,328 /    297,384 / 294      large     6,756,096 / 14,902,880 / 285
 *     medium  1,195,040 / 2,623,496 / 285     huge     35,492,160 / 79,769,504 / 289
 */
import { type Clause, machine, scoped, t } from '../../src/kernel/language/index.ts'

const clause = { id: 'VIO-SPLIT-TSO' } as Clause

const size = 4
const head = t.id('head', size)
/** Indexes count on from each other, slots are where they point to: none of them is the first. */
const index = t.mod(2 * size, 'index')
const slot = t.mod(size, 'index')

/** An event index asks for a notification: it was passed on the way from `before` to `now`. */
const asks = (event: number, now: number, before: number): boolean =>
  index.distance(event + 1, now) < index.distance(before, now)

export const splitQueueTso = scoped(
  'split-queue-tso',
  {
    explored: { outstanding: 1, anyHead: 0 },
    medium: { outstanding: 2, anyHead: 0 },
    large: { outstanding: 2, anyHead: 1 },
    huge: { outstanding: 3, anyHead: 1 },
    played: { outstanding: 2, anyHead: 1 },
  },
  ({ outstanding, anyHead }) =>
    machine({
      source: 'VIRTIO 1.4',
      // Where the lowest free head is taken, heads differ.
      symmetry: { ids: anyHead === 1 ? ['head'] : [], rotate: ['index'] },
      state: {
        memory: t.record({
          /** Which descriptors are written. */
          written: t.array(head, t.flag),
          avail: t.array(slot, t.maybe(head)),
          used: t.array(slot, t.maybe(head)),
          availIdx: index,
          usedIdx: index,
          availEvent: index,
          usedEvent: index,
          kick: t.flag,
          irq: t.flag,
        }),
        driver: t.record({
          at: t.oneOf('idle', 'ring', 'more', 'kick', 'take', 'recheck', 'wait'),
          added: index,
          published: index,
          seen: index,
          free: t.set(head),
          /** The descriptor that was written and is not in the ring yet. */
          head: t.maybe(head),
          store: t.variant({
            none: {},
            descriptor: { descriptor: head, written: t.flag },
            ring: { slot, of: head },
            index: { index },
            event: { event: index },
          }),
        }),
        device: t.record({
          at: t.oneOf('idle', 'fetch', 'read', 'publish', 'interrupt', 'recheck', 'sleep'),
          seen: index,
          inFlight: t.set(head),
          returned: index,
          /** The head that was fetched and whose descriptor is not read yet. */
          head: t.maybe(head),
          store: t.variant({
            none: {},
            ring: { slot, of: head },
            index: { index },
            event: { event: index },
          }),
        }),
      },
      initial(s) {
        for (let i = 0; i < size; i++) s.driver.free = s.driver.free.with(i)
      },
      actions: {
        'driver.add': {
          args: { head },
          when: ({ driver }, { head }) =>
            (driver.at === 'idle' || driver.at === 'more') &&
            driver.store.is === 'none' &&
            size - driver.free.size < outstanding &&
            (anyHead === 1 ? driver.free.has(head) : driver.free.first === head),
          effect({ driver }, { head }) {
            driver.free = driver.free.without(head)
            driver.head = head
            driver.store = { is: 'descriptor', descriptor: head, written: true }
            driver.at = 'ring'
          },
        },
        'driver.fillRing': {
          when: ({ driver }) => driver.at === 'ring' && driver.store.is === 'none',
          effect({ driver }) {
            driver.store = { is: 'ring', slot: driver.added % size, of: driver.head! }
            driver.added++
            driver.head = undefined
            driver.at = 'more'
          },
        },
        'driver.publish': {
          when: ({ driver }) => driver.at === 'more' && driver.store.is === 'none',
          effect({ driver }) {
            driver.store = { is: 'index', index: driver.added }
            driver.at = 'kick'
          },
        },
        'driver.kick': {
          does: 'Fence, then kicks if the device asks for it.',
          when: ({ driver }) => driver.at === 'kick' && driver.store.is === 'none',
          effect({ driver, memory }) {
            if (asks(memory.availEvent, driver.added, driver.published)) memory.kick = true
            driver.published = driver.added
            driver.at = 'idle'
          },
        },
        'driver.look': {
          when: ({ driver, memory }) => driver.at === 'idle' && memory.usedIdx !== driver.seen,
          effect: ({ driver }) => void (driver.at = 'take'),
        },
        'driver.take': {
          when: ({ driver }) => driver.at === 'take' && driver.store.is === 'none',
          effect({ driver, memory }) {
            const slot = driver.seen % size
            const head = memory.used.at(slot)!
            memory.used.set(slot, undefined)
            driver.free = driver.free.with(head)
            driver.seen++
            driver.store = { is: 'descriptor', descriptor: head, written: false }
            driver.at = 'idle'
          },
        },
        'driver.askForInterrupt': {
          when: ({ driver }) => driver.at === 'idle' && driver.free.size < size && driver.store.is === 'none',
          effect({ driver }) {
            driver.store = { is: 'event', event: driver.seen }
            driver.at = 'recheck'
          },
        },
        'driver.recheck': {
          does: 'Fence, then looks once more before it sleeps.',
          when: ({ driver }) => driver.at === 'recheck' && driver.store.is === 'none',
          effect({ driver, memory }) {
            driver.at = memory.usedIdx === driver.seen ? 'wait' : 'idle'
          },
        },
        'driver.wake': {
          when: ({ driver, memory }) => driver.at === 'wait' && memory.irq,
          effect({ driver, memory }) {
            memory.irq = false
            driver.at = 'idle'
          },
        },
        'device.look': {
          when: ({ device, memory }) => device.at === 'idle' && memory.availIdx !== device.seen,
          effect: ({ device }) => void (device.at = 'fetch'),
        },
        'device.fetch': {
          when: ({ device }) => device.at === 'fetch',
          effect({ device, memory }) {
            const slot = device.seen % size
            device.head = memory.avail.at(slot)
            memory.avail.set(slot, undefined)
            device.seen++
            device.at = 'read'
          },
        },
        'device.read': {
          when: ({ device }) => device.at === 'read',
          effect({ device }) {
            device.inFlight = device.inFlight.with(device.head!)
            device.head = undefined
            device.at = 'idle'
          },
        },
        'device.return': {
          args: { head },
          when: ({ device }, { head }) =>
            (device.at === 'idle' || device.at === 'sleep') && device.store.is === 'none' && device.inFlight.has(head),
          effect({ device }, { head }) {
            device.store = { is: 'ring', slot: device.returned % size, of: head }
            device.inFlight = device.inFlight.without(head)
            device.at = 'publish'
          },
        },
        'device.publish': {
          when: ({ device }) => device.at === 'publish' && device.store.is === 'none',
          effect({ device }) {
            device.returned++
            device.store = { is: 'index', index: device.returned }
            device.at = 'interrupt'
          },
        },
        'device.interrupt': {
          does: 'Fence, then interrupts if the driver asks for it.',
          when: ({ device }) => device.at === 'interrupt' && device.store.is === 'none',
          effect({ device, memory }) {
            if (asks(memory.usedEvent, device.returned, device.returned - 1)) memory.irq = true
            device.at = 'idle'
          },
        },
        'device.askForKick': {
          when: ({ device, memory }) =>
            device.at === 'idle' && memory.availIdx === device.seen && device.store.is === 'none',
          effect({ device }) {
            device.store = { is: 'event', event: device.seen }
            device.at = 'recheck'
          },
        },
        'device.recheck': {
          does: 'Fence, then looks once more before it sleeps.',
          when: ({ device }) => device.at === 'recheck' && device.store.is === 'none',
          effect({ device, memory }) {
            device.at = memory.availIdx === device.seen ? 'sleep' : 'idle'
          },
        },
        'device.wake': {
          when: ({ device, memory }) => device.at === 'sleep' && memory.kick,
          effect({ device, memory }) {
            memory.kick = false
            device.at = 'idle'
          },
        },
        'memory.drainDriver': {
          when: ({ driver }) => driver.store.is !== 'none',
          effect({ driver, memory }) {
            const { store } = driver
            if (store.is === 'descriptor') memory.written.set(store.descriptor, store.written)
            else if (store.is === 'ring') memory.avail.set(store.slot, store.of)
            else if (store.is === 'index') memory.availIdx = store.index
            else if (store.is === 'event') memory.usedEvent = store.event
            driver.store = { is: 'none' }
          },
        },
        'memory.drainDevice': {
          when: ({ device }) => device.store.is !== 'none',
          effect({ device, memory }) {
            const { store } = device
            if (store.is === 'ring') memory.used.set(store.slot, store.of)
            else if (store.is === 'index') memory.usedIdx = store.index
            else if (store.is === 'event') memory.availEvent = store.event
            device.store = { is: 'none' }
          },
        },
      },
      invariants: {
        indexesKeepTheirOrder: {
          clause,
          holds({ driver, device, memory }) {
            const usedIdx = index.distance(driver.seen, memory.usedIdx)
            const returned = index.distance(driver.seen, device.returned)
            const seen = index.distance(driver.seen, device.seen)
            const availIdx = index.distance(driver.seen, memory.availIdx)
            const added = index.distance(driver.seen, driver.added)
            return (
              usedIdx <= returned && returned <= seen && seen <= availIdx && availIdx <= added && added <= outstanding
            )
          },
        },
        noHeadIsInTwoPlaces: {
          clause,
          holds({ driver, device, memory }) {
            let elsewhere = driver.free.union(device.inFlight)
            if (driver.free.meets(device.inFlight)) return false
            const used = index.distance(driver.seen, memory.usedIdx)
            for (let i = 0; i < used; i++) {
              const head = memory.used.at((driver.seen + i) % size)!
              if (elsewhere.has(head)) return false
              elsewhere = elsewhere.with(head)
            }
            return true
          },
        },
        whatIsReadIsWritten: {
          clause,
          holds: ({ device, memory }) =>
            device.at !== 'read' || (memory.written.at(device.head!) && !device.inFlight.has(device.head!)),
        },
        whatIsTakenIsNotFree: {
          clause,
          holds: ({ driver, memory }) => driver.at !== 'take' || !driver.free.has(memory.used.at(driver.seen % size)!),
        },
      },
    }),
)
