/** What the machines of a PCI function need of one: its PCI side, and something that makes it interrupt. */
import type { Target } from '../../contract/target.ts'
import type { Msix } from '../guest/msix.ts'
import type { Bar } from '../guest/pci-bars.ts'
import type { Capability, ConfigSpace } from '../guest/pci-bus.ts'

/** A register that shows where a BAR is. */
export interface Landmark {
  readonly bar: Bar
  readonly offset: number
  /** 16 bits that it reads, and nobody else. */
  readonly value: number
}

/** A second function on the line of the first. */
export interface Neighbour {
  provoke(): void
  service(): void
  gate(off: boolean): void
}

export interface Subject {
  /** `DeviceDescription.id`. */
  readonly id: string
  readonly target: Target
  readonly config: ConfigSpace
  readonly bars: readonly Bar[]
  readonly capabilities: readonly Capability[]
  /** Absent where there is none, or where its messages cannot be seen. */
  readonly msix: Msix | undefined
  readonly landmark: Landmark
  /** The id of the line that it shares, and who else is on it. */
  readonly wire?: string
  readonly neighbour?: Neighbour
  /** A power cycle where there is one, else a reset; pending events are forgotten. */
  restart(): void
  /** Resets the device itself and starts it; `mapped` is told whether its events were still mapped after the reset. */
  bringUp(mapped: (still: boolean) => void): void
  /** Brings it to rest: what its start alone brings about is done, and none of it counts. */
  settleIn(): void
  /** Nothing that is pending counts. */
  forget(): void
  /** One event; `submit` is the other kind, for a device that has two. */
  provoke(): void
  submit(): void
  /** Deals with what `provoke` was about, where software can. */
  resolve?(): void
  /** Nothing but table and pending bits is where they are. */
  readonly leavesGaps?: boolean
  /** Maps the event to a vector; what its register then reads. */
  map(vector: number): number
  /** Reads its causes, which clears them: bit 0 for `submit`, or for the only kind there is, bit 1 for `provoke`. */
  causes(): number
  /** It goes on with what it was started for. */
  isRunning(): boolean
  /** It wrote to memory since the last call. */
  hasWritten(): boolean
  move(target: Target): void
  /** What it remembers of a run. */
  notes(): readonly unknown[]
}
