import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/campaign/exit.ts'
import { runCampaign } from '../../src/campaign/main-side.ts'
import { campaignOn, freshFolder, toyModels } from './toy.ts'

const header = { schemaVersion: 1, machine: 'toy', target: { name: 'recorded', version: '9' } }
const post = (value: number) => ({ by: 'us', action: 'driver.post', args: { value } })
const answer = (value: number) => ({ by: 'target', action: 'device.answer', args: { value } })
const quiet = { quiet: true }

const judged = async (lines: readonly unknown[], options = {}) => {
  const file = path.join(freshFolder(), 'trace.jsonl')
  writeFileSync(file, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
  return campaignOn('honest', { target: `log:${file}`, ...options })
}

describe('a log', () => {
  it('that keeps the rules conforms', async () => {
    const { result, machine } = await judged([header, post(7), answer(7), quiet, post(0), answer(0), quiet, ''])
    expect([result.exit, machine.verdict, result.commands]).toEqual([0, 'conforms', 4])
    expect(result.target).toMatchObject({ name: 'recorded', version: '9' })
    expect(machine.goals).toEqual({ aLowValue: 1, anAnswer: 2 })
    expect(machine.clauses.find(({ id }) => id === 'TOY-ECHO-01')).toMatchObject({ status: 'kept', decided: 2 })
  })

  it('convicts the device, with the line', async () => {
    const wrong = await judged([header, post(7), answer(6), quiet])
    expect([wrong.result.exit, wrong.machine.reason]).toEqual([
      1,
      'line 3: device.answer.echoes, device.answer(value 6)',
    ])
    const silent = await judged([header, post(7), quiet])
    expect(silent.machine.reason).toBe('line 3: owes device.answer, the target is quiet and owes it')
    const pending = await judged([header, post(7)])
    expect(pending.machine.verdict).toBe('conforms')
  })

  it('that has no end is judged until that is stopped, with what was seen up to then', async () => {
    const file = path.join(freshFolder(), 'pipe')
    execFileSync('mkfifo', [file])
    const pipe = openSync(file, 'r+')
    try {
      writeSync(pipe, [header, post(7), answer(7)].map((line) => `${JSON.stringify(line)}\n`).join(''))
      const controller = new AbortController()
      const options = { target: `log:${file}`, machines: 'all', modelsFrom: toyModels, runs: 1, seed: 1 } as const
      const judging = runCampaign(options, { signal: controller.signal })
      setTimeout(() => controller.abort(), 200)
      const { interrupted, exit, machines } = await judging
      expect({ interrupted, exit, machines }).toMatchObject({
        ...{ interrupted: true, exit: 130 },
        machines: [{ machine: 'toy', verdict: 'inconclusive', reason: 'interrupted', steps: 2 }],
      })
    } finally {
      closeSync(pipe)
    }
  })

  it('goes on after a start anew', async () => {
    const { machine } = await judged([header, post(7), answer(6), post(1), { restart: true }, post(1), answer(2)])
    expect(machine.counterexamples.map(({ observed }) => observed)).toEqual([
      'line 3: device.answer(value 6)',
      'line 7: device.answer(value 2)',
    ])
    expect(machine.runs).toBe(2)
  })

  it('convicts the driver when it is its turn', async () => {
    const lines = [header, post(1), post(2), answer(2)]
    const device = await judged(lines)
    expect([device.result.exit, device.machine.verdict]).toEqual([0, 'conforms'])
    const driver = await judged(lines, { side: 'driver' })
    expect([driver.result.exit, driver.machine.reason]).toEqual([
      1,
      'line 3: driver.post.oneAtATime, driver.post(value 2)',
    ])
    expect(driver.machine.clauses.find(({ id }) => id === 'TOY-POST-01')).toMatchObject({ decided: 2, violated: 1 })
  })

  it('takes the steps of a counterexample as they are', async () => {
    const rest = { by: 'schedule', do: 'settle' }
    const { machine } = await judged([header, post(3), { by: 'schedule', do: 'step', count: 2 }, rest])
    expect(machine.counterexamples).toMatchObject([{ law: 'owes device.answer', clause: 'TOY-OWES-01' }])
  })

  it.each([
    ['nothing', [], /expected a header and lines after it, found an empty file/],
    ['no header', [post(1)], /line 1: field `schemaVersion`: expected 1, found nothing/],
    ['another version', [{ ...header, schemaVersion: 9 }], /line 1: field `schemaVersion`: expected 1, found 9/],
    ['an unknown machine', [{ ...header, machine: 'toi' }], /no machine is called "toi"; did you mean toy\?/],
    [
      'an unknown bound',
      [{ ...header, scope: { name: 'played', bounds: { x: 1 } } }],
      /line 1: field `scope`: toy: scope has no bound "x"/,
    ],
    [
      'no JSON',
      [header, post(1), 'Segmentation fault'],
      /line 3: expected a line of a log in JSON, found "Segmentation fault"/,
    ],
    [
      'a misspelt field',
      [header, { acton: 'driver.post', args: {} }],
      /line 2: field `acton`: expected no such field \(did you mean `action`\?\)/,
    ],
    [
      'an unknown action',
      [header, { action: 'driver.pst', args: {} }],
      /line 2: toy: no action is called "driver\.pst"/,
    ],
    [
      'an argument that does not fit',
      [header, post(8)],
      /line 2: driver\.post\.value: expected a whole number from 0 to 7, found 8/,
    ],
    ['a false mark', [header, { quiet: false }], /line 2: field `quiet`: expected true, found false/],
  ])('with %s is refused in one line', async (_what, lines, error) => {
    const refusal = judged(lines)
    await expect(refusal).rejects.toThrow(error)
    await expect(refusal).rejects.toThrow(UsageError)
    await expect(refusal).rejects.toThrow(/^[^\n]*$/)
  })

  it('of another machine than the one asked for is refused', async () => {
    await expect(judged([header], { modelsFrom: undefined, machines: ['split-queue'] })).rejects.toThrow(
      /no machine is called "toy"/,
    )
  })
})
