/**
 * Posted interrupts: a poster that turns messages into bits of a descriptor in memory, a CPU that takes them over when it
 * is notified, and a hypervisor that aims the notifications while it schedules one virtual CPU on two host CPUs.
 *
 * Hypervisor and CPU are a table of steps, each with one access to the descriptor, so that a post can come between any two.
 */
import type { Instruction, Schedule, Space } from '../../contract/index.ts'
import { DEFAULT_BASE, FIRST_VECTOR, LAPIC } from '../../layout/lapic.ts'
import { DESCRIPTOR, POSTING, REMAPPABLE, URGENT_HANDLE } from '../../layout/posted-interrupt.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import {
  type Control,
  freshPosting,
  NOTIFY,
  type Notice,
  type PostingParts,
  type PostingState,
} from './posting-parts.ts'
import { classOf, highestVector, removeVector, type Vectors } from './vectors.ts'

const POSTER = 'posted'
const VCPU = 'vcpu0'
const GPA = 0x1000
const WORDS = 8

/** What a step leads to; empty: rest. */
type Step = (cpu: PostedCpu) => string

export class PostedCpu implements BoardPart {
  readonly describes = [
    {
      id: POSTER,
      kind: 'posted-interrupts',
      transport: { kind: 'chip', inputs: 0, base: REMAPPABLE.BASE },
      facts: { descriptor: GPA, activeVector: NOTIFY.ACTIVE, wakeVector: NOTIFY.WAKE },
    },
    { id: VCPU, kind: 'posted-vcpu', transport: { kind: 'chip', inputs: 0 } },
  ] as const
  readonly parts: PostingParts
  readonly #board: BoardServices
  state: PostingState = freshPosting()

  constructor(parts: PostingParts, board: BoardServices) {
    this.parts = parts
    this.#board = board
  }

