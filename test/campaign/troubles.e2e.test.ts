import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { campaignOn, freshFolder, toyAddress, toyModels } from './toy.ts'

const textsIn = (value: unknown): string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(textsIn)
      : []

describe('a target that ends badly', () => {
  it('throws: a crash, and the campaign goes on with a fresh instance', async () => {
    const { result, machine, events } = await campaignOn('throws')
    expect([result.exit, machine.verdict, machine.runs]).toEqual([1, 'crashes', 150])
    expect(machine.counterexamples).toMatchObject([{ clause: 'SAF-03', steps: 1, disclosure: 'private' }])
    expect(machine.counterexamples[0]!.observed).toContain('boom')
    expect(textsIn([result, events]).filter((text) => text.includes('\u001b'))).toEqual([])
    expect(events.some(({ kind }) => kind === 'target-restarted')).toBe(true)
  })

  it('spins in our own process: a hang, its worker is replaced', async () => {
    const { result, machine } = await campaignOn('spins', { timeoutMs: 200, maxHangs: 1 })
    expect([result.exit, machine.verdict]).toEqual([1, 'hangs'])
    expect(machine.counterexamples).toMatchObject([{ clause: 'SAF-04', steps: 1 }])
    expect(machine.reason).toContain('given up after 1 run')
  })

  it('spins again and again: one bug, one report', async () => {
    const { machine } = await campaignOn('spins', { timeoutMs: 200, maxHangs: 2 })
    expect(machine.counterexamples).toMatchObject([{ verdict: 'hangs', runs: 2 }])
    expect(machine.reason).toContain('given up after 2 runs')
  })

  it('ends our own thread: a crash', async () => {
    const { machine } = await campaignOn('exits', { maxHangs: 2 })
    expect(machine.counterexamples).toMatchObject([{ clause: 'SAF-03', verdict: 'crashes', steps: 1 }])
  })

  it('blocks in a read: its process group is killed, the worker lives on', async () => {
    const { machine, events } = await campaignOn('blocks', { timeoutMs: 200, maxHangs: 1 })
    expect(machine.counterexamples).toMatchObject([
      { clause: 'SAF-04', observed: 'the child is gone', steps: 1, reproduced: { times: 1, of: 1 } },
    ])
    expect(events.filter(({ kind }) => kind === 'target-restarted')).toMatchObject([{ message: 'the child is gone' }])
  })
})

const campaignInChild = (target: string): ChildProcess => {
  const main = fileURLToPath(new URL('../../dist/src/campaign/main-side.js', import.meta.url))
  const options = {
    target: toyAddress(target),
    machines: ['toy'],
    runs: 1_000_000,
    seed: 1,
    // A watchdog that would end the hang by itself proves nothing here.
    timeoutMs: 3_000_000,
    modelsFrom: toyModels,
    directory: freshFolder(),
    corpus: false,
  }
  const script = `
    import { runCampaign } from ${JSON.stringify(main)}
    const controller = new AbortController()
    process.on('SIGINT', () => controller.abort())
    const { signal } = controller
    const listener = ({ kind }) => { if (kind === 'progress') console.error(kind) }
    const result = await runCampaign(${JSON.stringify(options)}, { signal, listener })
    console.log(JSON.stringify(result))
    process.exitCode = result.exit
  `
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
}

// They mostly wait.
describe.concurrent('Ctrl-C', () => {
  it.each(['honest', 'spins', 'blocks'])(
    'ends a campaign on a target that is %s, with what there is',
    async (target) => {
      const child = campaignInChild(target)
      let written = ''
      child.stdout!.on('data', (data: Buffer) => (written += data))
      await once(child.stderr!, 'data')
      child.kill('SIGINT')
      const [code] = await once(child, 'close')
      const result = JSON.parse(written)
      expect([code, result.interrupted, result.exit]).toEqual([130, true, 130])
      expect(result.machines).toMatchObject([{ machine: 'toy', verdict: 'inconclusive', reason: 'interrupted' }])
    },
  )
})
