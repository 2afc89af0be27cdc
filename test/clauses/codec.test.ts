import { describe, expect, it } from 'vitest'
import { ClauseError, decodeClauses } from '../../spec/clauses/codec.ts'
import { clauses, indexClauses } from '../../spec/clauses/index.ts'

const good = {
  id: 'VIO-NTF-01',
  area: 'virtqueue',
  source: 'VIRTIO 1.4',
  section: '2.7.7.2',
  since: '1.0',
  duty: 'device',
  strength: 'MUST',
  basis: 'normative',
  confidence: 'checked',
  requirement: 'A device does one thing.',
}

const messageOf = (text: string): string => {
  try {
    decodeClauses('x.json', text)
  } catch (error) {
    expect(error).toBeInstanceOf(ClauseError)
    return (error as Error).message
  }
  throw new Error('expected a refusal, found none')
}
const broken = (change: object) => messageOf(JSON.stringify([good, { ...good, id: 'VIO-NTF-02', ...change }]))

describe('the codec of clause files', () => {
  it('takes a clause with and without its optional fields', () => {
    const full = { ...good, id: 'A-01', label: 'l', observable: 'o', evidence: ['a/b#1'], corrected: 'c', notes: 'n' }
    expect(decodeClauses('x.json', JSON.stringify([good, full]))).toEqual([good, full])
  })

  it.each([
    [
      { duty: 'devcie' },
      'x.json: VIO-NTF-02: duty: expected driver | device | iommu | irqchip | hypervisor | migration, found "devcie"',
    ],
    [
      { strength: undefined },
      'x.json: VIO-NTF-02: strength: expected MUST | MUST NOT | SHOULD | SHOULD NOT | MAY, found nothing',
    ],
    [{ since: 1 }, 'x.json: VIO-NTF-02: since: expected a version such as 1.0, found 1'],
    [
      { requirement: 'no full stop' },
      'x.json: VIO-NTF-02: requirement: expected a sentence that ends in a full stop, found "no full stop"',
    ],
    [
      { notes: 'two\nlines' },
      'x.json: VIO-NTF-02: notes: expected a text without line breaks or spaces at its ends, found "two\\nlines"',
    ],
    [
      { evidence: ['a/b#1', 'gossip'] },
      'x.json: VIO-NTF-02: evidence.1: expected a report as owner/repository#number, found "gossip"',
    ],
    [{ evidence: 'a/b#1' }, 'x.json: VIO-NTF-02: evidence: expected a list of reports, found "a/b#1"'],
    [{ id: 'vio-1' }, 'x.json: vio-1: id: expected an id such as VIO-NTF-01, found "vio-1"'],
    [{ id: 7 }, 'x.json: entry 1: id: expected an id such as VIO-NTF-01, found 7'],
  ])('says file, clause, field, what was expected and what was found: %j', (change, message) => {
    expect(broken(change)).toBe(message)
  })

  it('names a misspelt field', () => {
    expect(broken({ sinec: '1.0' })).toMatch(
      /^x\.json: VIO-NTF-02: sinec: expected one of the fields id, area, .*, found "sinec"$/,
    )
  })

  it.each([
    ['[5]', /^x\.json: entry 0: entry: expected a clause, found 5$/],
    ['[null]', /^x\.json: entry 0: entry: expected a clause, found null$/],
    ['{}', /^x\.json: file: value: expected a list of clauses, found \{\}$/],
    ['[', /^x\.json: file: text: expected JSON \(.+\), found "\["$/],
    ['', /^x\.json: file: text: expected JSON \(.+\), found ""$/],
  ])('refuses %j in one line', (text, message) => {
    expect(messageOf(text)).toMatch(message)
  })

  it('stays on one short line whatever was found', () => {
    const message = broken({ duty: { long: 'x\n'.repeat(500) } })
    expect(message).not.toContain('\n')
    expect(message.length).toBeLessThan(220)
  })

  it('misses each required field by its name', () => {
    for (const field of Object.keys(good)) {
      const { [field]: _, ...rest } = { ...clauses[0] } as Record<string, unknown>
      expect(messageOf(JSON.stringify([rest]))).toMatch(new RegExp(`: ${field}: expected .+, found nothing$`))
    }
  })

  it('refuses two clauses of one id', () => {
    expect(() => indexClauses([...clauses, clauses[3]!])).toThrow(
      `spec/clauses: ${clauses[3]!.id}: id: expected an unused id, found it twice`,
    )
  })
})
