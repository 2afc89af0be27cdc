import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { replayCounterexample, runCampaign, runHere } from '../../src/campaign/main-side.ts'
import type { CampaignResult } from '../../src/campaign/types.ts'
import * as language from '../../src/kernel/language/index.ts'
// @ts-expect-error: plain JavaScript, so that it serves the compiled project too
import { toyModel, toyTarget } from '../fixtures/campaign/toy.mjs'
import { campaignHere, campaignOn, freshFolder, toyAddress, toyModels } from './toy.ts'

/** Without what depends on the clock and on the machine that runs it. */
const timeless = (result: CampaignResult): unknown =>
  JSON.parse(
    JSON.stringify(result, (key, value) => (key === 'seconds' ? 0 : key === 'file' ? path.basename(value) : value)),
  )

describe('a campaign', () => {
  it('finds that an honest target conforms, and says what it decided', async () => {
    const { result, machine, events } = await campaignOn('honest')
    expect(result).toMatchObject({
      target: { name: 'toy', version: '1.2', address: toyAddress('honest') },
      seed: 1,
      interrupted: false,
      exit: 0,
      warnings: [],
    })
    expect(machine).toMatchObject({ runs: 150, verdict: 'conforms', missed: [], counterexamples: [], inconclusive: 0 })
    expect(result.commands).toBe(machine.commands)
    const rows = Object.fromEntries(result.clauses.map(({ id, status, decided }) => [id, { status, decided }]))
    expect(rows['TOY-ECHO-01']?.status).toBe('kept')
    expect(rows['TOY-ECHO-01']?.decided).toBeGreaterThan(1000)
    expect(rows['TOY-POST-01']).toEqual({ status: 'not-applicable', decided: 0 })
    expect(rows['SAF-03']).toEqual({ status: 'kept', decided: 150 })
    const kinds = events.map(({ kind }) => kind).filter((kind) => kind !== 'progress')
    expect(kinds).toEqual(['campaign-start', 'machine-start', 'machine-done', 'campaign-done'])
  })

  it('shrinks what it finds, to a file that replays there and not elsewhere', async () => {
    const { result, machine } = await campaignOn('wrong-echo')
    expect([result.exit, machine.verdict, machine.counterexamples.length]).toEqual([1, 'violates', 1])
    const [found] = machine.counterexamples
    expect(found).toMatchObject({ clause: 'TOY-ECHO-01', law: 'device.answer.echoes', steps: 2, known: false })
    expect(found!.reproduced).toEqual({ times: 1, of: 1 })
    const file = found!.file!
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      schemaVersion: 1,
      machine: 'toy',
      bugId: found!.bugId,
      plan: [
        { do: 'act', action: 'driver.post', args: { value: 7 } },
        { do: 'act', action: 'driver.post', args: { value: 7 } },
      ],
      difference: [],
      finding: { expected: 'The toy keeps TOY-ECHO-01.', observed: 'device.answer(value 6)' },
    })
    const again = await replayCounterexample({ file, target: toyAddress('wrong-echo'), modelsFrom: toyModels })
    expect(again).toMatchObject({ reproduced: true, verdict: 'violates', clause: 'TOY-ECHO-01', diverged: undefined })
    const honest = await replayCounterexample({ file, target: toyAddress('honest'), modelsFrom: toyModels })
    expect(honest).toMatchObject({ reproduced: false, verdict: 'conforms', clause: undefined })
    expect(honest.diverged).toMatchObject({
      expected: { by: 'target', action: 'device.answer', args: { value: 6 } },
      found: { by: 'target', action: 'device.answer', args: { value: 7 } },
    })
  })

  it.each(['two-bugs', 'takes-pokes'])('finds the same on %s with one worker, with two, and here', async (target) => {
    const [one, two] = [await campaignOn(target, { workers: 1 }), await campaignOn(target, { workers: 2 })]
    expect(timeless(two.result)).toEqual(timeless(one.result))
    // How often a fresh target is opened here depends on how long that takes, and so do counts; what is found does not.
    const found = ({ machine }: typeof one): unknown =>
      [...machine.counterexamples, ...machine.hardening].map(({ bugId, run, steps }) => [bugId, run, steps])
    expect(found(await campaignHere(target))).toEqual(found(one))
  })

  it('goes on after a violation, so that the next law is found broken too', async () => {
    const { machine } = await campaignHere('two-bugs')
    expect(machine.counterexamples.map(({ law, steps }) => [law, steps]).sort()).toEqual([
      ['device.answer.echoes', 1],
      ['owes device.answer', 1],
    ])
    expect(machine.runs).toBe(150)
    const gaveUp = await campaignHere('two-bugs', { maxBugs: 1 })
    expect(gaveUp.machine.reason).toContain('given up after 1 different bugs')
    expect(gaveUp.machine.counterexamples).toHaveLength(1)
  })

  it('reports hardening under that name, and no violation', async () => {
    const { result, machine } = await campaignHere('takes-pokes')
    expect([result.exit, machine.verdict]).toEqual([0, 'conforms'])
    expect(machine.counterexamples).toEqual([])
    expect(machine.hardening).toMatchObject([{ clause: 'HRD-TOY-01', basis: 'hardening', steps: 1 }])
    expect(machine.clauses.find(({ id }) => id === 'HRD-TOY-01')?.status).toBe('departed')
    const file = machine.hardening[0]!.file!
    const again = await replayCounterexample({ file, target: toyAddress('takes-pokes'), modelsFrom: toyModels })
    expect(again).toMatchObject({ reproduced: true, clause: 'HRD-TOY-01' })
  })

  it('finds what outlives a reset, as one plan with the reset in it', async () => {
    const { machine } = await campaignHere('leaks', { runs: 60 })
    const file = JSON.parse(readFileSync(machine.counterexamples[0]!.file!, 'utf8'))
    expect(file.plan.length).toBe(13)
    const again = await replayCounterexample({
      file: machine.counterexamples[0]!.file!,
      target: toyAddress('leaks'),
      modelsFrom: toyModels,
    })
    expect(again.reproduced).toBe(true)
  })

  it('does not convict on what never comes again', async () => {
    const { result, machine } = await campaignHere('once', { runs: 50 })
    expect(machine.unjudged).toMatchObject([
      { verdict: 'inconclusive', clause: 'TOY-ECHO-01', reproduced: { times: 0, of: 5 } },
    ])
    expect([result.exit, machine.verdict, machine.counterexamples]).toEqual([4, 'inconclusive', []])
    expect(machine.clauses.find(({ id }) => id === 'TOY-ECHO-01')?.status).toBe('undecided')
  })

  it('confirms silence of an asynchronous target several times', async () => {
    const { machine } = await campaignHere('forgets-slowly', { runs: 20, graceMs: 1 })
    expect(machine.counterexamples).toMatchObject([{ law: 'owes device.answer', reproduced: { times: 3, of: 3 } }])
  })

  it('is inconclusive when a goal was missed', async () => {
    const { result, machine } = await campaignHere('honest', { runs: 1, maxSteps: 1 })
    expect([result.exit, machine.verdict]).toEqual([4, 'inconclusive'])
    expect(machine.reason).toContain(machine.missed.join(', '))
  })

  it('says why a machine is not applicable', async () => {
    const address = new URL('../fixtures/modules/honest.mjs', import.meta.url).pathname
    const { result, machine } = await campaignHere('honest', { target: `module:${address}` })
    expect([result.exit, machine.verdict, machine.reason]).toEqual([4, 'not-applicable', 'it has no toy'])
    expect(new Set(machine.clauses.map(({ status }) => status))).toEqual(new Set(['not-applicable']))
  })

  it('runs earlier failures first, and they shift nothing', async () => {
    const directory = freshFolder()
    const options = { directory, corpus: true, runs: 100 }
    const first = await campaignOn('wrong-echo', options)
    const second = await campaignOn('wrong-echo', options)
    expect(second.machine.counterexamples).toMatchObject([{ bugId: first.machine.counterexamples[0]!.bugId, run: -1 }])
    const honest = await campaignOn('honest', options)
    expect(honest.machine.runs).toBe(101)
    writeFileSync(path.join(directory, 'corpus', 'toy', 'bad.json'), '{')
    const warned = await campaignOn('honest', options)
    expect(warned.result.warnings).toEqual([expect.stringContaining('bad.json')])
    expect(warned.machine.runs).toBe(101)
  })

  it.each([
    [{ machines: ['toi'] }, 'no machine is called "toi"; did you mean toy?'],
    [{ target: 'modul:x' }, 'no door is called "modul"; did you mean module?'],
    [{ runs: -1 }, 'option runs: expected a whole number from 0'],
    [{ hostile: 2 }, 'option hostile: expected a number from 0 to 1, found 2'],
    [{ target: 'module:./nowhere.mjs' }, 'expected a file'],
    [{ deviations: ['./nowhere.json'] }, 'expected a list of known deviations, found no file'],
  ])('refuses %j in one line', async (options, message) => {
    const directory = path.join(freshFolder(), 'results')
    const refusal = campaignOn('honest', { directory, ...options })
    await expect(refusal).rejects.toThrow(message)
    await expect(refusal).rejects.toThrow(/^[^\n]*$/)
    expect(existsSync(directory)).toBe(false)
  })

  it('runs in this thread on a target and a model that are at hand', async () => {
    const model = toyModel(language)
    const opener = async () => toyTarget({ wrong: (value: number) => (value === 2 ? 3 : value) })
    const result = await runHere(
      { target: 'module:', machines: 'all', runs: 50, seed: 1, write: false, corpus: false },
      { opener, models: [model] },
    )
    expect(result.machines).toMatchObject([{ machine: 'toy', verdict: 'violates', counterexamples: [{ steps: 1 }] }])
  })

  it('plays several machines on the reference', async () => {
    const result = await runCampaign({
      target: 'reference:virtio-blk',
      machines: ['config-space', 'device-status'],
      runs: 60,
      seed: 3,
      write: false,
      corpus: false,
    })
    expect(result.machines.map(({ machine }) => machine)).toEqual(['config-space', 'device-status'])
    expect(result.machines.flatMap(({ counterexamples }) => counterexamples)).toEqual([])
    expect(result.clauses.filter(({ status }) => status === 'violated')).toEqual([])
  })
})
