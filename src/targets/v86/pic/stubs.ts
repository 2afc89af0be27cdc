/**
 * Code of ours for the processor of v86, which alone reaches the interrupt controller: each piece does one access and
 * halts. Interrupts lead to a halt of their own each, so that the place where the processor stopped tells the vector.
 */

import { TargetError } from '../../../contract/target.ts'
import type { Cpu } from '../surface.ts'

/** The parts of the processor that running code needs; names are v86's own. */
export interface Processor extends Cpu {
  readonly reg32: Int32Array
  readonly instruction_pointer: Int32Array
  readonly in_hlt: Uint8Array
  main_loop(): number
  device_raise_irq(line: number): void
  device_lower_irq(line: number): void
  readonly wasm_memory: { readonly buffer: ArrayBuffer }
  get_pic_addr_master(): number
  get_pic_addr_slave(): number
}

const EAX = 0
const EDX = 2
const ESP = 4
/** Below it the processor puts what it interrupts. */
const STACK_TOP = 0x3000
/** One halt for each vector. */
const HANDLERS = 0x1000
const CODE = 0x1200
const CODE_BYTES = 16
const HLT = 0xf4

/** `in` and `out` by width, then `sti; nop; nop; cli`: one interrupt is taken in between, if any. */
const PIECES = [[0xec], [0x66, 0xed], [0xee], [0x66, 0xef], [0xed], [0xef], [0xfb, 0x90, 0x90, 0xfa]] as const
const PIECE = { in: { 1: 0, 2: 4, 4: 1 }, out: { 1: 2, 2: 5, 4: 3 }, accept: 6 } as const
/** Turns of the main loop: a piece needs one. */
const TURNS_MAX = 100

export class Stubs {
  readonly #cpu: Processor

  constructor(cpu: Processor) {
    this.#cpu = cpu
    this.write()
  }

  /** Puts the code and the interrupt table of real mode in place. */
  write(): void {
    const { mem8 } = this.#cpu
    for (let vector = 0; vector < 256; vector++) {
      const handler = HANDLERS + vector
      mem8[handler] = HLT
      mem8.set([handler & 0xff, handler >> 8, 0, 0], 4 * vector)
    }
    for (const [index, piece] of PIECES.entries()) mem8.set([...piece, HLT], CODE + index * CODE_BYTES)
  }

  in(port: number, width: 1 | 2 | 4): number {
    this.#cpu.reg32[EDX] = port
    this.#run(PIECE.in[width])
    const value = this.#cpu.reg32[EAX]!
    return width === 4 ? value >>> 0 : value & (2 ** (8 * width) - 1)
  }

  out(port: number, width: 1 | 2 | 4, value: number): void {
    this.#cpu.reg32[EDX] = port
    this.#cpu.reg32[EAX] = value
    this.#run(PIECE.out[width])
  }

  /** Lets the processor take one interrupt, if one is requested, and returns its vector. */
  accept(): number | undefined {
    const vector = this.#run(PIECE.accept) - HANDLERS
    return vector >= 0 && vector < 256 ? vector : undefined
  }

  /** Runs a piece to its end and returns the address of the halt that ended it. */
  #run(piece: number): number {
    const cpu = this.#cpu
    cpu.in_hlt[0] = 0
    cpu.reg32[ESP] = STACK_TOP
    cpu.instruction_pointer[0] = CODE + piece * CODE_BYTES
    for (let turn = 0; cpu.in_hlt[0] === 0; turn++) {
      if (turn === TURNS_MAX) throw new TargetError('hang', `v86: ${TURNS_MAX} turns of the processor did not end`)
      cpu.main_loop()
    }
    return cpu.instruction_pointer[0]! - 1
  }
}
