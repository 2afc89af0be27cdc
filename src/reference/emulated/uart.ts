/**
 * A 16550 serial port whose transmitter takes no time: a byte leaves as it is written, into the receiver in loop mode and
 * to nobody otherwise. Only the timeout of the receiver needs time.
 */
import { CAUSE, FIFOS_ON, INPUTS_SHIFT, LINE_STATUS, MODEM, UART, UART_PORTS } from '../../layout/uart.ts'
import type { BoardPart } from '../board.ts'
import { type BytePorts, readPorts, writePorts } from './ports.ts'
import { blank, fifosAreOn, inputsOf, isOn, type UartParts, type UartState } from './uart-parts.ts'

export interface UartOptions {
  readonly base: number
  /** Line of the board that it drives. */
  readonly irq: number
  readonly parts: UartParts
  /** Told each change of the line. */
  readonly drive: (level: boolean) => void
}

export class Uart implements BoardPart, BytePorts {
  readonly describes
  readonly base: number
  readonly count = UART_PORTS
  readonly #parts: UartParts
  readonly #drive: (level: boolean) => void
  #state = blank()
  #level = false

  constructor({ base, irq, parts, drive }: UartOptions) {
    this.base = base
    this.#parts = parts
    this.#drive = drive
    this.describes = [{ id: 'serial', kind: 'serial-16550', transport: { kind: 'port', base, irq } }] as const
  }

  read(space: string, address: number, width: number): number | undefined {
    return readPorts(this, space, address, width)
  }

  write(space: string, address: number, width: number, value: number): boolean {
    return writePorts(this, space, address, width, value)
  }

  readByte(offset: number): number {
    const value = this.#read(offset)
    this.#update()
    return value
  }

  #read(offset: number): number {
    const s = this.#state
    const parts = this.#parts
    if (offset <= UART.divisorHigh && parts.isDivisorSelected(s))
      return offset === UART.divisorLow ? s.divisor & 0xff : s.divisor >>> 8
    switch (offset) {
      case UART.data: {
        const byte = s.received.shift()
        parts.taken(s)
        return byte ?? 0
      }
      case UART.enable:
        return s.enable
      case UART.identification: {
        const cause = parts.cause(s, parts.trigger(s))
        parts.identified(s, cause)
        return cause | (fifosAreOn(s) ? FIFOS_ON : 0)
      }
      case UART.line:
        return s.line
      case UART.modem:
        return s.modem
      case UART.lineStatus: {
        const { received, overrun } = s
        parts.lineStatusRead(s)
        return (
          LINE_STATUS.holdingEmpty |
          LINE_STATUS.transmitterEmpty |
          (overrun ? LINE_STATUS.overrun : 0) |
          (received.length > 0 ? LINE_STATUS.dataReady : 0)
        )
      }
      case UART.modemStatus: {
        const { changes } = s
        parts.modemStatusRead(s)
        return changes | (inputsOf(s) << INPUTS_SHIFT)
      }
      default:
        return s.scratch
    }
  }

  writeByte(offset: number, value: number): void {
    this.#write(offset, value)
    this.#update()
  }

  #write(offset: number, value: number): void {
    const s = this.#state
    const parts = this.#parts
    if (offset <= UART.divisorHigh && parts.isDivisorSelected(s)) {
      s.divisor = offset === UART.divisorLow ? (s.divisor & 0xff00) | value : (s.divisor & 0xff) | (value << 8)
      return
    }
    switch (offset) {
      case UART.data:
        s.emptied = true
        if (isOn(s.modem, MODEM.loop)) parts.receive(s, value)
        break
      case UART.enable:
        parts.setEnable(s, value)
        break
      case UART.fifoControl:
        if (parts.clearsReceiver(s, value)) parts.clearReceiver(s)
        parts.setFifoControl(s, value)
        break
      case UART.line:
        s.line = value
        break
      case UART.modem: {
        const before = inputsOf(s)
        s.modem = parts.modemWritten(value)
        s.changes |= parts.deltas(before, inputsOf(s))
        break
      }
      case UART.scratch:
        parts.setScratch(s, value)
    }
  }

  advance(ns: number): void {
    this.#parts.pass(this.#state, ns)
    this.#update()
  }

  #update(): void {
    const s = this.#state
    const parts = this.#parts
    const level = parts.cause(s, parts.trigger(s)) !== CAUSE.none && parts.isGateOpen(s)
    if (level === this.#level) return
    this.#level = level
    this.#drive(level)
  }

  reset(): void {
    this.#state = this.#parts.reset(this.#state)
    this.#update()
  }

  save(): unknown {
    return { ...this.#state, received: [...this.#state.received], level: this.#level }
  }

  restore(saved: unknown): void {
    const { level, ...state } = saved as UartState & { level: boolean }
    this.#state = { ...state, received: [...state.received] }
    this.#level = level
  }
}
