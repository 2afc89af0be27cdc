/** Errors on their way between threads, which keep no class. */
import { TargetError, type TargetTrouble } from '../contract/target.ts'
import { ModelError } from '../kernel/model.ts'
import { UsageError } from './exit.ts'
import { Interrupted } from './pulse.ts'

export interface Request {
  readonly id: number
  readonly call: string
  readonly argument: unknown
}

export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: PostedError }

export interface PostedError {
  readonly name: string
  readonly message: string
  readonly stack: string
  readonly reason?: TargetTrouble
  readonly lastWords?: string
}

export const postError = (error: unknown): PostedError => {
  const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error))
  const posted = { name, message, stack }
  return error instanceof TargetError ? { ...posted, reason: error.reason, lastWords: error.lastWords } : posted
}

export const receiveError = ({ name, message, stack, reason, lastWords }: PostedError): Error => {
  switch (name) {
    case 'TargetError':
      return new TargetError(reason!, message, lastWords)
    case 'ModelError':
      return new ModelError(message)
    case 'UsageError':
      return new UsageError(message)
    case 'Interrupted':
      return new Interrupted(message)
    default:
      return Object.assign(new Error(message), { name, stack })
  }
}
