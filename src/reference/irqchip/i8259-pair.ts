/** The pair of 8259As of a PC: the slave's output is the master's input 2, and an acknowledge goes through both. */
import { CASCADE_INPUT, ELCR_LINES, I8259_PORTS } from '../../layout/i8259.ts'
import type { BoardPart } from '../board.ts'
import { correctChip, I8259, type I8259Parts, type I8259State, unpowered } from './i8259.ts'

/** What the two do together. */
const correctWiring = {
  /** The master's input follows the slave's output. */
  follow(pair: I8259Pair): void {
    pair.setCascade(pair.slave.requested !== undefined)
  },
  /** INT of a chip that was acknowledged falls; it rises again if another level is requested. */
  afterTake(pair: I8259Pair): void {
    pair.setCascade(false)
    pair.parts.follow(pair)
  },
  /** The first INTA pulse reaches the master, the second the chip that has the vector. */
  acknowledge(pair: I8259Pair): number {
    const { master, slave } = pair
    const level = master.requested
    if (level === undefined) {
      master.parts.takeNothing(master.state)
      return master.parts.vector(master.state, 7)
    }
    master.take(level)
    return level === CASCADE_INPUT && !master.state.single
      ? slaveVector(pair, slave)
      : master.parts.vector(master.state, level)
  },
  /** A write to the slave's command port reaches the slave alone. */
  alsoWrites(_pair: I8259Pair, _value: number): void {},
}

const slaveVector = (pair: I8259Pair, slave: I8259): number => {
  const level = slave.requested
  if (level === undefined) slave.parts.takeNothing(slave.state)
  else {
    slave.take(level)
    pair.parts.afterTake(pair)
  }
  return slave.parts.vector(slave.state, level ?? 7)
}

export const correctPair = () => ({ ...correctChip, ...correctWiring })
export type I8259PairParts = I8259Parts & typeof correctWiring

const SLAVE_LINES = 8

type Access = { readonly chip: I8259; readonly register: 'command' | 'data' | 'trigger' }

/** A board part; `onInt` is told each change of the INT output. */
export class I8259Pair implements BoardPart {
  readonly describes = [{ id: 'pic', kind: 'i8259-pair', transport: { kind: 'chip', inputs: 16 } }] as const
  readonly master: I8259
  readonly slave: I8259
  readonly parts: I8259PairParts
  readonly #ports: ReadonlyMap<number, Access>
  readonly #onInt: (level: boolean) => void
  #int = false

  constructor(parts: I8259PairParts, onInt: (level: boolean) => void) {
    this.parts = parts
    this.#onInt = onInt
    this.master = new I8259({ slaves: 1 << CASCADE_INPUT, triggerLines: ELCR_LINES.master }, parts)
    this.slave = new I8259({ slaves: 0, triggerLines: ELCR_LINES.slave }, parts)
    this.#ports = new Map(
      (['master', 'slave'] as const).flatMap((name) =>
        (['command', 'data', 'trigger'] as const).map((register) => [
          I8259_PORTS[name][register],
          { chip: this[name], register },
        ]),
      ),
    )
  }

  /** INT to the CPU. */
  get int(): boolean {
    return this.#int
  }

  setCascade(level: boolean): void {
    this.parts.setPin(this.master.state, CASCADE_INPUT, level)
  }

  /** Line 2 of a PC is taken by the cascade: nothing is connected to it. */
  setLine(id: string, line: number, level: boolean): boolean {
    if (id !== 'pic' || line < 0 || line >= 2 * SLAVE_LINES) return false
    if (line >= SLAVE_LINES) {
      this.parts.setPin(this.slave.state, line - SLAVE_LINES, level)
      this.parts.follow(this)
    } else if (line !== CASCADE_INPUT) this.parts.setPin(this.master.state, line, level)
    this.#update()
    return true
  }

  acknowledge(_cpu = 0): number {
    const vector = this.parts.acknowledge(this)
    this.#tell(false)
    this.#update()
    return vector
  }

  /** Wider accesses are cycles of a byte each; a byte that is nobody's reads as all ones. */
  read(space: string, address: number, width: number): number | undefined {
    if (space !== 'port') return undefined
    let value = 0
    let claimed = false
    for (let byte = 0; byte < width; byte++) {
      const access = this.#ports.get(address + byte)
      claimed ||= access !== undefined
      value += (access === undefined ? 0xff : this.#read(access)) * 2 ** (8 * byte)
    }
    return claimed ? value : undefined
  }

  #read({ chip, register }: Access): number {
    if (register === 'trigger') return chip.readTrigger()
    const { polled } = chip.state
    const value = chip.read(register === 'data')
    if (!polled) return value
    if (chip === this.slave) this.parts.afterTake(this)
    this.#update()
    return value
  }

  write(space: string, address: number, width: number, value: number): boolean {
    if (space !== 'port') return false
    let claimed = false
    for (let byte = 0; byte < width; byte++) {
      const access = this.#ports.get(address + byte)
      if (access === undefined) continue
      claimed = true
      this.#write(access, (value >>> (8 * byte)) & 0xff)
    }
    return claimed
  }

  #write({ chip, register }: Access, value: number): void {
    if (register === 'trigger') chip.writeTrigger(value)
    else if (register === 'data') chip.writeData(value)
    else {
      chip.writeCommand(value)
      if (chip === this.slave) this.parts.alsoWrites(this, value)
    }
    if (chip === this.slave) this.parts.follow(this)
    this.#update()
  }

  #update(): void {
    this.#tell(this.master.requested !== undefined)
  }

  #tell(level: boolean): void {
    if (level === this.#int) return
    this.#int = level
    this.#onInt(level)
  }

  reset(): void {
    this.master.state = unpowered()
    this.slave.state = unpowered()
    this.#tell(false)
  }

  save(): unknown {
    return { master: { ...this.master.state }, slave: { ...this.slave.state }, int: this.#int }
  }

  restore(saved: unknown): void {
    const { master, slave, int } = saved as { master: I8259State; slave: I8259State; int: boolean }
    this.master.state = { ...master }
    this.slave.state = { ...slave }
    this.#int = int
  }
}
