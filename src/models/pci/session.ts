/** A PCI function, driven register by register; what it shows is read back as actions. */
import type { Target } from '../../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../../kernel/language/index.ts'
import { ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { COMMAND, PCI } from '../../layout/pci.ts'
import { FEATURE, NO_VECTOR, STATUS } from '../../layout/virtio.ts'
import { place } from '../guest/access.ts'
import type { Message } from '../guest/msix.ts'
import { notesOf } from '../guest/notes.ts'
import { enableFunction, writeBar } from '../guest/pci-bars.ts'
import { identityIsReadOnly, inspectBars, listIsSound } from '../guest/pci-inspect.ts'
import { hasRequest, SingleRequest } from '../guest/single-request.ts'
import { arenaOf, VirtioDriver } from '../guest/virtio-device.ts'
import { VirtioPciDriver } from '../guest/virtio-pci.ts'
import { Capabilities } from './capabilities.ts'
import { Messages } from './messages.ts'

const VERSION_1 = 1n << BigInt(FEATURE.VERSION_1)
const AGREED = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK
/** The other place of the BAR: past 4 GiB for a 64-bit one, so that its upper half matters. */
const AWAY = { wide: 2 ** 33, mmio: 0xf800_0000, port: 0xe000 } as const
const CAPACITIES = [64, 72] as const
/** Milliseconds, and turns of the target, that a request may take. */
const RETURN_TURNS = 20
const LATE_MS = 2

export class PciFunctionSession implements Session {
  readonly device: string
  readonly #driver: VirtioDriver
  readonly #pci: VirtioPciDriver
  readonly #machine: Machine
  readonly #sink: Sink
  /** Absent where the function has no MSI-X that can be seen. */
  readonly #messages: Messages | undefined
  readonly #capabilities: Capabilities
  readonly #resizes: boolean
  readonly #request: SingleRequest
  readonly #home: number
  readonly #queues: number
  readonly #sizeMax: number
  #resetting = false
  /** A reset has brought the function to its initial state. */
  #erased = false
  /** That was a function-level reset. */
  #afterFunctionReset = false
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
    const { msix, interrupts } = transport
    const { vectors = 1 } = machine.scope
    if (interrupts === 'msix' && (msix?.vectors ?? 0) < vectors)
      throw new ModelError(
        `${device.id}: expected at least ${vectors} MSI-X table entries, found ${msix?.vectors ?? 0}`,
      )
    this.#messages = interrupts === 'msix' && msix !== undefined ? new Messages(transport, msix, vectors) : undefined
    this.#capabilities = new Capabilities(transport, device.id)
    this.#request = new SingleRequest(this.#driver, arenaOf(target.describe()).start)
    this.#home = transport.landmark.bar.base
    this.#driver.restart()
    this.#queues = transport.queueCount()
    this.#sizeMax = transport.queueSizeMax(0)
  }

  start(): void {
    this.#resetting = this.#erased = this.#afterFunctionReset = false
    this.#pci.landmark.bar.base = this.#home
    if (this.#capabilities.hasPower) this.#capabilities.wake()
    this.#driver.restart()
    this.#bringUp()
    this.#driver.forget()
    this.#tell('device.introduce', {
      messages: this.#messages !== undefined,
      power: this.#capabilities.hasPower,
      reset: this.#capabilities.canReset,
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
      this.#resetting = this.#erased = this.#afterFunctionReset = true
      this.#capabilities.startReset()
    },
    'driver.setPower': ({ to }) => {
      if (to !== 'D0') {
        this.#capabilities.sleep()
        return
      }
      const reset = this.#capabilities.wake()
      this.#erased ||= reset
      this.#tell('device.wake', { reset })
    },
    'driver.readPower': () => {
      if (this.#capabilities.hasPower)
        this.#tell('device.answerPower', { state: this.#capabilities.isAsleep ? 'D3hot' : 'D0' })
    },
    'driver.enableMessages': () => this.#messages!.control({ enabled: true }),
    'driver.disableMessages': () => this.#messages!.control({ enabled: false }),
    'driver.maskFunction': ({ on }) => this.#messages!.control({ masked: on as boolean }),
    'driver.mask': ({ vector }) => this.#messages!.msix.mask(vector as number, true),
    'driver.unmask': ({ vector }) => this.#messages!.msix.mask(vector as number, false),
    'driver.rewrite': ({ vector }) => this.#messages!.rewrite(vector as number),
    'driver.mapEvent': ({ vector }) =>
      this.#tell('device.answerVector', this.#messages!.map((vector as number | undefined) ?? NO_VECTOR)),
    'driver.mapBeyond': () => this.#tell('device.answerVector', this.#messages!.map(this.#messages!.msix.vectors)),
    'driver.provoke': () => this.#provoke(),
    'driver.readPending': ({ vector }) =>
      this.#tell('device.answerPending', { vector, bit: this.#messages!.msix.pending(vector as number) }),
    'driver.readEntry': ({ vector }) => this.#tell('device.answerEntry', this.#messages!.entry(vector as number)),
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
    if (!this.#resetting || !this.#capabilities.isResetDone) return
    this.#resetting = false
    this.#tell('device.finishReset')
  }

  move(target: Target): void {
    this.#driver.move(target)
    this.#request.move(target)
  }

  remembers(): string {
    return notesOf([
      ...[this.#resetting, this.#erased, this.#published, this.#capacity, this.#pci.landmark.bar.base],
      ...[this.#driver.notes(), this.#request.notes(), this.#messages?.notes()],
    ])
  }

  #bringUp(): void {
    this.#messages?.program()
    // Something that the reset has to unmap; MSI-X is off.
    this.#pci.setConfigVector?.(0)
    this.#pci.setQueueVector?.(0, 0)
    this.#driver.resetDevice()
    const { transport } = this.#driver
    if (this.#messages !== undefined) this.#tell('device.answerMapping', this.#messages.mapping())
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
    const { config, bars, landmark } = this.#pci
    landmark.bar.base = this.#home
    // Before bus mastering comes on, or messages of before would leave.
    if (!this.#erased) this.#messages?.switchOff()
    enableFunction(config, bars)
    if (this.#afterFunctionReset && this.#published) this.#answerIdle()
    if (this.#erased && this.#messages !== undefined) this.#tell('device.answerFresh', this.#messages.fresh())
    this.#erased = this.#afterFunctionReset = false
    this.#bringUp()
  }

  /** Bus mastering is on, and the device is not started: what was under way before the reset must be gone. */
  #answerIdle(): void {
    const { target } = this.#driver
    target.settle(0)
    const isAccess = target.events().some((event) => event.kind === 'dma' && event.device === this.device)
    this.#tell('device.answerIdle', { idle: this.#request.returned() === 0 && !isAccess })
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

  #tellMessage(message: Message): void {
    const args = this.#messages?.recognise(message) ?? { vector: 0, edition: 0, stray: true }
    const note = `address 0x${message.address.toString(16)}, data 0x${message.data.toString(16)}`
    this.#tell('device.message', args, args.stray === true ? note : undefined)
  }

  #placeOf(name: string): number {
    if (name === 'home') return this.#home
    const { bar } = this.#pci.landmark
    const base = bar.wide ? AWAY.wide : AWAY[bar.space]
    return Math.ceil(base / bar.bytes) * bar.bytes
  }

  #tell(name: string, args: Args = {}, note?: string): void {
    this.#sink(this.#machine.action(name), args, note)
  }
}
