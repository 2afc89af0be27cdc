/** The pci-function machine on a virtio device; the event that it tells of is a change of capacity, or a used buffer. */

import { pciFunction } from '../../spec/pci/function.ts'
import type { Description, DeviceDescription, Target } from '../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../kernel/model.ts'
import {
  CAPABILITY,
  COMMAND,
  EXPRESS,
  FLR_CAPABLE,
  FLR_INITIATE,
  PCI,
  POWER,
  POWER_NO_SOFT_RESET,
  POWER_STATE_MASK,
  TRANSACTIONS_PENDING,
} from '../layout/pci.ts'
import { FEATURE, NO_VECTOR, STATUS } from '../layout/virtio.ts'
import { place } from './guest/access.ts'
import type { Message } from './guest/msix.ts'
import { enableFunction, writeBar } from './guest/pci-bars.ts'
import { identityIsReadOnly, inspectBars, listIsSound } from './guest/pci-inspect.ts'
import { hasRequest, SingleRequest } from './guest/single-request.ts'
import { arenaOf, VirtioDriver, virtioOf } from './guest/virtio-device.ts'
import { VirtioPciDriver } from './guest/virtio-pci.ts'

const VERSION_1 = 1n << BigInt(FEATURE.VERSION_1)
const AGREED = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK
/** The other place of the BAR: past 4 GiB for a 64-bit one, so that its upper half matters. */
const AWAY = { wide: 2 ** 33, mmio: 0xf800_0000, port: 0xe000 } as const
const CAPACITIES = [64, 72] as const
const D3HOT = 3
/** Milliseconds, and turns of the target, that a request may take. */
const RETURN_TURNS = 20
const LATE_MS = 2

class PciFunctionSession implements Session {
  readonly device: string
  readonly #driver: VirtioDriver
  readonly #pci: VirtioPciDriver
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #vectors: number
  readonly #resizes: boolean
  readonly #request: SingleRequest
  readonly #home: number
  readonly #queues: number
  readonly #sizeMax: number
  #resetting = false
  /** A reset has brought the function to its initial state. */
  #erased = false
  #published = false
  #capacity = 0

