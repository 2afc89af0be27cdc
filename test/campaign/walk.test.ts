import { describe, expect, it } from 'vitest'
import { counterexample } from '../../src/campaign/counterexample.ts'
import { readChosen } from '../../src/campaign/walk-letters.ts'
import { type WalkTargetOptions, walkTarget } from '../../src/campaign/walk-target.ts'
import { type PlanStep, sameStep } from '../../src/kernel/play/plan.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { deviceStatusModel } from '../../src/models/device-status.ts'
import { splitQueueModel } from '../../src/models/split-queue.ts'
import { openReference } from '../../src/targets/reference.ts'
import { SHORTEST } from '../shrink/bugs.ts'
import { type Bug, OfficeTarget, officeModel, postOffice } from '../shrink/post-office.ts'

const LETTER = 'colour white, labels [], reply none'
const OFFICE = [
  ...[0, 1, 2].map((box) => `driver.post(box ${box}, weight 1000, ${LETTER})`),
  ...['driver.ring', 'driver.take(box 0)', 'driver.beQuiet', 'driver.speakAgain'],
]

const walkOffice = (bug: Bug, words: readonly string[], depth: number, more: Partial<WalkTargetOptions> = {}) =>
  walkTarget({
    ...{ model: officeModel, address: 'module:./office.ts', open: async () => new OfficeTarget(bug), depth },
    ...{ small: postOffice.at('explored'), maxStates: 100_000, hostile: [], only: readChosen(postOffice, words) },
    ...more,
  })

const walkReference = (
  model: typeof splitQueueModel,
  words: readonly string[],
  depth: number,
  fault?: string,
  more: Partial<WalkTargetOptions> = {},
) =>
  walkTarget({
    ...{ model, address: 'reference:virtio-blk', depth, maxStates: 100_000, hostile: [] },
    open: async () => openReference({ queues: 2, ...(fault === undefined ? {} : { fault }) }),
    ...{ small: model.machine.at('explored'), only: readChosen(model.machine, words), ...more },
  })

describe('a walk', () => {
  it('holds on an honest implementation, and says for which plans', async () => {
    const walked = await walkOffice('none', OFFICE, 5)
    expect(walked).toMatchObject({ result: 'holds', depth: 5, closed: false, cutShort: null, counterexamples: [] })
    expect(walked.laws).toContainEqual(expect.objectContaining({ law: 'owes device.call', outcome: 'holds' }))
    // The duty of the driver is no law of the implementation.
    expect(walked.laws.some(({ clause }) => clause === 'POST-5')).toBe(false)
    const closed = await walkOffice('none', ['driver.ring', 'driver.beQuiet'], 9)
    expect(closed).toMatchObject({ result: 'holds', closed: true })
    expect(closed.laws).toContainEqual(expect.objectContaining({ law: 'owes device.stamp', outcome: 'undecided' }))
  })

  it.each([
    ['heavyFourth', OFFICE.slice(0, 4)],
    ['lostCall', OFFICE],
  ] as const)('finds %s by a shortest plan', async (bug, words) => {
    // Its weight has to be posted four times in the same box, or in others: what is chosen decides how short it can be.
    const posts = [0, 1, 2, 3].map((box) => `driver.post(box ${box}, weight 1000, ${LETTER})`)
    const only = bug === 'heavyFourth' ? [...posts, 'driver.ring'] : words
    const length = SHORTEST[bug]
    expect(await walkOffice(bug, only, length - 1)).toMatchObject({ result: 'holds' })
    const { result, counterexamples } = await walkOffice(bug, only, length)
    expect(result).toBe('violated')
    expect(counterexamples.map(({ steps, minimality }) => ({ steps, minimality }))).toEqual([
      { steps: length, minimality: 'proved' },
    ])
    expect(counterexample.decode(JSON.parse(JSON.stringify(counterexamples[0])))._tag).toBe('Right')
  })

  it('loses nothing by not continuing from states that it knows', async () => {
    const machine = postOffice.at('played')
    const small = [...OFFICE.slice(0, 2), 'driver.ring', 'driver.take(box 0)']
    const letters: PlanStep[] = readChosen(postOffice, small).map(({ action, args }) => ({
      ...{ do: 'act', action: machine.action(action), args, hostile: false },
    }))
    letters.push({ do: 'step', count: 1 }, { do: 'settle' })
    const runner = new Runner(officeModel, machine, new OfficeTarget('none'), { fingerprint: true })
    const reached = new Set<string>()
    let plans: PlanStep[][] = [[]]
    for (let length = 0; length < 5; length++) {
      plans = plans.flatMap((plan) => {
        const result = runner.run({ steps: plan })
        const isLiteral = plan.every((step, i) => sameStep(step, result.performed[i] ?? { do: 'save' }))
        if (!isLiteral || result.reached === undefined) return []
        reached.add(result.reached)
        return letters.map((letter) => [...plan, letter])
      })
    }
    expect((await walkOffice('none', small, 5)).states).toBe(reached.size)
    expect(reached.size).toBeGreaterThan(15)
  })

  it('goes on with a fresh instance after one that crashed', async () => {
    const words = [...OFFICE.slice(0, 2), 'driver.ring', 'driver.take(box 0)', 'driver.take(box 1)']
    const { result, counterexamples, depth } = await walkOffice('crash', words, SHORTEST.crash + 1)
    expect(result).toBe('violated')
    expect(depth).toBe(SHORTEST.crash + 1)
    expect(counterexamples[0]).toMatchObject({ verdict: 'crashes', minimality: 'unknown', steps: 6 })
  })

  it('that is cut short never holds', async () => {
    const few = await walkOffice('none', OFFICE, 6, { maxStates: 20 })
    expect(few.result).toBe('cut-short')
    expect(few.cutShort).toMatch(/more than 20 states, the bound of this run among the plans of \d steps/)
    expect((await walkOffice('none', OFFICE, 6, { interrupted: () => true })).result).toBe('cut-short')
    expect((await walkOffice('none', OFFICE, 6, { seconds: 0 })).result).toBe('cut-short')
    const forgetful = Object.assign(new OfficeTarget('none'), { n: 0 })
    forgetful.fingerprint = () => `${forgetful.n++ >> 2}`
    expect((await walkOffice('none', OFFICE, 3, { open: async () => forgetful })).result).not.toBe('holds')
  })

  it('is refused on a target that cannot be walked, and with letters that there are not', async () => {
    const blind = new OfficeTarget('none')
    const description = blind.describe()
    blind.describe = () => ({ ...description, can: { ...description.can, fingerprint: false } })
    await expect(walkOffice('none', OFFICE, 2, { open: async () => blind })).rejects.toThrow(/fingerprint false/)
    expect(() => readChosen(postOffice, ['driver.rang'])).toThrow(/no action "driver.rang"; did you mean driver.ring/)
    expect(() => readChosen(postOffice, ['driver.take(bx 1)'])).toThrow(/no argument "bx"; did you mean box/)
    expect(() => readChosen(postOffice, ['driver.take(box 9)'])).toThrow(/argument box: expected a whole number from 0/)
  })
})

