import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { here, temporary } from './run-cli.ts'

const START = 'driver.start(eventIdx false, indirect false, ringReset false, withQueue true)'
const WALK = [
  ...['--depth', '4', '--only', START, '--only', 'driver.add(head 0, via direct, defect none)'],
  ...['--only', 'driver.publish', '--only', 'driver.kick'],
]
const FAULTY = 'reference:virtio-blk?queues=2&fault=vq-interrupt-before-used-index'

describe('explore --target', () => {
  it('says that the honest reference holds, and up to where', async () => {
    const { code, stdout } = await here(['explore', 'split-queue', '--target', 'reference:virtio-blk', ...WALK])
    expect(stdout).toMatch(/every law holds in every plan of up to 4 steps/)
    expect(code).toBe(0)
  })

  it('writes a counterexample that replays, and is reported on', async () => {
    const cwd = temporary()
    const folder = path.join(cwd, 'found')
    const { code, stdout } = await here(
      ['explore', 'split-queue', '--target', FAULTY, ...WALK, '--directory', folder, '--json'],
      { cwd },
    )
    expect(code).toBe(1)
    const { result, counterexamples } = JSON.parse(stdout)
    expect({ result, counterexamples }).toMatchObject({
      ...{ result: 'violated', counterexamples: [{ clause: 'VIO-NTF-01', steps: 4, minimality: 'proved' }] },
    })
    const [{ file }] = counterexamples
    expect(readdirSync(path.join(folder, 'counterexamples'))).toEqual([path.basename(file)])
    const again = await here(['replay', file, '--target', FAULTY, '--json'], { cwd })
    expect([again.code, JSON.parse(again.stdout).reproduced]).toEqual([1, true])
    expect((await here(['report', file], { cwd })).stdout).toMatch(/^# .*owes device\.interrupt \(VIO-NTF-01\)/)
  })

  it('that is cut short is inconclusive', async () => {
    const args = ['explore', 'split-queue', '--target', 'reference:virtio-blk', ...WALK, '--max-states', '3', '--json']
    const { code, stdout } = await here(args)
    expect([code, JSON.parse(stdout).result]).toEqual([4, 'cut-short'])
  })
})

describe('explore', () => {
  it('walks at random, and says how much of the whole that was', async () => {
    const { code, stdout } = await here(['explore', 'queue', '--simulate', '50000', '--coverage', '--json'])
    expect(code).toBe(0)
    const { result, steps, distinct, coverage } = JSON.parse(stdout)
    expect({ result, steps, coverage }).toEqual({ result: 'passed', steps: 50_000, coverage: distinct / 625 })
    expect(coverage).toBeGreaterThan(0.9)
  })

  it('walks one state for all that differ by a symmetry, and says how many that are', async () => {
    const { stdout } = await here(['explore', 'queue'])
    expect(stdout).toMatch(/^queue {2}size=4\n70 states, [^\n]*\nthey stand for 625 states: /)
    const whole = await here(['explore', 'queue', '--no-symmetry', '--json'])
    expect(JSON.parse(whole.stdout)).toMatchObject({ states: 625, transitions: 4119 })
  })

  it('writes the way to a goal as ITF, and a state graph', async () => {
    const cwd = temporary()
    const itf = path.join(cwd, 'way.itf.json')
    const way = await here(['explore', 'queue', '--goal', 'aReturnedChain', '--itf', itf, '--json'], { cwd })
    expect([way.code, JSON.parse(way.stdout).steps.length]).toEqual([0, 3])
    expect(JSON.parse(readFileSync(itf, 'utf8')).states).toHaveLength(4)
    const dot = path.join(cwd, 'queue.dot')
    expect((await here(['explore', 'queue', '--scope', 'size=1', '--dot', dot], { cwd })).code).toBe(0)
    expect(readFileSync(dot, 'utf8')).toMatch(/^digraph "queue" \{\n/)
  })

  it('prints what need not come with the way to where it stays away for ever, and marks that in ITF', async () => {
    const cwd = temporary()
    const itf = path.join(cwd, 'lost.itf.json')
    const asked = ['explore', 'bus-order', '--scope', 'doorbell-without-barrier']
    const { code, stdout } = await here(asked, { cwd })
    expect(code).toBe(1)
    expect(stdout).toMatch(/leads-to whatIsPublishedComesBack \(ORD-03\) need not come, with 9 steps:/)
    expect(stdout).toMatch(/and it stays so for ever: nobody who is fair can do anything\n\n?2 laws broken/)
    const invariant = await here([...asked, '--no-liveness', '--itf', itf, '--json'], { cwd })
    expect(JSON.parse(invariant.stdout)).toMatchObject({ liveness: 'not-asked', violations: [{ kind: 'invariant' }] })
    expect(JSON.parse(readFileSync(itf, 'utf8')).loop).toBeUndefined()
  })

  it.each([
    ['queue --simulate 5 --goal aReturnedChain', /--simulate and --goal cannot be given together/],
    ['queue --goal aReturnedChian', /no goal of queue is called "aReturnedChian"; did you mean aReturnedChain\?/],
    ['queue --memory 12', /--memory: expected a size such as 512M or 4G, found "12"/],
    ['queue --target reference:virtio-blk', /no machine is called "queue"; there are split-queue/],
    ['split-queue --target reference:virtio-blk --only driver.kik', /no action "driver.kik"; did you mean driver.kick/],
    ['queue --dot x.dot --scope size=4', /--dot: queue has more than 300 states in this scope/],
  ])('%s is refused in one line', async (words, message) => {
    const cwd = temporary()
    const { code, stdout, stderr } = await here(['explore', ...words.split(' ')], { cwd })
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(existsSync(path.join(cwd, 'x.dot'))).toBe(false)
  })
})
