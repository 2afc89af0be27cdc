/**
 * Devices of QEMU that make one access at once when they are told to, and none besides: no descriptor is fetched, no
 * status is written.
 *
 * A source is a conventional PCI bridge with two devices behind it. Whatever is behind such a bridge masters the bus
 * under one requester id, so that the two are one requester:
 * - `rocker` sends the message of an entry of its MSI-X table, a dword, when its test register is written; the address may
 *   be any.
 * - `intel-hda` reads a dword when the write pointer of its command ring moves. It prints the command, and then drops it,
 *   since it has no codec.
 */

import { closeSync, openSync, readSync, truncateSync } from 'node:fs'
import { type DeviceDescription, type DmaAccess, type DmaOutcome, TargetError } from '../../../contract/index.ts'
import { BRIDGE, COMMAND, MSIX_CONTROL, MSIX_ENTRY, PCI } from '../../../layout/pci.ts'
import { writeAt } from '../access.ts'
import type { Qtest } from '../qtest.ts'

/** An access is made of so many dwords at most. */
const DWORDS_MAX = 16

/** A bridge and what is behind it. */
interface Place {
  readonly id: string
  /** Its slot on bus 0, and the bus behind it. */
  readonly slot: number
  readonly bus: number
  /** Whether it is the end of a PCI Express link: it then takes the number of the bus behind it, and device and function 0. */
  readonly isExpress: boolean
}

const PLACES: readonly Place[] = [
  { id: 'nic0', slot: 3, bus: 1, isExpress: false },
  { id: 'nic1', slot: 4, bus: 2, isExpress: false },
  { id: 'far0', slot: 5, bus: 5, isExpress: true },
]

const requesterOf = ({ slot, bus, isExpress }: Place): number => (isExpress ? bus << 8 : slot << 3)

/** Slots behind a bridge. */
const WRITER_SLOT = 1
const READER_SLOT = 2

/** Addresses behind each bridge, away from where drivers place BARs first; a bridge passes on whole MiB. */
const WINDOWS = 0xd000_0000
const WINDOW_BYTES = 0x10_0000
const WRITER_REGISTERS = 0
const WRITER_TABLE = 0x2000
const READER_REGISTERS = 0x4000

/** `rocker`: where its MSI-X capability is, and the register that sends a message by the number of its entry. */
const ROCKER = { msix: 0x40, testInterrupt: 0x20 } as const
/** `intel-hda` (High Definition Audio 1.0a, chapter 3): the command ring, CORB, and how many responses may be owed. */
const HDA = {
  control: 0x08,
  OUT_OF_RESET: 1,
  ring: 0x40,
  ringWrite: 0x48,
  ringRead: 0x4a,
  ringControl: 0x4c,
  RUN: 2,
  responses: 0x5a,
  RESPONSES_MAX: 255,
  /** The ring starts at a multiple of this. */
  ringAlign: 128,
} as const
/** What `intel-hda` prints when it has read a command. */
const PRINTED = / verb 0x([0-9a-f]{8})\n/g

/** QEMU's flags. */
export const sourceArguments = (): string[] =>
  PLACES.flatMap(({ id, slot, isExpress }) => [
    '-device',
    isExpress
      ? `pcie-pci-bridge,id=${id},addr=${slot}`
      : `pci-bridge,id=${id},addr=${slot},chassis_nr=${slot},shpc=off`,
    ...['-device', `rocker,name=${id}w,bus=${id},addr=${WRITER_SLOT}`],
    ...['-device', `intel-hda,bus=${id},addr=${READER_SLOT},debug=2`],
  ])

export const sourceDevices: readonly DeviceDescription[] = PLACES.map((place) => {
  const requester = requesterOf(place)
  return {
    id: place.id,
    kind: 'dma-source',
    transport: { kind: 'pci', bus: requester >> 8, device: (requester >> 3) & 31, function: requester & 7 },
    // Each dword of an access is a request of its own.
    facts: { delayed: false, reads: true, writes: true, align: 4, bytesMax: 4 * DWORDS_MAX, pasid: false },
  }
})

/** More of QEMU's standard error than this is thrown away. */
const PRINTED_BYTES_MAX = 1 << 20

/** The sources of one running QEMU. */
export class Sources {
  readonly #qtest: Qtest
  readonly #printedFile: string
  readonly #printed: number
  readonly #chunk = Buffer.allocUnsafe(65536)
  #printedTo = 0
  #printedFrom = 0
  /** Those whose registers have been reached since the last reset. */
  readonly #ready = new Set<Place>()

  /** `printedFile` is where QEMU's standard error goes. */
  constructor(qtest: Qtest, printedFile: string) {
    this.#qtest = qtest
    this.#printedFile = printedFile
    this.#printed = openSync(printedFile, 'r')
    this.restart()
  }

