/** v86's pair of 8259s, bare: its inputs are ours, its registers and acknowledge cycles are reached by code that runs. */

import { createHash } from 'node:crypto'
import {
  type Description,
  type Location,
  type ResetKind,
  type Settled,
  type Target,
  TargetError,
  type TargetEvent,
  type Width,
} from '../../../contract/target.ts'
import { describeBarePic, PIC_ID, PIC_INPUTS } from '../../bare-pic.ts'
import { type Emulator, MEMORY } from '../start.ts'
import { type Processor, Stubs } from './stubs.ts'

const CASCADE = 2
/** Bytes of the state of each chip. */
const STATE_BYTES = 13
/** Above what the code uses. */
const FREE_MEMORY = [MEMORY[1]]

export interface PicParts {
  readonly version: string
  readonly emulator: Emulator
  readonly cpu: Processor
  readonly heartbeat: (() => void) | undefined
}

export class V86PicTarget implements Target {
  readonly #parts: PicParts
  readonly #stubs: Stubs
  /** Both chips when the power came on. */
  readonly #fresh: Uint8Array
  #high = 0
  #end: TargetError | undefined

  constructor(parts: PicParts) {
    this.#parts = parts
    this.#stubs = new Stubs(parts.cpu)
    this.#fresh = this.save()
  }

  describe(): Description {
    return describeBarePic({
      name: 'v86, its 8259s',
      version: this.#parts.version,
      issues: 'https://github.com/copy/v86/issues',
      memory: FREE_MEMORY,
    })
  }

  /** Switches the power off and on: v86's own reset leaves the controllers as they are. */
  reset(kind: ResetKind): void {
    if (kind !== 'system') throw new TargetError('protocol', `v86:pic has no reset of kind ${kind}`)
    this.#poke(() => this.#parts.cpu.reboot_internal())
    this.restore(this.#fresh)
  }

  read(at: Location, width: Width): bigint {
    if (width === 8) return this.read(at, 4) | (this.read({ ...at, address: at.address + 4 }, 4) << 32n)
    if (at.space !== 'port' || at.address + width > 0x10000) return (1n << BigInt(8 * width)) - 1n
    return BigInt(this.#poke(() => this.#stubs.in(at.address, width)))
  }

  write(at: Location, width: Width, value: bigint): void {
    if (width === 8) {
      this.write(at, 4, value & 0xffff_ffffn)
      this.write({ ...at, address: at.address + 4 }, 4, value >> 32n)
    } else if (at.space === 'port' && at.address + width <= 0x10000)
      this.#poke(() => this.#stubs.out(at.address, width, Number(BigInt.asIntN(32, value))))
  }

  load(gpa: number, bytes: number): Uint8Array {
    return this.#memory(gpa, bytes).slice()
  }

  store(gpa: number, data: Uint8Array): void {
    this.#memory(gpa, data.length).set(data)
  }

  setLine(chip: string, pin: number, level: boolean): void {
    if (chip !== PIC_ID || !Number.isInteger(pin) || pin < 0 || pin >= PIC_INPUTS || pin === CASCADE)
      throw new TargetError('refused', `v86: there is no free input ${pin} of a chip '${chip}'`)
    const { cpu } = this.#parts
    this.#poke(() => (level ? cpu.device_raise_irq(pin) : cpu.device_lower_irq(pin)))
    this.#high = level ? this.#high | (1 << pin) : this.#high & ~(1 << pin)
  }

  acknowledge(cpu: number): number | undefined {
    return cpu === 0 ? this.#poke(() => this.#stubs.accept()) : undefined
  }

  events(): TargetEvent[] {
    return []
  }

  settle(): Settled {
    return this.#end === undefined ? 'quiet' : 'dead'
  }

  /** Both chips, then the inputs that are high. */
  save(): Uint8Array {
    this.#alive()
    const state = new Uint8Array(2 * STATE_BYTES + 2)
    for (const [index, chip] of this.#chips().entries()) state.set(chip, index * STATE_BYTES)
    state.set([this.#high & 0xff, this.#high >> 8], 2 * STATE_BYTES)
    return state
  }

  restore(state: Uint8Array): void {
    this.#alive()
    if (state.length !== 2 * STATE_BYTES + 2)
      throw new TargetError('protocol', `v86: expected a state of ${2 * STATE_BYTES + 2} bytes, found ${state.length}`)
    for (const [index, chip] of this.#chips().entries())
      chip.set(state.subarray(index * STATE_BYTES, (index + 1) * STATE_BYTES))
    this.#high = state[2 * STATE_BYTES]! | (state[2 * STATE_BYTES + 1]! << 8)
  }

  fingerprint(): string {
    return createHash('sha256').update(this.save()).digest('hex')
  }

  close(): void {
    this.#end = new TargetError('poisoned', 'v86:pic was closed')
    this.#parts.emulator.destroy().catch(() => {})
  }

  #chips(): Uint8Array[] {
    const { cpu } = this.#parts
    return [cpu.get_pic_addr_master(), cpu.get_pic_addr_slave()].map(
      (address) => new Uint8Array(cpu.wasm_memory.buffer, address, STATE_BYTES),
    )
  }

  #memory(gpa: number, bytes: number): Uint8Array {
    this.#alive()
    if (!FREE_MEMORY.some(({ start, end }) => gpa >= start && gpa + bytes <= end))
      throw new TargetError('protocol', `v86: expected bytes of free guest memory, found ${bytes} bytes at ${gpa}`)
    return this.#parts.cpu.mem8.subarray(gpa, gpa + bytes)
  }

  #alive(): void {
    if (this.#end !== undefined) throw this.#end
  }

  #poke<Result>(action: () => Result): Result {
    this.#alive()
    this.#parts.heartbeat?.()
    try {
      return action()
    } catch (error) {
      this.#end =
        error instanceof TargetError
          ? error
          : new TargetError('dead', 'v86:pic threw an exception out of an access by the guest', String(error))
      throw this.#end
    }
  }
}
