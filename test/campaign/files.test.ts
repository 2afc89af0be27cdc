import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Counterexample } from '../../src/campaign/counterexample.ts'
import { UsageError } from '../../src/campaign/exit.ts'
import { writeJsonFile } from '../../src/campaign/files.ts'
import { readCounterexample, replayCounterexample } from '../../src/campaign/main-side.ts'
import { campaignHere, freshFolder, toyAddress, toyModels } from './toy.ts'

let good: string
let folder: string
beforeAll(async () => {
  const { machine } = await campaignHere('wrong-echo', { runs: 20 })
  good = readFileSync(machine.counterexamples[0]!.file!, 'utf8')
  folder = freshFolder()
})

const written = (text: string | Uint8Array): string => {
  const file = path.join(folder, 'found.json')
  writeFileSync(file, text)
  return file
}
/** The good file with values put at dotted paths; `undefined` takes a field away. */
const changed = (values: Readonly<Record<string, unknown>>): string => {
  const file = JSON.parse(good)
  for (const [at, value] of Object.entries(values)) {
    const names = at.split('.')
    const last = names.pop()!
    const within = names.reduce((inner, name) => inner[name], file)
    if (value === undefined) delete within[last]
    else within[last] = value
  }
  return JSON.stringify(file)
}

describe('a counterexample file', () => {
  it('reads as it was written, and the same one gives the same bytes', () => {
    const found = readCounterexample(written(good))
    const copy = path.join(folder, 'copy.json')
    writeJsonFile(copy, found)
    expect(readFileSync(copy, 'utf8')).toBe(good)
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('holds no command that could be started', () => {
    const { target, replay } = readCounterexample(written(good))
    expect(target.address).toBe(toyAddress('wrong-echo'))
    expect(replay).toMatch(/^iospec replay FILE --target /)
  })

  const corruptions: [what: string, text: () => string | Uint8Array, error: RegExp][] = [
    ['empty', () => '', /expected a counterexample in JSON, found ""/],
    ['truncated', () => good.slice(0, good.length / 2), /expected a counterexample in JSON, found "\{/],
    ['noise', () => Uint8Array.of(0xff, 0xfe, 0, 27, 91, 51), /expected a counterexample in JSON/],
    ['null', () => 'null', /expected an object, found null/],
    ['a list', () => '[]', /expected an object, found \[\]/],
    [
      'of a later version',
      () => changed({ schemaVersion: 2, steps: 'x' }),
      /field `schemaVersion`: expected 1, found 2/,
    ],
    [
      'without a version',
      () => changed({ schemaVersion: undefined }),
      /field `schemaVersion`: expected 1, found nothing/,
    ],
    ['of another kind', () => changed({ kind: 'corpus' }), /field `kind`: expected "counterexample", found "corpus"/],
    ['without a plan', () => changed({ plan: undefined }), /field `plan`: expected a list.*, found nothing/],
    [
      'with a misspelt field',
      () => changed({ sed: 1 }),
      /field `sed`: expected no such field \(did you mean `seed`\?\), found 1/,
    ],
    [
      'with an unknown step',
      () => changed({ plan: [{ do: 'jump' }] }),
      /field `plan\.0\.do`: expected one of "act", "step", "settle", "save", found "jump"/,
    ],
    [
      'with a step by nobody',
      () => changed({ plan: [{ do: 'act', action: 'cat.meow', args: {} }] }),
      /field `plan\.0\.action`: expected an action such as "driver.kick"/,
    ],
    [
      'with a bad clause',
      () => changed({ 'finding.clause.basis': 'hearsay' }),
      /field `finding\.clause\.basis`: expected one of/,
    ],
    ['with a seed that is none', () => changed({ seed: 0.5 }), /field `seed`: expected an integer from/],
    ['with a path for a machine', () => changed({ machine: '../../x' }), /field `machine`: expected a machine such as/],
    [
      'with an escape sequence',
      () => changed({ verdict: '\u001b[31m' }),
      /field `verdict`: expected one of .*found "\\u001b\[31m"/,
    ],
  ]
  it.each(corruptions)('%s is refused in one line that names file and field', (_what, text, error) => {
    const file = written(text())
    const refused = (): Counterexample => readCounterexample(file)
    expect(refused).toThrow(UsageError)
    expect(refused).toThrow(error)
    expect(refused).toThrow(/^"[^\n]*found\.json": \P{Cc}*$/u)
  })

  it.each([
    [
      'an unknown action',
      { plan: [{ do: 'act', action: 'driver.pst', args: {} }] },
      /field `plan\.0\.action`: no action of toy is called "driver\.pst"; did you mean driver\.post\?/,
    ],
    [
      'an argument that does not fit',
      { plan: [{ do: 'act', action: 'driver.post', args: { value: 99 } }] },
      /field `plan`: steps\[0\]: driver\.post\.value: expected a whole number from 0 to 7, found 99/,
    ],
    [
      'an unknown bound',
      { scope: { name: 'played', bounds: { size: 3 } } },
      /field `scope`: toy: scope has no bound "size"/,
    ],
    ['an unknown machine', { machine: 'toi' }, /no machine is called "toi"/],
  ])('%s is refused when it is replayed', async (_what, values, error) => {
    const file = written(changed(values))
    const replay = replayCounterexample({ file, target: toyAddress('honest'), modelsFrom: toyModels })
    await expect(replay).rejects.toThrow(UsageError)
    await expect(replay).rejects.toThrow(error)
  })

  it('that is not there is refused', () => {
    expect(() => readCounterexample(path.join(folder, 'nowhere.json'))).toThrow(
      /nowhere\.json": expected a counterexample, found no file$/,
    )
    expect(() => readCounterexample(folder)).toThrow(/expected a counterexample, found a directory$/)
  })
})
