import { describe, expect, it } from 'vitest'
import { pciFunction } from '../../spec/pci/function.ts'
import { planFromJson } from '../../src/kernel/play/plan.ts'
import { Runner } from '../../src/kernel/play/run.ts'
import { pciFunctionModel } from '../../src/models/pci-function.ts'
import { openReference, type ReferenceOptions } from '../../src/targets/reference.ts'
import { v86Door } from '../../src/targets/v86/index.ts'
import { campaign } from './campaign.ts'

const play = (options: ReferenceOptions, runs: number) => campaign(pciFunctionModel, openReference(options), { runs })

describe('pci-function, played', () => {
  it('raises no false alarm on the reference and reaches every goal', () => {
    const result = play({}, 1200)
    expect(result.first).toBeUndefined()
    expect(Object.entries(result.goals).filter(([, count]) => count === 0)).toEqual([])
  })

  it.each([{ resetSteps: 3 }, { ioBars: true }, { transitional: true }])('nor on a reference with %o', (options) => {
    expect(play(options, 150).first).toBeUndefined()
  })

  it('lets a device that could not reach its queue ask for a reset on the vector of the event, at any time', () => {
    const machine = pciFunction.at('played')
    const act = (action: string, args = {}) => ({ do: 'act' as const, action: `driver.${action}`, args })
    const command = { decode: true, intxOff: false }
    const off = act('setCommand', { ...command, master: false })
    const on = act('setCommand', { ...command, master: true })
    const map = act('mapEvent', { vector: 1, look: true })
    const read = act('readPending', { vector: 1 })
    const settle = { do: 'settle' as const }
    for (const steps of [
      [off, act('enableMessages'), map, act('submit'), on, act('submit'), read],
      [off, act('enableMessages'), act('submit'), act('submit'), on, map, settle, read],
      [
        off,
        act('enableMessages'),
        map,
        act('submit'),
        on,
        settle,
        act('mapEvent', { vector: 0, look: true }),
        settle,
        read,
      ],
    ]) {
      const result = new Runner(pciFunctionModel, machine, openReference({})).run(planFromJson(machine, steps))
      expect([result.verdict, result.finding?.law, result.skipped]).toEqual(['conforms', undefined, 0])
    }
  })

  // Any law that it breaks will do: which one a plan comes upon first is chance.
  it.each([
    'irq-msix-pending-lost-while-masked',
    'irq-msix-function-mask-ignored',
    'irq-msix-pending-sent-again',
    'irq-isr-not-cleared-on-read',
    'irq-intx-stays-up-after-isr-read',
    'irq-intx-beside-msix',
    'irq-intx-disable-ignored',
    'irq-isr-not-set-for-queues',
    'irq-isr-configuration-bit-lost-with-msix',
    'irq-isr-second-cause-replaces-first',
    'irq-sent-with-no-vector',
    'irq-vector-out-of-range-accepted',
    'irq-vectors-survive-device-reset',
    'irq-message-without-bus-master',
    'pci-dma-without-bus-master',
  ])('finds %s', (fault) => {
    const { found } = campaign(pciFunctionModel, openReference({ fault }), { runs: 2000, untilFound: true })
    expect(Object.keys(found)).not.toEqual([])
  })

  it('knows v86, which decodes always and has no Interrupt Disable', async () => {
    const target = await v86Door.open('virtio-9p', { directory: '.', timeoutMs: 1000 })
    const { found, goals } = campaign(pciFunctionModel, target, { runs: 400 })
    target.close()
    const known = [
      'device.access.mastering@SAF-13',
      'device.answerInspection.identityIsReadOnly@PCI-CFG-01',
      'device.answerTouch.silentWithoutDecoding@PCI-CFG-04',
      'device.raise.notDisabled@PCI-CFG-10',
      'owes device.lower@PCI-CFG-10',
    ]
    expect(Object.keys(found).filter((law) => !known.includes(law))).toEqual([])
    expect(Object.keys(found).length).toBeGreaterThan(2)
    expect(goals.aServicedLine).toBeGreaterThan(0)
  })
})
