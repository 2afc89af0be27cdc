/** Virtual CPUs, posted interrupts, event channels, and the way from a line to a handler. */
import { describe, expect, it } from 'vitest'
import type { Target, TargetEvent } from '../../src/contract/index.ts'
import { Ledger } from '../../src/kernel/judge/ledger.ts'
import type { Model } from '../../src/kernel/model.ts'
import { Drawer } from '../../src/kernel/play/draw.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { BLOCK, CALL, DOMID_SELF, EVENT_CHANNEL, HVM, RESULT, SHARED } from '../../src/layout/event-channel.ts'
import { DEFAULT_BASE, LAPIC, MESSAGE, MESSAGE_DATA } from '../../src/layout/lapic.ts'
import { DESCRIPTOR, POSTING, REMAPPABLE, URGENT_HANDLE } from '../../src/layout/posted-interrupt.ts'
import { cpuDeliveryModel } from '../../src/models/cpu-delivery.ts'
import { endToEndModel } from '../../src/models/end-to-end.ts'
import { eventUpcallModel } from '../../src/models/event-upcall.ts'
import { postedModel } from '../../src/models/posted.ts'
import { type Fault, faults } from '../../src/reference/faults/index.ts'
import { boards } from '../../src/reference/index.ts'
import { openReference } from '../../src/targets/reference.ts'

const boardOf = (name: string): Target => openReference({ board: boards.find((board) => board.name === name)! })

const kinds = (events: readonly TargetEvent[]): string[] =>
  events
    .filter(({ kind }) => kind !== 'dma')
    .map((event) => ('vector' in event ? `${event.kind} ${event.vector}` : event.kind))

/** What happens until the target rests. */
const rest = (target: Target): string[] => {
  expect(target.settle(0)).toBe('quiet')
  return kinds(target.events())
}

const EOI = { space: 'mmio', address: DEFAULT_BASE + LAPIC.endOfInterrupt, cpu: 0 } as const

describe('a virtual CPU', () => {
  const send = (target: Target, data: number) => target.message!(0, MESSAGE.base, data)

  it('takes nothing in the shadow of STI, and wakes from the HLT behind it', () => {
    const target = boardOf('vcpu')
    send(target, 0x41)
    target.execute!(0, 'sti')
    expect(rest(target)).toEqual([])
    target.execute!(0, 'hlt')
    expect(rest(target)).toEqual(['wake', 'taken 65'])
  })

  it('sleeps on with its interrupt flag clear', () => {
    const target = boardOf('vcpu')
    target.execute!(0, 'hlt')
    send(target, 0x41)
    expect(rest(target)).toEqual([])
  })

  it('repeats a delivery that an exit cut off, before a higher one that came meanwhile', () => {
    const target = boardOf('vcpu')
    target.execute!(0, 'sti')
    target.execute!(0, 'nop')
    send(target, 0x41)
    // Out of the guest, and into it with the vector injected.
    target.step!('vcpu0')
    target.step!('vcpu0')
    send(target, 0x51)
    expect(rest(target)).toEqual(['exit', 'exit', 'taken 65'])
    target.execute!(0, 'sti')
    target.execute!(0, 'nop')
    expect(rest(target)).toEqual(['taken 81'])
  })

  it('broadcasts the end of levels alone, and takes no exception vectors', () => {
    const target = boardOf('vcpu')
    send(target, 15)
    send(target, 0x41 | MESSAGE_DATA.level)
    target.execute!(0, 'sti')
    target.execute!(0, 'nop')
    expect(rest(target)).toEqual(['taken 65'])
    target.write(EOI, 4, 0n)
    expect(rest(target)).toEqual(['eoi 65'])
    target.write(EOI, 4, 0n)
    expect(rest(target)).toEqual([])
  })
})

describe('a poster', () => {
  const GPA = 0x1000

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('notifies unless outstanding, or suppressed and not urgent: case %i', (bits) => {
    const [outstanding, suppressed, urgent] = [bits & 1, (bits >> 1) & 1, bits >> 2]
    const target = boardOf('posted')
    rest(target)
    const control = (outstanding === 1 ? POSTING.ON : 0) | (suppressed === 1 ? POSTING.SN : 0)
    const line = new Uint8Array(DESCRIPTOR.BYTES)
    line.set([control, 0, 0x99, 0, 7], DESCRIPTOR.CONTROL)
    target.store(GPA, line)
    const handle = 0x41 | (urgent === 1 ? URGENT_HANDLE : 0)
    target.message!(0, REMAPPABLE.BASE + (handle << REMAPPABLE.HANDLE_SHIFT), 0)
    const notified = outstanding === 0 && (suppressed === 0 || urgent === 1)
    expect(target.events().filter(({ kind }) => kind === 'interrupt')).toMatchObject(
      notified ? [{ destination: 7, vector: 0x99 }] : [],
    )
    const after = target.load(GPA, DESCRIPTOR.BYTES)
    expect(after[0x41 >> 3]).toBe(1 << (0x41 & 7))
    expect(after[DESCRIPTOR.CONTROL]).toBe(control | (notified ? POSTING.ON : 0))
  })
})

