/**
 * Threads that expand the levels of one search together with the one that it runs in, on one visited set. That one gives
 * the orders; between two of them the set is its own.
 *
 * Helpers are started when a level is first worth it, and the search goes on alone until they have made their machine.
 * What a search finds does not depend on them, but which state is found first does, and so the ways to it.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { Actor } from '../../language/index.ts'
import type { Expander } from '../expand.ts'
import type { Canoniser } from '../symmetry/canonical.ts'
import type { WasmVisited } from '../wasm/wasm-visited.ts'
import { Hand, slackOf } from './hand.ts'
import { CELLS, CELLS_COUNT, type Heard, type HelperData, type Origin } from './orders.ts'

/** A level of fewer transitions is expanded alone: telling the others costs as much as they save. */
const LEVEL_WORTH = 2 ** 15
/** So long until whether to go on is asked again. */
const WAIT_MS = 1000
/** Helpers that are waited for make their machine within this time. */
const READY_MS = 30_000
/** Helpers that finish no batch for so long are given up: a thread that died says nothing. */
const SILENCE_MS = 30_000

/** Threads are started from compiled code, also where this is not. */
const HELPER = import.meta.url.endsWith('.ts') ? '../../../../dist/src/kernel/explore/crew/helper.js' : './helper.js'

export interface CrewOptions {
  readonly origin: Origin
  /** The one that gives orders included. */
  readonly threads: number
  /** Transitions that a level has to promise to be shared. */
  readonly levelWorth?: number
  /** Helpers are waited for; for tests. */
  readonly patient?: boolean
  /** How long helpers may finish nothing; for tests. Default: half a minute. */
  readonly silenceMs?: number
}

/** The one who gives orders. */
export interface Captain {
  readonly actions: number
  readonly hostile: readonly Actor[]
  readonly rows: Int32Array
  readonly expander: Expander
  readonly canoniser: Canoniser | undefined
  /** After every batch of his own; true ends the order. */
  interrupted(): boolean
  hear(heard: Heard): void
}

interface Helper {
  readonly worker: Worker
  readonly port: MessagePort
  readonly taken: Float64Array
  readonly rest: Int32Array
}

/** A helper could not go on; the same search by one thread tells why. */
export class CrewFailed extends Error {
  override readonly name = 'CrewFailed'
}

const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes)

export class Crew {
  private readonly options: CrewOptions
  private readonly captain: Captain
  private readonly visited: WasmVisited
  private readonly cells = new Int32Array(shared(CELLS_COUNT * Int32Array.BYTES_PER_ELEMENT))
  private readonly helpers: readonly Helper[]
  private readonly hand: Hand
  private readonly slack: number
  private heardCount = 0

  constructor(options: CrewOptions, visited: WasmVisited, captain: Captain) {
    this.options = options
    this.captain = captain
    this.visited = visited
    const { ground } = visited
    const lanes = options.threads
    this.slack = slackOf(ground.rowsMax, lanes)
    const { cells } = this
    const { rows, expander, canoniser } = captain
    const pause = (): void => {
      if (captain.interrupted()) Atomics.store(cells, CELLS.stop, 1)
    }
    this.hand = new Hand({ ground, lane: 0, lanes, cells, rows, expander, canoniser, pause })
    this.helpers = Array.from({ length: lanes - 1 }, (_, i) => this.start(i + 1))
    if (options.patient === true) this.awaitAll()
  }

  private start(lane: number): Helper {
    const { captain, cells, visited, options } = this
    const { port1, port2 } = new MessageChannel()
    const taken = new Float64Array(shared(captain.actions * Float64Array.BYTES_PER_ELEMENT))
    const rest = new Int32Array(shared(2 * Int32Array.BYTES_PER_ELEMENT))
    const data: HelperData = {
      ...{ origin: options.origin, ground: visited.ground, hostile: captain.hostile },
      ...{ symmetry: captain.canoniser !== undefined, lane, lanes: options.threads, cells, taken, rest, port: port2 },
    }
    const worker = new Worker(new URL(HELPER, import.meta.url), {
      workerData: data,
      transferList: [port2],
      execArgv: [],
    })
    worker.unref()
    // What it fails of comes through the port, or is told by the search that one thread does then.
    worker.on('error', () => {})
    return { worker, port: port1, taken, rest }
  }

