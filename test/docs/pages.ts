/** The pages that people read, and what can be checked about them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export const root = path.resolve(import.meta.dirname, '../..')

const FOLDERS = ['', 'docs', 'spec', 'spec/clauses', 'examples']
const foldersOf = (folder: string): string[] =>
  folder !== 'examples'
    ? [folder]
    : readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? [`${folder}/${entry.name}`] : [],
      )

/** Every page, relative to the project. */
export const pages = [...FOLDERS, ...foldersOf('examples')].flatMap((folder) =>
  readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(folder, name)),
)

export const textOf = (page: string): string => readFileSync(path.join(root, page), 'utf8')

/** Fenced blocks of a page, in their order. */
export const blocksOf = (page: string, language: string): string[] =>
  [...textOf(page).matchAll(/^```(\w*)\n(.*?)^```$/gms)].flatMap(([, found, text]) =>
    found === language ? [text!] : [],
  )

const outsideBlocks = (page: string): string => textOf(page).replaceAll(/^```.*?^```$/gms, '')

const anchorsOf = (page: string): string[] =>
  [...outsideBlocks(page).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

/** Links of a page that lead to no file, or to no heading of one. */
export const deadLinks = (page: string): string[] =>
  [...outsideBlocks(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [file = '', anchor] = link.split('#')
      const there = file === '' ? page : path.join(path.dirname(page), file)
      if (!existsSync(path.join(root, there))) return true
      return anchor !== undefined && there.endsWith('.md') && !anchorsOf(there).includes(anchor)
    })

/** Commands of a page, each as words: what stands after `iospec` in its shell blocks. */
export const commandsOf = (page: string): string[][] =>
  blocksOf(page, 'sh').flatMap((block) =>
    block.split('\n').flatMap((line) => {
      const found = /(?:^|\s)iospec ([a-z]+ .*|[a-z]+)$/.exec(line.replace(/\s+#.*$/, ''))
      return found === null ? [] : [found[1]!.match(/'[^']*'|"[^"]*"|\S+/g)!]
    }),
  )
