/** Holding, reordering, failing and resizing the back end of the disk, through the graph of `block-graph.ts`. */

import { closeSync, openSync, readSync } from 'node:fs'
import { type Control, TargetError } from '../../contract/index.ts'
import { FAIL_DRIVE, FAILURES_MAX, HOLDS, holdDrive, NEXT_DRIVE, TOP_NODE } from './block-graph.ts'
import type { Monitor } from './monitor.ts'

/** How long a request that was let go may take. It is a copy in memory; the bound is for what never completes. */
const COMPLETION_MS = 100

/** How long a request may take from the driver's kick to the back end, where the device has a thread of its own. */
const ARRIVAL_MS = 10

/** The device in front of the back end: its path in QEMU's object tree, and how many virtqueues it has. */
export interface BackedDevice {
  readonly path: string
  readonly queues: number
  /** It takes requests in a thread of its own. */
  readonly asynchronous: boolean
}

/** A place where one request can be held: a node of the graph, and the event at which it stops a request. */
interface Place {
  readonly tag: string
  readonly node: number
  /** Event of QEMU's raw format driver: each request causes one on its way through each node, from node 0 down. */
  readonly event: 'read_aio' | 'write_aio'
}

const places: readonly Place[] = Array.from({ length: HOLDS }, (_, node) => [
  { tag: `R${node}`, node, event: 'read_aio' } as const,
  { tag: `W${node}`, node, event: 'write_aio' } as const,
]).flat()

export class Backend {
  readonly #monitor: Monitor
  readonly #device: BackedDevice
  readonly #stdout: number
  readonly #chunk = Buffer.alloc(4096)
  #printed = ''
  #holding = false
  /** Places that have a breakpoint and no request. */
  readonly #armed = new Set<Place>()
  /** At most so many failures are pending. */
  #failures = 0
  /** Places that have a request, the oldest request first. */
  #held: Place[] = []

  /** `stdoutFile` is where QEMU says which breakpoint has caught a request. */
  constructor(monitor: Monitor, device: BackedDevice, stdoutFile: string) {
    this.#monitor = monitor
    this.#device = device
    this.#stdout = openSync(stdoutFile, 'r')
  }

  get holding(): boolean {
    return this.#holding
  }

  control(control: Control): void {
    switch (control.do) {
      case 'hold':
        this.#holding = true
        this.#learn()
        this.#arm(places.filter((place) => !this.#armed.has(place) && !this.#held.includes(place)))
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

  /** Ends a hold; everything that is held goes on, one after the other. */
  release(order: 'fifo' | 'lifo'): void {
    if (!this.#holding) return
    this.#holding = false
    this.#learn()
    this.#disarm([...this.#armed])
    const held = order === 'fifo' ? this.#held : this.#held.toReversed()
    this.#held = []
    let inFlight = held.length > 1 ? this.#inFlight() : 0
    held.forEach((place, index) => {
      this.#command(place, `resume ${place.tag}`)
      if (index < held.length - 1) inFlight = this.#awaitCompletion(inFlight)
    })
  }

  close(): void {
    closeSync(this.#stdout)
  }

  #releaseOne(index: number): void {
    const untilMs = performance.now() + (this.#device.asynchronous ? ARRIVAL_MS : 0)
    do this.#learn()
    while (this.#held.length <= index && performance.now() < untilMs)
    const place = this.#held[index]
    if (place === undefined) return
    // It passes the nodes below on its way and must not be caught again.
    const below = [...this.#armed].filter((other) => other.node > place.node && other.event === place.event)
    this.#disarm(below)
    this.#held = this.#held.filter((other) => other !== place)
    this.#command(place, `resume ${place.tag}`)
    if (this.#holding) this.#arm([place, ...below])
  }

  #arm(wanted: readonly Place[]): void {
    this.#commands(wanted.map((place) => [place, `break ${place.event} ${place.tag}`]))
    for (const place of wanted) this.#armed.add(place)
  }

  /** Takes breakpoints away. A request that one of them has caught just now goes on by that. */
  #disarm(unwanted: readonly Place[]): void {
    this.#commands(unwanted.map((place) => [place, `remove_break ${place.tag}`]))
    this.#learn()
    for (const place of unwanted) this.#armed.delete(place)
    this.#held = this.#held.filter((place) => !unwanted.includes(place))
  }

  /** The next `count` requests fail, and none of those that were to fail before. */
  #fail(count: number): void {
    if (count > FAILURES_MAX) {
      throw new TargetError(
        'protocol',
        `qemu: can fail at most ${FAILURES_MAX} requests ahead, ${count} were asked for`,
      )
    }
    // A read of our own uses up a failure that is pending still; whether it failed does not matter.
    if (this.#failures > 0) {
      const read = `qemu-io ${NEXT_DRIVE} "read -q 0 512"`
      this.#monitor.runHuman(Array.from({ length: this.#failures }, () => read))
    }
    this.#failures = count
    // Smaller than a sector: see `block-graph.ts`.
    this.#monitor.runHuman(Array.from({ length: count }, () => `qemu-io ${FAIL_DRIVE} "write -q 1 1"`))
  }

  /** Waits until fewer chains are in flight than before, so that the next request cannot overtake; returns how many. */
  #awaitCompletion(before: number): number {
    const untilMs = performance.now() + COMPLETION_MS
    for (;;) {
      const now = this.#inFlight()
      if (now < before || performance.now() > untilMs) return now
    }
  }

  /** How many chains the device has taken and not returned. */
  #inFlight(): number {
    let count = 0
    for (let queue = 0; queue < this.#device.queues; queue++) {
      const status = this.#monitor.run('x-query-virtio-queue-status', { path: this.#device.path, queue })
      count += (status as { readonly inuse: number }).inuse
    }
    return count
  }

  #command(place: Place, command: string): void {
    this.#commands([[place, command]])
  }

  #commands(commands: readonly (readonly [Place, string])[]): void {
    const printed = this.#monitor.runHuman(
      commands.map(([place, command]) => `qemu-io ${holdDrive(place.node)} "${command}"`),
    )
    for (const text of printed) {
      if (text.trim() !== '') throw new TargetError('protocol', `qemu: back-end control: ${text.trim()}`)
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
    for (const match of this.#printed.slice(0, end).matchAll(/Suspended request '([RW][0-9]+)'/g)) {
      const place = places.find(({ tag }) => tag === match[1])
      if (place === undefined) continue
      this.#armed.delete(place)
      this.#held.push(place)
    }
    this.#printed = this.#printed.slice(end)
  }
}
