import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { clause, clauses } from '../../spec/clauses/index.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const labels: ReadonlySet<string> = new Set(JSON.parse(read('test/clauses/virtio-labels.json')))
const virtio = clauses.filter((c) => c.source.startsWith('VIRTIO'))
const idsOf = (list: typeof clauses) => list.map((c) => c.id)

describe('the clause catalogue', () => {
  it('finds a clause by its id and refuses ids that do not exist', () => {
    expect(clause('VIO-NTF-01')).toMatchObject({ id: 'VIO-NTF-01', section: '2.7.7.2', duty: 'device', since: '1.0' })
    // @ts-expect-error an id that no file has
    expect(() => clause('VIO-NTF-99')).toThrow(/^spec\/clauses: VIO-NTF-99: id: expected a clause .*clause-ids\.mjs$/)
  })

  it('has each id and each requirement once', () => {
    expect(new Set(idsOf(clauses)).size).toBe(clauses.length)
    const requirements = clauses.map((c) => c.requirement)
    expect(requirements.filter((text, i) => requirements.indexOf(text) !== i)).toEqual([])
  })

  it('agrees with the generated union of ids', () => {
    const script = new URL('scripts/clause-ids.mjs', root).pathname
    expect(read('spec/clauses/ids.ts')).toBe(execFileSync(process.execPath, [script, '--print'], { encoding: 'utf8' }))
  })

  it('names blocks that the standard has, under the duty that they speak of', () => {
    expect(idsOf(virtio.filter((c) => c.label !== undefined && !labels.has(c.label)))).toEqual([])
    expect(idsOf(virtio.filter((c) => c.confidence === 'checked' && c.label === undefined))).toEqual([])
    const block = (duty: string) => (duty === 'driver' ? 'drivernormative:' : 'devicenormative:')
    const stated = virtio.filter((c) => c.basis === 'normative' || c.basis === 'recommendation')
    // What a device MAY send is stated once, as what the driver has to cope with.
    const elsewhere = stated.filter((c) => !c.label?.startsWith(block(c.duty)))
    expect(idsOf(elsewhere)).toEqual(['VIO-NTF-16'])
  })

  it('introduces no VIRTIO clause after the version that was read', () => {
    const versions = ['1.0', '1.1', '1.2', '1.3', '1.4']
    expect(idsOf(virtio.filter((c) => !versions.includes(c.since)))).toEqual([])
  })

  it('keeps what a standard demands apart from what it recommends and from what this suite adds', () => {
    const soft = new Set(['SHOULD', 'SHOULD NOT', 'MAY'])
    expect(idsOf(clauses.filter((c) => c.basis === 'normative' && soft.has(c.strength)))).toEqual([])
    expect(idsOf(clauses.filter((c) => c.basis === 'recommendation' && !soft.has(c.strength)))).toEqual([])
    expect(idsOf(clauses.filter((c) => (c.basis === 'hardening') !== c.id.startsWith('HRD-')))).toEqual([])
    const own = clauses.filter((c) => c.source === 'iospec')
    expect(idsOf(own.filter((c) => c.basis !== 'hardening' && c.basis !== 'derived'))).toEqual([])
  })

  it('is cited correctly by the page on ambiguities', () => {
    const known = new Set(idsOf(clauses))
    const cited = read('docs/ambiguities.md').match(/\b[A-Z]+(?:-[A-Z]+)*-\d{2}\b/g) ?? []
    expect(cited.length).toBeGreaterThan(20)
    expect(cited.filter((id) => !known.has(id))).toEqual([])
  })

  it('refers to other clauses by ids that exist', () => {
    const known = new Set(idsOf(clauses))
    const texts = clauses.flatMap((c) => [c.notes ?? '', c.corrected ?? ''].map((text) => ({ id: c.id, text })))
    const dangling = texts.flatMap(({ id, text }) =>
      (text.match(/\b[A-Z]+(?:-[A-Z]+)*-\d{2}\b/g) ?? [])
        .filter((ref) => !known.has(ref))
        .map((ref) => `${id} -> ${ref}`),
    )
    expect(dangling).toEqual([])
  })
})
