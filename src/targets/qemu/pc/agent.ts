/** The agent from our side: its mailbox, its doorbell, and waiting for it. */

import { readSync, writeSync } from 'node:fs'
import { TargetError } from '../../../contract/index.ts'
import type { QemuProcess } from '../process.ts'
import type { Qtest } from '../qtest.ts'
import { COMMAND, MAIL, MAILBOX_GPA, NO_VECTOR, READY, SYSTEM_MANAGEMENT_GPA } from './agent-code.ts'

/** A message for every CPU, to be delivered as a non-maskable interrupt. */
const DOORBELL = `writel ${0xfeeff000} ${0x400}`
/** Looks at the mailbox before time is given away in between. */
const LOOKS_AWAKE = 200
const SLEEP_MS = 0.05
const RETURN_FROM_SYSTEM_MANAGEMENT = Uint8Array.of(0x0f, 0xaa)

/** Bytes of one access of a CPU. */
type AccessWidth = 1 | 2 | 4

/** What came of an access: its value, or the exception that it caused. */
export interface Answer {
  readonly value: number
  readonly high: number
  /** The interrupt or exception that was taken; undefined: none. */
  readonly vector: number | undefined
}

export class Agent {
  readonly #process: QemuProcess
  readonly #qtest: Qtest
  readonly #timeoutMs: number
  readonly #rung: () => void
  readonly #mail = Buffer.alloc(MAIL.bytes)

  /** `rung` is told when the doorbell has been rung. */
  constructor(process: QemuProcess, qtest: Qtest, timeoutMs: number, rung: () => void) {
    this.#process = process
    this.#qtest = qtest
    this.#timeoutMs = timeoutMs
    this.#rung = rung
  }

  /** Before a reset: forgets that the agent is there. */
  forget(): void {
    this.#mail.fill(0)
    writeSync(this.#process.ram, this.#mail, 0, MAIL.bytes, MAILBOX_GPA)
    writeSync(this.#process.ram, RETURN_FROM_SYSTEM_MANAGEMENT, 0, 2, SYSTEM_MANAGEMENT_GPA)
  }

  /** Waits until the agent has started. */
  awaitStart(): void {
    this.#await(MAIL.ready, READY)
  }

  /** Lets the CPU take one interrupt, if one is requested, and returns its vector. */
  accept(): number | undefined {
    return this.#run(COMMAND.accept, 0, 0, 0).vector
  }

  load(address: number, width: AccessWidth): Answer {
    return this.#run(COMMAND.load[width], address, 0, 0)
  }

  store(address: number, width: AccessWidth, value: number): Answer {
    return this.#run(COMMAND.store[width], address, value, 0)
  }

  readMsr(register: number): Answer {
    return this.#run(COMMAND.readMsr, register, 0, 0)
  }

  writeMsr(register: number, value: number, high: number): Answer {
    return this.#run(COMMAND.writeMsr, register, value, high)
  }

  #run(command: number, address: number, value: number, high: number): Answer {
    const mail = this.#mail
    mail.writeUInt32LE(command, MAIL.command)
    mail.writeUInt32LE(address, MAIL.address)
    mail.writeUInt32LE(value, MAIL.value)
    mail.writeUInt32LE(high, MAIL.high)
    writeSync(this.#process.ram, mail, 0, MAIL.vector, MAILBOX_GPA)
    this.#qtest.post(DOORBELL)
    this.#qtest.drain()
    this.#rung()
    this.#await(MAIL.command, 0)
    const vector = mail.readUInt32LE(MAIL.vector)
    return {
      value: mail.readUInt32LE(MAIL.value),
      high: mail.readUInt32LE(MAIL.high),
      vector: vector === NO_VECTOR ? undefined : vector,
    }
  }

  /** Waits until a field of the mailbox has a value; what else is in it is of the same moment or later. */
  #await(field: number, value: number): void {
    const mail = this.#mail
    let untilMs = 0
    for (let look = 0; ; look++) {
      readSync(this.#process.ram, mail, 0, MAIL.bytes, MAILBOX_GPA)
      if (mail.readUInt32LE(field) === value) break
      if (look < LOOKS_AWAKE) continue
      const now = performance.now()
      if (look === LOOKS_AWAKE) untilMs = now + this.#timeoutMs
      // Also finds out that QEMU has ended.
      this.#qtest.ask(`readb ${MAILBOX_GPA}`)
      if (now > untilMs) throw new TargetError('hang', `qemu: the CPU did not answer within ${this.#timeoutMs} ms`)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLEEP_MS)
    }
    // The command is cleared last, so a second look sees the whole answer.
    readSync(this.#process.ram, mail, 0, MAIL.bytes, MAILBOX_GPA)
  }
}
