/** A toy: a machine, a device in process, and a model. Letters are posted in boxes, stamped, and taken back. */
import {
  type Description,
  type Settled,
  type Target,
  TargetError,
  type TargetEvent,
} from '../../src/contract/target.ts'
import { type Clause, type Machine, machine, scoped, t } from '../../src/kernel/language/index.ts'
import type { Model, Session, Sink } from '../../src/kernel/model.ts'

const BOXES = 4

const clause = (id: string, requirement: string): Clause => ({
  id,
  area: 'virtqueue',
  source: 'toy',
  section: '1',
  since: '1.0',
  duty: 'device',
  strength: 'MUST',
  basis: 'normative',
  confidence: 'checked',
  requirement,
})
const POST_1 = clause('POST-1', 'The device stamps every posted letter once it was rung for.')
const POST_2 = clause('POST-2', 'The device stamps a letter once.')
const POST_3 = clause('POST-3', 'The device writes the weight of the letter.')
const POST_4 = clause('POST-4', 'The device calls after it stamped a letter, unless it was told to be quiet.')
const POST_5 = clause('POST-5', 'The driver posts into an empty box.')

const box = t.id('box', BOXES)
const weight = t.below(4096)

export const postOffice = scoped('post-office', { explored: { weights: 4 }, played: { weights: 4096 } }, () =>
  machine({
    source: 'toy',
    state: {
      boxes: t.array(BOXES, t.record({ at: t.oneOf('empty', 'posted', 'stamped'), weight })),
      rung: t.flag,
      quiet: t.flag,
      owed: t.flag,
      broken: t.flag,
    },
    actions: {
      'driver.post': {
        args: { box, weight, colour: t.oneOf('white', 'red', 'blue'), labels: t.set(4), reply: t.maybe(t.below(4)) },
        weight: 4,
        requires: { boxIsEmpty: { clause: POST_5, holds: (s, { box }) => s.boxes.at(box).at === 'empty' } },
        effect(s, { box, weight }) {
          s.boxes.at(box).at = 'posted'
          s.boxes.at(box).weight = weight
          s.rung = false
        },
      },
      'driver.ring': { weight: 3, effect: (s) => void (s.rung = true) },
      'driver.take': {
        args: { box },
        weight: 3,
        when: (s, { box }) => s.boxes.at(box).at === 'stamped',
        effect: (s, { box }) => void (s.boxes.at(box).at = 'empty'),
      },
      'driver.beQuiet': {
        when: (s) => !s.quiet,
        effect(s) {
          s.quiet = true
          s.owed = false
        },
      },
      'driver.speakAgain': { when: (s) => s.quiet, effect: (s) => void (s.quiet = false) },
      'device.stamp': {
        args: { box, weight },
        requires: {
          isPosted: { clause: POST_2, holds: (s, { box }) => s.boxes.at(box).at === 'posted' },
          weightIsRight: { clause: POST_3, holds: (s, { box, weight }) => s.boxes.at(box).weight === weight },
        },
        effect(s, { box }) {
          s.boxes.at(box).at = 'stamped'
          s.owed = s.owed || !s.quiet
        },
        eager(s) {
          const box = s.boxes.findIndex(({ at }) => at === 'posted')
          return box === undefined || !s.rung ? undefined : { box, weight: s.boxes.at(box).weight }
        },
      },
      'device.call': { effect: (s) => void (s.owed = false), eager: (s) => (s.owed ? {} : undefined) },
    },
    owes: {
      'device.stamp': { clause: POST_1, when: (s) => s.rung && s.boxes.some(({ at }) => at === 'posted') },
      'device.call': { clause: POST_4, when: (s) => s.owed },
    },
    breach: (s) => void (s.broken = true),
    unspecified: (s) => s.broken,
  }),
)

export type Bug = 'none' | 'lostCall' | 'doubleStamp' | 'heavyFourth' | 'crash'

interface Office {
  posted: { box: number; weight: number }[]
  rung: boolean
  quiet: boolean
  stamps: number
  posts: number
  takes: number
  /** Speaking again was asked for while something was posted. */
  confused: boolean
  callDue: boolean
}

