/** Joins the mailbox machine to any target with a device of kind `mailbox`. */
import { type Action, type Args, type Model, ModelError, type Sink, type Target } from 'iospec'
import { mailbox } from './machine.ts'

const SLOT = 0x0
const STATUS = 0x4
const ACKNOWLEDGE = 0x8
const MASK = 0xc
const PAGE_BYTES = 4096

const isMailbox = (device: { readonly kind: string }): boolean => device.kind === 'mailbox'

const model: Model = {
  machine: mailbox,
  played: ['driver'],
  notApplicable: (target) => (target.devices.some(isMailbox) ? undefined : 'it has no mailbox'),
  open(target, machine, sink: Sink) {
    const device = target.describe().devices.find(isMailbox)
    if (device?.transport.kind !== 'mmio') throw new ModelError('expected a mailbox at an MMIO address')
    const { base } = device.transport
    let at: Target = target
    const poke = (register: number, value: number): void =>
      at.write({ space: 'mmio', address: base + register }, 4, BigInt(value))
    const status = machine.action('device.status')
    const fetch = machine.action('device.fetch')
    const raise = machine.action('device.raise')
    return {
      device: device.id,
      start() {
        at.reset('system')
        at.events()
      },
      perform({ name }: Action, args: Args) {
        switch (name) {
          case 'driver.post':
            return poke(SLOT, args.page as number)
          case 'driver.mask':
            return poke(MASK, Number(args.on))
          case 'driver.acknowledge':
            return poke(ACKNOWLEDGE, 1)
          case 'driver.look': {
            const bits = Number(at.read({ space: 'mmio', address: base + STATUS }, 4))
            return sink(status, { busy: (bits & 1) !== 0, pend: (bits & 2) !== 0 })
          }
          default:
            throw new ModelError(`mailbox: ${name}: this model does not know how to perform it`)
        }
      },
      collect() {
        for (const event of at.events()) {
          const page = event.kind === 'dma' ? event.gpa / PAGE_BYTES : undefined
          if (event.kind === 'dma' || event.kind === 'fault')
            sink(fetch, {
              page: page !== undefined && Number.isInteger(page) && page < machine.scope.pages! ? page : undefined,
            })
          if (event.kind === 'line' && event.level) sink(raise, {})
        }
      },
      move: (next) => void (at = next),
    }
  },
}

export default [model]
