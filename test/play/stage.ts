/** A machine on a reference that can be stepped, with a drawer for it. */
import { Ledger } from '../../src/kernel/judge/ledger.ts'
import type { Model } from '../../src/kernel/model.ts'
import { Drawer } from '../../src/kernel/play/draw.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { openReference, type ReferenceOptions } from '../../src/targets/reference.ts'

export const stageOf = (model: Model, reference: ReferenceOptions = {}) => {
  const target = openReference({ queues: 2, ...reference })
  const description = target.describe()
  const chosen = model.scope?.(description)
  const machine = model.machine.at(chosen?.scope ?? 'played', chosen?.bounds)
  const ledger = new Ledger(machine)
  const runner = new Runner(model, machine, target, { ledger })
  const unavailable = new Set(Object.keys(runner.unavailable))
  const drawer = new Drawer(machine, { played: model.played, unavailable, steps: true })
  return { machine, ledger, runner, drawer }
}