/** The device. One step stamps one letter or calls once. */
export class OfficeTarget implements Target {
  readonly seen: ({ is: 'stamp'; box: number; weight: number } | { is: 'call' })[] = []
  runs = 0
  private readonly bug: Bug
  /** Behaves wrongly in two of three runs. */
  private readonly flaky: boolean
  private s!: Office

  constructor(bug: Bug, flaky = false) {
    this.bug = bug
    this.flaky = flaky
    this.reset()
  }
  describe(): Description {
    return {
      name: 'post office',
      version: '1',
      vms: 1,
      cpus: 1,
      memory: [{ start: 0, end: 1 }],
      devices: [],
      observes: { dma: 'none', msi: 'exact', line: 'none', fault: 'none' },
      can: {
        step: true,
        save: true,
        migrate: false,
        fingerprint: true,
        resets: ['system'],
        controls: [],
        synchronous: true,
      },
    }
  }
  reset(): void {
    this.runs++
    this.seen.length = 0
    const flags = { rung: false, quiet: false, confused: false, callDue: false }
    this.s = { posted: [], stamps: 0, posts: 0, takes: 0, ...flags }
  }
  private get wrong(): boolean {
    return !this.flaky || this.runs % 3 !== 0
  }
  post(box: number, weight: number): void {
    this.s.posted.push({ box, weight })
    this.s.rung = false
    this.s.posts++
  }
  ring(): void {
    this.s.rung = true
  }
  take(): void {
    if (this.bug === 'crash' && ++this.s.takes === 2) throw new TargetError('dead', 'the office burnt down')
  }
  setQuiet(quiet: boolean): void {
    if (!quiet && this.s.posted.length > 0) this.s.confused = true
    this.s.quiet = quiet
  }
  step(): boolean {
    const { s } = this
    if (s.callDue) {
      s.callDue = false
      this.seen.push({ is: 'call' })
      return true
    }
    const letter = s.rung ? s.posted.shift() : undefined
    if (letter === undefined) return false
    s.stamps++
    const heavy = this.bug === 'heavyFourth' && this.wrong && s.posts >= 4 && letter.box === 3 && letter.weight >= 1000
    this.seen.push({ is: 'stamp', box: letter.box, weight: heavy ? letter.weight - 1 : letter.weight })
    s.callDue = !s.quiet && !(this.bug === 'lostCall' && this.wrong && s.confused && s.stamps >= 3)
    if (this.bug === 'doubleStamp' && this.wrong && s.stamps === 4 && s.posted.length > 0) s.posted.push(letter)
    return true
  }
  settle(): Settled {
    while (this.step());
    return 'quiet'
  }
  save(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(this.s))
  }
  restore(state: Uint8Array): void {
    this.s = JSON.parse(new TextDecoder().decode(state))
  }
  fingerprint(): string {
    return JSON.stringify(this.s)
  }
  events(): TargetEvent[] {
    return []
  }
  read(): bigint {
    return 0n
  }
  write(): void {}
  load(): Uint8Array {
    return new Uint8Array()
  }
  store(): void {}
  close(): void {}
}

class OfficeSession implements Session {
  readonly device = 'office'
  private readonly office: OfficeTarget
  private readonly machine: Machine
  private readonly sink: Sink

  constructor(office: OfficeTarget, machine: Machine, sink: Sink) {
    this.office = office
    this.machine = machine
    this.sink = sink
  }
  start(): void {
    this.office.reset()
  }
  perform({ name }: { readonly name: string }, { box, weight }: Readonly<Record<string, unknown>>): void {
    if (name === 'driver.post') this.office.post(box as number, weight as number)
    if (name === 'driver.ring') this.office.ring()
    if (name === 'driver.take') this.office.take()
    if (name === 'driver.beQuiet' || name === 'driver.speakAgain') this.office.setQuiet(name === 'driver.beQuiet')
  }
  collect(): void {
    for (const event of this.office.seen.splice(0)) {
      if (event.is === 'call') this.sink(this.machine.action('device.call'), {})
      else this.sink(this.machine.action('device.stamp'), { box: event.box, weight: event.weight })
    }
  }
  move(): void {}
}

export const officeModel: Model = {
  machine: postOffice,
  played: ['driver'],
  notApplicable: () => undefined,
  open: (target, machine, sink) => new OfficeSession(target as OfficeTarget, machine, sink),
}