  private awaitAll(): void {
    const { cells, helpers } = this
    const until = performance.now() + READY_MS
    while (!this.isReady()) {
      const ready = Atomics.load(cells, CELLS.ready)
      Atomics.wait(cells, CELLS.ready, ready, WAIT_MS)
      if (performance.now() > until)
        throw new Error(`expected ${helpers.length} threads to be ready within ${READY_MS} ms, found ${ready}`)
    }
  }

  /** Transitions that helpers took, of one action. */
  taken(action: number): number {
    return this.helpers.reduce((sum, { taken }) => sum + taken[action]!, 0)
  }

  /** Whether a level of so many transitions is to be shared. */
  static isWorth(transitions: number, { levelWorth = LEVEL_WORTH }: CrewOptions): boolean {
    return transitions >= levelWorth
  }

  isReady(): boolean {
    this.listen()
    return Atomics.load(this.cells, CELLS.ready) === this.helpers.length
  }

  /** Expands states as far as there is room, and until it is interrupted; the first that was not expanded. */
  expand(first: number, end: number): number {
    const { cells, visited, helpers, slack } = this
    const limit = visited.limitFor(2 * slack)
    if (limit - visited.count < slack) return first
    const order = { next: first, end, numbers: visited.count, limit, mask: visited.mask, stop: 0, busy: helpers.length }
    for (const [cell, value] of Object.entries(order)) Atomics.store(cells, CELLS[cell as keyof typeof order], value)
    Atomics.add(cells, CELLS.order, 1)
    Atomics.notify(cells, CELLS.order)
    let failed: unknown
    try {
      this.hand.work()
    } catch (error) {
      Atomics.store(cells, CELLS.stop, 1)
      failed = error
    }
    this.awaitBusy()
    if (failed !== undefined) throw new CrewFailed(String(failed))
    visited.settle(
      [[this.hand.from, this.hand.to], ...helpers.map(({ rest }) => [rest[0]!, rest[1]!] as const)],
      cells[CELLS.numbers]!,
    )
    this.listen()
    return Math.min(cells[CELLS.next]!, end)
  }

  private awaitBusy(): void {
    const { cells, captain } = this
    const silenceMs = this.options.silenceMs ?? SILENCE_MS
    let heardAt = performance.now()
    let batches = Atomics.load(cells, CELLS.batches)
    for (let busy = Atomics.load(cells, CELLS.busy); busy > 0; busy = Atomics.load(cells, CELLS.busy)) {
      if (Atomics.wait(cells, CELLS.busy, busy, Math.min(WAIT_MS, silenceMs)) !== 'timed-out') continue
      if (captain.interrupted()) Atomics.store(cells, CELLS.stop, 1)
      const now = Atomics.load(cells, CELLS.batches)
      if (now !== batches) {
        batches = now
        heardAt = performance.now()
      } else if (performance.now() - heardAt >= silenceMs) throw new CrewFailed(`${busy} threads fell silent`)
    }
  }

  private listen(): void {
    if (Atomics.load(this.cells, CELLS.told) === this.heardCount) return
    for (const { port } of this.helpers)
      for (let told = receiveMessageOnPort(port); told !== undefined; told = receiveMessageOnPort(port)) {
        this.heardCount++
        const heard = told.message as Heard
        if (heard.error !== undefined) throw new CrewFailed(heard.error)
        this.captain.hear(heard)
      }
  }

  end(): void {
    for (const { worker, port } of this.helpers) {
      port.close()
      void worker.terminate()
    }
  }
}
