import { describe, expect, it } from 'vitest'
import { busOrder } from '../../spec/virtqueue/bus-order.ts'
import type { Strength } from '../../spec/virtqueue/memory-location.ts'
import { weakMemory } from '../../spec/virtqueue/weak-memory.ts'
import { LEFTOVERS, PLACES } from '../../spec/virtqueue/weak-memory-barriers.ts'
import { type Exploration, explore, type Violation } from '../../src/kernel/explore/index.ts'
import type { ScopedMachine } from '../../src/kernel/language/index.ts'
import { argumentsText, changesText } from '../../src/report/steps.ts'
import { type Instruction, resultsOf } from './litmus.ts'

const strengths: readonly Strength[] = ['none', 'write', 'read', 'release', 'full']

describe('memory with store buffers and early loads', () => {
  const mark = (barrier: Strength): Instruction => ({ barrier })

  it('lets data be older than the flag that announces it, unless both sides have their barrier', () => {
    const forbidden = strengths.flatMap((writer) =>
      strengths
        .filter((reader) => {
          const results = resultsOf(
            [{ store: 'x', value: 1 }, mark(writer), { store: 'z', value: 1 }],
            [{ load: 'z' }, mark(reader), { load: 'x' }],
          )
          expect(results).toEqual(expect.arrayContaining(['|0,0', '|1,1']))
          return !results.includes('|1,0')
        })
        .map((reader) => `${writer} ${reader}`),
    )
    expect(forbidden.sort()).toEqual([
      ...['full full', 'full read', 'release full', 'release read', 'write full', 'write read'],
    ])
  })

  it('lets both sides miss what the other has stored, unless both have a full barrier', () => {
    const forbidden = strengths.flatMap((one) =>
      strengths
        .filter(
          (other) =>
            !resultsOf(
              [{ store: 'x', value: 1 }, mark(one), { load: 'y' }],
              [{ store: 'y', value: 1 }, mark(other), { load: 'x' }],
            ).includes('0|0'),
        )
        .map((other) => `${one} ${other}`),
    )
    expect(forbidden).toEqual(['full full'])
  })

  it('lets nothing run backwards in one location', () => {
    const twice: Instruction[] = [
      { store: 'x', value: 1 },
      { store: 'x', value: 2 },
    ]
    expect(resultsOf(twice, [{ load: 'x' }, { load: 'x' }]).sort()).toEqual(
      ['|0,0', '|0,1', '|0,2', '|1,1', '|1,2', '|2,2'].sort(),
    )
  })

  // What the machines express by late loads instead; see docs/weak-memory.md.
  it('lets no store overtake an earlier load by itself', () => {
    expect(
      resultsOf([{ load: 'y' }, { store: 'x', value: 1 }], [{ load: 'x' }, { store: 'y', value: 1 }]),
    ).not.toContain('1|1')
  })
})

const broken = ({ violations }: Exploration): Record<string, string> =>
  Object.fromEntries(
    violations.flatMap(({ kind, name, clause, steps }) =>
      kind === 'leads-to' ? [] : [[name, `${clause} in ${steps.length}`]],
    ),
  )

/** A lost notification leaves both sides asleep for ever, with something out; nothing else does. */
const expectSleep = ({ violations }: Exploration): void => {
  const lost = violations.find(({ name }) => name === 'noKickIsLost' || name === 'noInterruptIsLost')
  const inTheEnd = violations.filter(({ kind }) => kind === 'leads-to')
  expect(inTheEnd.map(({ name, clause, steps, loopFrom }) => [name, clause, loopFrom! - steps.length])).toEqual(
    lost === undefined ? [] : [['whatIsPublishedComesBack', lost.clause, 0]],
  )
  for (const { steps } of inTheEnd) expect(steps.length).toBeGreaterThanOrEqual(lost!.steps.length)
}

const traceOf = ({ steps }: Violation): string =>
  steps
    .map(({ action, args, changes }) => [`${action}${argumentsText(args)}`, ...changesText(changes)].join('\n    '))
    .join('\n')

const violationOf = (machine: ScopedMachine, scope: string, law: string): Violation =>
  explore(machine.at(scope)).violations.find(({ name }) => name === law)!