describe('the reference', () => {
  const start = 'driver.start(eventIdx false, indirect false, ringReset false, withQueue true)'
  const queue = [
    start,
    'driver.add(head 0, via direct, defect none)',
    'driver.publish',
    'driver.kick',
    'driver.consume',
  ]

  const walkOf = (more: Partial<WalkTargetOptions>, fault?: string) =>
    walkReference(splitQueueModel, queue, 5, fault, more)

  it('keeps the laws of its status in every plan of three steps, and of its queue in every plan of five', async () => {
    expect(await walkReference(deviceStatusModel, [], 3)).toMatchObject({ result: 'holds', unjudged: [] })
    const walked = await walkReference(splitQueueModel, queue, 5)
    expect(walked).toMatchObject({ result: 'holds', unjudged: [] })
    expect(walked.goals.aReturnedChain).toBe(4)
  })

  it('is saved and restored at every point, which changes nothing but where what is saved is not all', async () => {
    const walked = await walkOf({ depth: 4 })
    // Once in every state that plans are continued from.
    expect(walked).toMatchObject({ result: 'holds', saves: walked.states })
    const { states, saves, transitions } = walked
    const unsaved = await walkOf({ depth: 4, saves: false })
    expect(unsaved).toMatchObject({ result: 'holds', saves: 0, states, transitions: transitions - saves })

    const fault = 'mig-pending-kick-lost'
    expect(await walkOf({ saves: false }, fault)).toMatchObject({ result: 'holds' })
    const { counterexamples } = await walkOf({}, fault)
    expect(counterexamples[0]).toMatchObject({ minimality: 'proved', finding: { law: 'owes device.return' } })
    expect(counterexamples[0]!.plan.map((step) => (step.do === 'act' ? step.action : step.do))).toEqual([
      ...['driver.start', 'driver.add', 'driver.publish', 'driver.kick', 'save', 'settle'],
    ])
  })

  it('with a seeded fault breaks a law in a plan of few steps', async () => {
    const early = await walkReference(splitQueueModel, queue, 4, 'vq-interrupt-before-used-index')
    expect(early.counterexamples[0]).toMatchObject({ steps: 4, finding: { law: 'owes device.interrupt' } })
    const fault = 'vq-event-index-reads-flags'
    const events = [
      ...[start.replace('eventIdx false', 'eventIdx true'), 'driver.add(head 0, via direct, defect none)'],
      ...[
        'driver.add(head 1, via direct, defect none)',
        'driver.publish',
        'driver.kick',
        'driver.setUsedEvent(ahead 1)',
      ],
    ]
    expect((await walkReference(splitQueueModel, events, 6, fault)).counterexamples[0]).toMatchObject({
      ...{ steps: 6, minimality: 'proved', finding: { law: 'owes device.interrupt' } },
    })
  })
})
