/**
 * The back end of the 9P device. v86 hands every request to a handler of its host; this is that handler. It can hold
 * requests back, complete them in any order and let them fail, so that a v86 device can complete out of order.
 */

import { type Control, TargetError } from '../../contract/target.ts'
import { answer, tagOf } from './nine-p.ts'
import type { Chain, Device, Surface } from './surface.ts'

export const BACKEND_CONTROLS: readonly Control['do'][] = ['hold', 'release', 'release-one', 'fail']

/** What v86 calls for each request; `reply` finds the chain to complete by the tag inside the answer. */
type Handler = (request: Uint8Array, reply: (answer: Uint8Array) => void) => void

/** The 9P device model in handler mode: chains in flight, by tag. */
interface NinePDevice extends Device {
  readonly tag_bufchain: Map<number, Chain>
}

/** One request that the back end keeps. */
interface Held {
  readonly chain: Chain
  readonly request: Uint8Array
  /** Decided when the request arrived: it gets an error. */
  readonly fails: boolean
}

interface SavedRequest {
  readonly chain: Record<string, unknown>
  readonly request: readonly number[]
  readonly fails: boolean
}

/** The back end as plain data. */
export interface SavedBackend {
  readonly held: readonly SavedRequest[]
  readonly holding: boolean
  readonly failuresLeft: number
}

/** Requests up to this size are allocated without trying first. */
const UNTRIED_BYTES_MAX = 2 ** 20

export class NinePBackend {
  /** What the device threw inside its asynchronous request function, where it would end the process instead. */
  crash: unknown
  #held: Held[] = []
  #holding = false
  #failuresLeft = 0
  #surface: Surface | undefined
  #popped: Chain | undefined
  #reply: ((answer: Uint8Array) => void) | undefined

  /** Given to v86 as `filesystem.handle9p`, before the device exists. */
  readonly handle: Handler = (request, reply) => {
    this.#reply = reply
    if (this.#popped === undefined || this.crash !== undefined) return
    const fails = this.#failuresLeft > 0
    if (fails) this.#failuresLeft--
    this.#held.push({ chain: this.#popped, request, fails })
    if (this.#holding) return
    try {
      this.#complete(this.#held.length - 1)
    } catch (error) {
      this.crash = error
    }
  }

  /** Takes charge of the device, which was just created: its queue is unused and guest memory is zero. */
  attach(surface: Surface): void {
    this.#surface = surface
    sendEmptyRequest(surface)
    if (this.#reply === undefined || !(this.#chains instanceof Map)) {
      throw new TargetError('start', 'v86 does not hand 9P requests to filesystem.handle9p as version 0.5.462 does')
    }
    this.#chains.clear()
    const queue = surface.device.virtio.queues[0]!
    const pop = queue.pop_request
    queue.pop_request = () => {
      if (this.crash !== undefined) throw this.crash
      const chain = pop.call(queue)
      // The device allocates this much next, where a failure would go uncaught; let it fail here instead.
      if (!(chain.length_readable >= 0 && chain.length_readable <= UNTRIED_BYTES_MAX))
        new Uint8Array(chain.length_readable)
      this.#popped = this.#guarded(chain)
      return chain
    }
  }

  control(control: Control): void {
    switch (control.do) {
      case 'hold':
        this.#holding = true
        return
      case 'release':
        this.#holding = false
        while (this.#held.length > 0) this.#complete(control.order === 'fifo' ? 0 : this.#held.length - 1)
        return
      case 'release-one':
        if (control.index < this.#held.length) this.#complete(control.index)
        return
      case 'fail':
        this.#failuresLeft = control.count
    }
  }

  /** Drops everything, as a host that starts over would. */
  reset(): void {
    this.#chains.clear()
    this.#held = []
    this.#holding = false
    this.#failuresLeft = 0
  }

  save(): SavedBackend {
    return {
      held: this.#held.map(({ chain, request, fails }) => ({
        chain: plainFields(chain),
        request: [...request],
        fails,
      })),
      holding: this.#holding,
      failuresLeft: this.#failuresLeft,
    }
  }

  restore(saved: SavedBackend): void {
    this.reset()
    const { device, chainPrototype } = this.#surface!
    const owners = { cpu: device.virtio.cpu, virtio: device.virtio }
    this.#held = saved.held.map(({ chain, request, fails }) => {
      const rebuilt = Object.assign(Object.create(chainPrototype) as Chain, structuredClone(chain), owners)
      return { chain: this.#guarded(rebuilt), request: Uint8Array.from(request), fails }
    })
    this.#holding = saved.holding
    this.#failuresLeft = saved.failuresLeft
  }

  get #chains(): Map<number, Chain> {
    return (this.#surface!.device as NinePDevice).tag_bufchain
  }

  /** Answers the `index`-th oldest held request. */
  #complete(index: number): void {
    const { chain, request, fails } = this.#held.splice(index, 1)[0]!
    // The device keeps one chain per tag; putting this one back in its place makes equal tags harmless.
    this.#chains.set(tagOf(request), chain)
    this.#reply!(answer(request, fails))
  }

  /** Reading the request happens in the asynchronous function too; what it throws is kept for the end of the poke. */
  #guarded(chain: Chain): Chain {
    const read = chain.get_next_blob
    chain.get_next_blob = (into) => {
      try {
        return read.call(chain, into)
      } catch (error) {
        this.crash = error
        return 0
      }
    }
    return chain
  }
}

/**
 * Sends one empty request through the queue, so that the device calls the handler once: this shows that it does, and
 * brings the reply function, which a restored back end needs before the device has had any request.
 */
function sendEmptyRequest({ cpu, device }: Surface): void {
  const queue = device.virtio.queues[0]!
  const [size, ...rings] = [32, 0x10_0000, 0x10_1000, 0x10_2000] as const
  const notifyPort = cpu.devices.pci.device_spaces[device.virtio.pci_id]![5]! & 0xfffc
  queue.set_state([size, size, true, 0, rings[0], rings[1], 0, rings[2], 0, 1])
  cpu.mem8[rings[1] + 2] = 1
  cpu.io.port_write16(notifyPort, 0)
  queue.reset()
  cpu.mem8.fill(0, rings[0], rings[2] + 0x1000)
}

function plainFields(chain: Chain): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(chain).filter(([, value]) => typeof value === 'number' || Array.isArray(value)),
  )
}
