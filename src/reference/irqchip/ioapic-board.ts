/** An I/O APIC by itself: its inputs are ours, and its messages are seen as they leave it. */
import type { BoardDesign } from '../boards.ts'
import { Ioapic } from './ioapic.ts'
import { honestIoapic, type IoapicParts } from './ioapic-state.ts'

/** The input of the device that masks itself while its interrupt is in service. */
const MASKING_PIN = 23

export const ioapicBoard: BoardDesign<IoapicParts> = {
  name: 'ioapic',
  summary: 'an I/O APIC with 24 inputs, version 0x20',
  parts: honestIoapic,
  wire: (parts) => ({
    build: ({ emit }) => [new Ioapic({ parts, send: emit, masking: [MASKING_PIN] })],
  }),
}
