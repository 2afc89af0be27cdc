/**
 * A PC: devices drive lines, lines reach both interrupt controllers, and those reach one CPU. Line n of the ISA bus is input n of
 * the pair of 8259s and of the I/O APIC, but for the timer, whose line 0 is input 2 there.
 */
import type { TargetEvent } from '../../contract/index.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { AnyBoard, BoardDesign } from '../boards.ts'
import { ideBoard } from '../emulated/ide-board.ts'
import { ne2000Board } from '../emulated/ne2000-board.ts'
import { parallelBoard } from '../emulated/parallel-board.ts'
import { serialBoard } from '../emulated/serial-board.ts'
import { vgaBoard } from '../emulated/vga-board.ts'
import { addressOf, dataOf } from './bus-message.ts'
import { correctPair, I8259Pair } from './i8259-pair.ts'
import { Ioapic } from './ioapic.ts'
import { honestIoapic } from './ioapic-state.ts'
import { Lapics } from './lapic.ts'
import { honestLapic } from './lapic-state.ts'
import { Pit } from './pit.ts'
import { Rtc } from './rtc.ts'

/** Boards whose devices are on this one too. */
const CARDS: readonly AnyBoard[] = [serialBoard, parallelBoard, vgaBoard, ideBoard, ne2000Board]
const TIMER_LINE = 0
const TIMER_INPUT = 2

export const correctPc = () => ({
  pic: correctPair(),
  ioapic: honestIoapic(),
  lapic: honestLapic(),
  cards: CARDS.map((card) => ({ card, parts: card.parts() })),
})
export type PcParts = ReturnType<typeof correctPc>

/** The line of the ISA bus that each device drives. */
const linesOf = (parts: readonly BoardPart[]): ReadonlyMap<string, number> =>
  new Map(
    parts
      .flatMap(({ describes }) => describes)
      .flatMap(({ id, transport }) =>
        transport.kind === 'port' && transport.irq !== undefined ? [[id, transport.irq] as const] : [],
      ),
  )

/** Controllers and what lies between them. */
const wireChips = ({ emit }: BoardServices, parts: PcParts) => {
  const pic = new I8259Pair(parts.pic, (level) => {
    emit({ kind: 'line', device: 'pic', pin: 0, level })
    lapics.setLine('lapic0', 0, level)
  })
  const ioapic = new Ioapic({
    parts: parts.ioapic,
    send(message) {
      emit(message)
      lapics.message(0, addressOf(message), dataOf(message))
    },
  })
  const lapics: Lapics = new Lapics({
    parts: parts.lapic,
    cpus: 1,
    external: () => pic.acknowledge(),
    emit(event) {
      emit(event)
      if (event.kind === 'eoi') ioapic.endOfInterrupt(event.vector)
    },
  })
  return { pic, ioapic, lapics }
}

export const pcBoard: BoardDesign<PcParts> = {
  name: 'pc',
  summary: 'a PC: its interrupt controllers, timer and clock, and the devices that drive them',
  parts: correctPc,
  wire: (parts) => {
    const cards = parts.cards.map(({ card, parts: own }) => card.wire(own))
    return {
      memory: [{ start: 0, end: 0x6_0000 }],
      can: {
        controls: [...new Set(cards.flatMap(({ can }) => can?.controls ?? []))],
        // The inputs of the controllers belong to the devices.
        ...{ lines: false, message: false, endOfInterrupt: false },
      },
      build: (board) => {
        const { pic, ioapic, lapics } = wireChips(board, parts)
        const emit = (event: TargetEvent): void => {
          board.emit(event)
          const line = event.kind === 'line' ? lines.get(event.device) : undefined
          if (line === undefined || event.kind !== 'line') return
          pic.setLine('pic', line, event.level)
          ioapic.setLine('ioapic', line === TIMER_LINE ? TIMER_INPUT : line, event.level)
        }
        const services: BoardServices = { ...board, emit }
        const devices = [new Pit(services), new Rtc(services), ...cards.flatMap(({ build }) => build(services))]
        const lines = linesOf(devices)
        // The local APIC comes first: acknowledge cycles of the CPU reach the 8259s through it.
        return [lapics, ioapic, pic, ...devices]
      },
    }
  },
}
