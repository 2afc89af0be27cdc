import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checkTarget } from '../../src/contract/check.ts'
import { examine } from './exam.ts'
import { examples, missing, mutationsOf, open, prepare } from './examples.ts'

const root = path.resolve(import.meta.dirname, '../../examples')
const LINES_MAX = { c: 200, python: 200, typescript: 250 } as const

for (const example of examples) {
  const reason = missing(example)
  if (reason) console.log(`skipped: the ${example.name} example: ${reason}`)
  describe.skipIf(reason !== undefined)(`the ${example.name} example`, () => {
    const honest = reason === undefined ? prepare(example) : undefined
    afterAll(() => honest?.remove())

    test('is a short read', () => {
      const text = readFileSync(path.join(root, example.name, example.file), 'utf8')
      expect(text.split('\n').length - 1).toBeLessThan(LINES_MAX[example.name as keyof typeof LINES_MAX])
      expect(text.split('\n').filter((line) => line.length > 130)).toEqual([])
    })

    test('passes the exam', async () => {
      const target = await open(example, honest!)
      try {
        expect(examine(target)).toEqual([])
      } finally {
        target.close()
      }
    })

    test('passes the adapter check', async () => {
      const { address, options } = honest!
      const wire = example.wire
      const results = await checkTarget(() => open(example, honest!), wire && (() => wire(address, options)))
      expect(results.filter(({ verdict }) => verdict === 'broken')).toEqual([])
      expect(results.length).toBe(wire ? 16 : 10)
    })

    test('has three documented mutations', () => {
      const readme = readFileSync(path.join(root, example.name, 'README.md'), 'utf8')
      expect(mutationsOf(example).length).toBe(3)
      for (const mutation of mutationsOf(example)) expect(readme).toContain(`mutations/${mutation}`)
    })

    test.each(reason === undefined ? mutationsOf(example) : [])(
      '%s fails the exam, not the adapter check',
      async (mutation) => {
        const mutated = prepare(example, mutation)
        try {
          const target = await open(example, mutated)
          expect(examine(target)).not.toEqual([])
          target.close()
          const results = await checkTarget(() => open(example, mutated))
          expect(results.filter(({ verdict }) => verdict === 'broken')).toEqual([])
        } finally {
          mutated.remove()
        }
      },
    )
  })
}
