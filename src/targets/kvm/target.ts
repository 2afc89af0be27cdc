/** KVM's pair of 8259s, bare: its inputs are ours, its registers and acknowledge cycles are reached by code that runs. */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  type Description,
  type Location,
  type OpenOptions,
  type ResetKind,
  type Settled,
  type Target,
  TargetError,
  type TargetEvent,
  type Width,
} from '../../contract/target.ts'
import { describeBarePic, PIC_ID, PIC_INPUTS } from '../bare-pic.ts'
import { LineProcess } from '../stdio/line-process.ts'

const CASCADE = 2
const LINE_BYTES_MAX = 4096
/** Commands that answer nothing are sent together up to this length. */
const BATCH_BYTES_MAX = 16384
const MEMORY = [{ start: 0x4000, end: 0x10000 }] as const

export class KvmPicTarget implements Target {
  readonly #process: LineProcess
  readonly #memory = new Uint8Array(MEMORY[0].end)
  #fresh = ''
  #high = 0
  #batch = ''
  #end: TargetError | undefined

  private constructor(process: LineProcess) {
    this.#process = process
  }

  static async open(program: string, options: OpenOptions): Promise<KvmPicTarget> {
    const process = await LineProcess.start([program], options, LINE_BYTES_MAX)
    const target = new KvmPicTarget(process)
    try {
      await process.receiveAsync()
      target.#fresh = target.#ask('s')
      return target
    } catch (error) {
      process.close(0)
      const words = process.lastWords().trim()
      throw new TargetError('start', `kvm: ${words === '' ? String((error as Error).message) : words}`, words)
    }
  }

  describe(): Description {
    return describeBarePic({
      name: 'KVM, its 8259s',
      version: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
      issues: 'https://bugzilla.kernel.org/',
      memory: MEMORY,
    })
  }

  /** Switches the power off and on. */
  reset(kind: ResetKind): void {
    if (kind !== 'system') throw new TargetError('protocol', `kvm:pic has no reset of kind ${kind}`)
    for (let pin = 0; pin < PIC_INPUTS; pin++) if ((this.#high >> pin) & 1) this.setLine(PIC_ID, pin, false)
    this.#post(`S ${this.#fresh}`)
  }

  read(at: Location, width: Width): bigint {
    if (width === 8) return this.read(at, 4) | (this.read({ ...at, address: at.address + 4 }, 4) << 32n)
    if (at.space !== 'port' || !isPort(at.address, width)) return (1n << BigInt(8 * width)) - 1n
    return BigInt(`0x${this.#ask(`i ${width} ${at.address.toString(16)}`)}`)
  }

  write(at: Location, width: Width, value: bigint): void {
    const data = BigInt.asUintN(8 * width, value)
    if (width === 8) {
      this.write(at, 4, data & 0xffff_ffffn)
      this.write({ ...at, address: at.address + 4 }, 4, data >> 32n)
    } else if (at.space === 'port' && isPort(at.address, width))
      this.#post(`o ${width} ${at.address.toString(16)} ${data.toString(16)}`)
  }

  /** Memory of ours: nothing in it reaches the chips. */
  load(gpa: number, bytes: number): Uint8Array {
    return this.#range(gpa, bytes).slice()
  }

  store(gpa: number, data: Uint8Array): void {
    this.#range(gpa, data.length).set(data)
  }

  setLine(chip: string, pin: number, level: boolean): void {
    if (chip !== PIC_ID || !Number.isInteger(pin) || pin < 0 || pin >= PIC_INPUTS || pin === CASCADE)
      throw new TargetError('refused', `kvm: there is no free input ${pin} of a chip '${chip}'`)
    this.#high = level ? this.#high | (1 << pin) : this.#high & ~(1 << pin)
    this.#post(`l ${pin.toString(16)} ${level ? 1 : 0}`)
  }

  acknowledge(cpu: number): number | undefined {
    if (cpu !== 0) return undefined
    const answer = this.#ask('a')
    return answer === '-' ? undefined : Number.parseInt(answer, 16)
  }

  events(): TargetEvent[] {
    this.#alive()
    return []
  }

  settle(): Settled {
    try {
      this.#flush()
      return 'quiet'
    } catch (error) {
      if (error instanceof TargetError && error.reason === 'dead') return 'dead'
      throw error
    }
  }

  /** The levels of the inputs, then both chips as KVM tells them. */
  save(): Uint8Array {
    return Buffer.from(`${this.#high.toString(16).padStart(4, '0')}${this.#ask('s')}`, 'latin1')
  }

  restore(state: Uint8Array): void {
    const text = Buffer.from(state).toString('latin1')
    if (!/^[0-9a-f]+$/.test(text) || text.length !== this.#fresh.length + 4)
      throw new TargetError(
        'protocol',
        `kvm: expected a state of ${this.#fresh.length + 4} bytes, found ${text.length}`,
      )
    const high = Number.parseInt(text.slice(0, 4), 16)
    for (let pin = 0; pin < PIC_INPUTS; pin++)
      if (((this.#high ^ high) >> pin) & 1) this.setLine(PIC_ID, pin, ((high >> pin) & 1) === 1)
    this.#post(`S ${text.slice(4)}`)
  }

  fingerprint(): string {
    return createHash('sha256').update(this.save()).digest('hex')
  }

  close(): void {
    this.#end ??= new TargetError('poisoned', 'kvm:pic was closed')
    this.#process.close(0)
  }

  #range(gpa: number, bytes: number): Uint8Array {
    this.#alive()
    if (gpa < MEMORY[0].start || gpa + bytes > MEMORY[0].end)
      throw new TargetError('protocol', `kvm: expected bytes of free guest memory, found ${bytes} bytes at ${gpa}`)
    return this.#memory.subarray(gpa, gpa + bytes)
  }

  #post(line: string): void {
    this.#alive()
    this.#batch += `${line}\n`
    if (this.#batch.length > BATCH_BYTES_MAX) this.#flush()
  }

  #ask(line: string): string {
    this.#alive()
    this.#batch += `${line}\n`
    return this.#guarded(() => {
      this.#sendBatch()
      return this.#process.receive()
    })
  }

  #flush(): void {
    this.#alive()
    if (this.#batch !== '') this.#guarded(() => this.#sendBatch())
  }

  #sendBatch(): void {
    const batch = this.#batch
    this.#batch = ''
    this.#process.send(batch)
  }

  #guarded<Result>(action: () => Result): Result {
    try {
      return action()
    } catch (error) {
      if (error instanceof TargetError) this.#end = error
      throw error
    }
  }

  #alive(): void {
    if (this.#end !== undefined) throw this.#end
  }
}

const isPort = (address: number, width: number): boolean =>
  Number.isInteger(address) && address >= 0 && address + width <= 0x10000
