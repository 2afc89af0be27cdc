/** Two functions that do nothing but interrupt, with their INTA pins on one line. */
import type { Space, TargetEvent } from '../../contract/index.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { BoardDesign } from '../boards.ts'
import { freshState, type PciFunction } from './function.ts'
import { PciFunctions } from './functions.ts'
import { MsiDevice } from './msi-device.ts'
import { correctParts, type PciParts } from './parts.ts'

export interface MsiBoardParts {
  readonly pci: PciParts
  /** The level of the shared line, of the pins that drive it; `last` is what the one drives that changed last. */
  line(pins: readonly boolean[], last: boolean): boolean
}

const WIRE = 'line'
const IDS = ['msi0', 'msi1'] as const

class MsiBoard implements BoardPart {
  readonly describes: BoardPart['describes']
  readonly #emit: (event: TargetEvent) => void
  readonly #parts: MsiBoardParts
  readonly #functions: readonly PciFunction[]
  readonly #bus: PciFunctions
  #level = false

  constructor({ emit }: BoardServices, parts: MsiBoardParts) {
    this.#emit = emit
    this.#parts = parts
    this.#functions = IDS.map((id, i) => this.#createFunction(id, i + 1))
    this.#bus = new PciFunctions(this.#functions)
    const transport = { kind: 'chip', inputs: IDS.length } as const
    this.describes = [...this.#bus.devices(), { id: WIRE, kind: 'interrupt-line', transport }]
  }

  #createFunction(id: string, device: number): PciFunction {
    const personality = new MsiDevice()
    return {
      options: { id, kind: 'msi-device', device, facts: { line: WIRE } },
      personality,
      parts: this.#parts.pci,
      emit: (event) => this.#pass(event),
      state: freshState(personality),
    }
  }

  /** The line follows the pins: it is shown behind the pin that moved it. */
  #pass(event: TargetEvent): void {
    this.#emit(event)
    if (event.kind !== 'line') return
    const level = this.#parts.line(
      this.#functions.map(({ state }) => state.line),
      event.level,
    )
    if (level === this.#level) return
    this.#level = level
    this.#emit({ kind: 'line', device: WIRE, pin: 0, level })
  }

  read(space: Space, address: number, width: number): number | undefined {
    return space === 'hypercall' ? undefined : this.#bus.read(space, address, width)
  }
  write(space: Space, address: number, width: number, value: number): boolean {
    return space !== 'hypercall' && this.#bus.write(space, address, width, value)
  }
  step(): boolean {
    return this.#bus.step()
  }
  reset(): void {
    this.#bus.reset('system')
  }
  save(): unknown {
    return { bus: this.#bus.save(), level: this.#level }
  }
  restore(state: unknown): void {
    const { bus, level } = state as { readonly bus: unknown; readonly level: boolean }
    this.#bus.restore(bus)
    this.#level = level
  }
}

export const msiBoard: BoardDesign<MsiBoardParts> = {
  name: 'msi-device',
  summary: 'two PCI functions with MSI-X that do nothing but interrupt, sharing an INTx line',
  parts: () => ({ pci: { ...correctParts }, line: (pins) => pins.some((level) => level) }),
  wire: (parts) => ({ build: (services) => [new MsiBoard(services, parts)] }),
}
