/** The machine `amd-iommu` on an AMD-Vi unit, with requesters that do what they are told. */
import { amdIommu } from '../../../spec/dma/amd-iommu.ts'
import {
  type Access,
  ELSEWHERE,
  type ENTRY_NAMES,
  FRAME,
  FRAMES,
  frameAt,
  INNER_PAGE,
  LARGE_FRAMES,
  type LEAF_NAMES,
  LOW_FRAME,
  PLACES,
  REFUSED,
  SPAN_PAGES,
  type Span,
  type WAY_NAMES,
} from '../../../spec/dma/amd-iommu-tables.ts'
import type { Description, DeviceDescription, Gpa, Target } from '../../contract/target.ts'
import type { Action, Args, Machine } from '../../kernel/language/index.ts'
import { type Model, ModelError, type Session, type Sink } from '../../kernel/model.ts'
import { AMD_COMMAND, AMD_EVENT, DEVICE_ENTRY } from '../../layout/amd-iommu.ts'
import { Guest } from '../guest/access.ts'
import {
  ABSENT_PAGE,
  AmdUnit,
  allCommand,
  deviceEntry,
  deviceTlbCommand,
  entryCommand,
  pageEntry,
  pagesCommand,
  sizedAddress,
  waitCommand,
} from '../guest/amd-iommu.ts'
import { notesOf } from '../guest/notes.ts'
import { type Dwords, storeDwords } from '../guest/vtd-registers.ts'
import { type DmaSource, sourcesOf } from './dma-source.ts'
import { Frames } from './frames.ts'

const PAGE_BYTES = 4096
const GIBIBYTE = 2 ** 30
/** Where things are in memory. A large page is where one can be; sized pages are at odd multiples of their size. */
const AT = {
  commands: 0x10_0000,
  events: 0x10_1000,
  status: 0x10_2000,
  deviceTable: 0x11_0000,
  tables: 0x13_0000,
  sized: 0x20_8000,
  frames: 0x28_0000,
  low: 0x30_0000,
  large: 0x40_0000,
  end: 0x60_0000,
} as const
const SIZED_BYTES = 0x8000
const SIZED_STRIDE = 0x1_0000
const FRAME_STRIDE = 0x4000
/** The device table, with all devices and without the last one. */
const DEVICE_TABLE_PAGES = { whole: 16, short: 1 } as const
const REQUESTERS_SHORT = (DEVICE_TABLE_PAGES.short * PAGE_BYTES) / DEVICE_ENTRY.bytes
const REQUESTERS_WHOLE = (DEVICE_TABLE_PAGES.whole * PAGE_BYTES) / DEVICE_ENTRY.bytes
const DOMAIN_IDS = [0x11, 0x102] as const
const LEVELS = [3, 4] as const
const ENTRY_BYTES = 8
const ACCESS_BYTES = 4
const OFFSET_STEP = 0x2bc
const TURNS_MAX = 600
/** Events that may take room although they were seen, while room is not counted. */
const HELD_MAX = 100

/** Tables of a region of a domain. */
const TABLE_NAMES = ['table', 'tablePages', 'other', 'otherPages', 'large', 'skipped'] as const
const TABLES_PER_DOMAIN = 2 + 2 * TABLE_NAMES.length

const ILLEGAL = {
  kind: [0, 0xf000_0000, 0, 0],
  zero: [0, 0, 0, 0],
  reserved: [0, ((AMD_COMMAND.WAIT << AMD_COMMAND.KIND_SHIFT) | (1 << 24)) >>> 0, 0, 0],
} as const

/** Arguments of all actions at once. */
interface Performed {
  readonly device: number
  readonly entry: (typeof ENTRY_NAMES)[number]
  readonly way: (typeof WAY_NAMES)[number]
  readonly leaf: (typeof LEAF_NAMES)[number]
  readonly domain: number
  readonly region: number
  readonly place: number
  readonly span: Span
  readonly directories: boolean
  readonly access: Access
  readonly flush: boolean
  readonly defect: keyof typeof ILLEGAL
  readonly room: number
}

class AmdSession implements Session {
  readonly device: string
  readonly #guest: Guest
  readonly #unit: AmdUnit
  readonly #machine: Machine
  readonly #sink: Sink
  readonly #sources: readonly DmaSource[]
  readonly #frames: Frames
  #accesses = 0
  #values = 0
  /** What a wait is to store; undefined: none is awaited. */
  #awaited: number | undefined
  #signal = false
  /** Where the command that means nothing is; undefined: there is none. */
  #illegal: number | undefined
  #halted = false
  #counted = false
  #lost = false

