/**
 * `npm run bench -- process [runs] [machine…]`: campaigns on the reference with two workers, as `iospec run` plays them:
 * plan, target, judge and record. Beside each, a bare loop of one thread over such steps. The second figure leaves out
 * the first half of the runs, in which the engine still compiles.
 */
import { runCampaign } from '../src/campaign/main-side.ts'
import { Drawer } from '../src/kernel/play/draw.ts'
import { runSeed } from '../src/kernel/play/random.ts'
import { Runner, type TraceStep } from '../src/kernel/play/run.ts'
import { models } from '../src/models/index.ts'
import { openTarget } from '../src/targets/index.ts'
import { line, timed } from './print.ts'

/** Machine and the word after `reference:`. */
const BOARDS = {
  pic: 'pic',
  ioapic: 'ioapic',
  lapic: 'lapic',
  msix: 'msi-device',
  intx: 'msi-device',
  remapping: 'remapping',
  'cpu-delivery': 'vcpu',
  posted: 'posted',
  'event-upcall': 'upcall',
  serial: 'serial',
  parallel: 'parallel',
  ide: 'ide',
  'ide-dma': 'ide',
  ne2000: 'ne2000',
  'virtio-blk': 'virtio-blk?queues=2',
} as const
type Name = keyof typeof BOARDS

const RUNS = 6000
const WORKERS = 2
/** Runs whose records the bare loop goes over, and the steps that it does in all. */
const RECORDED = 50
const BARE_STEPS = 5e6

interface Rates {
  readonly commands: number
  /** Per second: of the whole campaign, and of the second half of its runs. */
  readonly whole: number
  readonly later: number
}

const campaign = async (name: Name, runs: number): Promise<Rates> => {
  let half: { commands: number; seconds: number } | undefined
  let last = { commands: 0, seconds: 0 }
  const { machines } = await runCampaign(
    {
      ...{ target: `reference:${BOARDS[name]}`, machines: [name], runs, seed: 1, workers: WORKERS },
      ...{ write: false, corpus: false },
    },
    {
      listener(event) {
        if (event.kind !== 'progress') return
        last = { commands: event.commands, seconds: event.seconds }
        if (event.runs >= runs / 2) half ??= last
      },
    },
  )
  const { verdict, commands, seconds } = machines[0]!
  if (verdict !== 'conforms') throw new Error(`${name}: expected a campaign that conforms, found ${verdict}`)
  // A campaign that ended before it told of a second half was over too soon to have one.
  const isLong = half !== undefined && last.seconds > half.seconds
  const later = isLong ? (last.commands - half!.commands) / (last.seconds - half!.seconds) : commands / seconds
  return { commands, whole: commands / seconds, later }
}

/** Seconds that a bare loop takes for one step of such runs. */
const bareSeconds = async (name: Name): Promise<number> => {
  const model = models.find(({ machine }) => machine.name === name)!
  const target = await openTarget(`reference:${BOARDS[name]}`, { directory: '.', timeoutMs: 1000 })
  const chosen = model.scope?.(target.describe())
  const machine = model.machine.at(chosen?.scope ?? 'played', chosen?.bounds)
  const runner = new Runner(model, machine, target)
  const drawer = new Drawer(machine, { played: model.played, unavailable: new Set(Object.keys(runner.unavailable)) })
  const steps = Array.from(
    { length: RECORDED },
    (_, run) => runner.run(drawer.draw(runSeed(1, name, run))).trace,
  ).flat()
  runner.target.close()
  const rounds = Math.ceil(BARE_STEPS / steps.length)
  const [, seconds] = timed(() => {
    for (let round = 0; round < rounds; round++) for (const step of steps) touch(step)
  })
  return seconds / rounds / steps.length
}

/** What the bare loop adds up, so that it is not left out. */
let sink = 0
const touch = (step: TraceStep): void => {
  sink += step.by.length
}

export const run = async (given: readonly string[]): Promise<void> => {
  const named = given.filter((word) => Number.isNaN(Number(word)))
  const runs = Number(given.find((word) => !Number.isNaN(Number(word))) ?? RUNS)
  const unknown = named.find((name) => !(name in BOARDS))
  if (unknown !== undefined)
    throw new Error(`expected machines out of ${Object.keys(BOARDS).join(', ')}, found ${unknown}`)
  for (const name of Object.keys(BOARDS) as Name[]) {
    if (named.length > 0 && !named.includes(name)) continue
    const bare = await bareSeconds(name)
    const { commands, whole, later } = await campaign(name, runs)
    const thousands = (rate: number): string => String(Math.round(rate / 1000))
    line(
      name,
      `${thousands(whole)}, then ${thousands(later)} thousand/s`,
      `${Math.round(WORKERS / later / bare)} x a bare loop; ${runs} runs, ${commands} steps`,
    )
  }
  if (sink === 0) throw new Error('the bare loop saw no step')
}
