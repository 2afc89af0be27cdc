/** Holding, reordering, failing and resizing the back end of the disk, through the graph of `block-graph.ts`. */

import { closeSync, openSync, readSync } from 'node:fs'
import { type Control, TargetError } from '../../contract/index.ts'
import { FAIL_DRIVE, FAILURES_MAX, HOLDS, holdDrive, TOP_NODE } from './block-graph.ts'
import type { Monitor } from './monitor.ts'

/** Events of QEMU's raw format driver at which a request is held, with the letter of their tags. */
const HELD_EVENTS = { R: 'read_aio', W: 'write_aio' } as const

/** A holding node that has caught a request, and the breakpoint that caught it. */
interface Held {
  readonly node: number
  readonly tag: string
}

export class Backend {
  readonly #monitor: Monitor
  /** Lets the target's main loop turn a few times. */
  readonly #turn: () => void
  readonly #stdout: number
  readonly #chunk = Buffer.alloc(4096)
  #printed = ''
  #holding = false
  /** Requests that are held, oldest first. */
  #held: Held[] = []

  /** `stdoutFile` is where QEMU says which breakpoint has caught a request. */
  constructor(monitor: Monitor, stdoutFile: string, turn: () => void) {
    this.#monitor = monitor
    this.#turn = turn
    this.#stdout = openSync(stdoutFile, 'r')
  }

  get holding(): boolean {
    return this.#holding
  }

  control(control: Control): void {
    switch (control.do) {
      case 'hold':
        this.#holding = true
        this.#arm()
        break
      case 'release':
        this.release(control.order)
        break
      case 'release-one':
        this.#releaseOne(control.index)
        break
      case 'fail':
        this.#fail(control.count)
        break
      case 'resize':
        // QEMU drains the device before it changes the size.
        this.release('fifo')
        this.#monitor.run('block_resize', { 'node-name': TOP_NODE, size: control.sectors * 512 })
    }
  }

  /** Ends a hold; everything that is held goes on. */
  release(order: 'fifo' | 'lifo'): void {
    if (!this.#holding) return
    this.#holding = false
    this.#learn()
    this.#disarm()
    // A request may have been caught between the look at the output and the end of its breakpoint.
    this.#learn()
    for (const held of order === 'fifo' ? this.#held : this.#held.toReversed()) this.#resume(held)
    this.#held = []
  }

  close(): void {
    closeSync(this.#stdout)
  }

  #releaseOne(index: number): void {
    this.#learn()
    const held = this.#held[index]
    if (held === undefined) return
    // It passes the nodes below on its way and must not be caught again.
    this.#disarm()
    this.#learn()
    this.#held.splice(index, 1)
    this.#resume(held)
    if (this.#holding) this.#arm()
  }

  #resume(held: Held): void {
    this.#commands([`qemu-io ${holdDrive(held.node)} "resume ${held.tag}"`])
    this.#turn()
  }

  /** Sets the breakpoints of the nodes that hold nothing. */
  #arm(): void {
    this.#learn()
    const commands: string[] = []
    for (const node of this.#free()) {
      for (const [letter, event] of Object.entries(HELD_EVENTS)) {
        commands.push(`qemu-io ${holdDrive(node)} "break ${event} ${letter}${node}"`)
      }
    }
    this.#commands(commands)
  }

  #disarm(): void {
    const commands: string[] = []
    for (const node of this.#free()) {
      for (const letter of Object.keys(HELD_EVENTS)) {
        commands.push(`qemu-io ${holdDrive(node)} "remove_break ${letter}${node}"`)
      }
    }
    this.#commands(commands)
  }

  #free(): number[] {
    const taken = new Set(this.#held.map((held) => held.node))
    return Array.from({ length: HOLDS }, (_, node) => node).filter((node) => !taken.has(node))
  }

  #fail(count: number): void {
    if (count > FAILURES_MAX) {
      throw new TargetError(
        'protocol',
        `qemu: can fail at most ${FAILURES_MAX} requests ahead, ${count} were asked for`,
      )
    }
    // Smaller than a sector: see `block-graph.ts`.
    this.#monitor.runHuman(Array.from({ length: count }, () => `qemu-io ${FAIL_DRIVE} "write -q 1 1"`))
  }

  #commands(commands: readonly string[]): void {
    for (const printed of this.#monitor.runHuman(commands)) {
      if (printed.trim() !== '') throw new TargetError('protocol', `qemu: back-end control: ${printed.trim()}`)
    }
  }

  /** Reads which requests have been caught since the last look. */
  #learn(): void {
    for (;;) {
      const count = readSync(this.#stdout, this.#chunk, 0, this.#chunk.length, null)
      if (count === 0) break
      this.#printed += this.#chunk.toString('latin1', 0, count)
    }
    const end = this.#printed.lastIndexOf('\n') + 1
    for (const match of this.#printed.slice(0, end).matchAll(/Suspended request '([RW]([0-9]+))'/g)) {
      this.#held.push({ node: Number(match[2]), tag: match[1]! })
    }
    this.#printed = this.#printed.slice(end)
  }
}
