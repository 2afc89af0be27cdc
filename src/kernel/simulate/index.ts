/** Random walks of a machine within one scope. */
export { simulate } from './simulate.ts'
export type { SimulateOptions, Simulation, SimulationProgress } from './simulation.ts'
