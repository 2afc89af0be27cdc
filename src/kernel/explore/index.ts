/** Exhaustive search of a machine within one scope. */
export { ExploreError, type ExploreFault } from './error.ts'
export type { Edges, Exploration, ExploreOptions, Progress, Step, Violation } from './exploration.ts'
export { explore } from './explore.ts'
export { exploreWithWorkers } from './with-workers.ts'
