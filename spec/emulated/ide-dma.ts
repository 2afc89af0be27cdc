/**
 * The bus master of an IDE channel: transfers to and from memory along a table of regions, which may be as long as the
 * transfer, longer or shorter; its status bits; starts and stops.
 */
import { machine, type Seen, type StateOf, scoped, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { backend } from './medium.ts'

/** Units of a sector. A region is of 1 to `WHOLE - 1` units, or whole: 64 KiB, told as a count of zero. */
const UNITS = 2
const WHOLE = 5

interface DmaScope {
  readonly sectors: number
  readonly counts: number
  readonly values: number
}

const dmaState = ({ sectors, counts, values }: DmaScope) => ({
  /** `running`: the drive has its command; `done`: it has interrupted; `stuck`: it needs a reset. */
  phase: t.oneOf('idle', 'running', 'done', 'stuck'),
  started: t.flag,
  /** What the table has room for: any more than the longest transfer is the same. */
  room: t.below(counts * UNITS + 2),
  /** Regions of the table. */
  regions: t.below(4),
  toMemory: t.flag,
  lba: t.below(sectors),
  count: t.below(counts + 1),
  value: t.below(values),
  medium: t.array(sectors, t.maybe(t.below(values))),
  /** The interrupt bit of the bus master; the drive's interrupt; the line. */
  bit: t.flag,
  pending: t.flag,
  level: t.flag,
  /** What was transferred to memory can be looked at. */
  landed: t.flag,
  /** The last command failed: what the active bit is then is open. */
  failed: t.flag,
  stalled: t.flag,
  failing: t.flag,
  asked: t.oneOf('nothing', 'status', 'rest'),
})

type Dma = StateOf<ReturnType<typeof dmaState>>
type SeenDma = Seen<Dma>

const isFree = (s: SeenDma): boolean => s.asked === 'nothing' && !s.landed
const wanted = (s: SeenDma): number => s.count * UNITS
const isShort = (s: SeenDma): boolean => s.room < wanted(s)
const isIdle = (s: SeenDma): boolean => isFree(s) && s.phase === 'idle' && !s.started && !s.pending
const canEnd = (s: SeenDma): boolean => s.phase === 'running' && s.started && !s.stalled && !isShort(s) && !s.level

export const ideDma = scoped(
  'ide-dma',
  { explored: { sectors: 1, counts: 1, values: 1 }, played: { sectors: 2, counts: 2, values: 3 } },
  (scope: DmaScope) => {
    const { sectors, counts, values } = scope
    const most = counts * UNITS + 1
    const size = t.int(1, WHOLE)
    const unitsOf = (region: number | undefined): number =>
      region === undefined ? 0 : region === WHOLE ? most : region
    /** A sector in memory: what was written to it once, something else, or what was there before the transfer. */
    const seen = t.below(values + 2)
    const untouched = values + 1
    const forget = (s: Dma): void => {
      if (s.toMemory) return
      for (let at = s.lba; at < Math.min(s.lba + s.count, sectors); at++) s.medium.set(at, undefined)
    }
    const isAt = (s: SeenDma, index: number, found: number): boolean => {
      if (index >= s.count) return true
      const known = s.medium.at(s.lba + index)
      return known === undefined ? found !== untouched : found === known
    }
    return machine({
      source: 'PIIX bus master IDE',
      state: dmaState(scope),
      actions: {
        'driver.setTable': {
          does: 'Writes a table of one to three regions; what lies behind its end is another descriptor.',
          args: { first: size, second: t.maybe(size), third: t.maybe(size) },
          weight: 4,
          when: (s, a) => isIdle(s) && (a.second !== undefined || a.third === undefined),
          effect(s, { first, second, third }) {
            s.room = Math.min(most, unitsOf(first) + unitsOf(second) + unitsOf(third))
            s.regions = third !== undefined ? 3 : second !== undefined ? 2 : 1
          },
        },
        'driver.setRegion': {
          does: 'Writes a table of one region, no longer than the longest transfer.',
          args: { size: t.int(1, counts * UNITS) },
          weight: 6,
          when: isIdle,
          effect(s, a) {
            s.room = a.size
            s.regions = 1
          },
        },
        'driver.issue': {
          does: 'READ DMA or WRITE DMA of whole sectors.',
          args: { toMemory: t.flag, lba: t.below(sectors), count: t.int(1, counts), value: t.below(values) },
          weight: 8,
          when: (s, { lba, count }) => isIdle(s) && s.regions > 0 && lba + count <= sectors,
          effect(s, { toMemory, lba, count, value }) {
            s.phase = 'running'
            s.toMemory = toMemory
            s.lba = lba
            s.count = count
            s.value = value
            s.failed = false
          },
        },
        'driver.start': {
          does: 'Sets the start bit.',
          weight: 16,
          when: (s) => isFree(s) && s.phase === 'running' && !s.started,
          effect: (s) => void (s.started = true),
        },
        'driver.stop': {
          does: 'Clears the start bit.',
          weight: 5,
          when: (s) => isFree(s) && s.started,
          effect(s) {
            s.started = false
            if (s.phase === 'running') {
              s.phase = 'stuck'
              forget(s)
            }
            if (s.phase === 'done') s.phase = 'idle'
          },
        },
        'driver.acknowledge': {
          does: 'Reads the Status register of the drive.',
          weight: 10,
          when: (s) => isFree(s) && s.pending,
          effect: (s) => void (s.pending = false),
        },
        'driver.reset': {
          does: 'Resets the drive by SRST, reads its Status, and clears the interrupt bit.',
          weight: 12,
          when: (s) => isFree(s) && s.phase === 'stuck' && !s.started && !s.stalled,
          effect(s) {
            s.phase = 'idle'
            s.pending = s.bit = false
            s.failed = true
          },
        },
        'driver.readStatus': {
          does: 'Reads the status of the bus master.',
          weight: 4,
          when: isFree,
          effect: (s) => void (s.asked = 'status'),
        },
        'driver.readAtRest': {
          does: 'Waits until nothing happens any more, and reads the status of the bus master.',
          weight: 12,
          when: (s) => isFree(s) && !s.stalled,
          effect: (s) => void (s.asked = 'rest'),
        },
        'device.answerStatus': {
          args: { active: t.flag, interrupt: t.flag },
          when: (s) => s.asked !== 'nothing',
          requires: {
            showsTheInterrupt: {
              clause: clause('IDE-31'),
              given: (s) => s.bit,
              holds: (_s, { interrupt }) => interrupt,
            },
            showsNoOther: {
              clause: clause('IDE-31'),
              given: (s) => !s.bit,
              holds: (_s, { interrupt }) => !interrupt,
            },
            inactiveUnlessStarted: {
              clause: clause('IDE-32'),
              given: (s) => !s.started,
              holds: (_s, { active }) => !active,
            },
            activeWhileItGoesOn: {
              clause: clause('IDE-32'),
              given: (s) => s.phase === 'running' && s.started && !s.failing && s.room > wanted(s),
              holds: (_s, { active }) => active,
            },
            inactiveAtTheEndOfTheTable: {
              clause: clause('IDE-32'),
              given: (s) => s.phase === 'done' && s.started && !s.failed && s.room === wanted(s),
              holds: (_s, { active }) => !active,
            },
            activeBeforeTheEndOfTheTable: {
              clause: clause('IDE-35'),
              given: (s) => s.phase === 'done' && s.started && !s.failed && s.room > wanted(s),
              holds: (_s, { active }) => active,
            },
            inactiveWhereItRanOut: {
              clause: clause('IDE-36'),
              given: (s) => s.asked === 'rest' && s.phase === 'running' && s.started && !s.failing && isShort(s),
              holds: (_s, { active }) => !active,
            },
          },
          effect: (s) => void (s.asked = 'nothing'),
          eager: (s) => answers(s),
        },
        'driver.clearBits': {
          does: 'Writes the status of the bus master, with a one or a zero for the interrupt bit.',
          args: { interrupt: t.flag },
          weight: 12,
          when: (s) => isFree(s) && s.bit,
          effect(s, { interrupt }) {
            if (interrupt) s.bit = false
          },
        },
        'device.raise': {
          args: { failed: t.flag },
          requires: {
            forATransfer: { clause: clause('IDE-21'), holds: (s) => s.phase === 'running' || s.phase === 'stuck' },
            afterTheStart: {
              clause: clause('IDE-32'),
              given: (s, { failed }) => s.phase === 'running' && !failed,
              holds: (s) => s.started,
            },
            notOfAShortTable: {
              clause: clause('IDE-36'),
              given: (s) => s.phase === 'running' && s.started && isShort(s),
              holds: (_s, { failed }) => failed,
            },
            failsWithAReason: {
              clause: clause('IDE-17'),
              given: (s, { failed }) => s.phase === 'running' && failed,
              holds: (s) => s.failing || isShort(s),
            },
          },
          effect(s, { failed }) {
            s.level = s.pending = s.bit = true
            if (s.phase !== 'running') return
            s.phase = s.started ? 'done' : 'idle'
            s.failed = failed
            if (failed) {
              s.failing = false
              forget(s)
            } else if (s.toMemory) s.landed = true
            else for (let at = s.lba; at < s.lba + s.count; at++) s.medium.set(at, s.value)
          },
          eager: (s) => (canEnd(s) ? { failed: s.failing } : undefined),
        },
        'device.land': {
          does: 'Memory, as it is when the interrupt comes.',
          args: { first: seen, second: seen },
          requires: {
            inTheRegionsInOrder: {
              clause: clause('IDE-33'),
              given: (s, { first, second }) => s.landed && first !== untouched && (s.count < 2 || second !== untouched),
              holds: (s, { first, second }) => isAt(s, 0, first) && isAt(s, 1, second),
            },
            beforeTheInterrupt: {
              clause: clause('IDE-37'),
              given: (s) => s.landed,
              holds: (s, { first, second }) => first !== untouched && (s.count < 2 || second !== untouched),
            },
          },
          effect(s, { first, second }) {
            if (!s.landed) return
            s.landed = false
            s.medium.set(s.lba, first < values ? first : undefined)
            if (s.count > 1) s.medium.set(s.lba + 1, second < values ? second : undefined)
          },
          eager: (s) =>
            s.landed
              ? {
                  first: s.medium.at(s.lba) ?? values,
                  second: s.count > 1 ? (s.medium.at(s.lba + 1) ?? values) : values,
                }
              : undefined,
        },
        'device.stray': {
          does: 'Memory outside of table and regions was accessed, or memory at all after a stop.',
          args: { stopped: t.flag },
          requires: {
            insideTheRegions: { clause: clause('IDE-39'), given: (_s, { stopped }) => !stopped, holds: () => false },
            notAfterAStop: { clause: clause('IDE-38'), given: (_s, { stopped }) => stopped, holds: () => false },
          },
        },
        'device.lower': {
          requires: { onlyWhenCleared: { clause: clause('IDE-01'), holds: (s) => !s.pending } },
          effect: (s) => void (s.level = false),
          eager: (s) => (s.level && !s.pending ? {} : undefined),
        },
        ...backend(isFree, { weight: 3, when: isIdle }),
        'driver.giveUp': {
          does: 'Takes a transfer for stuck whose table was too short.',
          weight: 12,
          when: (s) => isFree(s) && s.phase === 'running' && s.started && isShort(s) && !s.stalled,
          effect(s) {
            s.started = false
            s.phase = 'stuck'
            forget(s)
          },
        },
      },
      owes: {
        'device.raise': { clause: clause('IDE-40'), when: canEnd },
        'device.lower': { clause: clause('IDE-01'), when: (s) => s.level && !s.pending },
      },
      goals: {
        aTransferToMemory: { on: 'device.land', when: (s) => s.phase === 'done' },
        aTransferFromMemory: { on: 'device.raise', when: (s) => s.phase === 'running' && !s.toMemory },
        aSectorReadBack: { on: 'device.land', when: (s) => s.medium.at(s.lba) !== undefined },
        aScatteredTransfer: { on: 'device.raise', when: (s) => s.phase === 'running' && s.regions > 1 },
        anExactTable: { on: 'device.answerStatus', when: (s) => s.phase === 'done' && s.room === wanted(s) },
        aLongTable: { on: 'device.answerStatus', when: (s) => s.phase === 'done' && s.room > wanted(s) },
        aShortTable: { on: 'driver.readAtRest', when: (s) => s.phase === 'running' && s.started && isShort(s) },
        aStopInTheMiddle: { on: 'driver.stop', when: (s) => s.phase === 'running' && s.stalled },
        aBitLeft: { on: 'driver.clearBits', when: (s, { interrupt }) => s.bit && !interrupt },
        aBitCleared: { on: 'driver.clearBits', when: (s, { interrupt }) => s.bit && interrupt },
        aFailureOfTheMedium: { on: 'device.raise', when: (_s, { failed }) => failed },
      },
    })
  },
)

/** What a plain bus master shows. */
const answers = (s: SeenDma) =>
  s.asked === 'nothing'
    ? undefined
    : { active: s.started && s.phase !== 'stuck' && !isShort(s) && s.room > wanted(s), interrupt: s.bit }
