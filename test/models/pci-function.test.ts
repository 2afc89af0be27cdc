import { describe, expect, it } from 'vitest'
import { pciFunction } from '../../spec/pci/function.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import { pciFunctionModel } from '../../src/models/pci-function.ts'
import { openReference, type ReferenceOptions } from '../../src/targets/reference.ts'
import { v86Door } from '../../src/targets/v86/index.ts'
import { campaign } from './campaign.ts'

const play = (options: ReferenceOptions, runs: number) => campaign(pciFunctionModel, openReference(options), { runs })

describe('pci-function, explored', () => {
  it.each([0, 1])('holds, is stuck nowhere and reaches its goals (config %i)', (config) => {
    const result = explore(pciFunction.at('explored', { config }))
    expect([result.result, result.stuck.count]).toEqual(['holds', 0])
    expect(Object.entries(result.goals).filter(([, depth]) => depth === null)).toEqual([])
  })
})

describe('pci-function, played', () => {
  it('raises no false alarm on the reference and reaches every goal', () => {
    const result = play({}, 1000)
    expect(result.first).toBeUndefined()
    expect(Object.entries(result.goals).filter(([, count]) => count === 0)).toEqual([])
  })

  it.each([{ resetSteps: 3 }, { ioBars: true }, { transitional: true }])('nor on a reference with %o', (options) => {
    expect(play(options, 400).first).toBeUndefined()
  })

  it.each([
    ['irq-msix-pending-lost-while-masked', 'device.answerPending.heldBackIsPending@MSI-02'],
    ['irq-msix-function-mask-ignored', 'device.message.notUnderTheFunctionMask@PCI-MSIX-03'],
    ['irq-msix-pending-sent-again', 'device.message.onceForAllThatWasHeld@MSI-03'],
    ['irq-isr-not-cleared-on-read', 'device.answerIsr.wasCleared@VIO-PCI-05'],
    ['irq-intx-stays-up-after-isr-read', 'owes device.lower@VIO-PCI-36'],
    ['irq-intx-beside-msix', 'device.raise.notBesideMessages@MSI-01'],
    ['irq-intx-disable-ignored', 'owes device.lower@PCI-CFG-10'],
    ['irq-isr-not-set-for-queues', 'owes device.raise@MSI-10'],
    ['irq-isr-configuration-bit-lost-with-msix', 'device.answerIsr.tellsTheCauses@VIO-PCI-06'],
    ['irq-isr-second-cause-replaces-first', 'device.answerIsr.tellsTheCauses@VIO-PCI-06'],
    ['irq-sent-with-no-vector', 'device.message.ofAMappedEvent@VIO-PCI-09'],
    ['irq-vector-out-of-range-accepted', 'device.answerVector.failsBeyondTheTable@VIO-PCI-44'],
    ['irq-vectors-survive-device-reset', 'device.answerMapping.unmapped@VIO-PCI-08'],
    ['irq-message-without-bus-master', 'device.message.mastering@MSI-09'],
    ['pci-dma-without-bus-master', 'device.access.mastering@SAF-13'],
  ])('finds %s', (fault, law) => {
    expect(Object.keys(play({ fault }, 600).found)).toContain(law)
  })

  it('knows v86, which decodes always and has no Interrupt Disable', async () => {
    const target = await v86Door.open('virtio-9p', { directory: '.', timeoutMs: 1000 })
    const { found, goals } = campaign(pciFunctionModel, target, { runs: 400 })
    target.close()
    expect(Object.keys(found).sort()).toEqual([
      'device.access.mastering@SAF-13',
      'device.answerInspection.identityIsReadOnly@PCI-CFG-01',
      'device.answerTouch.silentWithoutDecoding@PCI-CFG-04',
      'device.raise.notDisabled@PCI-CFG-10',
      'owes device.lower@PCI-CFG-10',
    ])
    expect(goals.aServicedLine).toBeGreaterThan(0)
  })
})
