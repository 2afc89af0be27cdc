import { describe, expect, it } from 'vitest'
import { bugReport, progressOf, renders, styleOf, summaryLines } from '../../src/report/index.ts'
import { wantsColour, wantsLive } from '../../src/report/style.ts'
import { counterexample, machine, result } from './result.ts'

const look = () => counterexample()
const plain = styleOf(false)
/** What a terminal, or a reader of a log, would obey. */
const CONTROL = /[\p{Cc}\u202e]/u

describe('the summary for people', () => {
  const text = summaryLines(result, look, plain).join('\n')

  it('shows every machine, what is missing, and what was not decided', () => {
    expect(text).toMatch(/good-one +conforms +100 runs, 1 234 steps, goals 2\/2/)
    expect(text).toMatch(/open-one +inconclusive .* goals 1\/2/)
    expect(text).toContain('goals never reached: aWrappedIndex')
    expect(text).toMatch(/other-one +not applicable: no such device/)
    expect(text).toMatch(/clauses +1 kept, 1 violated, 1 known to be broken, 1 advised and not followed, 1 undecided/)
    expect(text).toContain('no standard demands')
    expect(text).toMatch(/VIO-R-01 +SHOULD +2 times/)
  })

  it('ends with the bugs that count, in a fixed order', () => {
    const end = text.slice(text.lastIndexOf('bad-one: owes device.interrupt'))
    const order = ['law ', 'clause ', 'expected ', 'observed ', 'steps ', 'replay ', 'file '].map((f) =>
      end.indexOf(`\n    ${f}`),
    )
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(Math.min(...order)).toBeGreaterThan(0)
    expect(end).toContain('31 before shrinking, 4 after; none shorter than 3; reproduced 2 of 3; 2 runs came to it')
    expect(end).toContain("iospec replay out/bug.json --target 'stdio:./device '\\''--flag'\\'''")
    expect(end).not.toContain('knownLaw')
    expect(end).not.toContain('robustLaw')
  })

  it('escapes what a target said', () => {
    expect(text).toContain('\\u001b[2J')
    expect(text.replaceAll('\n', '')).not.toMatch(CONTROL)
  })
})