  constructor(target: Target, machine: Machine, sink: Sink) {
    this.#driver = new VirtioDriver(target)
    const { transport, device } = this.#driver
    if (!(transport instanceof VirtioPciDriver)) throw new ModelError(`${device.id}: expected a device on PCI`)
    this.#pci = transport
    this.#machine = machine
    this.#sink = sink
    this.device = device.id
    this.#resizes = target.describe().can.controls.includes('resize')
    this.#vectors = Math.min(machine.scope.vectors ?? 1, transport.msix?.vectors ?? 0)
    if (transport.interrupts === 'msix' && this.#vectors !== machine.scope.vectors)
      throw new ModelError(
        `${device.id}: expected at least ${machine.scope.vectors} MSI-X table entries, found ${transport.msix?.vectors}`,
      )
    this.#request = new SingleRequest(this.#driver, arenaOf(target.describe()).start)
    this.#home = transport.landmark.bar.base
    this.#driver.restart()
    this.#queues = transport.queueCount()
    this.#sizeMax = transport.queueSizeMax(0)
  }

  start(): void {
    this.#resetting = this.#erased = false
    this.#pci.landmark.bar.base = this.#home
    this.#wakeUp()
    this.#driver.restart()
    this.#bringUp()
    this.#driver.forget()
    const express = this.#capabilityAt(CAPABILITY.EXPRESS)
    const { config } = this.#pci
    this.#tell('device.introduce', {
      messages: this.#pci.interrupts === 'msix',
      power: this.#capabilityAt(CAPABILITY.POWER) !== undefined,
      reset: express !== undefined && (config.read32(express + EXPRESS.deviceCapabilities) & FLR_CAPABLE) !== 0,
    })
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of the driver`)
    perform(args)
    // Interrupts leave while a register is written: seen later, they would seem to come after the next write.
    this.collect()
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.setUp': () => this.#setUp(),
    'driver.restart': () => this.#setUp(),
    'driver.setCommand': ({ decode, master, intxOff }) =>
      this.#pci.config.write16(
        PCI.command,
        (decode ? COMMAND.IO | COMMAND.MEMORY : 0) |
          (master ? COMMAND.BUS_MASTER : 0) |
          (intxOff ? COMMAND.INTX_DISABLE : 0),
      ),
    'driver.readStatus': () =>
      this.#tell('device.answerStatus', { running: (this.#pci.status() & STATUS.DRIVER_OK) !== 0 }),
    'driver.readCommand': () => this.#answerCommand(),
    'driver.moveBar': ({ to }) => {
      const { bar } = this.#pci.landmark
      bar.base = this.#placeOf(to as string)
      writeBar(this.#pci.config, bar)
    },
    'driver.touch': ({ at }) => {
      const { bar, offset } = this.#pci.landmark
      const value = this.#pci.config.guest.read16(place(bar.space, this.#placeOf(at as string) + offset))
      this.#tell('device.answerTouch', { at, claims: value === this.#queues })
    },
    'driver.probeBars': () => this.#tell('device.answerProbe', { ...inspectBars(this.#pci.config, this.#pci.bars) }),
    'driver.inspect': () => {
      const { config } = this.#pci
      this.#tell('device.answerInspection', { identity: identityIsReadOnly(config), list: listIsSound(config) })
    },
    'driver.resetFunction': () => {
      this.#resetting = this.#erased = true
      const control = this.#capability(CAPABILITY.EXPRESS, 'function-level reset') + EXPRESS.deviceControl
      this.#pci.config.write16(control, this.#pci.config.read16(control) | FLR_INITIATE)
    },
    'driver.setPower': ({ to }) => {
      const at = this.#capability(CAPABILITY.POWER, 'power management') + POWER.control
      this.#pci.config.write16(at, to === 'D0' ? 0 : D3HOT)
      if (to !== 'D0') return
      const reset = (this.#pci.config.read16(at) & POWER_NO_SOFT_RESET) === 0
      this.#erased ||= reset
      this.#tell('device.wake', { reset })
    },
    'driver.readPower': () => {
      const at = this.#capabilityAt(CAPABILITY.POWER)
      if (at === undefined) return
      const asleep = (this.#pci.config.read16(at + POWER.control) & POWER_STATE_MASK) !== 0
      this.#tell('device.answerPower', { state: asleep ? 'D3hot' : 'D0' })
    },
    'driver.enableMessages': () => this.#control({ enabled: true }),
    'driver.disableMessages': () => this.#control({ enabled: false }),
    'driver.maskFunction': ({ on }) => this.#control({ masked: on as boolean }),
    'driver.mask': ({ vector }) => this.#pci.msix!.mask(vector as number, true),
    'driver.unmask': ({ vector }) => this.#pci.msix!.mask(vector as number, false),
    'driver.rewrite': ({ vector }) => {
      const v = vector as number
      this.#editions[v] = 1 - this.#editions[v]!
      this.#pci.msix!.setMessage(v, this.#messages[v]![this.#editions[v]!]!)
    },
    'driver.mapEvent': ({ vector }) => this.#map((vector as number | undefined) ?? NO_VECTOR),
    'driver.mapBeyond': () => this.#map(this.#pci.msix!.vectors),
    'driver.provoke': () => this.#provoke(),
    'driver.readPending': ({ vector }) =>
      this.#tell('device.answerPending', { vector, bit: this.#pci.msix!.pending(vector as number) }),
    'driver.readEntry': ({ vector }) => this.#answerEntry(vector as number),
    'driver.submit': () => this.#submit(),
    'driver.readIsr': () => this.#tell('device.answerIsr', { bits: Bits.of(this.#pci.interruptStatus() & 3) }),
  }

  collect(): void {
    let accesses = this.#published && this.#request.returned() > 0
    for (const event of this.#driver.target.events()) {
      accesses ||= event.kind === 'dma' && event.device === this.device
      if ((event.kind !== 'msi' && event.kind !== 'line') || event.device !== this.device) continue
      if (event.kind === 'line') this.#tell(event.level ? 'device.raise' : 'device.lower')
      else this.#tellMessage(event)
    }
    if (accesses) this.#tell('device.access')
    if (!this.#resetting) return
    const { config } = this.#pci
    const status = this.#capability(CAPABILITY.EXPRESS, 'function-level reset') + EXPRESS.deviceStatus
    if (config.read16(PCI.vendorId) === 0xffff || (config.read16(status) & TRANSACTIONS_PENDING) !== 0) return
    this.#resetting = false
    this.#tell('device.finishReset')
  }

  move(target: Target): void {
    this.#driver.move(target)
    this.#request.move(target)
  }

  /** Both messages of each vector, and which of them the entry holds. */
  #messages: Message[][] = []
  #editions: number[] = []
  #mode = { enabled: false, masked: false }

  #bringUp(): void {
    const { msix } = this.#pci
    if (this.#pci.interrupts === 'msix' && msix !== undefined) {
      this.#messages = Array.from({ length: this.#vectors }, (_, v) => {
        const address = msix.placeOf(v)
        return [
          { address, data: v + 1 },
          { address: address + 8, data: 0x100 + v + 1 },
        ]
      })
      this.#editions = this.#messages.map(() => 0)
      this.#control({ enabled: false, masked: false })
      for (let v = 0; v < this.#vectors; v++) {
        msix.mask(v, true)
        msix.setMessage(v, this.#messages[v]![0]!)
      }
      // No event is ever mapped to the others: what they send is a stray.
      for (let v = this.#vectors; v < msix.vectors; v++) {
        msix.setMessage(v, { address: msix.placeOf(v), data: v + 1 })
        msix.mask(v, false)
      }
    }
    // Something that the reset has to unmap; MSI-X is off.
    this.#pci.setConfigVector?.(0)
    this.#pci.setQueueVector?.(0, 0)
    this.#driver.resetDevice()
    const { transport } = this.#driver
    if (this.#pci.interrupts === 'msix')
      this.#tell('device.answerMapping', {
        mapped: this.#pci.configVector() !== NO_VECTOR || this.#pci.queueVector(0) !== NO_VECTOR,
      })
    transport.setStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER)
    transport.setDriverFeatures(VERSION_1)
    transport.setStatus(AGREED)
    this.#published = hasRequest(this.#driver.device)
    if (this.#published) this.#request.publish(this.#driver, this.#sizeMax, undefined)
    transport.setStatus(AGREED | STATUS.DRIVER_OK)
    if (!this.#published) return
    // The first chain is served, and its interrupt serviced, before anything is judged.
    this.collect()
    transport.kick(0)
    this.#awaitReturn()
    this.#request.returned()
    this.#driver.forget()
  }

  /** Waits until a buffer came back, which it need not: without bus mastering it does not. */
  #awaitReturn(): void {
    const { target } = this.#driver
    target.settle(0)
    for (let turn = 0; turn < RETURN_TURNS && this.#request.pending; turn++) target.settle(1)
    // The used index comes first: the interrupt of an asynchronous target may still be on its way.
    if (!target.describe().can.synchronous) target.settle(LATE_MS)
  }

  #submit(): void {
    this.#request.again()
    this.#driver.transport.kick(0)
    this.#awaitReturn()
  }

  #setUp(): void {
    const { config, bars, landmark, msix } = this.#pci
    landmark.bar.base = this.#home
    // Before bus mastering comes on, or messages of before would leave.
    if (!this.#erased && this.#pci.interrupts === 'msix') this.#control({ enabled: false, masked: false })
    enableFunction(config, bars)
    if (this.#erased && this.#pci.interrupts === 'msix' && msix !== undefined) {
      const all = Array.from({ length: msix.vectors }, (_, v) => v)
      this.#tell('device.answerFresh', {
        enabled: msix.isEnabled(),
        masked: all.every((v) => msix.isMasked(v)),
        pending: all.some((v) => msix.pending(v)),
      })
    }
    this.#erased = false
    this.#bringUp()
  }

  #wakeUp(): void {
    const at = this.#capabilityAt(CAPABILITY.POWER)
    if (at !== undefined) this.#pci.config.write16(at + POWER.control, 0)
  }

  #control(change: { readonly enabled?: boolean; readonly masked?: boolean }): void {
    this.#mode = { ...this.#mode, ...change }
    this.#pci.msix!.control(this.#mode.enabled, this.#mode.masked)
  }

  #map(vector: number): void {
    const read = this.#pci.setConfigVector!(vector)
    const reads =
      read === vector && vector < this.#pci.msix!.vectors ? 'asWritten' : read === NO_VECTOR ? 'noVector' : 'other'
    this.#tell('device.answerVector', { reads: vector === NO_VECTOR && read === NO_VECTOR ? 'asWritten' : reads })
  }

  #provoke(): void {
    const { target } = this.#driver
    if (this.#resizes) {
      this.#capacity = 1 - this.#capacity
      target.control!(this.device, { do: 'resize', sectors: CAPACITIES[this.#capacity]! })
    } else {
      this.#submit()
    }
    target.settle(0)
  }

  #answerCommand(): void {
    const command = this.#pci.config.read16(PCI.command)
    const decoding = this.#pci.landmark.bar.space === 'port' ? COMMAND.IO : COMMAND.MEMORY
    this.#tell('device.answerCommand', {
      decode: (command & decoding) !== 0,
      master: (command & COMMAND.BUS_MASTER) !== 0,
      intxOff: (command & COMMAND.INTX_DISABLE) !== 0,
    })
  }

  #answerEntry(vector: number): void {
    const msix = this.#pci.msix!
    const held = msix.readMessage(vector)
    const edition = this.#messages[vector]!.findIndex(
      (each) => each.address === held.address && each.data === held.data,
    )
    this.#tell('device.answerEntry', {
      vector,
      masked: msix.isMasked(vector),
      edition: edition < 0 ? undefined : edition,
    })
  }

  #tellMessage({ address, data }: Message): void {
    const isIt = (each: Message): boolean => each.address === address && each.data === data
    const vector = this.#messages.findIndex((editions) => editions.some(isIt))
    if (vector >= 0) {
      const edition = this.#messages[vector]!.findIndex(isIt)
      this.#tell('device.message', { vector, edition, stray: false })
    } else {
      const note = `address 0x${address.toString(16)}, data 0x${data.toString(16)}`
      this.#tell('device.message', { vector: 0, edition: 0, stray: true }, note)
    }
  }

  #placeOf(name: string): number {
    if (name === 'home') return this.#home
    const { bar } = this.#pci.landmark
    const base = bar.wide ? AWAY.wide : AWAY[bar.space]
    return Math.ceil(base / bar.bytes) * bar.bytes
  }

  #capabilityAt(id: number): number | undefined {
    return this.#pci.capabilities.find((each) => each.id === id)?.at
  }
  #capability(id: number, what: string): number {
    const at = this.#capabilityAt(id)
    if (at !== undefined) return at
    throw new ModelError(`${this.device}: its description promises ${what}; expected a capability ${id}, found none`)
  }

  #tell(name: string, args: Args = {}, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}

const onPci = (target: Description): DeviceDescription | undefined => {
  const device = virtioOf(target)
  return device?.transport.kind === 'pci' ? device : undefined
}

const MESSAGE_ACTIONS = [
  'driver.enableMessages',
  'driver.disableMessages',
  'driver.maskFunction',
  'driver.mask',
  'driver.unmask',
  'driver.rewrite',
  'driver.mapEvent',
  'driver.mapBeyond',
  'driver.readPending',
  'driver.readEntry',
] as const
const because = (names: readonly string[], reason: string): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, reason]))

export const pciFunctionModel: Model = {
  machine: pciFunction,
  played: ['driver'],
  notApplicable(target) {
    const device = onPci(target)
    if (device === undefined) return 'it has no virtio device on PCI'
    if (target.observes.line === 'none') return 'it does not show interrupt lines, which this is about'
    if (target.can.controls.includes('resize') || hasRequest(device)) return undefined
    return `neither a change of capacity nor a request of a ${device.kind} is known that would make it interrupt`
  },
  scope: (target) => ({ scope: 'played', bounds: { config: target.can.controls.includes('resize') ? 1 : 0 } }),
  unavailable(target) {
    const { observes, can } = target
    const resizes = can.controls.includes('resize')
    const device = onPci(target)
    return {
      ...(device === undefined || hasRequest(device)
        ? {}
        : because(['driver.submit'], `no request is known that a ${device.kind} would answer`)),
      ...(observes.msi === 'none' ? because(MESSAGE_ACTIONS, 'it shows no message-signalled interrupts') : {}),
      ...(resizes ? {} : because(MESSAGE_ACTIONS, 'its event cannot be mapped anew while the queue is enabled')),
      ...(can.resets.includes('function')
        ? {}
        : because(['driver.resetFunction'], 'it declares no function-level reset')),
      ...(can.resets.includes('power-state') ? {} : because(['driver.setPower'], 'it declares no power states')),
    }
  },
  open: (target, machine, sink) => new PciFunctionSession(target, machine, sink),
}
