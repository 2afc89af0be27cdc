import { describe, expect, it } from 'vitest'
import { score } from '../../src/campaign/score.ts'
import { models } from '../../src/models/index.ts'

const shallow = {
  faults: 'vq-control-used-len-counts-readable',
  seeds: 2,
  runs: 40,
  machines: ['virtio-blk'],
  threads: 0,
}

describe('score', () => {
  it('finds a fault, shrinks it, and repeats itself', async () => {
    const first = await score(shallow)
    const [row] = first.faults
    expect(first.score).toBe(1)
    expect(row).toMatchObject({ id: shallow.faults, found: 2, hardening: false })
    expect(row!.proved).toBe(2)
    expect(row!.withinOne).toBe(2)
    expect(row!.steps).toBeGreaterThanOrEqual(row!.shortest!)
    expect(row!.clause).toBe(row!.example!.clause)
    const again = await score(shallow)
    const timeless = ({ faults }: typeof first): unknown => faults.map((each) => ({ ...each, seconds: 0 }))
    expect(timeless(again)).toEqual(timeless(first))
  })

  it('comes to the same in threads', async () => {
    const two = { faults: 'vq-control-used-len*,vq-mergeable*', seeds: 1, runs: 20, machines: ['split-queue'] }
    const timeless = ({ faults, score: share }: Awaited<ReturnType<typeof score>>): unknown => [
      share,
      faults.map((each) => ({ ...each, seconds: 0 })),
    ]
    const [alone, shared] = [await score({ ...two, threads: 0 }), await score({ ...two, threads: 2 })]
    expect(shared.faults).toHaveLength(2)
    expect(timeless(shared)).toEqual(timeless(alone))
  })

  it('finds nothing where the fault changes nothing', async () => {
    const modules = ['test/score/no-fault.mjs']
    const { faults, score: share } = await score({ modules, seeds: 1, runs: 10, walkExecutions: 0, threads: 0 })
    expect(share).toBe(0)
    expect(faults).toMatchObject([{ id: 'changes-nothing', found: 0, seeds: 1, baseline: { found: 0 } }])
  })

  it('says which faults and machines there are', async () => {
    await expect(score({ faults: 'vq-no-such-fault' })).rejects.toThrow(/no fault fits 'vq-no-such-fault'.*vq-loop/)
    await expect(score({ machines: ['split-quue'] })).rejects.toThrow(`did you mean ${models[0]!.machine.name}`)
    await expect(score({ modules: ['test/score/no-such-file.mjs'] })).rejects.toThrow('expected a file')
  })

  it('stops when it is told to, with what it has', async () => {
    const result = await score({ ...shallow, interrupted: () => true })
    expect(result).toMatchObject({ interrupted: true, faults: [], score: 0 })
    let done = 0
    const some = await score({
      ...shallow,
      onProgress: (progress) => (done = progress.done),
      interrupted: () => done > 0,
    })
    expect(some).toMatchObject({ interrupted: true, faults: [{ id: shallow.faults, seeds: 1, found: 1 }] })
  })
})
