import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LinePipe } from '../../src/targets/qemu/pipe.ts'
import { temporaryFolder } from '../afterwards.ts'

const peer = { heartbeat: () => {}, gone: () => new Error('gone') }

test('lines come as they were sent, wherever a read ends', () => {
  const folder = temporaryFolder('test-pipe')
  // Longer than a read together, one of them by itself; ends of reads fall into lines of all kinds.
  const kinds = ['OK', '', 'O', 'OKAY', 'OK 0x0000000000000001', 'IRQ raise 20', 'x'.repeat(70_000)]
  const lines = Array.from({ length: 40_000 }, (_, i) => kinds[i % 20_000 === 0 ? 6 : (i * 7 + (i >> 8)) % 6]!)
  writeFileSync(join(folder, 'in'), lines.map((line) => `${line}\n`).join(''))
  const [input, output] = [openSync(join(folder, 'in'), 'r'), openSync(join(folder, 'out'), 'w')]
  try {
    const pipe = new LinePipe(input, output, peer)
    expect(lines.map(() => pipe.line())).toEqual(lines)
    expect(() => pipe.line()).toThrow('gone')
    for (const text of ['readb 1\n', `${'y'.repeat(5000)}\n`]) pipe.send(text)
    expect(readFileSync(join(folder, 'out'), 'latin1')).toBe(`readb 1\n${'y'.repeat(5000)}\n`)
  } finally {
    closeSync(input)
    closeSync(output)
  }
})
