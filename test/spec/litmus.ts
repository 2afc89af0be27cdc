/** Litmus tests over the locations of the weak-memory machines: two short programs, and which results are possible. */
import {
  drain,
  forgetsLoads,
  isOutdated,
  isPending,
  type Location,
  load,
  location,
  type Strength,
  waitsForStores,
} from '../../spec/virtqueue/memory-location.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import { compile, type Erased, type ErasedBody, t } from '../../src/kernel/language/index.ts'

/** `left` writes x and z and reads y; `right` writes y and reads x and z. Loads fill the registers of their side in turn. */
export type Instruction =
  | { readonly store: 'x' | 'y' | 'z'; readonly value: number }
  | { readonly load: 'x' | 'y' | 'z' }
  | { readonly barrier: Strength }

const VARIABLES = ['x', 'y', 'z'] as const
const writerOf = { x: 'left', z: 'left', y: 'right' } as const
const REGISTERS = 2

/** The results that some execution has: registers of the left side, a bar, registers of the right side. */
export const resultsOf = (left: readonly Instruction[], right: readonly Instruction[]): string[] => {
  const programs = { left, right }
  const loads = { left: left.filter((i) => 'load' in i).length, right: right.filter((i) => 'load' in i).length }
  const of = (side: 'left' | 'right', kind: 'own' | 'foreign') =>
    VARIABLES.filter((name) => (writerOf[name] === side) === (kind === 'own'))

  const step = (side: 'left' | 'right') => ({
    when(s: Erased) {
      const next = programs[side][s[side].at]
      if (next === undefined) return false
      return (
        !('barrier' in next && waitsForStores(next.barrier)) || of(side, 'own').every((name) => !isPending(s[name]))
      )
    },
    effect(s: Erased) {
      const next = programs[side][s[side].at]!
      if ('store' in next) s[next.store].stored = next.value
      else if ('load' in next) {
        const done = programs[side].slice(0, s[side].at).filter((i) => 'load' in i).length
        s[side].registers.set(done, (s[next.load] as Location).seen)
      } else if (forgetsLoads(next.barrier)) for (const name of of(side, 'foreign')) load(s[name])
      s[side].at++
    },
  })
  const value = t.below(3)
  const side = t.record({ at: t.below(8), registers: t.array(REGISTERS, value) })
  const pick = { args: { name: t.oneOf(...VARIABLES) } }
  const isDone = (s: Erased) => s.left.at === left.length && s.right.at === right.length
  const registers = (s: Erased, of: 'left' | 'right') =>
    Array.from({ length: loads[of] }, (_, i) => s[of].registers.at(i)).join()
  const outcomes = [0, 1, 2].flatMap((a) => [0, 1, 2].map((b) => `${a},${b}`))
  const names = new Set(
    [...outcomes, '0', '1', '2', ''].flatMap((l) => [...outcomes, '0', '1', '2', ''].map((r) => `${l}|${r}`)),
  )
  const body = {
    source: 'litmus',
    state: { x: location(value), y: location(value), z: location(value), left: side, right: side },
    actions: {
      'driver.step': step('left'),
      'device.step': step('right'),
      'memory.drain': {
        ...pick,
        when: (s: Erased, { name }: Erased) => isPending(s[name]),
        effect: (s: Erased, { name }: Erased) => drain(s[name]),
      },
      'memory.load': {
        ...pick,
        when: (s: Erased, { name }: Erased) => isOutdated(s[name]),
        effect: (s: Erased, { name }: Erased) => load(s[name]),
      },
    },
    goals: Object.fromEntries(
      [...names].map((name) => [
        name,
        (s: Erased) => isDone(s) && `${registers(s, 'left')}|${registers(s, 'right')}` === name,
      ]),
    ),
    final: isDone,
  } as unknown as ErasedBody
  const { goals } = explore(compile('litmus', body, 'explored', {}))
  return Object.keys(goals).filter((name) => goals[name] !== null)
}