describe('a barrier of the split ring that is missing', () => {
  const stale = (clause: string, taken: number, torn: number, read: number) => ({
    theDescriptorTakenIsTheOnePublished: `${clause} in ${taken}`,
    aDescriptorIsNeverTorn: `${clause} in ${torn}`,
    theBufferReadIsTheOnePublished: `${clause} in ${read}`,
  })
  it.each([
    ['without-driver-before-index', stale('VIO-SPLIT-17', 7, 8, 8)],
    ['weak-driver-before-index', { noAnswerIsReadFromABufferHandedOutAgain: 'ORD-04 in 40' }],
    ['without-driver-after-index', { noKickIsLost: 'VIO-SPLIT-18 in 41' }],
    [
      'without-driver-before-entry',
      { theUsedEntryIsTheOnePublished: 'ORD-01 in 24', theAnswerIsTheOnePublished: 'ORD-01 in 25' },
    ],
    ['without-driver-after-arming', { noInterruptIsLost: 'VIO-NTF-20 in 52' }],
    ['without-driver-second-look', { noInterruptIsLost: 'VIO-NTF-20 in 54' }],
    ['without-device-before-entry', stale('ORD-02', 11, 11, 12)],
    [
      'without-device-before-index',
      {
        theUsedEntryIsTheOnePublished: 'VIO-SPLIT-28 in 20',
        theAnswerIsTheOnePublished: 'VIO-SPLIT-13 in 21',
      },
    ],
    ['weak-device-before-index', { noBufferIsReadAfterItsReturn: 'VIO-SPLIT-32 in 26' }],
    ['without-device-after-index', { noInterruptIsLost: 'VIO-NTF-18 in 53' }],
    ['without-device-after-arming', { noKickIsLost: 'VIO-SPLIT-19 in 41' }],
    ['without-device-second-look', { noKickIsLost: 'VIO-SPLIT-19 in 43' }],
  ])('%s: breaks the laws that rest on it, and no other', (scope, laws) => {
    const found = explore(weakMemory.at(scope))
    expect(broken(found), found.violations.map(traceOf).join('\n\n')).toEqual(laws)
    expectSleep(found)
  })

  it('has a scope each', () => {
    const scopes = Object.keys(weakMemory.scopes)
    expect(PLACES.filter((place) => !scopes.includes(`without-${place}`))).toEqual([])
  })

  it('lets a driver read that no kick is wanted while its index is still in the store buffer', () => {
    const lost = violationOf(weakMemory, 'without-driver-after-index', 'noKickIsLost')
    const trace = traceOf(lost)
    const last = (action: string) => lost.steps.findLastIndex((step) => step.action === action)
    const drained = lost.steps.findLastIndex(({ args }) => args.index === 'availIdx')
    expect(last('driver.check'), trace).toBeGreaterThan(last('driver.publish'))
    expect(lost.steps.some(({ action }) => action === 'driver.barrierAfterIndex')).toBe(false)
    expect(last('device.lookAgain'), trace).toBeLessThan(drained)
    expect(trace).toContain('availIdx.stored: 1 -> 2')
    expect(trace).toContain('deviceSleeps: false -> true')
  })

  it.each([
    ['driver-after-index', 'release', 'noKickIsLost'],
    ['device-after-index', 'read', 'noInterruptIsLost'],
    ['driver-after-arming', 'read', 'noInterruptIsLost'],
    ['device-after-arming', 'release', 'noKickIsLost'],
  ] as const)('%s: is not made up for by a %s barrier', (place, keeps, law) => {
    const bounds = { without: PLACES.indexOf(place) + 1, keeps: LEFTOVERS.indexOf(keeps), requests: 2, ordering: 1 }
    const found = explore(weakMemory.at('explored', bounds))
    expect(Object.keys(broken(found))).toEqual([law])
    expectSleep(found)
  })

  it.each([
    [{ wrap: 2 }, /^weak-memory: bound wrap: expected a multiple of the size 1, three times it or more, found 2$/],
    [{ without: 11 }, /^weak-memory: bound without: expected 0, or the number of a barrier from 1 to 10, found 11$/],
    [{ keeps: 4 }, /^weak-memory: bound keeps: /],
  ])('refuses bounds %j', (bounds, message) => {
    expect(() => weakMemory.at('explored', bounds)).toThrow(message)
  })
})

describe('notifications on a bus', () => {
  it.each([
    ['explored', {}],
    ['intx', {}],
    ['software', {}],
    [
      'without-order-platform',
      {
        noKickIsLost: 'VIO-PLAT-04 in 9',
        theChainTakenIsTheOnePublished: 'VIO-PLAT-04 in 10',
        theUsedEntryIsTheOnePublished: 'VIO-PLAT-04 in 17',
      },
    ],
    ['doorbell-without-barrier', { noKickIsLost: 'ORD-03 in 9' }],
    ['message-that-overtakes', { noInterruptIsLost: 'ORD-06 in 19' }],
    ['intx-with-late-isr', { noInterruptIsLost: 'ORD-05 in 19' }],
  ])('%s', (scope, laws) => {
    const found = explore(busOrder.at(scope))
    expect(broken(found), found.violations.map(traceOf).join('\n\n')).toEqual(laws)
    expectSleep(found)
  })

  it('loses an interrupt that comes before what it announces, and nothing pushes that in time', () => {
    const { steps } = violationOf(busOrder, 'message-that-overtakes', 'noInterruptIsLost')
    const at = (action: string) => steps.findIndex((step) => step.action === action)
    expect(at('bus.deliver')).toBeLessThan(steps.findIndex(({ args }) => args.from === 'usedIdx'))
    expect(steps.at(-1)?.action).toBe('bus.write')
  })
})
