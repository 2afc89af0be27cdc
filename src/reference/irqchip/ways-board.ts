/** Every way to a CPU: a pair of 8259s behind LINT0, an I/O APIC, messages with and without remapping, one local APIC, one core. */
import type { TargetEvent } from '../../contract/index.ts'
import type { BoardServices } from '../board.ts'
import type { BoardDesign } from '../boards.ts'
import { addressOf, dataOf } from './bus-message.ts'
import { Core, type CoreParts, type CoreState, correctCore } from './core.ts'
import { correctPair, I8259Pair, type I8259PairParts } from './i8259-pair.ts'
import { Ioapic } from './ioapic.ts'
import { honestIoapic, type IoapicParts } from './ioapic-state.ts'
import { Lapics } from './lapic.ts'
import { honestLapic, type LapicParts } from './lapic-state.ts'
import { Remapping } from './remapping.ts'
import { correctRemapping, type RemappingParts } from './remapping-parts.ts'

type Message = Extract<TargetEvent, { kind: 'interrupt' }>

/** What the wires between the chips carry. */
const correctWires = {
  /** What LINT0 is driven with, in turn, when INT of the 8259s changes to `level`. */
  lint: (level: boolean): readonly boolean[] => [level],
  /** An acknowledge cycle that goes out to the 8259s. */
  acknowledge: (cycle: () => number): number => cycle(),
  /** Data of the messages that arrive for one that was sent. */
  arrivals: (message: Message, _core: Readonly<CoreState>): readonly number[] => [dataOf(message)],
  /** The end of a level reaches the I/O APIC. */
  carriesEnd: (_vector: number): boolean => true,
}

export interface WaysParts {
  readonly pic: I8259PairParts
  readonly ioapic: IoapicParts
  readonly remapping: RemappingParts
  readonly lapic: LapicParts
  readonly core: CoreParts
  readonly wires: typeof correctWires
}

const build = (services: BoardServices, parts: WaysParts) => {
  const { emit } = services
  const { wires } = parts
  const send = (message: Message): void => {
    emit(message)
    for (const data of wires.arrivals(message, core.state)) lapics.message(0, addressOf(message), data)
  }
  const pic = new I8259Pair(parts.pic, (level) => {
    for (const each of wires.lint(level)) lapics.setLine('lapic0', 0, each)
  })
  const ioapic = new Ioapic({ parts: parts.ioapic, send })
  const remapping = new Remapping({ services, parts: parts.remapping, send })
  const lapics: Lapics = new Lapics({
    parts: parts.lapic,
    cpus: 1,
    emit,
    external: () => wires.acknowledge(() => pic.acknowledge()),
    ended: (vector) => {
      if (wires.carriesEnd(vector)) ioapic.endOfInterrupt(vector)
    },
  })
  const input = {
    get signal() {
      return lapics.signals(0)
    },
    acknowledge: () => lapics.acknowledge(0),
  }
  const core: Core = new Core(parts.core, input, emit)
  // What the core executes comes after what it takes before; messages pass the remapping unit.
  return [core, remapping, lapics, ioapic, pic]
}

export const waysBoard: BoardDesign<WaysParts> = {
  name: 'ways',
  summary:
    'every way to a CPU: 8259s behind LINT0, an I/O APIC, messages with and without remapping, a local APIC, a core',
  parts: () => ({
    pic: correctPair(),
    ioapic: honestIoapic(),
    remapping: { ...correctRemapping },
    lapic: honestLapic(),
    core: { ...correctCore },
    wires: { ...correctWires },
  }),
  wire: (parts) => ({
    memory: [{ start: 0, end: 0x1000 }],
    // Acknowledging and ending are the core's and the guest's.
    can: { acknowledge: false, endOfInterrupt: false },
    build: (services) => build(services, parts),
  }),
}
