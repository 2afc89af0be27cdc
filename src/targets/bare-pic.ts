/** A pair of 8259s that is a target by itself, with nothing to be seen but its registers and what it gives the CPU. */
import type { Description } from '../contract/target.ts'

export const PIC_ID = 'pic'
export const PIC_INPUTS = 16

/** What it tells about itself: it works only while it is called, and its state can be taken and put back. */
export const describeBarePic = (
  told: Pick<Description, 'name' | 'version' | 'memory'> & { readonly issues: string },
): Description => ({
  ...told,
  vms: 1,
  cpus: 1,
  devices: [{ id: PIC_ID, kind: 'i8259-pair', transport: { kind: 'chip', inputs: PIC_INPUTS } }],
  observes: { dma: 'none', msi: 'none', line: 'none', fault: 'none' },
  can: {
    step: false,
    save: true,
    migrate: false,
    fingerprint: true,
    resets: ['system'],
    controls: [],
    synchronous: true,
    lines: true,
    acknowledge: true,
  },
})
