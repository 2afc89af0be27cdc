/** `iospec init`: an adapter to start from, and a configuration. Nothing that exists is touched. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { EXIT, UsageError } from '../../campaign/exit.ts'
import { writeWhole } from '../../campaign/files.ts'
import { packageRoot } from '../../campaign/package.ts'
import { preview } from '../../contract/explain.ts'
import { command } from '../command.ts'
import type { ValueOf } from '../options.ts'
import { CONFIG_FILE } from '../settings.ts'

interface Start {
  /** File to be written, and the one of `examples` that it is a copy of. */
  readonly files: Readonly<Record<string, string>>
  /** Commands that come before the first check. */
  readonly build: readonly string[]
  readonly target: string
}

const STARTS: Readonly<Record<ValueOf<'lang'>, Start>> = {
  typescript: {
    files: { 'device.ts': 'typescript/start.ts', 'memory-target.ts': 'typescript/memory-target.ts' },
    build: [],
    target: 'module:./device.ts',
  },
  javascript: { files: { 'device.mjs': 'javascript/start.mjs' }, build: [], target: 'module:./device.mjs' },
  python: {
    files: {
      'device.py': 'python/start.py',
      'json_lines.py': 'python/json_lines.py',
      'guest_memory.py': 'python/guest_memory.py',
    },
    build: [],
    target: "'stdio:python3 device.py'",
  },
  c: {
    files: {
      'device.c': 'c/start.c',
      'json-lines.c': 'c/json-lines.c',
      'json-lines.h': 'c/json-lines.h',
      'guest-memory.h': 'c/guest-memory.h',
    },
    build: ['gcc -std=gnu11 -O2 -o device device.c json-lines.c'],
    target: 'stdio:./device',
  },
}

/** No target: a file never names a program to start. */
const CONFIG = `${JSON.stringify({ runs: 300, seed: 1, reporters: ['default'] }, null, 2)}\n`

export const init = command({
  name: 'init',
  does: 'Write an adapter to start from, and a configuration; nothing that exists is touched',
  arguments: [],
  options: ['lang', 'into', 'json'],
  examples: ['iospec init', 'iospec init --lang python --into my-device'],
  async run({ print, printJson }, _, { lang, into, json }) {
    const { files, build, target } = STARTS[lang]
    const texts = new Map([[CONFIG_FILE, CONFIG]])
    for (const [name, example] of Object.entries(files))
      texts.set(name, readFileSync(path.join(packageRoot, 'examples', example), 'utf8'))
    const paths = [...texts.keys()].map((name) => path.join(into, name))
    const there = paths.filter((file) => existsSync(file))
    if (there.length > 0)
      throw new UsageError(
        `expected a place without ${there.map((file) => preview(file)).join(', ')}; nothing was written`,
      )
    for (const [name, text] of texts) writeWhole(path.join(into, name), text)
    const next = [
      ...(into === '.' ? [] : [`cd ${into}`]),
      ...build,
      `npx iospec check ${target}`,
      `npx iospec run all --target ${target}`,
    ]
    if (json) printJson({ written: paths, next })
    else
      print(
        [
          ...paths.map((file) => `written  ${preview(file).slice(1, -1)}`),
          '',
          'next:',
          ...next.map((line) => `  ${line}`),
        ].join('\n'),
      )
    return EXIT.conforms
  },
})
