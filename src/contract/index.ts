export type * from './target.ts'
export { TargetError } from './target.ts'
