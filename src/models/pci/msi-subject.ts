/** The function that does nothing but interrupt as the function under test, see `layout/msi-device.ts`. */
import type { DeviceDescription, Target } from '../../contract/target.ts'
import { ModelError } from '../../kernel/model.ts'
import { MAPPED_EVENT, MSI_REGISTERS, MSI_SIGNATURE, UNMAPPED_EVENT } from '../../layout/msi-device.ts'
import { COMMAND, PCI } from '../../layout/pci.ts'
import { NO_VECTOR } from '../../layout/virtio.ts'
import { Guest, place } from '../guest/access.ts'
import { findMsix, type Msix } from '../guest/msix.ts'
import { type Bar, enableFunction, placeBars, probeBars } from '../guest/pci-bars.ts'
import { type Capability, type ConfigSpace, findFunction } from '../guest/pci-bus.ts'
import type { Landmark, Neighbour, Subject } from './subject.ts'

export const MSI_KIND = 'msi-device'

/** One such function, driven. */
class MsiFunction {
  readonly config: ConfigSpace
  readonly bars: readonly Bar[]
  readonly bar: Bar
  readonly #guest: Guest

  constructor(guest: Guest, device: DeviceDescription) {
    this.#guest = guest
    this.config = findFunction(guest, device)
    this.bars = probeBars(this.config)
    placeBars(this.config, this.bars)
    const [bar] = this.bars
    if (bar === undefined) throw new ModelError(`${device.id}: expected BAR 0 with its registers, found none`)
    this.bar = bar
  }

  configure(): void {
    enableFunction(this.config, this.bars)
  }
  start(running: boolean): void {
    this.#guest.write16(this.#at(MSI_REGISTERS.status), running ? 1 : 0)
  }
  isRunning(): boolean {
    return this.#guest.read16(this.#at(MSI_REGISTERS.status)) === 1
  }
  happen(event: number): void {
    this.#guest.write32(this.#at(MSI_REGISTERS.doorbell), event)
  }
  resolve(): void {
    this.#guest.write32(this.#at(MSI_REGISTERS.resolve), 1)
  }
  causes(): number {
    return this.#guest.read32(this.#at(MSI_REGISTERS.causes))
  }
  vector(): number {
    return this.#guest.read16(this.#at(MSI_REGISTERS.vector))
  }
  map(vector: number): number {
    this.#guest.write16(this.#at(MSI_REGISTERS.vector), vector)
    return this.vector()
  }

  #at(register: number) {
    return place('mmio', this.bar.base + register)
  }
}

export class MsiSubject implements Subject {
  readonly id: string
  readonly capabilities: readonly Capability[]
  readonly msix: Msix | undefined
  readonly landmark: Landmark
  readonly wire?: string
  readonly neighbour?: Neighbour
  readonly leavesGaps = true
  readonly #guest: Guest
  readonly #function: MsiFunction
  readonly #other: MsiFunction | undefined

  constructor(target: Target, device: DeviceDescription) {
    this.id = device.id
    this.#guest = new Guest(target)
    this.#function = new MsiFunction(this.#guest, device)
    const { config, bars, bar } = this.#function
    this.capabilities = config.capabilities()
    this.msix = findMsix(config, this.capabilities, bars, undefined)
    this.landmark = { bar, offset: MSI_REGISTERS.signature, value: MSI_SIGNATURE }
    const line = device.facts?.line
    const other = target
      .describe()
      .devices.find(({ id, kind, facts }) => id !== device.id && kind === MSI_KIND && facts?.line === line)
    if (typeof line !== 'string' || other === undefined) return
    this.wire = line
    const beside = new MsiFunction(this.#guest, other)
    this.#other = beside
    this.neighbour = {
      provoke: () => beside.happen(UNMAPPED_EVENT),
      service: () => void beside.causes(),
      gate: (off) =>
        beside.config.write16(PCI.command, COMMAND.MEMORY | COMMAND.BUS_MASTER | (off ? COMMAND.INTX_DISABLE : 0)),
    }
  }

  get target() {
    return this.#guest.target
  }
  get config() {
    return this.#function.config
  }
  get bars() {
    return this.#function.bars
  }

  restart(): void {
    this.target.reset('system')
    this.#function.configure()
    this.#other?.configure()
    this.#other?.start(true)
    this.forget()
  }
  bringUp(mapped: (still: boolean) => void): void {
    this.#function.map(0)
    this.#function.start(false)
    mapped(this.#function.vector() !== NO_VECTOR)
    this.#function.start(true)
  }
  settleIn(): void {}
  forget(): void {
    this.target.events()
  }

  provoke(): void {
    this.#function.happen(MAPPED_EVENT)
  }
  resolve(): void {
    this.#function.resolve()
  }
  submit(): void {
    this.#function.happen(UNMAPPED_EVENT)
  }
  map(vector: number): number {
    return this.#function.map(vector)
  }
  causes(): number {
    return this.#function.causes()
  }
  isRunning(): boolean {
    return this.#function.isRunning()
  }
  hasWritten(): boolean {
    return false
  }
  move(target: Target): void {
    this.#guest.target = target
  }
  notes(): readonly unknown[] {
    return []
  }
}
