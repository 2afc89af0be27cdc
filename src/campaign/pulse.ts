/**
 * What a thread that works and the one that watches it share: a few counters in shared memory, since a thread in a
 * blocking call or in a loop of a target answers no message.
 */

const CELL = {
  /** Grows with every sign of life. */
  beats: 0,
  /** 1 while a target may block us. */
  busy: 1,
  /** Process group to kill to end a hang; 0 for none. */
  group: 2,
  /** The process group that the watchdog has killed last. */
  killed: 3,
  /** 1: stop at the next step. */
  interrupt: 4,
  /** Number of the run in flight. */
  run: 5,
  /** Steps of the plan in flight that are over. */
  step: 6,
  runs: 7,
  commands: 8,
  /** The timeout in force, in ms. */
  timeoutMs: 9,
} as const
const NAMED_CELLS = Object.keys(CELL).length
/** After them: process groups that are alive, so that none is left behind. */
const GROUPS = 32
const CELLS = NAMED_CELLS + GROUPS

/** The worker was told to stop. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

export class Pulse {
  readonly buffer: SharedArrayBuffer
  private readonly cells: Int32Array

  constructor(buffer = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer
    this.cells = new Int32Array(buffer)
  }

  private get(cell: keyof typeof CELL): number {
    return Atomics.load(this.cells, CELL[cell])
  }
  private set(cell: keyof typeof CELL, value: number): void {
    Atomics.store(this.cells, CELL[cell], value)
  }

  /** Around each call that may block, and once a step. */
  readonly beat = (): void => {
    Atomics.add(this.cells, CELL.beats, 1)
  }
  /** A step of a plan is over; throws `Interrupted` when we were told to stop. */
  readonly step = (): void => {
    Atomics.add(this.cells, CELL.beats, 1)
    Atomics.add(this.cells, CELL.step, 1)
    if (this.interrupted) throw new Interrupted('stopped')
  }
  /** A run begins on a target that lives in this process group (0: in our own). */
  begin(run: number, group: number, timeoutMs: number): void {
    this.set('run', run)
    this.set('step', 0)
    this.set('group', group)
    this.set('timeoutMs', timeoutMs)
    this.beat()
    this.set('busy', 1)
  }
  end(): void {
    this.set('busy', 0)
  }
  /** Counts a run, for progress. */
  count(commands: number): void {
    Atomics.add(this.cells, CELL.runs, 1)
    Atomics.add(this.cells, CELL.commands, commands)
  }

  get interrupted(): boolean {
    return this.get('interrupt') === 1
  }
  interrupt(): void {
    this.set('interrupt', 1)
  }
  killed(group: number): boolean {
    return group !== 0 && this.get('killed') === group
  }
  /** The watchdog is about to kill this process group. */
  willKill(group: number): void {
    this.set('killed', group)
  }

  /** Runs and commands since the last time that one asked. */
  take(): { readonly runs: number; readonly commands: number } {
    return {
      runs: Atomics.exchange(this.cells, CELL.runs, 0),
      commands: Atomics.exchange(this.cells, CELL.commands, 0),
    }
  }
  look() {
    return {
      beats: this.get('beats'),
      busy: this.get('busy') === 1,
      group: this.get('group'),
      run: this.get('run'),
      step: this.get('step'),
      timeoutMs: this.get('timeoutMs'),
    }
  }
  /** A process group lives from now on. */
  opened(group: number): void {
    this.swap(0, group)
  }
  /** It has ended. */
  closed(group: number): void {
    if (group !== 0) this.swap(group, 0)
  }
  private swap(from: number, to: number): void {
    for (let i = NAMED_CELLS; i < CELLS; i++) if (Atomics.compareExchange(this.cells, i, from, to) === from) return
  }
  /** Process groups that are alive. */
  groups(): number[] {
    return [...this.cells.subarray(NAMED_CELLS)].filter((group) => group !== 0)
  }

  /** Before a new worker takes over: nothing of the old one is left, but the request to stop. */
  clear(): void {
    for (const cell of ['busy', 'group', 'killed', 'run', 'step'] as const) this.set(cell, 0)
    this.cells.fill(0, NAMED_CELLS)
  }
}