describe('event channels', () => {
  const PAGE = 0x2000
  const ARGUMENTS = 0x1000

  const call = (target: Target, number: number, words: readonly number[]): number => {
    const block = new Uint8Array(BLOCK.BYTES)
    for (const [i, word] of words.entries()) new DataView(block.buffer).setUint32(4 * i, word, true)
    target.store(ARGUMENTS, block)
    const at = { space: 'hypercall', address: number, cpu: 1 } as const
    target.write(at, 4, BigInt(ARGUMENTS))
    target.settle(0)
    return Number(target.read(at, 4)) | 0
  }
  const answer = (target: Target, offset: number): number => target.load(ARGUMENTS + offset, 1)[0]!

  it('announce an event once, and what is pending when the vector is set up', () => {
    const target = boardOf('upcall')
    call(target, CALL.EVENT_CHANNEL, [EVENT_CHANNEL.ALLOC_UNBOUND, DOMID_SELF])
    const far = answer(target, BLOCK.NEW_PORT)
    call(target, CALL.EVENT_CHANNEL, [EVENT_CHANNEL.BIND_INTERDOMAIN, DOMID_SELF, far])
    call(target, CALL.EVENT_CHANNEL, [EVENT_CHANNEL.SEND, answer(target, BLOCK.LOCAL_PORT)])
    expect(target.load(PAGE + SHARED.UPCALL, 1)).toEqual(Uint8Array.of(1))
    expect(kinds(target.events())).toEqual([])
    expect(call(target, CALL.HVM, [HVM.SET_UPCALL_VECTOR, 0, 0xf3])).toBe(0)
    expect(kinds(target.events())).toEqual(['interrupt 243'])
    call(target, CALL.EVENT_CHANNEL, [EVENT_CHANNEL.SEND, far])
    expect(kinds(target.events())).toEqual([])
  })

  it('refuse what they do not know', () => {
    const target = boardOf('upcall')
    expect(call(target, CALL.EVENT_CHANNEL, [99])).toBe(RESULT.UNKNOWN)
    expect(call(target, CALL.EVENT_CHANNEL, [EVENT_CHANNEL.SEND, 0xffff_ffff])).toBe(RESULT.INVALID)
    target.write({ space: 'hypercall', address: CALL.EVENT_CHANNEL }, 4, 0xffff_fff0n)
    expect(Number(target.read({ space: 'hypercall', address: CALL.EVENT_CHANNEL }, 4)) | 0).toBe(RESULT.INVALID)
    expect(Number(target.read({ space: 'hypercall', address: 7 }, 4)) | 0).toBe(RESULT.UNKNOWN)
  })
})

const SEED = 4_004
/** Other plans each time; a failure names its seed. */
const FRESH = Date.now() & 0xff_ffff

const JUDGED: readonly (readonly [string, string, Model])[] = [
  ['cpu-delivery', 'vcpu', cpuDeliveryModel],
  ['posted', 'posted', postedModel],
  ['event-upcall', 'upcall', eventUpcallModel],
  ['end-to-end', 'wired', endToEndModel],
]

const player = (model: Model, target: Target) => {
  const { can } = target.describe()
  const machine = model.machine.at('played')
  const ledger = new Ledger(machine)
  const runner = new Runner(model, machine, target, { ledger })
  const drawer = new Drawer(machine, { played: model.played, steps: can.step, saves: true })
  return { ledger, play: (seed: number) => runner.run(drawer.draw(seed)) }
}

describe.each(JUDGED)('%s on reference:%s', (_machine, board, model) => {
  it('finds nothing', () => {
    const { ledger, play } = player(model, boardOf(board))
    for (let run = 0; run < 32; run++) {
      const seed = (run < 24 ? SEED : FRESH) + 7919 * run
      const { verdict, finding } = play(seed)
      expect([verdict, finding?.law, seed]).toEqual(['conforms', undefined, seed])
    }
    expect(ledger.decided.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100)
  })
})

/** Those of real implementations, and a fifth of the others each day, so that all have their turn. */
const NOTED = [
  'irq-posted-outstanding-clear-after-suppress-off',
  'irq-posted-on-set-but-pir-empty',
  'irq-posted-pending-bit-hides-higher-vector',
  'irq-evtchn-upcall-vector-set-after-pending',
]
const today = Math.floor(Date.now() / 86_400_000)
const CHOSEN: readonly (readonly [string, Fault, Model])[] = JUDGED.flatMap(([, board, model]) =>
  faults
    .filter((fault) => fault.board?.name === board)
    .filter(({ id }, i) => NOTED.includes(id) || (i + today) % 5 === 0)
    .map((fault) => [fault.id, fault, model] as const),
)

describe('seeded faults are found within 400 runs', () => {
  it.each(CHOSEN)('%s', (_id, fault, model) => {
    const { play } = player(model, openReference({ fault }))
    let run = 0
    while (run < 400 && play(SEED + 7919 * run).verdict === 'conforms') run++
    expect(run).toBeLessThan(400)
  })
})
