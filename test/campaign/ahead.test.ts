/** Plans that are drawn while a target is busy are those that are drawn without. */
import { describe, expect, it } from 'vitest'
import { Ahead } from '../../src/campaign/ahead.ts'
import { runHere } from '../../src/campaign/main-side.ts'
import type { OpenOptions } from '../../src/contract/target.ts'
import * as language from '../../src/kernel/language/index.ts'
import { Drawing } from '../../src/kernel/play/drawing.ts'
// @ts-expect-error: plain JavaScript, so that it serves the compiled project too
import { toyModel, toyTarget } from '../fixtures/campaign/toy.mjs'

/** A drawing of so many bits. */
const drawingOf = (bits: number, fails = false): Drawing =>
  new Drawing(
    (function* () {
      for (let i = 0; i < bits; i++) yield
      if (fails) throw new Error('cannot be drawn')
      return { steps: [] }
    })(),
  )

/** What a campaign writes to a toy that wrong answers come from; `waits`: other work is done in each wait. */
const written = async (waits: boolean): Promise<{ readonly pokes: readonly string[]; readonly waited: number }> => {
  const pokes: string[] = []
  let waited = 0
  const opener = async ({ meanwhile }: OpenOptions) => {
    const toy = toyTarget({ synchronous: false, wrong: (value: number) => (value === 2 ? 3 : value) })
    return {
      ...toy,
      write({ address }: { readonly address: number }, width: number, value: bigint) {
        pokes.push(`${address} ${value}`)
        if (waits && meanwhile !== undefined) {
          waited++
          meanwhile()
        }
        toy.write({ address }, width, value)
      },
    }
  }
  const options = { target: 'module:', machines: 'all', runs: 60, seed: 5, write: false, corpus: false } as const
  await runHere(options, { opener, models: [toyModel(language)] })
  return { pokes, waited }
}

describe('a plan that is drawn ahead', () => {
  it('is the one that is drawn in its turn, findings and shrinking in between included', async () => {
    const [with_, without] = [await written(true), await written(false)]
    expect(with_.waited).toBeGreaterThan(500)
    expect(with_.pokes).toEqual(without.pokes)
  })

  it('goes on in bits, for the run that was expected and for no other', () => {
    const ahead = new Ahead()
    ahead.go()
    const drawing = drawingOf(100)
    ahead.expect('next', drawing)
    ahead.go()
    expect(ahead.take('next')).toBe(drawing)
    let left = 0
    while (drawing.more()) left++
    expect(left).toBeGreaterThan(50)
    expect(left).toBeLessThan(100)
    ahead.expect('next', drawing)
    expect(ahead.take('another')).toBeUndefined()
    expect(ahead.take('next')).toBeUndefined()
  })

  it('that cannot be drawn is no trouble of the run at hand', () => {
    const ahead = new Ahead()
    ahead.expect('next', drawingOf(1, true))
    for (let i = 0; i < 3; i++) ahead.go()
    expect(ahead.take('next')).toBeUndefined()
  })
})
