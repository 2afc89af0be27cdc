/** The alphabet of a walk: what can be done next, with arguments out of a small scope. */
import { hintFor } from '../contract/codec.ts'
import { preview } from '../contract/explain.ts'
import type { Actor } from '../kernel/language/index.ts'
import type { Action, Args, Machine, ScopedMachine } from '../kernel/language/machine.ts'
import { type AnyScalar, decodeScalar, encodeScalar, scalarFromJson, scalarToJson } from '../kernel/language/scalar.ts'
import type { PlanStep } from '../kernel/play/plan.ts'
import { UsageError } from './exit.ts'

/** More ways than this to take one action is a scope that was forgotten. */
const WAYS_MAX = 4096

export interface LettersOptions {
  /** The machine as it is played on the target. */
  readonly machine: Machine
  /** The machine in the scope that bounds the arguments. */
  readonly small: Machine
  readonly played: readonly Actor[]
  readonly unavailable: Readonly<Record<string, string>>
  /** The target can be stepped. */
  readonly steps: boolean
  /** The target is to be saved and restored, too. */
  readonly saves: boolean
  /** Actors of ours that may break their duties. */
  readonly hostile: readonly Actor[]
  /** The actions to walk with; all that are not costly when empty. */
  readonly only: readonly Chosen[]
}

/** An action to walk with, and the values that some of its arguments are to have. */
export interface Chosen {
  readonly action: string
  readonly args: Readonly<Record<string, unknown>>
}

const CHOSEN = /^([\w.]+)(?:\((.*)\))?$/

/** Reads `driver.kick` and `driver.add(head 0, via indirect)`: actions as reports print them. */
export const readChosen = (machine: ScopedMachine, words: readonly string[]): Chosen[] => {
  const { actions } = machine.at('played')
  return words.map((word) => {
    const [, name = '', list = ''] = CHOSEN.exec(word) ?? []
    const action = actions.find((each) => each.name === name)
    if (action === undefined) {
      const names: string[] = actions.map((each) => each.name)
      throw new UsageError(
        `${machine.name} has no action ${preview(name === '' ? word : name)}; ${hintFor(name, names)}`,
      )
    }
    const args = list.split(',').filter((part) => part.trim() !== '')
    return {
      action: name,
      args: Object.fromEntries(
        args.map((part) => {
          const [argument = '', text = ''] = part.trim().split(/\s+/, 2)
          const type = action.args.find((each) => each.name === argument)?.type
          if (type === undefined)
            throw new UsageError(
              `${name} has no argument ${preview(argument)}; ${hintFor(
                argument,
                action.args.map((each) => each.name),
              )}`,
            )
          return [argument, readValue(type, text, `${name}, argument ${argument}`)]
        }),
      ),
    }
  })
}

const readValue = (type: AnyScalar, text: string, path: string): unknown => {
  const isName = (type.kind === 'maybe' ? type.of! : type).names?.includes(text) === true
  const json = isName
    ? text
    : text === 'none'
      ? null
      : /^(?:true|false|-?\d+|\[.*\])$/.test(text)
        ? JSON.parse(text)
        : text
  try {
    return scalarFromJson(type, json, path)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** One letter for each action with arguments, then the schedule: in a fixed order, which decides between equals. */
export const lettersOf = (options: LettersOptions): PlanStep[] => {
  const { machine, small, played, unavailable, steps, saves, hostile, only } = options
  const letters: PlanStep[] = []
  for (const action of machine.actions) {
    const { name, actor } = action
    const mayBreach = hostile.includes(actor)
    if (!played.includes(actor) || name in unavailable) continue
    if (action.hostile && !mayBreach) continue
    const chosen = only.filter((each) => each.action === name)
    if (only.length > 0 ? chosen.length === 0 : action.weight === 0) continue
    for (const { args: fixed } of chosen.length === 0 ? [{ args: {} }] : chosen)
      for (const args of everyArgs(machine, action, small, fixed))
        letters.push({ do: 'act', action, args, hostile: mayBreach })
  }
  if (steps) letters.push({ do: 'step', count: 1 })
  letters.push({ do: 'settle' })
  if (saves) letters.push({ do: 'save' })
  return letters
}

/** Every argument takes its fixed value, or those that it has in both scopes, or its first one where there are none. */
const everyArgs = (machine: Machine, action: Action, small: Machine, fixed: Args): Args[] => {
  const narrow = small.actions.find(({ name }) => name === action.name)
  let all: Args[] = [{}]
  for (const { name, type } of action.args) {
    const bound = narrow?.args.find((arg) => arg.name === name)?.type ?? type
    const values = name in fixed ? [fixed[name]] : valuesOf(bound, type)
    if (all.length * values.length > WAYS_MAX)
      throw new UsageError(
        `${machine.name}: ${action.name} can be taken in more than ${WAYS_MAX} ways within this scope; give --scope ` +
          'smaller bounds',
      )
    all = all.flatMap((args) => values.map((value) => ({ ...args, [name]: value })))
  }
  return all
}

const valuesOf = (narrow: AnyScalar, wide: AnyScalar): unknown[] => {
  const values: unknown[] = []
  for (let raw = 0; raw < narrow.cells && values.length <= WAYS_MAX; raw++) {
    const value = decodeScalar(narrow, raw)
    if (admits(wide, value)) values.push(value)
  }
  return values.length > 0 ? values : [decodeScalar(wide, 0)]
}

const admits = (type: AnyScalar, value: unknown): boolean => {
  try {
    const raw = encodeScalar(type, value, '')
    // A modular index takes every number and wraps it.
    return JSON.stringify(scalarToJson(decodeScalar(type, raw))) === JSON.stringify(scalarToJson(value))
  } catch {
    return false
  }
}
