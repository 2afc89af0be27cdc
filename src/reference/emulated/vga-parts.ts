/** What a text adapter decides, each part for a fault to replace. */
import {
  ATTRIBUTE_MASKS,
  CRTC_REGISTERS,
  GRAPHICS_MASKS,
  MISC_COLOUR,
  PALETTE_MASK,
  PROTECT,
  SEQUENCER_MASKS,
  STATUS,
} from '../../layout/vga.ts'

const PALETTE_REGISTERS = 16
/** A frame of 449 lines at 70 Hz, in nanoseconds: 400 lines are shown, and the retrace is two of them. */
const FRAME_NS = 14_268_000
const LINE_NS = FRAME_NS / 449
const SHOWN_LINES = 400
const RETRACE = { first: 412, end: 414 } as const
/** The part of a line that is shown. */
const SHOWN_PART = 0.8

export interface IndexedFile {
  index: number
  registers: number[]
}

export interface VgaState {
  misc: number
  crtc: IndexedFile
  sequencer: IndexedFile
  graphics: IndexedFile
  attribute: IndexedFile
  /** The next write to the attribute port is data. */
  isData: boolean
  /** Where the beam is, in nanoseconds since the begin of the frame. */
  beamNs: number
}

const masksOf = {
  sequencer: SEQUENCER_MASKS as readonly number[],
  graphics: GRAPHICS_MASKS as readonly number[],
  crtc: Array.from({ length: CRTC_REGISTERS }, () => 0xff),
  attribute: [...Array.from({ length: PALETTE_REGISTERS }, () => PALETTE_MASK), ...ATTRIBUTE_MASKS],
}
export type FileName = keyof typeof masksOf

export const correctVga = () => ({
  /** A read of input status 1. */
  statusRead(s: VgaState): void {
    s.isData = false
  },
  /** A write to the attribute port. */
  attributeWritten(s: VgaState, value: number): void {
    if (s.isData) store('attribute', s.attribute, value)
    else s.attribute.index = value & 0x1f
    s.isData = !s.isData
  },
  /** A write to the data port of a file. */
  stored(s: VgaState, file: Exclude<FileName, 'attribute'>, value: number): void {
    const { index, registers } = s[file]
    const isProtected = file === 'crtc' && index < PROTECT.below && (registers[PROTECT.register]! & PROTECT.bit) !== 0
    if (!isProtected) store(file, s[file], value)
    else if (index === PROTECT.overflow)
      registers[index] = (registers[index]! & ~PROTECT.overflowBit) | (value & PROTECT.overflowBit)
  },
  read: ({ index, registers }: IndexedFile): number => registers[index] ?? 0,
  /** Whether the CRTC and input status 1 are at their ports of a colour adapter. */
  isColour: ({ misc }: VgaState): boolean => (misc & MISC_COLOUR) !== 0,
  status({ beamNs }: VgaState): number {
    const line = beamNs / LINE_NS
    if (line >= RETRACE.first && line < RETRACE.end) return STATUS.blank | STATUS.retrace
    return line >= SHOWN_LINES || line % 1 >= SHOWN_PART ? STATUS.blank : 0
  },
  pass(s: VgaState, ns: number): void {
    s.beamNs = (s.beamNs + ns) % FRAME_NS
  },
})
export type VgaParts = ReturnType<typeof correctVga>

/** A register has its bits; one that is not there has none. */
export const store = (name: FileName, file: IndexedFile, value: number): void => {
  const mask = masksOf[name][file.index]
  if (mask !== undefined) file.registers[file.index] = value & mask
}

const empty = (name: FileName): IndexedFile => ({ index: 0, registers: masksOf[name].map(() => 0) })

export const dark = (): VgaState => ({
  misc: 0,
  crtc: empty('crtc'),
  sequencer: empty('sequencer'),
  graphics: empty('graphics'),
  attribute: empty('attribute'),
  isData: false,
  beamNs: 0,
})
