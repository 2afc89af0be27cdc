/**
 * The agent: a guest of our own that sits in the firmware and does what only a CPU can, one command at a time.
 *
 * It halts with interrupts off. A non-maskable interrupt is the doorbell; what is asked for and what came of it is in a
 * mailbox in guest memory. Each vector has a stub, so that whatever is taken tells its number: the answer of a real
 * interrupt-acknowledge cycle, or the exception that an access caused.
 */

import { FIRMWARE_BYTES, RESET_VECTOR } from '../start.ts'
import { Assembler } from './assembler.ts'

/** Linear address of the firmware below 1 MiB. */
const FIRMWARE = 0xf0000
const START = 0xfc000
const STUB_BYTES = 8
/** Where a CPU in system management mode begins, unless told otherwise: the agent puts a return there. */
export const SYSTEM_MANAGEMENT_GPA = 0x38000

/** The mailbox and the stack of the agent: one page. */
export const MAILBOX_GPA = 0x7000
const STACK_TOP = 0x8000
/** Fields of the mailbox, in bytes from its start. */
export const MAIL = {
  command: 0,
  address: 4,
  value: 8,
  high: 12,
  vector: 16,
  ready: 20,
  doorbells: 24,
  bytes: 28,
} as const

/** Commands. */
export const COMMAND = {
  accept: 1,
  load: { 1: 2, 2: 3, 4: 4 },
  store: { 1: 5, 2: 6, 4: 7 },
  readMsr: 8,
  writeMsr: 9,
} as const

/** What the mailbox says of a command that caused no interrupt. */
export const NO_VECTOR = 0xffffffff
/** The ready field of an agent that runs. */
export const READY = 0x600d

const NMI = 2
const CODE_SELECTOR = 0x08
const DATA_SELECTOR = 0x10
/** Flat segments of 4 GiB, marked as accessed, since the table is in read-only memory. */
const DESCRIPTORS = [0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300]

/** States of the agent, in EBP. */
const IDLE = 0
const WORKING = 1
const ACCEPTING = 2

/** The 64 KiB that the CPU finds at its reset vector. */
export function agentFirmware(): Uint8Array {
  const a = new Assembler(START)
  realMode(a)
  protectedMode(a)
  commands(a)
  interrupts(a)
  tables(a)
  const image = new Uint8Array(FIRMWARE_BYTES).fill(0xf4)
  image.set(a.assemble(), START - FIRMWARE)
  const stubs = a.addressOf('stubs')
  const view = new DataView(image.buffer)
  for (let vector = 0; vector < 256; vector++) {
    const stub = stubs + vector * STUB_BYTES
    const at = a.addressOf('idt') - FIRMWARE + vector * 8
    view.setUint16(at, stub & 0xffff, true)
    view.setUint16(at + 2, CODE_SELECTOR, true)
    // A present 32-bit interrupt gate.
    view.setUint16(at + 4, 0x8e00, true)
    view.setUint16(at + 6, stub >>> 16, true)
  }
  // jmp near start
  const jump = new Assembler(FIRMWARE + RESET_VECTOR).code(0xe9).word(START - (FIRMWARE + RESET_VECTOR + 3))
  image.set(jump.assemble(), RESET_VECTOR)
  return image
}

function realMode(a: Assembler): void {
  a.code(0xfa) // cli
  a.code(0x2e, 0x66, 0x0f, 0x01, 0x16).low16('gdtr') // lgdt cs:[gdtr], 32-bit base
  a.code(0x0f, 0x20, 0xc0) // mov eax, cr0
  a.code(0x0c, 0x01) // or al, 1
  a.code(0x0f, 0x22, 0xc0) // mov cr0, eax
  a.code(0x66, 0xea).linear('protected').word(CODE_SELECTOR) // jmp far
}

function protectedMode(a: Assembler): void {
  a.label('protected')
  a.code(0x66, 0xb8).word(DATA_SELECTOR) // mov ax, data
  a.code(0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0) // mov ds, ax; mov es, ax; mov ss, ax
  a.code(0xbc).long(STACK_TOP) // mov esp, stack
  a.code(0x0f, 0x01, 0x1d).linear('idtr') // lidt [idtr]
  a.code(0xbb).long(MAILBOX_GPA) // mov ebx, mailbox
  a.code(0xbd).long(IDLE) // mov ebp, idle
  a.code(0xc7, 0x43, MAIL.command).long(0) // mov dword [ebx + command], 0
  a.code(0xc7, 0x43, MAIL.ready).long(READY) // mov dword [ebx + ready], READY
  a.label('idle')
  a.code(0xf4) // hlt
  a.code(0xe9).relative('idle') // jmp idle
  a.label('run')
  a.code(0xff, 0x43, MAIL.doorbells) // inc dword [ebx + doorbells]
  a.code(0x8b, 0x4b, MAIL.command) // mov ecx, [ebx + command]
  a.code(0x85, 0xc9) // test ecx, ecx
  a.code(0x0f, 0x84).relative('idle') // jz idle
  a.code(0xc7, 0x43, MAIL.vector).long(NO_VECTOR) // mov dword [ebx + vector], none
  a.code(0xbd).long(WORKING) // mov ebp, working
  a.code(0x8b, 0x73, MAIL.address) // mov esi, [ebx + address]
  a.code(0x8b, 0x43, MAIL.value) // mov eax, [ebx + value]
  a.code(0xff, 0x24, 0x8d).linear('table') // jmp [table + ecx * 4]
  a.label('answer')
  a.code(0x89, 0x43, MAIL.value) // mov [ebx + value], eax
  a.label('done')
  a.code(0xbd).long(IDLE) // mov ebp, idle
  // Last: who waits for the answer waits for this.
  a.code(0xc7, 0x43, MAIL.command).long(0) // mov dword [ebx + command], 0
  a.code(0xe9).relative('idle') // jmp idle
}

