import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { compareTargets, type Performance, planOfLog } from '../../src/campaign/comparison.ts'
import { freshFolder, toyAddress, toyModels } from './toy.ts'

const post = (value: number) => ({ do: 'act', action: 'driver.post', args: { value } }) as const
const given = (...values: number[]): Performance => ({ machine: 'toy', plan: values.map(post), prelude: [] })
const on = (performance: Performance, ...targets: string[]) =>
  compareTargets({ performance, targets: targets.map(toyAddress), modelsFrom: toyModels })

describe('a comparison', () => {
  it('tells the first step where targets part, who is right, and what the other one equals', async () => {
    const result = await on(given(1, 7, 7, 2), 'honest', 'wrong-echo')
    expect(result).toMatchObject({ parted: true, runs: 1 })
    expect(result.common.map((step) => ('action' in step ? step.action : step.do))).toEqual([
      ...['driver.post', 'device.answer', 'driver.post', 'device.answer', 'driver.post'],
    ])
    expect(result.sides).toMatchObject([
      { address: toyAddress('honest'), verdict: 'conforms', found: { args: { value: 7 } }, profiles: [] },
      {
        ...{ address: toyAddress('wrong-echo'), verdict: 'violates', found: { args: { value: 6 } } },
        ...{ law: 'device.answer.echoes', clause: 'TOY-ECHO-01', profiles: ['one off'] },
      },
    ])
    expect(result.view).toBe(`${toyAddress('honest')} is right; ${toyAddress('wrong-echo')} deviates (TOY-ECHO-01)`)
  })

  it('draws plans until they part', async () => {
    const result = await on({ machine: 'toy', seed: 1, runs: 40 }, 'wrong-echo', 'honest')
    expect(result.parted).toBe(true)
    expect(result.run).toBe(result.runs - 1)
    const same = await on({ machine: 'toy', seed: 1, runs: 3 }, 'honest', 'honest')
    expect(same).toMatchObject({ parted: false, runs: 3, view: 'they do the same, and it is allowed' })
  })

  it('reads a log, of which only what was performed counts', async () => {
    const file = path.join(freshFolder(), 'log.jsonl')
    const lines = [
      { schemaVersion: 1, machine: 'toy', target: { name: 'other', version: '1' } },
      { action: 'driver.post', args: { value: 3 } },
      { action: 'device.answer', args: { value: 5 } },
      { quiet: true },
    ]
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    const performance = await planOfLog(file, toyModels)
    expect(performance).toMatchObject({ plan: [{ ...post(3) }, { do: 'settle' }] })
    expect(await on(performance, 'honest', 'wrong-echo')).toMatchObject({ parted: false })
  })
})
