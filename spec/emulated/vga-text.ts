/** A VGA as far as text needs it: files of registers behind an index, the attribute port with its flip-flop, and text memory. */
import { machine, type Seen, type StateOf, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** Registers that are played; none of them changes what memory is. `value`: what one of the four bits of a value stands for. */
export const REGISTERS = [
  { file: 'crtc', index: 0x0e, value: 0x11 },
  { file: 'crtc', index: 0x06, value: 0x11 },
  { file: 'crtc', index: 0x00, value: 0x11 },
  { file: 'graphics', index: 0x02, value: 1 },
  { file: 'sequencer', index: 0x03, value: 1 },
  { file: 'attribute', index: 0x00, value: 1 },
  { file: 'attribute', index: 0x05, value: 1 },
] as const
const isProtected = (register: number): boolean => register === 1 || register === 2
const ATTRIBUTES = 5
/** Values of registers and of characters. */
export const VALUES = [0x0, 0xf, 0x5, 0xa] as const

const isAttribute = (register: number): boolean => register >= ATTRIBUTES
const byteOf = (register: number, value: number): number => REGISTERS[register]!.value * VALUES[value]!

const stateOf = (values: number, cells: number) => ({
  registers: t.array(REGISTERS.length, t.maybe(t.below(values))),
  /** The attribute register that was chosen. */
  chosen: t.maybe(t.below(REGISTERS.length)),
  /** What the next write to the attribute port is. */
  next: t.oneOf('index', 'data', 'unknown'),
  locked: t.flag,
  /** A write that has no effect was not looked into: without this, plans would hardly have any. */
  refused: t.flag,
  colour: t.flag,
  text: t.array(cells, t.maybe(t.below(values))),
  /** What is being read, and of which register or cell. */
  asked: t.oneOf('nothing', 'register', 'misc', 'status', 'text', 'retrace'),
  of: t.below(Math.max(REGISTERS.length, cells)),
})
type Vga = StateOf<ReturnType<typeof stateOf>>
type SeenVga = Seen<Vga>

const isFree = (s: SeenVga): boolean => s.asked === 'nothing'

/** `registers`: those that are written, as a mask; `cells`: places of the text. */
export const vgaText = scoped(
  'vga-text',
  {
    explored: { values: 2, cells: 1, registers: 0b0100101, timed: 1 },
    played: { values: 4, cells: 3, registers: 0b1111111, timed: 1 },
  },
  ({ values, cells, registers, timed }) => {
    const value = t.below(values)
    const register = t.below(REGISTERS.length)
    const isPlayed = (register: number): boolean => ((registers >>> register) & 1) === 1
    return machine({
      source: 'IBM PS/2 Hardware Interface Technical Reference',
      state: stateOf(values, cells),
      initial(s) {
        s.colour = true
      },
      actions: {
        'driver.write': {
          does: 'Writes an index, then data; attribute registers have an action of their own.',
          args: { register, value },
          weight: 8,
          when: (s, { register }) => isFree(s) && !isAttribute(register) && isPlayed(register),
          effect(s, { register, value }) {
            if (isProtected(register) && s.locked) s.refused = true
            else s.registers.set(register, value)
          },
        },
        'driver.writeElsewhere': {
          does: 'The same of the CRTC, at the ports where it is not.',
          args: { register, value },
          weight: 3,
          when: (s, { register }) => isFree(s) && REGISTERS[register]!.file === 'crtc' && isPlayed(register),
          effect: (s) => void (s.refused = true),
        },
        'driver.lock': {
          does: 'Sets or clears the bit that protects the first eight registers of the CRTC.',
          args: { on: t.flag },
          weight: 6,
          when: (s) => isFree(s),
          effect: (s, { on }) => void (s.locked = on),
        },
        'driver.setMisc': {
          does: 'Moves the CRTC and input status 1 to the ports of a colour or of a monochrome adapter.',
          args: { colour: t.flag },
          weight: 2,
          when: (s) => isFree(s),
          effect: (s, { colour }) => void (s.colour = colour),
        },
        'driver.chooseAttribute': {
          does: 'Writes the attribute port: the index of a register.',
          args: { register },
          weight: 6,
          when: (s, { register }) => isFree(s) && s.next === 'index' && isAttribute(register) && isPlayed(register),
          effect(s, { register }) {
            s.chosen = register
            s.next = 'data'
          },
        },
        'driver.writeAttribute': {
          does: 'Writes the attribute port: data for the register that was chosen.',
          args: { value },
          weight: 6,
          when: (s) => isFree(s) && s.next === 'data' && s.chosen !== undefined,
          effect(s, { value }) {
            s.registers.set(s.chosen!, value)
            s.next = 'index'
          },
        },
        'driver.readAttribute': {
          does: 'Reads the attribute register that was chosen, which is no turn of the flip-flop.',
          weight: 5,
          when: (s) => isFree(s) && s.chosen !== undefined,
          effect(s) {
            s.asked = 'register'
            s.of = s.chosen!
          },
        },
        'driver.readRegister': {
          does: 'Writes an index and reads the data.',
          args: { register },
          weight: 8,
          when: (s, { register }) => isFree(s) && !isAttribute(register) && isPlayed(register),
          effect(s, { register }) {
            s.asked = 'register'
            s.of = register
            s.refused = false
          },
        },
        'driver.readMisc': { weight: 3, when: (s) => isFree(s), effect: (s) => void (s.asked = 'misc') },
        'driver.readStatus': {
          does: 'Reads input status 1, after which the attribute port takes an index.',
          weight: 6,
          when: (s) => isFree(s),
          effect(s) {
            s.asked = 'status'
            s.next = 'index'
          },
        },
        'driver.watchRetrace': {
          does: 'Reads input status 1 all through a frame.',
          weight: 0.5,
          when: (s) => isFree(s) && timed === 1,
          effect(s) {
            s.asked = 'retrace'
            s.next = 'index'
          },
        },
        'driver.store': {
          args: { cell: t.below(cells), value },
          weight: 4,
          when: (s) => isFree(s),
          effect: (s, { cell, value }) => s.text.set(cell, value),
        },
        'driver.load': {
          args: { cell: t.below(cells) },
          weight: 4,
          when: (s) => isFree(s),
          effect(s, { cell }) {
            s.asked = 'text'
            s.of = cell
          },
        },
        'device.answer': {
          args: { byte: t.below(256) },
          when: (s) => s.asked !== 'nothing' && s.asked !== 'retrace',
          requires: {
            registerAsWritten: {
              clause: clause('VGA-01'),
              given: (s) => s.asked === 'register' && !isAttribute(s.of) && !isProtected(s.of),
              holds: isAsWritten,
            },
            protectedAsAllowed: {
              clause: clause('VGA-02'),
              given: (s) => s.asked === 'register' && isProtected(s.of),
              holds: isAsWritten,
            },
            attributeAsWritten: {
              clause: clause('VGA-03'),
              given: (s) => s.asked === 'register' && isAttribute(s.of),
              holds: isAsWritten,
            },
            miscAsWritten: {
              clause: clause('VGA-04'),
              given: (s) => s.asked === 'misc',
              holds: (s, { byte }) => ((byte & 1) === 1) === s.colour,
            },
            blankInRetrace: {
              clause: clause('VGA-05'),
              given: (s, { byte }) => s.asked === 'status' && (byte & 8) !== 0,
              holds: (_s, { byte }) => (byte & 1) === 1,
            },
            textAsWritten: {
              clause: clause('VGA-07'),
              given: (s) => s.asked === 'text' && s.text.at(s.of) !== undefined,
              holds: (s, { byte }) => byte === VALUES[s.text.at(s.of)!]! * 0x11,
            },
          },
          effect(s) {
            s.asked = 'nothing'
            s.of = 0
          },
          eager: (s) => (s.asked === 'nothing' || s.asked === 'retrace' ? undefined : { byte: expected(s) }),
        },
        'device.answerRetrace': {
          args: { on: t.flag, off: t.flag },
          when: (s) => s.asked === 'retrace',
          requires: { comesAndGoes: { clause: clause('VGA-06'), holds: (_s, { on, off }) => on && off } },
          effect: (s) => void (s.asked = 'nothing'),
          eager: (s) => (s.asked === 'retrace' ? { on: true, off: true } : undefined),
        },
      },
      goals: {
        aStatusBetweenIndexAndData: { on: 'driver.readStatus', when: (s) => s.next === 'data' },
        anAttributeReadBack: {
          on: 'driver.readAttribute',
          when: (s) => s.chosen !== undefined && s.registers.at(s.chosen) !== undefined,
        },
        aWriteToWhatIsProtected: {
          on: 'driver.write',
          when: (s, { register, value }) =>
            s.locked &&
            isProtected(register) &&
            s.registers.at(register) !== undefined &&
            s.registers.at(register) !== value,
        },
        aProtectedRegisterReadBack: {
          on: 'driver.readRegister',
          when: (s, { register }) =>
            s.refused && s.locked && isProtected(register) && s.registers.at(register) !== undefined,
        },
        aMonochromeAdapter: { on: 'driver.readRegister', when: (s) => !s.colour },
        aWriteWhereItIsNot: {
          on: 'driver.writeElsewhere',
          when: (s, { register, value }) =>
            s.registers.at(register) !== undefined && s.registers.at(register) !== value,
        },
      },
    })
  },
)

const isAsWritten = (s: SeenVga, { byte }: { readonly byte: number }): boolean => {
  const value = s.registers.at(s.of)
  return value === undefined || byte === byteOf(s.of, value)
}

const expected = (s: SeenVga): number => {
  if (s.asked === 'misc') return s.colour ? 1 : 0
  if (s.asked === 'text') return VALUES[s.text.at(s.of) ?? 0]! * 0x11
  return s.asked === 'register' ? byteOf(s.of, s.registers.at(s.of) ?? 0) : 0
}
