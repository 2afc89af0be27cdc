/** An NE2000 on the ISA bus. Its peer sends back every packet that it is sent. */
import type { Control, Space } from '../../contract/index.ts'
import { NE2000, NE2000_BASE, NE2000_IRQ } from '../../layout/ne2000.ts'
import type { BoardPart, BoardServices } from '../board.ts'
import type { BoardDesign } from '../boards.ts'
import { decode } from '../plain.ts'
import {
  correctNe2000,
  freshNe2000,
  type Ne2000Parts,
  type Ne2000State,
  readCard,
  readData,
  resetCard,
  stepCard,
  writeCard,
  writeData,
} from './ne2000.ts'

const ID = 'ne2000'
const CONTROLS = ['hold', 'release', 'release-one'] as const

class Ne2000Card implements BoardPart {
  readonly describes: BoardPart['describes'] = [
    {
      id: ID,
      kind: 'ne2000',
      transport: { kind: 'port', base: NE2000_BASE, irq: NE2000_IRQ },
      facts: { peer: 'reflects' },
    },
  ]
  readonly parts: Ne2000Parts
  state: Ne2000State = freshNe2000()
  readonly #emit: BoardServices['emit']

  constructor({ emit }: BoardServices, parts: Ne2000Parts) {
    this.parts = parts
    this.#emit = emit
  }

  settleLine(): void {
    const level = this.parts.isAsserted(this.state)
    if (level === this.state.line) return
    this.state.line = level
    this.#emit({ kind: 'line', device: ID, pin: 0, level })
  }

  read(space: Space, address: number, width: number): number | undefined {
    const at = offsetOf(space, address)
    if (at === undefined) return undefined
    if (at >= NE2000.data && at < NE2000.reset - 7) return readData(this, width)
    let value = 0
    for (let byte = 0; byte < width; byte++) value |= this.#read8(at + byte) << (8 * byte)
    return value >>> 0
  }

  #read8(at: number): number {
    if (at < NE2000.data) return readCard(this, at)
    if (at >= NE2000.reset - 7 && at <= NE2000.reset) resetCard(this)
    return 0xff
  }

  write(space: Space, address: number, width: number, value: number): boolean {
    const at = offsetOf(space, address)
    if (at === undefined) return false
    if (at >= NE2000.data && at < NE2000.reset - 7) writeData(this, width, value)
    else
      for (let byte = 0; byte < width && at + byte < NE2000.data; byte++)
        writeCard(this, at + byte, (value >>> (8 * byte)) & 0xff)
    return true
  }

  controlBackend(id: string, control: Control): boolean {
    if (id !== ID) return false
    const { peer } = this.state
    if (control.do === 'hold') peer.holding = true
    else if (control.do === 'release') {
      peer.holding = false
      peer.releasing = peer.packets.length
    } else if (control.do === 'release-one') peer.releasing = Math.min(peer.releasing + 1, peer.packets.length)
    else return false
    return true
  }

  step(): boolean {
    return stepCard(this)
  }
  reset(): void {
    this.state = freshNe2000()
    this.settleLine()
  }
  save(): unknown {
    return this.state
  }
  restore(state: unknown): void {
    this.state = decode(state) as Ne2000State
  }
}

const offsetOf = (space: Space, address: number): number | undefined => {
  const at = address - NE2000_BASE
  return space === 'port' && at >= 0 && at < NE2000.ports ? at : undefined
}

export const ne2000Board: BoardDesign<Ne2000Parts> = {
  name: 'ne2000',
  summary: 'an NE2000 network card, with a peer that sends every packet back',
  parts: correctNe2000,
  wire: (parts) => ({
    // It does nothing to memory; a small one is saved fast.
    memory: [{ start: 0, end: 0x1000 }],
    can: { controls: CONTROLS },
    build: (board) => [new Ne2000Card(board, parts)],
  }),
}
