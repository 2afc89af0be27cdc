/** Every way by which an interrupt reaches a CPU, on real chips of the reference, under one law. */
import { describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/index.ts'
import { Ledger } from '../../src/kernel/judge/ledger.ts'
import { Drawer } from '../../src/kernel/play/draw.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { interruptWaysModel as model } from '../../src/models/interrupt-ways.ts'
import { openBoardOf } from '../../src/reference/boards.ts'
import { faults } from '../../src/reference/faults/index.ts'
import { waysBoard } from '../../src/reference/irqchip/ways-board.ts'
import { openReference } from '../../src/targets/reference.ts'

const SEED = 4_007
/** Other plans each time; a failure names its seed. */
const FRESH = Date.now() & 0xff_ffff
const RUNS = 400

const player = (target: Target) => {
  const machine = model.machine.at('played')
  const ledger = new Ledger(machine)
  const runner = new Runner(model, machine, target, { ledger })
  const drawer = new Drawer(machine, { played: model.played, steps: target.describe().can.step, saves: true })
  return { ledger, play: (seed: number) => runner.run(drawer.draw(seed)) }
}

const runsUntilFound = (target: Target): number => {
  const { play } = player(target)
  let run = 0
  while (run < RUNS && play(SEED + 7919 * run).verdict === 'conforms') run++
  return run
}

describe('every way to a CPU', () => {
  it('loses, doubles and invents nothing', () => {
    const { ledger, play } = player(openReference({ board: waysBoard }))
    for (let run = 0; run < 40; run++) {
      const seed = (run < 30 ? SEED : FRESH) + 7919 * run
      const { verdict, finding } = play(seed)
      expect([verdict, finding?.law, seed]).toEqual(['conforms', undefined, seed])
    }
    expect(ledger.decided.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100)
  })

  it.each(faults.filter(({ board }) => board === waysBoard).map((fault) => [fault.id, fault] as const))(
    '%s',
    (_id, fault) => {
      expect(runsUntilFound(openReference({ fault }))).toBeLessThan(RUNS)
    },
  )
})

/** Of single chips: some of those that lose, double or invent an interrupt in the modes that this board uses. */
const OF_CHIPS = {
  pic: [
    'irq-pic-master-ack-before-slave',
    'irq-pic-level-and-edge-latch-confused',
    'irq-pic-slave-eoi-ends-master',
    'irq-pic-cascade-not-withdrawn',
    'irq-pic-masked-request-forgotten',
  ],
  ioapic: [
    'irq-ioapic-eoi-does-not-redeliver-level',
    'irq-ioapic-level-forgotten-while-masked',
    'irq-ioapic-level-latched',
  ],
  lapic: [
    'irq-apic-tpr-per-vector-instead-of-class',
    'irq-apic-masked-extint-cancels-ipi',
    'irq-apic-ppr-ignores-service',
    'irq-apic-eoi-of-the-latest-request',
  ],
} as const
const CASES = (['pic', 'ioapic', 'lapic'] as const).flatMap((chip) => OF_CHIPS[chip].map((id) => [id, chip] as const))

describe('faults of single chips are found over the whole way', () => {
  it.each(CASES)('%s', (id, chip) => {
    const { install } = faults.find((fault) => fault.id === id)!
    const target = openBoardOf(waysBoard, id, (parts) => install(parts[chip] as never))
    expect(runsUntilFound(target)).toBeLessThan(RUNS)
  })
})
