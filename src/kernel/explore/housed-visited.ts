/**
 * The visited set of a search: in plain memory as long as states are few, then in WebAssembly's, where its loops are
 * faster, and in plain memory again beyond the 4 GiB at which that ends.
 */
import { PlainVisited, type Visited, type VisitedOptions } from './visited.ts'
import { groundOf } from './wasm/ground.ts'
import { WasmVisited } from './wasm/wasm-visited.ts'

/** Below this many states there is nothing to gain. */
const MOVE_STATES = 2 ** 16

export interface HousedOptions extends VisitedOptions {
  /** Threads that may insert. Default: one. */
  readonly lanes?: number
  /** Bytes that WebAssembly's memory may have. Default: as many as it can. */
  readonly groundBytes?: number
  /** States above which it is used. */
  readonly moveStates?: number | undefined
}

export class HousedVisited implements Visited {
  readonly stride: number
  readonly rows: Int32Array
  private readonly options: HousedOptions
  private home: PlainVisited | WasmVisited
  /** States that plain memory is left with, once. */
  private moveAt: number

  constructor(options: HousedOptions) {
    this.options = options
    this.home = new PlainVisited(options)
    this.stride = this.home.stride
    this.rows = this.home.rows
    this.moveAt = options.moveStates ?? MOVE_STATES
  }

  get count(): number {
    return this.home.count
  }

  get arena(): Int32Array {
    return this.home.arena
  }

  get bytes(): number {
    return this.home.bytes
  }

  get full(): Visited['full'] {
    return this.home.full
  }

  /** Where threads can work on it together; nothing while it is in plain memory. */
  get shared(): WasmVisited | undefined {
    return this.home instanceof WasmVisited ? this.home : undefined
  }

  insert(n: number, numbers?: Int32Array): boolean {
    if (this.count >= this.moveAt) this.moveToGround()
    if (this.shared !== undefined && this.count + n > this.shared.ground.statesMax) this.moveOut(this.shared)
    return this.home.insert(n, numbers)
  }

  private moveToGround(): void {
    this.moveAt = Number.POSITIVE_INFINITY
    const { words, rowsMax, memoryBytes, lanes = 1, groundBytes = memoryBytes } = this.options
    const { maxStates } = this.home as PlainVisited
    const bytes = Math.min(groundBytes, memoryBytes)
    const ground = groundOf({ words, rowsMax, lanes, maxStates, memoryBytes: bytes, leastStates: 2 * this.count })
    if (ground !== undefined) this.home = new WasmVisited(ground, this.home, maxStates, memoryBytes)
  }

  /** To plain memory, unless it would be full there too. */
  private moveOut({ ground, maxStates, bytes }: WasmVisited): void {
    const { memoryBytes } = this.options
    if (ground.statesMax < maxStates && 2 * bytes < memoryBytes) this.home = new PlainVisited(this.options, this.home)
  }
}
