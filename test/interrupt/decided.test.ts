/** Clauses of interrupts that are decided: the reference decides each, and what breaks it is refused where it was. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCampaign } from '../../src/campaign/main-side.ts'
import type { Target } from '../../src/contract/target.ts'
import { Ledger } from '../../src/kernel/judge/ledger.ts'
import { argsToJson } from '../../src/kernel/language/state.ts'
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
import { freshFolder } from '../campaign/toy.ts'
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
  ['IR-15', remappingModel, 'remapping', () => openReference({ fault: seeded('irq-remap-subhandle-always-added') })],
  ['IR-17', remappingModel, 'remapping', () => openReference({ fault: seeded('irq-remap-absent-entry-cached') })],
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

/** Small campaigns, until one shows it. */
const rounds = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]

describe('a clause is decided by the reference, and found broken where it is', () => {
  it.each(broken)('%s', (clause, model, on, open) => {
    const isDecided = rounds.some((seed) => {
      const honest = campaign(model, openReference({ board: board(on) }), { runs: 15, seed })
      expect(honest.first).toBeUndefined()
      return honest.clauses.get(clause)!.decided > 0
    })
    const isFound = rounds.some((seed) => {
      const { violated, departed } = campaign(model, open(), { runs: 15, seed }).clauses.get(clause)!
      return violated + departed > 0
    })
    expect([isDecided, isFound]).toEqual([true, true])
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

/** Duties of drivers, which a log of one is judged by. */
const driven: readonly (readonly [clause: string, model: Model, board: string])[] = [
  ['XEVT-05', eventUpcallModel, 'upcall'],
  ['VIO-PCI-11', msixModel, 'msi-device'],
]

describe("a log decides the driver's part", () => {
  it.each(driven)('%s', async (clause, model, on) => {
    const judged = async (hostile: number) => {
      const target = openReference({ board: board(on) })
      const description = target.describe()
      const chosen = model.scope?.(description) ?? { scope: 'played' }
      const machine = model.machine.at(chosen.scope, chosen.bounds)
      const runner = new Runner(model, machine, target)
      const unavailable = new Set(Object.keys(runner.unavailable))
      const drawer = new Drawer(machine, { played: model.played, unavailable, hostile, maxSteps: 60 })
      const scope = { name: chosen.scope, bounds: chosen.bounds }
      const lines: unknown[] = [
        { schemaVersion: 1, kind: 'log', machine: machine.name, scope, target: { name: 'recorded', version: '1' } },
      ]
      for (let run = 0; run < 40; run++) {
        if (run > 0) lines.push({ restart: true })
        for (const step of runner.run(drawer.draw(runSeed(3, machine.name, run))).trace)
          lines.push(
            step.by === 'schedule'
              ? { by: step.by, do: step.do }
              : { by: step.by, action: step.action.name, args: argsToJson(step.action, step.args) },
          )
      }
      const file = path.join(freshFolder(), 'driver.jsonl')
      writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'))
      const { clauses } = await runCampaign({
        target: `log:${file}`,
        side: 'driver',
        machines: [machine.name],
        runs: 1,
        seed: 1,
      })
      return clauses.find(({ id }) => id === clause)
    }
    expect(await judged(0)).toMatchObject({ status: 'kept', violated: 0 })
    expect(await judged(1)).toMatchObject({ status: 'violated' })
  })
})
