/** The vga-text machine on a VGA at its ports, with its text memory. */
import { REGISTERS, VALUES, vgaText } from '../../../spec/emulated/vga-text.ts'
import type { Description, DeviceDescription, Target } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import type { Model, Session, Sink } from '../../kernel/model.ts'
import { CRTC, MISC_COLOUR, PROTECT, STATUS, STATUS_1, TEXT, VGA } from '../../layout/vga.ts'
import { notesOf } from '../guest/notes.ts'

/** A frame takes 14 to 17 ms, its retrace two lines of 31 microseconds. */
const WATCH = { stepNs: 25_000, steps: 800 } as const
/** Clocks and polarities of a text mode. */
const TEXT_MODE = 0x66
/** Characters that are written: the first, one in the middle, and the last of 32 KiB. */
const CELLS = [0, 0x1234, TEXT.bytes - 1] as const

class VgaSession implements Session {
  readonly device: string
  readonly #machine: Machine
  readonly #sink: Sink
  #target: Target
  #colour: keyof typeof CRTC = 'colour'

  constructor(target: Target, machine: Machine, sink: Sink, device: DeviceDescription) {
    this.device = device.id
    this.#machine = machine
    this.#sink = sink
    this.#target = target
  }

  start(): void {
    this.#setMisc('colour')
    this.#lock(false)
    this.#in(STATUS_1.colour)
    this.#target.settle(0)
    this.#target.events()
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver`)
    perform(args)
  }

  readonly #performers: Readonly<Record<string, (args: Args) => void>> = {
    'driver.write': ({ register, value }) => this.#store(register, value, this.#crtc),
    'driver.writeElsewhere': ({ register, value }) =>
      this.#store(register, value, CRTC[this.#colour === 'colour' ? 'mono' : 'colour']),
    'driver.lock': ({ on }) => this.#lock(on === true),
    'driver.setMisc': ({ colour }) => this.#setMisc(colour ? 'colour' : 'mono'),
    'driver.chooseAttribute': ({ register }) => this.#out(VGA.attribute, REGISTERS[register as number]!.index),
    'driver.writeAttribute': ({ value }) => this.#out(VGA.attribute, VALUES[value as number]!),
    'driver.readAttribute': () => this.#answer(this.#in(VGA.attributeData)),
    'driver.readRegister': ({ register }) => {
      const { file, index } = REGISTERS[register as number]!
      const port = file === 'crtc' ? this.#crtc : file === 'graphics' ? VGA.graphics : VGA.sequencer
      this.#out(port, index)
      this.#answer(this.#in(port + 1))
    },
    'driver.readMisc': () => this.#answer(this.#in(VGA.miscRead)),
    'driver.readStatus': () => this.#answer(this.#in(STATUS_1[this.#colour])),
    'driver.watchRetrace': () => {
      let on = false
      let off = false
      for (let step = 0; step < WATCH.steps && !(on && off); step++) {
        if ((this.#in(STATUS_1[this.#colour]) & STATUS.retrace) === 0) off = true
        else on = true
        this.#target.advance!(WATCH.stepNs)
      }
      this.#sink(this.#machine.action('device.answerRetrace'), { on, off })
    },
    'driver.store': ({ cell, value }) => this.#target.write(textAt(cell), 1, BigInt(VALUES[value as number]! * 0x11)),
    'driver.load': ({ cell }) => this.#answer(Number(this.#target.read(textAt(cell), 1))),
  }

  collect(): void {
    this.#target.events()
  }

  move(target: Target): void {
    this.#target = target
  }

  remembers(): string {
    return notesOf([this.#colour])
  }

  get #crtc(): number {
    return CRTC[this.#colour]
  }

  #store(register: unknown, value: unknown, crtc: number): void {
    const { file, index, value: unit } = REGISTERS[register as number]!
    const port = file === 'crtc' ? crtc : file === 'graphics' ? VGA.graphics : VGA.sequencer
    this.#out(port, index)
    this.#out(port + 1, unit * VALUES[value as number]!)
  }

  #setMisc(to: keyof typeof CRTC): void {
    this.#colour = to
    this.#out(VGA.miscWrite, TEXT_MODE | (to === 'colour' ? MISC_COLOUR : 0))
  }

  #lock(on: boolean): void {
    this.#out(this.#crtc, PROTECT.register)
    this.#out(this.#crtc + 1, on ? PROTECT.bit : 0)
  }

  #answer(byte: number): void {
    this.#sink(this.#machine.action('device.answer'), { byte })
  }

  #out(port: number, value: number): void {
    this.#target.write({ space: 'port', address: port }, 1, BigInt(value))
  }

  #in(port: number): number {
    return Number(this.#target.read({ space: 'port', address: port }, 1))
  }
}

const textAt = (cell: unknown) => ({ space: 'mmio', address: TEXT.base + CELLS[cell as number]! }) as const

const vgaOf = ({ devices }: Description): DeviceDescription | undefined =>
  devices.find(({ kind }) => kind === 'vga-text')

export const vgaTextModel: Model = {
  machine: vgaText,
  played: ['driver'],
  notApplicable: (target) => (vgaOf(target) === undefined ? 'it has no VGA' : undefined),
  scope: ({ can }) => ({ scope: 'played', bounds: { timed: can.advance === true ? 1 : 0 } }),
  unavailable: ({ can }): Readonly<Record<string, string>> =>
    can.advance === true ? {} : { 'driver.watchRetrace': 'time cannot be told to go by' },
  open: (target, machine, sink) => new VgaSession(target, machine, sink, vgaOf(target.describe())!),
}
