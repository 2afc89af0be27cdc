/** A printer adapter and a printer that takes no time, unless its back end is told to hold. */
import type { Control } from '../../contract/index.ts'
import { CONTROL, CONTROL_MASK, PARPORT, PARPORT_PORTS } from '../../layout/parport.ts'
import type { BoardPart } from '../board.ts'
import { idle, isSet, type ParportParts, type ParportState } from './parport-parts.ts'
import { type BytePorts, readPorts, writePorts } from './ports.ts'

/** What the printer can be told. */
export const PRINTER_CONTROLS = ['hold', 'release'] as const

export interface ParportOptions {
  readonly base: number
  /** Line of the board that it drives. */
  readonly irq: number
  readonly parts: ParportParts
  readonly drive: (level: boolean) => void
}

export class Parport implements BoardPart, BytePorts {
  readonly describes
  readonly base: number
  readonly count = PARPORT_PORTS
  readonly #parts: ParportParts
  readonly #drive: (level: boolean) => void
  #state = idle()

  constructor({ base, irq, parts, drive }: ParportOptions) {
    this.base = base
    this.#parts = parts
    this.#drive = drive
    this.describes = [{ id: 'parallel', kind: 'parallel-port', transport: { kind: 'port', base, irq } }] as const
  }

  read(space: string, address: number, width: number): number | undefined {
    return readPorts(this, space, address, width)
  }

  write(space: string, address: number, width: number, value: number): boolean {
    return writePorts(this, space, address, width, value)
  }

  readByte(offset: number): number {
    if (offset === PARPORT.data) return this.#state.data
    return offset === PARPORT.status ? this.#parts.status(this.#state) : this.#parts.readControl(this.#state)
  }

  /** The status register is only read. */
  writeByte(offset: number, value: number): void {
    const s = this.#state
    if (offset === PARPORT.data) this.#parts.setData(s, value)
    if (offset !== PARPORT.control) return
    const before = s.control
    s.control = value & CONTROL_MASK
    if (!isSet(s.control, CONTROL.run)) this.#parts.initialise(s)
    else if (this.#parts.strobes(before, s.control) && !s.busy) {
      s.busy = true
      if (!s.held) this.#acknowledge()
    }
  }

  /** The end of the acknowledge pulse is the end of busy; the line is a pulse as well. */
  #acknowledge(): void {
    this.#state.busy = false
    if (!this.#parts.interrupts(this.#state)) return
    this.#drive(true)
    this.#drive(false)
  }

  controlBackend(id: string, control: Control): boolean {
    if (id !== 'parallel') return false
    if (control.do !== 'hold' && control.do !== 'release') return false
    this.#state.held = control.do === 'hold'
    if (control.do === 'release' && this.#state.busy) this.#acknowledge()
    return true
  }

  reset(): void {
    this.#state = this.#parts.reset(this.#state)
  }

  save(): unknown {
    return { ...this.#state }
  }

  restore(saved: unknown): void {
    this.#state = { ...(saved as ParportState) }
  }
}
