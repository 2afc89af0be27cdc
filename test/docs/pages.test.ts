/** The pages say what is there: links lead somewhere, and commands and options are those of the program. */
import { describe, expect, test } from 'vitest'
import { commands } from '../../src/cli/commands/index.ts'
import { longFlag } from '../../src/cli/settings.ts'
import { commandsOf, deadLinks, pages, textOf } from './pages.ts'

describe.each(pages)('%s', (page) => {
  test('has no dead link', () => expect(deadLinks(page)).toEqual([]))

  test('names commands and options that exist', () => {
    const wrong = commandsOf(page).flatMap(([name, ...words]) => {
      const command = commands.find((each) => each.name === name)
      if (command === undefined) return [`iospec ${name}`]
      const known = [...command.options.map(longFlag), '--help']
      const long = words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]!)
      return long.filter((word) => !known.includes(word)).map((word) => `iospec ${name} ${word}`)
    })
    expect(wrong).toEqual([])
  })
})

test('these looks see something', () => {
  expect(pages).toContain('README.md')
  expect(pages).toContain('examples/python/README.md')
  expect(commandsOf('docs/tutorial.md').length).toBeGreaterThan(8)
  expect(textOf('README.md').length).toBeGreaterThan(1000)
})
