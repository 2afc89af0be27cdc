/** Faults of the text adapter. */
import { PALETTE_MASK, PROTECT, STATUS } from '../../layout/vga.ts'
import { vgaBoard } from '../emulated/vga-board.ts'
import { correctVga, store, type VgaParts } from '../emulated/vga-parts.ts'
import { boardFault, type Fault } from './fault.ts'

interface VgaFault<Name extends keyof VgaParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: VgaParts[Name]
}

const fault = <Name extends keyof VgaParts>({ replaces, part, ...what }: VgaFault<Name>): Fault =>
  boardFault(vgaBoard, {
    ...what,
    area: 'emulated',
    replaces: `vga.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const { status, attributeWritten, stored } = correctVga()

export const vgaFaults: readonly Fault[] = [
  fault({
    id: 'emu-vga-flip-flop-not-reset',
    difficulty: 'medium',
    what: 'A read of input status 1 leaves the attribute port as it was: an index that follows is taken for data.',
    replaces: 'statusRead',
    part: () => {},
  }),
  fault({
    id: 'emu-vga-flip-flop-turned-by-status',
    difficulty: 'shallow',
    what: 'A read of input status 1 turns the flip-flop of the attribute port over.',
    replaces: 'statusRead',
    part: (s) => void (s.isData = !s.isData),
  }),
  fault({
    id: 'emu-vga-attribute-data-stays-data',
    difficulty: 'shallow',
    what: 'After data the attribute port takes data again.',
    replaces: 'attributeWritten',
    part(s, value) {
      attributeWritten(s, value)
      s.isData = true
    },
  }),
  fault({
    id: 'emu-vga-protection-ignored',
    difficulty: 'medium',
    what: 'The first eight registers of the CRTC can be written while they are protected.',
    replaces: 'stored',
    part: (s, file, value) => store(file, s[file], value),
  }),
  fault({
    id: 'emu-vga-protects-everything',
    difficulty: 'medium',
    what: 'The protection of the first eight registers is one of all of them but its own.',
    replaces: 'stored',
    part(s, file, value) {
      const isProtected = (s.crtc.registers[PROTECT.register]! & PROTECT.bit) !== 0
      if (file !== 'crtc' || !isProtected || s.crtc.index === PROTECT.register) stored(s, file, value)
    },
  }),
  fault({
    id: 'emu-vga-high-bits-missing',
    difficulty: 'shallow',
    what: 'Registers read back six bits, as those of the palette have.',
    replaces: 'read',
    part: ({ index, registers }) => (registers[index] ?? 0) & PALETTE_MASK,
  }),
  fault({
    id: 'emu-vga-always-colour',
    difficulty: 'shallow',
    what: 'The CRTC is at the ports of a colour adapter whatever the miscellaneous output register says.',
    replaces: 'isColour',
    part: () => true,
  }),
  fault({
    id: 'emu-vga-no-retrace',
    difficulty: 'medium',
    what: 'There is never a vertical retrace: a driver that waits for one hangs.',
    replaces: 'status',
    part: (s) => status(s) & ~STATUS.retrace,
  }),
  fault({
    id: 'emu-vga-retrace-while-shown',
    difficulty: 'deep',
    what: 'The picture is said to be shown during the vertical retrace.',
    replaces: 'status',
    part: (s) => ((status(s) & STATUS.retrace) === 0 ? status(s) : STATUS.retrace),
  }),
]
