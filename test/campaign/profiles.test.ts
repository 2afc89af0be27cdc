import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { styleOf, summaryLines } from '../../src/report/index.ts'
import { campaignHere, campaignOn } from './toy.ts'

describe('profiles', () => {
  it('say which behaviour in use a counterexample equals, in its file and in the summary', async () => {
    const { result, machine } = await campaignHere('wrong-echo')
    expect(result.exit).toBe(1)
    expect(machine.counterexamples).toMatchObject([{ law: 'device.answer.echoes', profiles: ['one off'] }])
    expect(JSON.parse(readFileSync(machine.counterexamples[0]!.file!, 'utf8'))).toMatchObject({ profiles: ['one off'] })
    const text = summaryLines(result, () => undefined, styleOf(false)).join('\n')
    expect(text).toContain('    profile   deviates from the data sheet, equals profile one off')
  })

  it('are judged by when one is asked for, and a target that breaks another law equals none', async () => {
    const judged = await campaignHere('wrong-echo', { profile: 'one off' })
    expect([judged.result.exit, judged.machine.scope.bounds.slack]).toEqual([0, 1])
    const strict = await campaignHere('wrong-echo', { profile: 'strict' })
    expect(strict.machine.counterexamples).toMatchObject([{ profiles: ['one off'] }])
    const other = await campaignHere('two-bugs')
    expect(other.machine.counterexamples.map(({ law, profiles }) => [law, profiles])).toContainEqual([
      'owes device.answer',
      [],
    ])
  })

  it('have names, and another one is told with the nearest', async () => {
    await expect(campaignOn('honest', { profile: 'one of' })).rejects.toThrow('did you mean one off?')
  })
})
