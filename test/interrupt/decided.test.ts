/** Clauses of interrupts that are decided: the reference decides each, and what breaks it is refused where it was. */
import { describe, expect, it } from 'vitest'
import type { Target } from '../../src/contract/target.ts'
import { Ledger } from '../../src/kernel/judge/ledger.ts'
import type { Model } from '../../src/kernel/model.ts'
import { Drawer } from '../../src/kernel/play/draw.ts'
import { runSeed } from '../../src/kernel/play/random.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { eventUpcallModel } from '../../src/models/event-upcall.ts'
import { ioapicModel } from '../../src/models/ioapic.ts'
import { lapicModel } from '../../src/models/lapic.ts'
import { intxModel, msixModel } from '../../src/models/pci-function.ts'
import { picModel } from '../../src/models/pic.ts'
import { remappingModel } from '../../src/models/remapping.ts'
import { type Fault, faults } from '../../src/reference/faults/index.ts'
import { boards } from '../../src/reference/index.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from '../models/campaign.ts'

const board = (name: string) => boards.find((each) => each.name === name)!
const seeded = (id: string): Fault => faults.find((fault) => fault.id === id)!

/** A target whose writes are those of another, but for what `change` makes of them. */
const writing = (target: Target, change: (write: Target['write']) => Target['write']): Target =>
  new Proxy(target, {
    get(real, name) {
      const value = Reflect.get(real, name) as unknown
      if (typeof value !== 'function') return value
      if (name === 'migrate') return () => writing(real.migrate!(), change)
      return name === 'write' ? change(real.write.bind(real)) : value.bind(real)
    },
  })

/** The upper half of eight bytes is lost. */
const halved = (target: Target): Target =>
  writing(target, (write) => (at, width, value) => {
    if (width === 8) write(at, 4, value & 0xffff_ffffn)
    else write(at, width, value)
  })

const broken: readonly (readonly [clause: string, model: Model, board: string, open: () => Target])[] = [
  ['PIC-06', picModel, 'pic', () => openReference({ fault: seeded('irq-pic-eoi-in-fixed-order') })],
  ['PIC-09', picModel, 'pic', () => openReference({ fault: seeded('irq-pic-special-mask-eoi-ends-masked') })],
  ['IOA-09', ioapicModel, 'ioapic', () => openReference({ fault: seeded('irq-ioapic-remote-irr-stuck-after-edge') })],
  ['IOA-10', ioapicModel, 'ioapic', () => openReference({ fault: seeded('irq-ioapic-logical-destination-cut') })],
  ['IOA-11', intxModel, 'msi-device', () => openReference({ fault: seeded('irq-intx-line-follows-last-change') })],
  ['LAP-09', lapicModel, 'lapic', () => openReference({ fault: seeded('irq-apic-empty-acknowledge-enters-service') })],
  ['MSI-04', msixModel, 'msi-device', () => openReference({ fault: seeded('irq-msix-resolved-event-stays-pending') })],
  ['MSI-08', msixModel, 'msi-device', () => halved(openReference({ board: board('msi-device') }))],
  [
    'XEVT-07',
    eventUpcallModel,
    'upcall',
    () => openReference({ fault: seeded('irq-evtchn-peer-stays-bound-after-close') }),
  ],
  ['XEVT-08', eventUpcallModel, 'upcall', () => openReference({ fault: seeded('irq-evtchn-ipi-port-moved') })],
  ['XEVT-09', eventUpcallModel, 'upcall', () => openReference({ fault: seeded('irq-evtchn-foreign-domain-reached') })],
  ['VIO-PCI-10', msixModel, 'msi-device', () => openReference({ fault: seeded('irq-msix-event-cannot-be-unmapped') })],
]

describe('a clause is decided by the reference, and found broken where it is', () => {
  it.each(broken)('%s', (clause, model, on, open) => {
    const honest = campaign(model, openReference({ board: board(on) }), { runs: 60, seed: 5 })
    expect(honest.first).toBeUndefined()
    expect(honest.clauses.get(clause)?.decided).toBeGreaterThan(0)
    const { clauses } = campaign(model, open(), { runs: 80, seed: 5 })
    expect(clauses.get(clause)!.violated + clauses.get(clause)!.departed).toBeGreaterThan(0)
  })
})

/** One seed, and another each time: the name of the test tells it. */
const SEEDS = [1, Date.now() & 0xffff]

/** Faults that break the clause wherever it can be broken. */
const tempted: readonly (readonly [clause: string, model: Model, fault: Fault])[] = [
  ['VIO-PCI-09', msixModel, seeded('irq-sent-with-no-vector')],
  ['IR-04', remappingModel, seeded('irq-remap-source-id-not-checked')],
]

describe('what silence decides is refused where the clause is broken', () => {
  it.each(tempted.flatMap(([clause, model, fault]) => SEEDS.map((seed) => [clause, seed, model, fault] as const)))(
    '%s, seed %i',
    (clause, seed, model, fault) => {
      const { board: on } = fault
      const right = openReference(on === undefined ? {} : { board: on })
      const description = right.describe()
      const chosen = model.scope?.(description) ?? { scope: 'played' }
      const machine = model.machine.at(chosen.scope, chosen.bounds)
      const ledger = new Ledger(machine)
      const silent = new Set(
        machine.actions.flatMap(({ index, duties }) =>
          duties.flatMap((duty, i) =>
            duty.refrains !== undefined && duty.clause.id === clause ? [ledger.book.duties[index]! + i] : [],
          ),
        ),
      )
      const decided = (): number => [...silent].reduce((sum, law) => sum + ledger.decided[law]!, 0)
      const honest = new Runner(model, machine, right, { ledger })
      const faulty = new Runner(model, machine, openReference({ fault }))
      const drawer = new Drawer(machine, {
        played: model.played,
        unavailable: new Set(Object.keys(honest.unavailable)),
        hostile: 0,
        maxSteps: 60,
      })
      let runs = 0
      for (let run = 0; run < 300 && runs < 5; run++) {
        const plan = drawer.draw(runSeed(seed, machine.name, run))
        const before = decided()
        expect(honest.run(plan).verdict).toBe('conforms')
        if (decided() === before) continue
        runs++
        expect(faulty.run(plan).verdict).toBe('violates')
      }
      expect(runs).toBeGreaterThan(0)
    },
  )
})