  /** One access. What was refused reads as zeros; of a write memory alone tells. */
  access(requester: number, { access, iova, bytes, data, pasid, translated }: DmaAccess): DmaOutcome {
    const place = PLACES.find((each) => requesterOf(each) === requester)
    if (place === undefined)
      throw refused(`a requester ${PLACES.map((each) => hex(requesterOf(each))).join(', ')}`, hex(requester))
    if (pasid !== undefined || translated === true)
      throw refused('an address without PASID that is yet to be translated', `PASID ${pasid}, translated ${translated}`)
    if (iova % 4n !== 0n || bytes % 4 !== 0 || bytes < 4 || bytes > 4 * DWORDS_MAX)
      throw refused(`1 to ${DWORDS_MAX} dwords`, `${bytes} bytes at ${hex(iova)}`)
    if (!this.#ready.has(place)) this.#setUp(place)
    if (access === 'read') return { data: this.#read(place, iova, bytes / 4) }
    this.#write(place, iova, data!)
    return {}
  }

  /**
   * After a reset of the machine. Buses get their numbers at once, since a unit looks at the entry of a requester when it
   * is told that entries have changed. The rest, which takes time, waits until a source is used.
   */
  restart(): void {
    this.#ready.clear()
    for (const { slot, bus } of PLACES) this.#config((slot << 15) + BRIDGE.buses, 4, (bus << 16) | (bus << 8))
  }

  close(): void {
    closeSync(this.#printed)
  }

  #setUp(place: Place): void {
    const window = windowOf(place)
    const bridge = place.slot << 15
    const writer = (place.bus << 20) | (WRITER_SLOT << 15)
    const reader = (place.bus << 20) | (READER_SLOT << 15)
    this.#config(bridge + BRIDGE.memory, 4, (window & 0xfff0_0000) | (window >>> 16))
    this.#config(bridge + PCI.command, 2, COMMAND.MEMORY)
    this.#config(writer + PCI.bar(0), 4, window + WRITER_REGISTERS)
    this.#config(writer + PCI.bar(1), 4, window + WRITER_TABLE)
    this.#config(reader + PCI.bar(0), 4, window + READER_REGISTERS)
    for (const device of [writer, reader]) this.#config(device + PCI.command, 2, COMMAND.MEMORY | COMMAND.BUS_MASTER)
    this.#config(writer + ROCKER.msix + 2, 2, MSIX_CONTROL.ENABLE)
    this.#qtest.post(`writel ${window + WRITER_TABLE + MSIX_ENTRY.control} 0`)
    const registers = window + READER_REGISTERS
    this.#qtest.post(`writel ${registers + HDA.control} ${HDA.OUT_OF_RESET}`)
    this.#qtest.post(`writew ${registers + HDA.responses} ${HDA.RESPONSES_MAX}`)
    this.#qtest.post(`writeb ${registers + HDA.ringControl} ${HDA.RUN}`)
    this.#ready.add(place)
  }

  #config(address: number, width: 2 | 4, value: number): void {
    writeAt(this.#qtest, { space: 'config', address }, width, BigInt(value >>> 0))
  }

  #write(place: Place, iova: bigint, data: Uint8Array): void {
    const window = windowOf(place)
    const words = new DataView(data.buffer, data.byteOffset, data.byteLength)
    for (let at = 0; at < data.length; at += 4) {
      const entry = window + WRITER_TABLE
      this.#qtest.post(`writeq ${entry} ${BigInt.asUintN(64, iova + BigInt(at))}`)
      this.#qtest.post(`writel ${entry + MSIX_ENTRY.data} ${words.getUint32(at, true)}`)
      this.#qtest.post(`writel ${window + WRITER_REGISTERS + ROCKER.testInterrupt} 0`)
    }
    this.#qtest.drain()
  }

  #read(place: Place, iova: bigint, dwords: number): Uint8Array {
    const registers = windowOf(place) + READER_REGISTERS
    const base = iova & ~BigInt(HDA.ringAlign - 1)
    const first = Number(iova - base) / 4
    this.#qtest.post(`writeq ${registers + HDA.ring} ${base}`)
    // The device goes on from the place after this one.
    this.#qtest.post(`writew ${registers + HDA.ringRead} ${(first - 1) & 0xff}`)
    this.#qtest.post(`writeb ${registers + HDA.ringWrite} ${first + dwords - 1}`)
    this.#qtest.drain()
    const words = [...this.#takePrinted().matchAll(PRINTED)].map((match) => Number.parseInt(match[1]!, 16))
    if (words.length !== dwords)
      throw new TargetError(
        'protocol',
        `qemu: expected ${dwords} commands to be printed by ${place.id}, found ${words.length}`,
      )
    const data = new Uint8Array(4 * dwords)
    for (const [index, word] of words.entries()) new DataView(data.buffer).setUint32(4 * index, word, true)
    return data
  }

  /** What has been printed since the last call. */
  #takePrinted(): string {
    let text = ''
    for (;;) {
      const count = readSync(this.#printed, this.#chunk, 0, this.#chunk.length, this.#printedTo)
      text += this.#chunk.toString('latin1', 0, count)
      this.#printedTo += count
      if (count < this.#chunk.length) break
    }
    if (this.#printedTo - this.#printedFrom > PRINTED_BYTES_MAX) {
      // QEMU goes on writing where it was: what is before takes no room any more.
      truncateSync(this.#printedFile)
      this.#printedFrom = this.#printedTo
    }
    return text
  }
}

const windowOf = (place: Place): number => WINDOWS + PLACES.indexOf(place) * WINDOW_BYTES

const refused = (expected: string, found: string): TargetError =>
  new TargetError('refused', `qemu: a source expects ${expected}, found ${found}`)

const hex = (value: number | bigint): string => `0x${value.toString(16)}`