/** Tags that are opened and closed in pairs, attributes quoted, nothing bare between: enough to be well formed. */
const wellFormed = (xml: string): boolean => {
  const open: string[] = []
  const rest = xml
    .replace(/^<\?xml[^>]*\?>/, '')
    .replace(/<(\/?)([a-z]+)((?: [a-z]+="[^"<>]*")*)(\/?)>/g, (_, close, name, _a, empty) => {
      if (close === '/') return open.pop() === name ? '' : '<'
      if (empty === '') open.push(name)
      return ''
    })
  return open.length === 0 && !/[<>]/.test(rest) && !/&(?!(?:amp|lt|gt|quot|#10);)/.test(xml)
}

describe('JUnit', () => {
  const xml = renders.junit(result, look)

  it('is well formed, whatever a target said', () => {
    expect(wellFormed(xml)).toBe(true)
    expect(wellFormed(xml.replace('&lt;script', '<script'))).toBe(false)
    expect(xml.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })

  it('keeps failures and errors apart, and names clauses', () => {
    expect(xml).toMatch(/<testsuites name="iospec" tests="10" failures="1" errors="2" skipped="3"/)
    expect(xml).toMatch(/<testsuite name="bad-one" tests="4" failures="1" errors="0" skipped="1"/)
    expect(xml).toContain('<property name="clause" value="VIO-NTF-01"/>')
    expect(xml).toMatch(/<failure message="owes device\.interrupt: expected .*" type="violates">/)
    expect(xml).toMatch(/<error message="no answer" type="adapter-error">/)
  })

  it('counts what it contains', () => {
    for (const [what, tag] of [
      ['tests', 'testcase'],
      ['failures', 'failure'],
      ['errors', 'error'],
      ['skipped', 'skipped'],
    ] as const) {
      const said = Number(new RegExp(`<testsuites [^>]*${what}="(\\d+)"`).exec(xml)![1])
      expect(xml.match(new RegExp(`<${tag}[ />]`, 'g'))).toHaveLength(said)
    }
  })
})

it('GitHub annotations are one line each, and nothing in them is a command', () => {
  const lines = renders.github(result, look).trimEnd().split('\n')
  expect(lines.map((line) => line.split(' ', 1)[0])).toEqual([
    '::error',
    '::warning',
    '::error',
    '::notice',
    '::warning',
  ])
  for (const line of lines) {
    expect(line).toMatch(/^::(?:error|warning|notice) title=[^:,]*::/)
    expect(line).not.toMatch(CONTROL)
  }
  expect(lines[0]).toContain('%250A')
})

it('Markdown shows machines and draws the bug', () => {
  const text = renders.markdown(result, look)
  expect(text).toContain('| bad-one | violates | 100 | 1 234 | 2/2 |')
  expect(text).toContain('```mermaid\nsequenceDiagram')
  expect(text).not.toContain('<script>')
  expect(text.replaceAll('\n', '')).not.toMatch(CONTROL)
})

describe('the bug report', () => {
  it('has everything that its reader needs', () => {
    const text = bugReport(counterexample(), 'out/bug.json', 'devicenormative:Notification')
    for (const part of [
      '**Clause:** VIO-NTF-01, VIRTIO 1.4, section 2.7.7.2, `devicenormative:Notification` (MUST, normative)',
      'A device that returned a buffer sends a notification.',
      '1. `driver.publish(head 0)`',
      '2. the device is left to work until it is quiet',
      '5. seen: `device.return(head 0)`',
      '**<- here**',
      '| `queue.usedIdx` | `0` | `1` |',
      '  driver->>device: publish(head 0)',
      '  device-->>memory: touch(area avail), 2 times',
      'BROKEN owes device.interrupt',
      'iospec replay out/bug.json --target',
      '2 of 3 times',
    ])
      expect(text).toContain(part)
    expect(text).not.toContain('<script>')
    expect(text.replaceAll('\n', '')).not.toMatch(CONTROL)
  })

  it('keeps the steps of a crash back', () => {
    const text = bugReport(counterexample({ disclosure: 'private', verdict: 'crashes' }), 'bug.json')
    expect(text).toContain('Report this privately')
    expect(text).not.toMatch(/driver\.publish|sequenceDiagram|quiet/)
  })
})

it('progress keeps a line for each machine', () => {
  const kept: string[] = []
  const shown: (readonly string[])[] = []
  const listen = progressOf({
    print: (line) => kept.push(line),
    region: { show: (lines) => shown.push(lines), clear: () => {} },
    style: plain,
  })
  const name = 'good-one'
  listen({ kind: 'campaign-start', target: result.target, machines: [name], runs: 100, seed: 1, workers: 1 })
  listen({ kind: 'machine-start', machine: name, runs: 100 })
  listen({
    kind: 'progress',
    machine: name,
    phase: 'playing',
    runs: 50,
    of: 100,
    commands: 600,
    goals: { reached: 3, of: 4 },
    bugs: 1,
    seconds: 2,
  })
  listen({ kind: 'finding', machine: name, run: 3, verdict: 'violates', law: 'aLaw', clause: 'C-01', hardening: false })
  listen({ kind: 'machine-done', result: machine(name) })
  expect(kept.map((line) => line.split(' ', 1)[0])).toEqual(['device', 'good-one'])
  expect(kept.join('')).not.toMatch(CONTROL)
  expect(shown.at(-1)).toEqual([
    'good-one  50/100 runs  25 runs/s  600 commands  goals 3/4  1 finding',
    '  found aLaw (C-01) in run 3',
  ])
})

it('colour and cursor codes go where they are wanted', () => {
  const tty = { isTTY: true }
  expect([{}, { TERM: 'dumb' }, { NO_COLOR: '1' }, { FORCE_COLOR: '0' }].map((env) => wantsColour(env, tty))).toEqual([
    true,
    false,
    false,
    false,
  ])
  expect([{}, { FORCE_COLOR: '1' }, { FORCE_COLOR: '1', NO_COLOR: '1' }].map((env) => wantsColour(env, {}))).toEqual([
    false,
    true,
    false,
  ])
  expect([{}, { CI: 'true' }, { CI: 'false' }, { TERM: 'dumb' }].map((env) => wantsLive(env, tty))).toEqual([
    true,
    false,
    true,
    false,
  ])
  expect(styleOf(true).red('x')).toBe('\u001b[31mx\u001b[39m')
})
