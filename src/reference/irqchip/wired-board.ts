/** Lines to handlers: an I/O APIC whose messages reach a virtual CPU, which tells it of the ends of levels. */
import type { TargetEvent } from '../../contract/index.ts'
import { MESSAGE, MESSAGE_DATA } from '../../layout/lapic.ts'
import type { BoardDesign } from '../boards.ts'
import { Ioapic } from './ioapic.ts'
import { honestIoapic, type IoapicParts } from './ioapic-state.ts'
import { Vcpu } from './vcpu.ts'
import { correctVcpu, type VcpuParts } from './vcpu-parts.ts'

type Message = Extract<TargetEvent, { kind: 'interrupt' }>

/** What the wires between the two carry. */
const correctWires = {
  /** Data of the messages that arrive for one that was sent. */
  arrivals: ({ vector, level }: Message): readonly number[] => [
    vector | (level ? MESSAGE_DATA.level | MESSAGE_DATA.assert : 0),
  ],
  /** The end of a level reaches the I/O APIC. */
  carriesEnd: (_vector: number): boolean => true,
}

export interface WiredParts {
  readonly ioapic: IoapicParts
  readonly vcpu: VcpuParts
  readonly wires: typeof correctWires
}

export const wiredBoard: BoardDesign<WiredParts> = {
  name: 'wired',
  summary: 'lines to handlers: an I/O APIC and the virtual CPU behind it',
  parts: () => ({ ioapic: honestIoapic(), vcpu: { ...correctVcpu }, wires: { ...correctWires } }),
  wire: ({ ioapic: ioapicParts, vcpu: vcpuParts, wires }) => ({
    memory: [{ start: 0, end: 0x1000 }],
    build: (board) => {
      const vcpu: Vcpu = new Vcpu(vcpuParts, {
        ...board,
        emit(event) {
          board.emit(event)
          if (event.kind === 'eoi' && wires.carriesEnd(event.vector)) ioapic.endOfInterrupt(event.vector)
        },
      })
      const ioapic = new Ioapic({
        parts: ioapicParts,
        send(message) {
          board.emit(message)
          if (message.delivery !== 'fixed') return
          for (const data of wires.arrivals(message)) vcpu.message(0, MESSAGE.base, data)
        },
      })
      return [ioapic, vcpu]
    },
  }),
}