  constructor(target: Target, machine: Machine, sink: Sink) {
    const description = target.describe()
    const device = unitOf(description)!
    if (device.transport.kind !== 'chip' || device.transport.base === undefined)
      throw new ModelError(`${device.id}: expected a unit with the base of its registers`)
    this.device = device.id
    this.#guest = new Guest(target)
    this.#unit = new AmdUnit(this.#guest, device.transport.base, AT.commands, AT.events)
    this.#machine = machine
    this.#sink = sink
    this.#sources = chosenOf(description)
    this.#frames = new Frames(target, framePlaces(), FRAMES)
  }

  start(): void {
    const { target } = this.#guest
    target.reset('system')
    this.#accesses = this.#values = 0
    this.#awaited = this.#illegal = undefined
    this.#signal = this.#halted = this.#counted = this.#lost = false
    target.store(AT.status, new Uint8Array(8))
    target.store(AT.deviceTable, new Uint8Array(DEVICE_TABLE_PAGES.whole * PAGE_BYTES))
    target.store(AT.tables, new Uint8Array(2 * TABLES_PER_DOMAIN * PAGE_BYTES))
    this.#frames.start()
    for (const domain of [0, 1]) {
      if (LEVELS[domain] === 4) this.#write(topOf(domain), 0, pageEntry({ address: rootOf(domain), next: 3 }))
      for (const region of [0, 1]) this.#build(domain, region)
    }
    for (const device of this.#sources.keys()) this.#setEntry(device, device % 2 === 0 ? 'first' : 'second')
    this.#unit.start(AT.deviceTable, DEVICE_TABLE_PAGES.whole)
    for (const { requester } of this.#sources) this.#unit.push(entryCommand(requester))
    for (const domain of DOMAIN_IDS) this.#unit.push(pagesCommand({ domain }))
    this.#unit.push(waitCommand({}))
    this.#unit.ring()
    this.#drainRing()
    target.events()
  }

  #drainRing(): void {
    for (let turn = 0; turn < TURNS_MAX && this.#unit.head() !== this.#unit.tail; turn++) this.#guest.target.settle(1)
  }

  perform(action: Action, args: Args): void {
    const perform = this.#performers[action.name]
    if (perform === undefined) throw new TypeError(`${action.name}: not an action of driver or device`)
    perform(args as unknown as Performed)
  }

  readonly #performers: Readonly<Record<string, (args: Performed) => void>> = {
    'driver.setEntry': ({ device, entry }) => this.#setEntry(device, entry),
    'driver.setWay': ({ domain, region, way }) => this.#setWay(domain, region, way),
    'driver.setLeaf': ({ domain, region, leaf }) => this.#setLeaf(domain, region, leaf),
    'driver.forgetEntry': ({ device }) => this.#queue(entryCommand(this.#sources[device]!.requester)),
    'driver.forgetPages': ({ domain, region, span, directories }) => {
      const range = { address: regionAt(region), bytes: SPAN_PAGES[span] * PAGE_BYTES }
      this.#queue(pagesCommand({ domain: DOMAIN_IDS[domain]!, range, directories }))
    },
    'driver.forgetDomain': ({ domain }) => this.#queue(pagesCommand({ domain: DOMAIN_IDS[domain]! })),
    'driver.forgetAll': () => this.#queue(allCommand),
    'driver.forgetGrants': () => this.#queue(deviceTlbCommand(this.#sources[0]!.requester)),
    'driver.wait': ({ flush }) => {
      this.#awaited = ++this.#values
      this.#queue(waitCommand({ store: { at: AT.status, value: this.#awaited }, flush }))
    },
    'driver.waitForInterrupt': ({ flush }) => {
      this.#signal = true
      this.#queue(waitCommand({ interrupt: true, flush }))
    },
    'driver.lap': () => {
      for (let left = this.#unit.ahead - 1; left > 0; left--) this.#unit.push(waitCommand({}))
      this.#unit.ring()
      this.#drainRing()
    },
    'driver.queueIllegal': ({ defect }) => {
      this.#illegal = this.#unit.tail
      this.#queue(ILLEGAL[defect])
    },
    'driver.restart': () => {
      this.#illegal = this.#awaited = undefined
      this.#halted = this.#signal = false
      this.#guest.target.store(AT.status, new Uint8Array(8))
      this.#unit.restartCommands()
    },
    'driver.readRing': () => {
      const at = this.#unit.head() === this.#unit.tail ? 'end' : 'elsewhere'
      this.#tell('iommu.answerRing', { at })
    },
    'driver.leaveRoom': ({ room }) => {
      this.#counted = true
      this.#unit.giveRoom(room)
    },
    'driver.restartLog': () => {
      this.#counted = this.#lost = false
      this.#unit.restartEvents()
    },
    'device.access': ({ device, place, access }) => this.#access(device, place, access),
    'device.sweep': ({ access }) => {
      for (const device of this.#sources.keys())
        for (const place of PLACES.keys()) {
          this.#access(device, place, access)
          this.collect()
        }
    },
  }

  #queue(command: Dwords): void {
    this.#unit.push(command)
    this.#unit.ring()
  }

  #access(device: number, place: number, access: Access): void {
    const { requester } = this.#sources[device]!
    const { target } = this.#guest
    const offset = (++this.#accesses * OFFSET_STEP) % PAGE_BYTES
    const iova = BigInt(iovaOf(place) + offset)
    const asked = { access, iova, bytes: ACCESS_BYTES }
    if (access === 'read') {
      const { moved, data } = target.dma!(requester, asked)
      const found = moved === 0 || data === undefined ? 'nowhere' : this.#frames.placeOfRead(offset, dwordOf(data))
      this.#answer(device, place, access, found, moved)
      return
    }
    const tag = this.#frames.newTag()
    const data = new Uint8Array(ACCESS_BYTES)
    new DataView(data.buffer).setUint32(0, tag, true)
    const { moved } = target.dma!(requester, { ...asked, data })
    this.#answer(device, place, access, this.#frames.placeOfWrite(offset, tag), moved)
  }
  #answer(device: number, place: number, access: Access, found: number | string, moved: number | undefined): void {
    const isLost = found === 'nowhere' && moved === ACCESS_BYTES
    const as = typeof found === 'number' ? found : found === 'elsewhere' || isLost ? ELSEWHERE : REFUSED
    this.#tell('iommu.answer', { device, place, access, as })
  }

  collect(): void {
    const { target } = this.#guest
    target.events()
    for (const { kind, requester, domain, write, page, address } of this.#unit.takeEvents()) {
      if (kind === AMD_EVENT.ILLEGAL_COMMAND) {
        const there = this.#illegal !== undefined && address === this.#unit.commandAddress(this.#illegal)
        this.#tell('iommu.logIllegal', { there })
        continue
      }
      const what = kind === AMD_EVENT.PAGE_FAULT ? 'fault' : kind === AMD_EVENT.ILLEGAL_ENTRY ? 'illegal' : 'other'
      const device = this.#sources.findIndex((source) => source.requester === requester)
      const place = PLACES.findIndex((_, index) => iovaOf(index) === page * PAGE_BYTES)
      this.#tell('iommu.log', {
        what,
        device: device < 0 ? this.#sources.length : device,
        place: place < 0 ? PLACES.length : place,
        access: write ? 'write' : 'read',
        domain: DOMAIN_IDS.includes(domain as never) ? DOMAIN_IDS.indexOf(domain as never) : DOMAIN_IDS.length,
      })
    }
    if (!this.#counted && this.#unit.held > HELD_MAX) this.#unit.giveRoom()
    if (this.#counted && !this.#lost && this.#unit.overflowed()) {
      this.#lost = true
      this.#tell('iommu.overflow')
    }
    if (this.#illegal !== undefined && !this.#halted && !this.#unit.runsCommands()) {
      this.#halted = true
      this.#tell('iommu.halt')
    }
    const value = this.#awaited === undefined ? 0 : this.#guest.load32(AT.status)
    if (value !== 0) {
      this.#tell('iommu.complete', { right: value === this.#awaited && this.#guest.load32(AT.status + 4) === 0 })
      this.#awaited = undefined
      this.#guest.target.store(AT.status, new Uint8Array(8))
    }
    if (this.#signal && this.#unit.takeWait()) {
      this.#signal = false
      this.#tell('iommu.signal')
    }
  }