const COMMANDS = ['accept', 'load8', 'load16', 'load32', 'store8', 'store16', 'store32', 'readMsr', 'writeMsr'] as const

function commands(a: Assembler): void {
  const then = (label: string) => a.code(0xe9).relative(label)
  a.label('accept')
  a.code(0xbd).long(ACCEPTING) // mov ebp, accepting
  // The instruction after sti is still covered by its shadow; one interrupt is taken at the end of it, if any.
  a.code(0xfb, 0x90, 0x90, 0xfa) // sti; nop; nop; cli
  then('done')
  a.label('load8').code(0x0f, 0xb6, 0x06) // movzx eax, byte [esi]
  then('answer')
  a.label('load16').code(0x0f, 0xb7, 0x06) // movzx eax, word [esi]
  then('answer')
  a.label('load32').code(0x8b, 0x06) // mov eax, [esi]
  then('answer')
  a.label('store8').code(0x88, 0x06) // mov [esi], al
  then('done')
  a.label('store16').code(0x66, 0x89, 0x06) // mov [esi], ax
  then('done')
  a.label('store32').code(0x89, 0x06) // mov [esi], eax
  then('done')
  a.label('readMsr').code(0x89, 0xf1, 0x0f, 0x32) // mov ecx, esi; rdmsr
  a.code(0x89, 0x53, MAIL.high) // mov [ebx + high], edx
  then('answer')
  a.label('writeMsr').code(0x89, 0xf1) // mov ecx, esi
  a.code(0x8b, 0x53, MAIL.high) // mov edx, [ebx + high]
  a.code(0x0f, 0x30) // wrmsr
  then('done')
}

/** Entered from the stub of a vector, whose return address tells which; below it the frame of the interrupt. */
function interrupts(a: Assembler): void {
  a.align(STUB_BYTES).label('stubs')
  for (let vector = 0; vector < 256; vector++) a.code(0xe8).relative('taken').align(STUB_BYTES) // call taken
  a.label('taken')
  a.code(0x83, 0xfd, IDLE) // cmp ebp, idle
  a.code(0xbf).linear('run') // mov edi, run
  a.code(0x0f, 0x84).relative('leave') // je leave: the doorbell
  a.code(0x50) // push eax
  a.code(0x8b, 0x44, 0x24, 0x04) // mov eax, [esp + 4]
  a.code(0x2d).linear('stubs') // sub eax, stubs
  a.code(0xc1, 0xe8, 0x03) // shr eax, 3
  a.code(0x83, 0xfd, ACCEPTING) // cmp ebp, accepting
  a.code(0x0f, 0x84).relative('told') // je told
  // Interrupts are off: a second NMI, which is of no interest, or an exception.
  a.code(0x83, 0xf8, NMI) // cmp eax, nmi
  a.code(0x0f, 0x85).relative('told') // jne told
  a.code(0x58, 0x83, 0xc4, 0x04, 0xcf) // pop eax; add esp, 4; iret
  a.label('told')
  a.code(0x89, 0x43, MAIL.vector) // mov [ebx + vector], eax
  a.code(0xbf).linear('done') // mov edi, done
  a.label('leave')
  // A frame of our own, whatever is on the stack: only iret ends the blocking of NMIs.
  a.code(0xbc).long(STACK_TOP) // mov esp, stack
  a.code(0x6a, 0x02, 0x6a, CODE_SELECTOR, 0x57, 0xcf) // push flags with interrupts off; push cs; push edi; iret
}

function tables(a: Assembler): void {
  a.align(8).label('table').long(0)
  for (const command of COMMANDS) a.linear(command)
  a.align(8).label('gdt')
  for (const half of DESCRIPTORS) a.long(half)
  a.label('gdtr')
    .word(DESCRIPTORS.length * 4 - 1)
    .linear('gdt')
  a.label('idtr')
    .word(256 * 8 - 1)
    .linear('idt')
  a.align(8).label('idt')
}
