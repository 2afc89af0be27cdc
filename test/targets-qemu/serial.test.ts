/** QEMU's 16550 by its profile: where it keeps to the data sheet otherwise. */
import { describe, expect, test } from 'vitest'
import type { Model } from '../../src/kernel/model.ts'
import { serialModel } from '../../src/models/emulated/serial.ts'
import { campaign } from '../models/campaign.ts'
import { openTarget } from './open-target.ts'
import { qemuMissing } from './require-qemu.ts'

const asQemu: Model = {
  ...serialModel,
  scope(target) {
    const { scope, bounds } = serialModel.scope!(target)
    return { scope, bounds: { ...bounds, ...serialModel.profiles![0]!.bounds } }
  },
}

describe.skipIf(qemuMissing !== undefined)('qemu: the serial port', () => {
  test('deviates from the data sheet as its profile says, and not otherwise', async () => {
    const target = await openTarget('pc-devices')
    const { found, first } = campaign(asQemu, target, { runs: 40, seed: 5 })
    expect(found, first).toEqual({})
    const judged = campaign(serialModel, target, { runs: 40, seed: 5, untilFound: true })
    expect(Object.keys(judged.found)).not.toEqual([])
  })
})
