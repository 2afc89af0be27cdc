/** What a simulation is asked and what it answers. */
import type { Step, Violation } from '../explore/index.ts'
import type { Actor } from '../language/index.ts'

export interface SimulateOptions {
  /** Steps of all walks together. */
  readonly steps: number
  /** What the walks are drawn from; the same seed gives the same walks. */
  readonly seed: number
  /** Steps after which a walk starts over. Default 1,000. */
  readonly walkLength?: number
  /** Actors that may break their duties and take their `hostile` actions. Default: nobody. */
  readonly hostile?: readonly Actor[]
  /** Counts distinct states, which costs time and memory. Default: no. */
  readonly distinct?: boolean
  /** Called about ten times a second. */
  readonly onProgress?: (progress: SimulationProgress) => void
  /** Asked now and then; true ends the simulation. */
  readonly interrupted?: () => boolean
}

export interface SimulationProgress {
  readonly steps: number
  readonly walks: number
  readonly seconds: number
  /** Distinct states so far; null where they are not counted. */
  readonly distinct: number | null
}

export interface Simulation {
  readonly machine: string
  readonly scope: Readonly<Record<string, number>>
  readonly seed: number
  readonly steps: number
  readonly walks: number
  readonly seconds: number
  readonly stepsPerSecond: number
  /** `passed`: no walk broke a law; of states that no walk saw it says nothing. */
  readonly result: 'passed' | 'violated' | 'cut-short'
  readonly violations: readonly Violation[]
  /** Walks that came to a state in which nothing can happen and that the machine does not call final. */
  readonly stuck: { readonly count: number; readonly steps?: readonly Step[] }
  /** Goals, and whether some walk came to them. */
  readonly goals: Readonly<Record<string, boolean>>
  /** How often each action was taken. */
  readonly actions: Readonly<Record<string, number>>
  /** Distinct states, the initial one included; null where they are not counted. */
  readonly distinct: number | null
}