  #tell(name: string, args: Args = {}): void {
    this.#sink(this.#machine.action(name), args)
  }

  // Tables.

  #write(table: Gpa, index: number, entry: Dwords): void {
    storeDwords(this.#guest, table + ENTRY_BYTES * index, entry)
  }

  #setEntry(device: number, entry: (typeof ENTRY_NAMES)[number]): void {
    const { requester } = this.#sources[device]!
    if (isFar(this.#sources[device]!))
      this.#unit.setDeviceTable(AT.deviceTable, DEVICE_TABLE_PAGES[entry === 'outside' ? 'short' : 'whole'])
    storeDwords(
      this.#guest,
      AT.deviceTable + DEVICE_ENTRY.bytes * requester,
      entryOf(entry, this.#sources[device]!.ats),
    )
  }

  /** What does not change: the tables that directory entries lead to. */
  #build(domain: number, region: number): void {
    const at = (name: (typeof TABLE_NAMES)[number]): Gpa => tableAt(domain, region, name)
    const frame = (number: number): Gpa => this.#frames.gpaOf(frameAt(domain, region, number))
    this.#write(at('table'), 0, pageEntry({ address: at('tablePages'), next: 1 }))
    this.#write(at('other'), 0, pageEntry({ address: at('otherPages'), next: 1 }))
    this.#write(at('otherPages'), 0, pageEntry({ address: frame(FRAME.other) }))
    this.#write(at('large'), 0, pageEntry({ address: AT.large }))
    this.#write(at('skipped'), 0, pageEntry({ address: frame(FRAME.skipped) }))
    this.#setWay(domain, region, 'table')
    this.#setLeaf(domain, region, 'mapped')
  }

  #setWay(domain: number, region: number, way: (typeof WAY_NAMES)[number]): void {
    const at = (name: (typeof TABLE_NAMES)[number], next = 2) => ({ address: tableAt(domain, region, name), next })
    const entries: Readonly<Record<(typeof WAY_NAMES)[number], Dwords>> = {
      absent: ABSENT_PAGE,
      table: pageEntry(at('table')),
      other: pageEntry(at('other')),
      reading: pageEntry({ ...at('table'), write: false }),
      large: pageEntry(at('large')),
      skipping: pageEntry(at('skipped', 1)),
      reserved: pageEntry({ ...at('table'), reserved: true }),
      upwards: pageEntry({ address: rootOf(domain), next: 3 }),
    }
    this.#write(rootOf(domain), 1 + region, entries[way])
  }

  #setLeaf(domain: number, region: number, leaf: (typeof LEAF_NAMES)[number]): void {
    const table = tableAt(domain, region, 'tablePages')
    const address = this.#frames.gpaOf(frameAt(domain, region, FRAME.first))
    const entries: Readonly<Record<(typeof LEAF_NAMES)[number], Dwords>> = {
      absent: ABSENT_PAGE,
      mapped: pageEntry({ address }),
      reading: pageEntry({ address, write: false }),
      writing: pageEntry({ address, read: false }),
      moved: pageEntry({ address: this.#frames.gpaOf(frameAt(domain, region, FRAME.moved)) }),
      sized: pageEntry({ address: sizedAddress(address, SIZED_BYTES), next: 7 }),
      reserved: pageEntry({ address, reserved: true }),
      downwards: pageEntry({ address: table, next: 1 }),
    }
    for (let page = 0; page < SIZED_BYTES / PAGE_BYTES; page++)
      this.#write(table, page, page === 0 || leaf === 'sized' ? entries[leaf] : ABSENT_PAGE)
  }

  move(target: Target): void {
    this.#guest.target = target
    this.#frames.move(target)
  }
  remembers(): string {
    return notesOf([
      this.#accesses,
      this.#values,
      this.#awaited,
      this.#signal,
      this.#illegal,
      this.#halted,
      this.#counted,
      this.#lost,
      this.#unit.notes(),
      this.#frames.notes(),
    ])
  }
}

