import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Deviation, KnownDeviations, readDeviations, shippedDeviations } from '../../src/campaign/deviations.ts'
import { styleOf, summaryLines } from '../../src/report/index.ts'
import { campaignHere, freshFolder } from './toy.ts'

const entry: Deviation = {
  target: 'toy',
  version: '1.2',
  machine: 'toy',
  law: 'device.answer.echoes',
  clause: 'TOY-ECHO-01',
  reason: 'sevens come back as sixes',
}

const listOf = (deviations: unknown[], file = path.join(freshFolder(), 'known.json')): string => {
  writeFileSync(file, JSON.stringify({ schemaVersion: 1, kind: 'deviations', deviations }))
  return file
}

describe('known deviations', () => {
  it('let a campaign pass, and say how often they were met', async () => {
    const { result, machine } = await campaignHere('wrong-echo', { deviations: [listOf([entry])] })
    expect([result.exit, machine.verdict, machine.counterexamples]).toEqual([0, 'conforms', []])
    expect(machine.deviations).toMatchObject([{ law: entry.law, stale: false, reason: entry.reason }])
    expect(machine.deviations[0]!.met).toBeGreaterThan(0)
    expect(machine.clauses.find(({ id }) => id === 'TOY-ECHO-01')?.status).toBe('known')
  })

  it('leave everything else in force', async () => {
    const { result, machine } = await campaignHere('two-bugs', { deviations: [listOf([entry])] })
    expect(result.exit).toBe(1)
    expect(machine.counterexamples.map(({ clause }) => clause)).toEqual(['TOY-OWES-01'])
  })

  it('may name single bugs, which are shown and do not fail a campaign', async () => {
    const bugIds = (await campaignHere('wrong-echo')).machine.counterexamples.map(({ bugId }) => bugId)
    const known = await campaignHere('wrong-echo', { deviations: [listOf([{ ...entry, bugIds }])] })
    expect([known.result.exit, known.machine.verdict]).toEqual([0, 'conforms'])
    expect(known.machine.counterexamples).toMatchObject([{ known: true, bugId: bugIds[0] }])
    expect(known.machine.clauses.find(({ id }) => id === 'TOY-ECHO-01')?.status).toBe('known')
    const other = await campaignHere('wrong-echo', { deviations: [listOf([{ ...entry, bugIds: ['0000000000'] }])] })
    expect([other.result.exit, other.machine.counterexamples[0]?.known]).toEqual([1, false])
  })

  it('may name what is seen of a crash, in whatever form it comes', async () => {
    const crash = { ...entry, law: 'crashes', clause: 'SAF-03' }
    const told = async (narrow: object) => {
      const { result, machine } = await campaignHere('throws', { deviations: [listOf([{ ...crash, ...narrow }])] })
      return [result.exit, machine.counterexamples.map(({ known }) => known)]
    }
    expect(await told({ lastWords: '*boom*' })).toEqual([0, [true]])
    expect(await told({ observed: '*boom*' })).toEqual([0, [true]])
    expect(await told({ lastWords: '*boom*', observed: 'nothing of the kind' })).toEqual([1, [false]])
  })

  it('are stale when their clause was decided a thousand times without them', async () => {
    const { result, machine } = await campaignHere('honest', { deviations: [listOf([entry])] })
    expect([result.exit, machine.deviations[0]!.stale]).toEqual([0, true])
    expect(result.warnings).toEqual([expect.stringContaining('device.answer.echoes@TOY-ECHO-01: stale')])
    const few = await campaignHere('honest', { runs: 20, deviations: [listOf([entry])] })
    expect(few.machine.deviations[0]!.stale).toBe(false)
  })

  it('may say that a target follows a profile, and then it is judged by that', async () => {
    const file = path.join(freshFolder(), 'profiles.json')
    const follows = {
      target: 'toy',
      version: '1.2',
      machine: 'toy',
      profile: 'one off',
      reason: 'sevens come as sixes',
    }
    writeFileSync(file, JSON.stringify({ schemaVersion: 1, kind: 'deviations', deviations: [], profiles: [follows] }))
    const { result, machine } = await campaignHere('wrong-echo', { deviations: [file] })
    expect([result.exit, machine.verdict]).toEqual([0, 'conforms'])
    expect([machine.profile, machine.scope.bounds.slack, machine.counterexamples]).toEqual(['one off', 1, []])
    expect(summaryLines(result, () => undefined, styleOf(false)).join('\n')).toContain(', by profile one off')
    const asked = await campaignHere('wrong-echo', { deviations: [file], profile: 'strict' })
    expect([asked.result.exit, asked.machine.profile]).toEqual([1, 'strict'])
    const other = await campaignHere('two-bugs', { deviations: [file] })
    expect(other.machine.counterexamples.filter(({ known }) => !known).map(({ clause }) => clause)).toContain(
      'TOY-OWES-01',
    )
  })

  it('name profiles that there are', async () => {
    const file = path.join(freshFolder(), 'unknown.json')
    const follows = { target: 'toy', version: '1.2', machine: 'toy', profile: 'one of', reason: 'gone' }
    writeFileSync(file, JSON.stringify({ schemaVersion: 1, kind: 'deviations', deviations: [], profiles: [follows] }))
    await expect(campaignHere('honest', { deviations: [file] })).rejects.toThrow('did you mean one off?')
  })

  it('warn when their day is over', async () => {
    const { result } = await campaignHere('wrong-echo', {
      deviations: [listOf([{ ...entry, since: '2001-01-01', expires: '2002-01-01' }])],
    })
    expect(result.warnings).toEqual([expect.stringContaining('expired on 2002-01-01')])
  })

  it.each([
    ['toy', '1.2', true],
    ['toy', '1.2 (Debian 1:1.2+x)', true],
    ['toy', '1.2+abc', true],
    ['toy', '1.20', false],
    ['toy', '11.2', false],
    ['toyland', '1.2', false],
  ])('of toy 1.2 concern %s %s: %s', (name, version, expected) => {
    const known = new KnownDeviations([{ deviations: [entry], profiles: [] }], { name, version }, '2026-01-01')
    expect(known.of('toy').length === 1).toBe(expected)
  })

  it('match names by pattern, and nothing in it is a regular expression', () => {
    const pattern = { ...entry, target: 'to*', version: '1.*' }
    expect(
      new KnownDeviations([{ deviations: [pattern], profiles: [] }], { name: 'toyland', version: '1.9.3' }, '').of(
        'toy',
      ),
    ).toHaveLength(1)
    expect(
      new KnownDeviations([{ deviations: [pattern], profiles: [] }], { name: 'toyland', version: '2.1' }, '').of('toy'),
    ).toHaveLength(0)
    expect(
      new KnownDeviations(
        [{ deviations: [{ ...entry, target: 't.y' }], profiles: [] }],
        { name: 'toy', version: '1.2' },
        '',
      ).of('toy'),
    ).toEqual([])
  })

  it.each([
    [{ ...entry, law: undefined }, /field `deviations\.0\.law`: expected a string, found nothing/],
    [{ ...entry, bugIds: [] }, /field `deviations\.0\.bugIds`: expected a list of at least 1/],
    [{ ...entry, expires: 'soon' }, /field `deviations\.0\.expires`: expected a day such as/],
    [{ ...entry, law: 'crashes', clause: 'SAF-03' }, /field `deviations\.0\.bugIds`: expected the bugs that are known/],
  ])('%# are refused in one line', (bad, error) => {
    expect(() => readDeviations(listOf([bad]))).toThrow(error)
  })

  it('that are shipped can be read', () => {
    expect(Array.isArray(shippedDeviations())).toBe(true)
  })
})
