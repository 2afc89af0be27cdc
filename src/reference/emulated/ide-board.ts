/** The first IDE channel of a PC with one drive, and the PCI function that is its bus master. */
import type { Control, Space } from '../../contract/index.ts'
import { IDE, IDE_BASE, IDE_CONTROL } from '../../layout/ide.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { BoardDesign } from '../boards.ts'
import { freshState, type PciFunction } from '../pci/function.ts'
import { PciFunctions } from '../pci/functions.ts'
import { correctParts } from '../pci/parts.ts'
import { decode } from '../plain.ts'
import { IdeBusMaster, stepTransfer } from './ide-bus-master.ts'
import {
  readAlternate,
  readData,
  readRegister,
  stepDrive,
  writeControl,
  writeData,
  writeRegister,
} from './ide-drive.ts'
import { correctIde, type IdeParts } from './ide-parts.ts'
import { freshIde, type IdeState, SECTORS } from './ide-state.ts'

const ID = 'ide'
const SLOT = 1
const CONTROLS = ['hold', 'release', 'fail'] as const

class IdeChannel implements BoardPart {
  readonly describes: BoardPart['describes'] = [
    {
      id: ID,
      kind: 'ide',
      transport: { kind: 'port', base: IDE_BASE, irq: 14 },
      facts: { control: IDE_CONTROL, sectors: SECTORS, busMaster: `pci 0:${SLOT}.0` },
    },
  ]
  readonly parts: IdeParts
  state: IdeState = freshIde()
  readonly #board: BoardServices
  readonly #master: IdeBusMaster
  readonly #bus: PciFunctions

  constructor(board: BoardServices, parts: IdeParts) {
    this.parts = parts
    this.#board = board
    this.#master = new IdeBusMaster(() => this)
    const fn: PciFunction = {
      options: { id: 'ide-bus-master', kind: 'ide-bus-master', device: SLOT },
      personality: this.#master,
      parts: { ...correctParts },
      emit: board.emit,
      state: freshState(this.#master),
    }
    this.#bus = new PciFunctions([fn])
  }

  settleLine(): void {
    const level = this.state.interrupt && this.parts.drivesLine(this.state)
    if (level === this.state.line) return
    this.state.line = level
    this.#board.emit({ kind: 'line', device: ID, pin: 0, level })
  }

  read(space: Space, address: number, width: number): number | undefined {
    if (space === 'hypercall') return undefined
    if (space !== 'port' || !isOurs(address)) return this.#bus.read(space, address, width)
    if (address === IDE_BASE + IDE.data) return readData(this, width)
    let value = 0
    for (let byte = 0; byte < width; byte++) value |= this.#read8(address + byte) << (8 * byte)
    return value >>> 0
  }

  #read8(address: number): number {
    if (address === IDE_CONTROL) return readAlternate(this)
    return isOurs(address) ? readRegister(this, address - IDE_BASE) : 0xff
  }

  write(space: Space, address: number, width: number, value: number): boolean {
    if (space === 'hypercall') return false
    if (space !== 'port' || !isOurs(address)) return this.#bus.write(space, address, width, value)
    if (address === IDE_BASE + IDE.data) writeData(this, width, value)
    else for (let byte = 0; byte < width; byte++) this.#write8(address + byte, (value >>> (8 * byte)) & 0xff)
    return true
  }

  #write8(address: number, value: number): void {
    if (address === IDE_CONTROL) writeControl(this, value)
    else if (isOurs(address)) writeRegister(this, address - IDE_BASE, value)
  }

  controlBackend(id: string, control: Control): boolean {
    if (id !== ID) return false
    const { backend } = this.state
    switch (control.do) {
      case 'hold':
        backend.holding = true
        return true
      case 'release':
        backend.holding = false
        if (backend.waiting === 'held') backend.waiting = 'ready'
        return true
      case 'fail':
        backend.failures = control.count
        return true
      default:
        return false
    }
  }

  step(): boolean {
    if (stepDrive(this) || this.#bus.step()) return true
    return this.#master.mayMaster && stepTransfer(this, this.#board.memory, ID)
  }

  reset(): void {
    this.state = freshIde()
    this.#bus.reset('system')
  }
  save(): unknown {
    return { state: this.state, bus: this.#bus.save() }
  }
  restore(saved: unknown): void {
    const { state, bus } = saved as { readonly state: IdeState; readonly bus: unknown }
    this.state = decode(state) as IdeState
    this.#bus.restore(bus)
  }
}

const isOurs = (port: number): boolean => (port >= IDE_BASE && port < IDE_BASE + 8) || port === IDE_CONTROL

export const ideBoard: BoardDesign<IdeParts> = {
  name: 'ide',
  summary: 'an IDE channel with one drive, and its bus master',
  parts: correctIde,
  wire: (parts) => ({
    memory: [{ start: 0, end: 0x6_0000 }],
    can: { controls: CONTROLS },
    build: (board) => [new IdeChannel(board, parts)],
  }),
}