const dwordOf = (data: Uint8Array): number => new DataView(data.buffer, data.byteOffset).getUint32(0, true)
const regionAt = (region: number): number => (region + 1) * GIBIBYTE
const topOf = (domain: number): Gpa => AT.tables + domain * TABLES_PER_DOMAIN * PAGE_BYTES
/** The table whose entries are for 1 GiB. */
const rootOf = (domain: number): Gpa => topOf(domain) + PAGE_BYTES
const tableAt = (domain: number, region: number, name: (typeof TABLE_NAMES)[number]): Gpa =>
  topOf(domain) + (2 + region * TABLE_NAMES.length + TABLE_NAMES.indexOf(name)) * PAGE_BYTES

const iovaOf = (place: number): number => {
  const { region, spot } = PLACES[place]!
  if (spot === 'low') return AT.low
  const pages = { first: 0, inner: INNER_PAGE, beyond: 512, wide: 2 ** 27 }[spot]
  return regionAt(region) + pages * PAGE_BYTES
}

const framePlaces = (): readonly Gpa[] => {
  const places = new Array<Gpa>(FRAMES).fill(0)
  for (let index = 0; index < LARGE_FRAMES / FRAME.count; index++) {
    const at = index * FRAME.count
    places[at + FRAME.first] = AT.sized + index * SIZED_STRIDE
    places[at + FRAME.inner] = AT.sized + index * SIZED_STRIDE + INNER_PAGE * PAGE_BYTES
    for (const [number, frame] of [FRAME.moved, FRAME.other, FRAME.skipped].entries())
      places[at + frame] = AT.frames + index * FRAME_STRIDE + number * PAGE_BYTES
  }
  places[LARGE_FRAMES] = AT.large
  places[LARGE_FRAMES + 1] = AT.large + INNER_PAGE * PAGE_BYTES
  places[LOW_FRAME] = AT.low
  return places
}

