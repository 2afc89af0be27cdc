/** A machine whose text stands in several files. */
import type { ErasedBody } from './machine.ts'

const merged = <V>(records: readonly (Readonly<Record<string, V>> | undefined)[]): Record<string, V> => {
  const all: Record<string, V> = {}
  for (const record of records)
    for (const [name, value] of Object.entries(record ?? {})) {
      if (name in all) throw new TypeError(`together: expected ${name} in one of the texts, found it in two`)
      all[name] = value
    }
  return all
}

/** Texts about one state: every one of them acts on all of it. What is neither action, debt nor goal, the first one says. */
export const together = (first: ErasedBody, ...others: readonly ErasedBody[]): ErasedBody => {
  const texts = [first, ...others]
  return {
    ...first,
    source: [...new Set(texts.flatMap(({ source }) => source.split('; ')))].join('; '),
    actions: merged(texts.map(({ actions }) => actions)),
    owes: merged(texts.map(({ owes }) => owes)),
    goals: merged(texts.map(({ goals }) => goals)),
  }
}
