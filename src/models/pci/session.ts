/** A PCI function, driven register by register; what it shows is read back as actions of the machine at hand. */
import type { Target } from '../../contract/target.ts'
import { type Action, type Args, Bits, type Machine } from '../../kernel/language/index.ts'
import { ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { COMMAND, PCI, PCI_STATUS } from '../../layout/pci.ts'
import { NO_VECTOR } from '../../layout/virtio.ts'
import { place } from '../guest/access.ts'
import type { Message } from '../guest/msix.ts'
import { notesOf } from '../guest/notes.ts'
import { enableFunction, writeBar } from '../guest/pci-bars.ts'
import { identityIsReadOnly, inspectBars, listIsSound } from '../guest/pci-inspect.ts'
import { Capabilities } from './capabilities.ts'
import { because } from './function-model.ts'
import { Messages } from './messages.ts'
import type { Subject } from './subject.ts'

/** The other place of the BAR: past 4 GiB for a 64-bit one, so that its upper half matters. */
const AWAY = { wide: 2 ** 33, mmio: 0xf800_0000, port: 0xe000 } as const

/** Actions and goals that are about MSI-X. */
const NEED_MESSAGES = [
  ...['driver.enableMessages', 'driver.disableMessages', 'driver.maskFunction', 'driver.mask', 'driver.unmask'],
  ...['driver.rewrite', 'driver.mapEvent', 'driver.mapBeyond', 'driver.readPending', 'driver.readEntry'],
  ...['aHeldMessage', 'anUnmaskedPendingVector', 'aRewrittenPendingVector', 'anEventUnderTheFunctionMask'],
  ...['driver.mapNowhere', 'driver.rewriteWide', 'driver.writeBeside', 'driver.writePending', 'driver.resolve'],
  ...['aReleasedFunction', 'anUnmappedEvent'],
] as const

export class PciFunctionSession implements Session {
  readonly device: string
  readonly unavailable: Readonly<Record<string, string>>
  readonly #subject: Subject
  readonly #machine: Machine
  readonly #sink: Sink
  /** Actions of the machine: what it does not speak of is not told. */
  readonly #spoken: ReadonlySet<string>
  /** Absent where the function has no MSI-X that can be seen. */
  readonly #messages: Messages | undefined
  readonly #capabilities: Capabilities
  readonly #home: number
  #resetting = false
  /** A reset has brought the function to its initial state. */
  #erased = false
  /** That was a function-level reset. */
  #afterFunctionReset = false

  constructor(subject: Subject, machine: Machine, sink: Sink) {
    this.#subject = subject
    this.#machine = machine
    this.#sink = sink
    this.#spoken = new Set(machine.actions.map(({ name }) => name))
    this.device = subject.id
    const { msix } = subject
    const { vectors = 1 } = machine.scope
    if (msix !== undefined && msix.vectors < vectors)
      throw new ModelError(`${subject.id}: expected at least ${vectors} MSI-X table entries, found ${msix.vectors}`)
    this.#messages = msix === undefined ? undefined : new Messages(subject, msix, vectors)
    this.unavailable = {
      ...(this.#messages === undefined
        ? Object.fromEntries(NEED_MESSAGES.map((name) => [name, 'it has no MSI-X']))
        : {}),
      ...(subject.resolve === undefined ? because(['driver.resolve'], 'software cannot resolve its causes') : {}),
      ...(subject.leavesGaps && msix?.beside !== undefined
        ? {}
        : because(['driver.writeBeside', 'device.answerBeside'], 'what lies behind its table is not known')),
    }
    this.#capabilities = new Capabilities(subject)
    this.#home = subject.landmark.bar.base
  }

  start(): void {
    this.#resetting = this.#erased = this.#afterFunctionReset = false
    this.#subject.landmark.bar.base = this.#home
    if (this.#capabilities.hasPower) this.#capabilities.wake()
    this.#subject.restart()
    this.#bringUp()
    this.#subject.forget()
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
      this.#subject.config.write16(
        PCI.command,
        (decode ? COMMAND.IO | COMMAND.MEMORY : 0) |
          (master ? COMMAND.BUS_MASTER : 0) |
          (intxOff ? COMMAND.INTX_DISABLE : 0),
      ),
    'driver.readStatus': () => this.#tell('device.answerStatus', { running: this.#subject.isRunning() }),
    'driver.readCommand': () => this.#answerCommand(),
    'driver.moveBar': ({ to }) => {
      const { bar } = this.#subject.landmark
      bar.base = this.#placeOf(to as string)
      writeBar(this.#subject.config, bar)
    },
    'driver.touch': ({ at }) => {
      const { bar, offset, value } = this.#subject.landmark
      const read = this.#subject.config.guest.read16(place(bar.space, this.#placeOf(at as string) + offset))
      this.#tell('device.answerTouch', { at, claims: read === value })
    },
    'driver.probeBars': () =>
      this.#tell('device.answerProbe', { ...inspectBars(this.#subject.config, this.#subject.bars) }),
    'driver.inspect': () => {
      const { config } = this.#subject
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
    'driver.mapEvent': ({ vector, look }) => {
      const reads = this.#messages!.map((vector as number | undefined) ?? NO_VECTOR)
      if (look === true) this.#tell('device.answerVector', reads)
    },
    'driver.mapBeyond': () => this.#tell('device.answerVector', this.#messages!.map(this.#messages!.msix.vectors)),
    'driver.mapNowhere': () => {
      this.#tell('device.answerVector', this.#messages!.map(NO_VECTOR))
      for (let v = 0; v < this.#machine.scope.vectors!; v++) this.#messages!.msix.mask(v, false)
    },
    'driver.resolve': () => this.#subject.resolve!(),
    'driver.rewriteWide': ({ vector }) =>
      this.#tell('device.answerWide', this.#messages!.rewriteWide(vector as number)),
    'driver.writeBeside': () => {
      const { target } = this.#subject
      const { beside } = this.#messages!.msix
      const write = (): void => {
        for (const value of [-1, 0]) target.write(beside!, 8, BigInt.asUintN(64, BigInt(value)))
      }
      this.#tell('device.answerBeside', this.#messages!.trespass(write))
    },
    'driver.writePending': ({ ones }) => {
      const write = (): void => this.#messages!.msix.writePending(ones ? 0xffff_ffff : 0)
      this.#tell('device.answerPendingWritten', this.#messages!.trespass(write))
    },
    'driver.provoke': () => this.#subject.provoke(),
    'driver.readPending': ({ vector }) =>
      this.#tell('device.answerPending', { vector, bit: this.#messages!.msix.pending(vector as number) }),
    'driver.readEntry': ({ vector }) => this.#tell('device.answerEntry', this.#messages!.entry(vector as number)),
    'driver.submit': () => this.#subject.submit(),
    'driver.readIsr': () => this.#tell('device.answerIsr', { bits: Bits.of(this.#subject.causes()) }),
    'driver.readLineStatus': () =>
      this.#tell('device.answerLineStatus', {
        pending: (this.#subject.config.read16(PCI.status) & PCI_STATUS.INTERRUPT) !== 0,
      }),
    'driver.provokeOther': () => this.#subject.neighbour!.provoke(),
    'driver.serviceOther': () => this.#subject.neighbour!.service(),
    'driver.gateOther': ({ off }) => this.#subject.neighbour!.gate(off as boolean),
  }

  collect(): void {
    const { id, wire } = this.#subject
    let accesses = this.#subject.hasWritten()
    for (const event of this.#subject.target.events()) {
      if (event.kind === 'line' && event.device === wire) this.#tell(event.level ? 'bus.raise' : 'bus.lower')
      else if (event.kind === 'line' && event.device === id) this.#tell(event.level ? 'device.raise' : 'device.lower')
      else if (event.kind === 'msi' && event.device === id) this.#tellMessage(event)
      else accesses ||= event.kind === 'dma' && event.device === id
    }
    if (accesses) this.#tell('device.access')
    if (!this.#resetting || !this.#capabilities.isResetDone) return
    this.#resetting = false
    this.#tell('device.finishReset')
  }

  move(target: Target): void {
    this.#subject.move(target)
  }

  remembers(): string {
    return notesOf([
      ...[this.#resetting, this.#erased, this.#subject.landmark.bar.base],
      ...[this.#subject.notes(), this.#messages?.notes()],
    ])
  }

  #bringUp(): void {
    this.#messages?.program()
    this.#subject.bringUp((mapped) => this.#tell('device.answerMapping', { mapped }))
    this.collect()
    this.#subject.settleIn()
  }

  #setUp(): void {
    const { config, bars, landmark } = this.#subject
    landmark.bar.base = this.#home
    // Before bus mastering comes on, or messages of before would leave.
    if (!this.#erased) this.#messages?.switchOff()
    enableFunction(config, bars)
    if (this.#afterFunctionReset) this.#answerIdle()
    if (this.#erased && this.#messages !== undefined) this.#tell('device.answerFresh', this.#messages.fresh())
    this.#erased = this.#afterFunctionReset = false
    this.#bringUp()
  }

  /** Bus mastering is on, and the device is not started: what was under way before the reset must be gone. */
  #answerIdle(): void {
    const { target } = this.#subject
    target.settle(0)
    const isAccess = target.events().some((event) => event.kind === 'dma' && event.device === this.device)
    this.#tell('device.answerIdle', { idle: !this.#subject.hasWritten() && !isAccess })
  }

  #answerCommand(): void {
    const command = this.#subject.config.read16(PCI.command)
    const decoding = this.#subject.landmark.bar.space === 'port' ? COMMAND.IO : COMMAND.MEMORY
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
    const { bar } = this.#subject.landmark
    const base = bar.wide ? AWAY.wide : AWAY[bar.space]
    return Math.ceil(base / bar.bytes) * bar.bytes
  }

  #tell(name: string, args: Args = {}, note?: string): void {
    if (this.#spoken.has(name)) this.#sink(this.#machine.action(name), args, note)
  }
}