const entryOf = (entry: (typeof ENTRY_NAMES)[number], deviceTlb: boolean): Dwords => {
  const led = (domain: number) => ({
    levels: LEVELS[domain]!,
    table: LEVELS[domain] === 4 ? topOf(domain) : rootOf(domain),
    domain: DOMAIN_IDS[domain]!,
    deviceTlb,
  })
  const direct = { domain: DOMAIN_IDS[0], deviceTlb }
  switch (entry) {
    case 'second':
      return deviceEntry(led(1))
    case 'passing':
      return deviceEntry({ ...led(0), valid: false, read: false, write: false })
    case 'reading':
      return deviceEntry({ ...led(0), write: false })
    case 'writing':
      return deviceEntry({ ...led(0), read: false })
    case 'direct':
      return deviceEntry(direct)
    case 'direct reading':
      return deviceEntry({ ...direct, write: false })
    case 'closed':
      return deviceEntry({ ...led(0), translates: false })
    case 'reserved mode':
      return deviceEntry({ ...led(0), levels: 7 })
    case 'reserved bits':
      return deviceEntry({ ...led(0), reserved: true })
    case 'quiet':
      return deviceEntry({ ...led(0), read: false, write: false, quiet: true })
    default:
      return deviceEntry(led(0))
  }
}

const unitOf = ({ devices }: Description): DeviceDescription | undefined =>
  devices.find(({ kind }) => kind === 'amd-iommu')

/** Its entry is past the end of a short device table. */
const isFar = ({ requester }: DmaSource): boolean => requester >= REQUESTERS_SHORT

/** Sources whose accesses are over when the call returns; one with a TLB is the first, a far one the last. */
const chosenOf = (target: Description): readonly DmaSource[] => {
  const fitting = sourcesOf(target).filter(
    ({ reads, writes, align, delayed, iovaEnd, requester }) =>
      reads && writes && !delayed && ACCESS_BYTES % align === 0 && iovaEnd > 2 ** 40 && requester < REQUESTERS_WHOLE,
  )
  const near = fitting.filter((source) => !isFar(source))
  return [
    ...near.filter(({ ats }) => ats).slice(0, 1),
    ...near.filter(({ ats }) => !ats).slice(0, 2),
    ...fitting.filter((source) => isFar(source) && !source.ats).slice(0, 1),
  ]
}

export const amdIommuModel: Model = {
  machine: amdIommu,
  played: ['driver', 'device'],
  notApplicable(target) {
    if (unitOf(target) === undefined) return 'it has no AMD-Vi unit (kind amd-iommu)'
    if (target.can.dma !== true) return 'no access of a device can be made to arrive at its unit'
    if (chosenOf(target).length < 2) return 'it has not two sources of DMA of four bytes'
    if (!target.can.resets.includes('system')) return 'its unit cannot be brought back to its initial state'
    return target.memory.some(({ start, end }) => start <= AT.commands && end >= AT.end)
      ? undefined
      : 'it has no guest memory for tables and frames'
  },
  scope(target) {
    const sources = chosenOf(target)
    const bounds = { devices: sources.length, far: sources.some(isFar) ? 1 : 0, ats: sources[0]?.ats ? 1 : 0 }
    const holdsAbsence = unitOf(target)?.facts?.absentCached !== false
    return { scope: 'played', bounds: { ...bounds, caching: holdsAbsence ? 1 : 0 } }
  },
  open: (target, machine, sink) => new AmdSession(target, machine, sink),
}