  // The poster: one atomic change of the whole descriptor.
  message(_requester: number, address: number, data: number): boolean {
    const handle = ((address - REMAPPABLE.BASE) >>> REMAPPABLE.HANDLE_SHIFT) & REMAPPABLE.HANDLE_MASK
    const vector = handle & 0xff
    if (address < REMAPPABLE.BASE || data !== 0 || handle > (URGENT_HANDLE | 0xff) || vector < FIRST_VECTOR)
      return false
    const line = this.#board.memory.read(POSTER, GPA, DESCRIPTOR.BYTES)!
    const control = controlOf(line, DESCRIPTOR.CONTROL)
    const notifies = this.parts.notifies(control, (handle & URGENT_HANDLE) !== 0)
    writeVectors(line, this.parts.post(vectorsOf(line), vector))
    writeControl(line, DESCRIPTOR.CONTROL, { ...control, outstanding: control.outstanding || notifies })
    this.#board.memory.write(POSTER, GPA, line)
    if (!notifies) return true
    const notice = this.parts.notice(control, this.state)
    this.state.lastDestination = notice.destination
    this.state.notices.push(notice)
    this.#board.emit({
      kind: 'interrupt',
      device: POSTER,
      destination: notice.destination,
      logical: false,
      delivery: 'fixed',
      level: false,
      vector: notice.vector,
    })
    return true
  }

  execute(_cpu: number, instruction: Instruction): void {
    if (!this.#reachGuest() || instruction !== 'hlt') return
    this.state.where = 'host'
    this.state.at = 'block.aim'
  }

  write(space: Space, address: number, _width: number, value: number): boolean {
    if (space !== 'mmio' || address !== DEFAULT_BASE + LAPIC.taskPriority) return false
    if (!this.#reachGuest()) return true
    this.state.taskPriority = value & 0xff
    if (this.parts.looksAfterPriority(this.state)) this.state.at = 'guest.evaluate'
    return true
  }

  schedule(_cpu: number, to: Schedule, host: number): void {
    const { state } = this
    if (to === 'running') {
      state.where = 'host'
      state.host = host
      state.at = 'load.aim'
      return
    }
    this.control = this.parts.aimAtPreempt(this.control)
    state.where = 'off'
    state.at = ''
  }

  step(): boolean {
    const { state } = this
    // The entry runs with interrupts off, and so does the CPU while it takes requests over.
    const open = state.at === '' || state.at.startsWith('load') || state.at.startsWith('block')
    if (open && state.notices.length > 0) {
      this.#notified(state.notices.shift()!)
      return true
    }
    if (state.at === '') return false
    state.at = STEPS[state.at]!(this)
    return true
  }

  /** Another host CPU finds nothing of this descriptor to do. */
  #notified({ vector, destination }: Notice): void {
    const { state } = this
    if (state.at !== '' || destination !== state.host) return
    if (state.where === 'guest' && vector === NOTIFY.ACTIVE) state.at = 'guest.on'
    else if (state.where === 'asleep' && vector === NOTIFY.WAKE)
      state.at = this.parts.mergesAtWake(state) ? 'wake.on' : 'wake.decide'
  }

  /** Goes on until the guest can execute an instruction; false where it cannot. */
  #reachGuest(): boolean {
    const { state } = this
    while (state.where !== 'guest' || state.at !== '') if (!this.step()) return false
    return true
  }

  get control(): Control {
    return controlOf(this.#board.memory.read(VCPU, GPA + DESCRIPTOR.CONTROL, 8)!, 0)
  }
  set control(control: Control) {
    const bytes = new Uint8Array(8)
    writeControl(bytes, 0, control)
    this.#board.memory.write(VCPU, GPA + DESCRIPTOR.CONTROL, bytes)
  }

  get requests(): Vectors {
    return vectorsOf(this.#board.memory.read(VCPU, GPA, 4 * WORDS)!)
  }

  /** Takes one word of the request bitmap over. */
  mergeWord(word: number): void {
    const gpa = GPA + 4 * word
    const seen = wordOf(this.#board.memory.read(VCPU, gpa, 4)!, 0)
    if (seen === 0) return
    this.state.found = true
    this.state.requested[word] = (this.state.requested[word]! | seen) >>> 0
    this.#board.memory.write(VCPU, gpa, new Uint8Array(4))
  }

  /** Takes the vector that is its turn; false when there is none. */
  take(): boolean {
    const vector = this.parts.candidate(this.state)
    if (vector < 0) return false
    removeVector(this.state.requested, vector)
    this.#board.emit({ kind: 'taken', cpu: 0, vector })
    return true
  }

  wake(): void {
    this.#board.emit({ kind: 'wake', cpu: 0 })
  }

  reset(): void {
    this.state = freshPosting()
  }

  save(): unknown {
    return this.state
  }

  restore(state: unknown): void {
    this.state = state as PostingState
  }
}

/** Whether a sleeper has anything to wake for, merged or not. */
const deliverable = ({ state, requests }: PostedCpu): boolean => {
  const vector = Math.max(highestVector(state.requested), highestVector(requests))
  return classOf(vector) > classOf(state.taskPriority)
}

/** Clears the outstanding bit; merging is next. */
const clearOutstanding = (cpu: PostedCpu, merge: string): string => {
  if (cpu.parts.clearsBeforeMerge(cpu.state)) cpu.control = { ...cpu.control, outstanding: false }
  cpu.state.word = 0
  cpu.state.found = false
  return merge
}

/** One word a step. */
const merge = (cpu: PostedCpu, again: string, after: string): string => {
  cpu.mergeWord(cpu.state.word++)
  if (cpu.state.word < WORDS) return again
  if (!cpu.parts.clearsBeforeMerge(cpu.state)) cpu.control = { ...cpu.control, outstanding: false }
  return after
}

const sleep = ({ state }: PostedCpu): string => {
  state.where = 'asleep'
  return ''
}

const STEPS: Readonly<Record<string, Step>> = {
  'load.aim'(cpu) {
    cpu.control = cpu.parts.aimAtLoad(cpu.control, cpu.state.host)
    return 'load.look'
  },
  'load.look'(cpu) {
    const { control } = cpu
    const outstanding = cpu.parts.outstandingAtLoad(control, cpu.requests)
    if (outstanding !== control.outstanding) cpu.control = { ...control, outstanding }
    return 'enter.on'
  },
  'enter.on': (cpu) => {
    cpu.state.found = true
    return cpu.control.outstanding ? clearOutstanding(cpu, 'enter.merge') : 'enter.guest'
  },
  'enter.merge': (cpu) => merge(cpu, 'enter.merge', 'enter.guest'),
  'enter.guest'(cpu) {
    cpu.state.where = 'guest'
    return cpu.take() ? 'guest.evaluate' : ''
  },
  'guest.on': (cpu) => clearOutstanding(cpu, 'guest.merge'),
  'guest.merge': (cpu) => merge(cpu, 'guest.merge', 'guest.evaluate'),
  'guest.evaluate': (cpu) => (cpu.take() ? 'guest.evaluate' : ''),
  'block.aim'(cpu) {
    cpu.control = cpu.parts.aimAtBlock(cpu.control)
    return cpu.parts.looksAtBlock(cpu.state) ? 'block.on' : sleep(cpu)
  },
  'block.on': (cpu) => clearOutstanding(cpu, 'block.merge'),
  'block.merge': (cpu) => merge(cpu, 'block.merge', 'block.decide'),
  'block.decide'(cpu) {
    if (deliverable(cpu)) return 'load.aim'
    // A post since the merge has notified a CPU that was not asleep yet.
    return cpu.control.outstanding ? 'block.on' : sleep(cpu)
  },
  'wake.on': (cpu) => clearOutstanding(cpu, 'wake.merge'),
  'wake.merge': (cpu) => merge(cpu, 'wake.merge', 'wake.decide'),
  'wake.decide'(cpu) {
    if (!deliverable(cpu)) return ''
    cpu.wake()
    cpu.state.where = 'host'
    return 'load.aim'
  },
}

const wordOf = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0

const vectorsOf = (line: Uint8Array): Vectors => Array.from({ length: WORDS }, (_, word) => wordOf(line, 4 * word))

const writeVectors = (line: Uint8Array, set: Vectors): void => {
  const view = new DataView(line.buffer, line.byteOffset)
  for (const [word, bits] of set.entries()) view.setUint32(4 * word, bits, true)
}

/** `at`: offset of the control word in `bytes`. */
const controlOf = (bytes: Uint8Array, at: number): Control => ({
  outstanding: (bytes[at]! & POSTING.ON) !== 0,
  suppressed: (bytes[at]! & POSTING.SN) !== 0,
  vector: bytes[at + DESCRIPTOR.VECTOR - DESCRIPTOR.CONTROL]!,
  destination: wordOf(bytes, at + DESCRIPTOR.DESTINATION - DESCRIPTOR.CONTROL),
})

const writeControl = (bytes: Uint8Array, at: number, control: Control): void => {
  bytes[at] = (control.outstanding ? POSTING.ON : 0) | (control.suppressed ? POSTING.SN : 0)
  bytes[at + DESCRIPTOR.VECTOR - DESCRIPTOR.CONTROL] = control.vector
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(
    at + DESCRIPTOR.DESTINATION - DESCRIPTOR.CONTROL,
    control.destination,
    true,
  )
}
