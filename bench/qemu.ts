/**
 * A campaign on QEMU beside a bare scripted loop of the same requests: the loop makes the same writes to registers and
 * guest memory, waits for the same used entries, and plans, watches and judges nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ahead } from '../src/campaign/ahead.ts'
import { KnownDeviations, lawKey, shippedDeviations } from '../src/campaign/deviations.ts'
import type { Gpa, Location, Target, Width } from '../src/contract/index.ts'
import type { Model } from '../src/kernel/model.ts'
import { Drawer } from '../src/kernel/play/draw.ts'
import { runSeed } from '../src/kernel/play/random.ts'
import { Runner } from '../src/kernel/play/run.ts'
import { used } from '../src/layout/split-ring.ts'
import { virtioBlkModel } from '../src/models/split-queue.ts'
import { type MemoryMap, memoryMap } from '../src/models/virtqueue/memory-map.ts'
import { qemuDoor } from '../src/targets/qemu/index.ts'
import { line, timed } from './print.ts'

const RUNS = 300
/** Of so many turns the best counts, for each plan by itself: a busy machine then spoils few of them. */
const ROUNDS = 7

type Poke =
  | { readonly do: 'write'; readonly at: Location; readonly width: Width; readonly value: bigint }
  | { readonly do: 'read'; readonly at: Location; readonly width: Width }
  | { readonly do: 'store'; readonly gpa: Gpa; readonly data: Uint8Array }
  /** The used index at this address has come this far. */
  | { readonly do: 'await'; readonly gpa: Gpa; readonly idx: number }

interface Script {
  readonly pokes: Poke[]
  /** The driver is at work, as opposed to what is done to watch the device. */
  driving: boolean
  /** Chains since the rings were laid out: added, published, and published when the device was last kicked. */
  chains: { added: number; published: number; kicked: number }
  /** What came back without a kick or during a reset: a device may serve it, and may not the next time. */
  unkicked: Poke | undefined
}

const noChains = { added: 0, published: 0, kicked: 0 } as const

/** Tells a script what the driver does. */
const scripted = (model: Model, script: Script): Model => ({
  ...model,
  open(target, machine, sink) {
    const session = model.open(target, machine, sink)
    const drives = (work: () => void): void => {
      script.driving = true
      work()
      script.driving = false
    }
    return {
      device: session.device,
      unavailable: session.unavailable ?? {},
      start: () => drives(() => session.start()),
      perform(action, args) {
        drives(() => session.perform(action, args))
        const { chains } = script
        if (action.name === 'driver.start' || action.name === 'driver.reset') {
          script.chains = { ...noChains }
          script.unkicked = undefined
        } else if (action.name === 'driver.add') chains.added++
        else if (action.name === 'driver.publish') chains.published = chains.added
        else if (action.name === 'driver.kick') {
          chains.kicked = chains.published
          if (script.unkicked !== undefined) script.pokes.push(script.unkicked)
          script.unkicked = undefined
        }
      },
      collect: (at) => session.collect(at),
      move: (to) => session.move(to),
    }
  },
})

/** Passes everything on and remembers what was done to the device, and how far it had come. */
const recorded = (target: Target, { rings, neighbour }: MemoryMap, script: Script): Target => {
  const { pokes } = script
  const areas = [...rings, neighbour]
  const seen = new Map<Gpa, number>()
  return {
    describe: () => target.describe(),
    reset: (kind) => target.reset(kind),
    read(at, width) {
      // A driver that resets a device reads the status until it is zero.
      const last = pokes.at(-1)
      const isReset = last?.do === 'write' && last.value === 0n && last.at.address === at.address
      if (script.driving || isReset) pokes.push({ do: 'read', at, width })
      return target.read(at, width)
    },
    write(at, width, value) {
      pokes.push({ do: 'write', at, width, value })
      target.write(at, width, value)
    },
    load(gpa, bytes) {
      const data = target.load(gpa, bytes)
      const area = areas.find((each) => gpa <= each.used && gpa + bytes > each.used + used.idx + 1)
      if (area === undefined) return data
      const at = area.used + used.idx
      const idx = data[at - gpa]! | (data[at - gpa + 1]! << 8)
      if (idx === seen.get(at)) return data
      seen.set(at, idx)
      const poke: Poke = { do: 'await', gpa: at, idx }
      if (area !== neighbour && idx > script.chains.kicked) script.unkicked = poke
      else pokes.push(poke)
      return data
    },
    store(gpa, data) {
      pokes.push({ do: 'store', gpa, data: data.slice() })
      target.store(gpa, data)
    },
    events: () => target.events(),
    settle: (deadlineMs) => target.settle(deadlineMs),
    control: (device, control) => target.control!(device, control),
    close: () => target.close(),
  }
}

const AWAIT_MAX = 40_000
const DELAY_PORT: Location = { space: 'port', address: 0x80 }

/** False when the device did not come as far as it came before: what it may do unasked, it need not do again. */
const replay = (target: Target, pokes: readonly Poke[]): boolean => {
  for (const poke of pokes) {
    switch (poke.do) {
      case 'write':
        target.write(poke.at, poke.width, poke.value)
        break
      case 'read':
        target.read(poke.at, poke.width)
        break
      case 'store':
        target.store(poke.gpa, poke.data)
        break
      case 'await':
        for (let tries = 0; ; tries++) {
          const data = target.load(poke.gpa, 2)
          // It may be further already.
          if ((((data[0]! | (data[1]! << 8)) - poke.idx) & 0xffff) < 0x8000) break
          if (tries > AWAIT_MAX) return false
          // Gives the main loop of QEMU a turn.
          target.read(DELAY_PORT, 1)
        }
    }
  }
  return true
}

/** One plan: what it does, and the best times in seconds that the campaign and the bare loop took for it. */
interface Trial {
  readonly seed: number
  readonly commands: number
  readonly requests: number
  readonly pokes: readonly Poke[]
  repeats: boolean
  campaign: number
  bare: number
}

const measure = async (address: string, directory: string): Promise<void> => {
  const machine = virtioBlkModel.machine.at('played')
  const ahead = new Ahead()
  let isPlaying = false
  const target = await qemuDoor.open(address, {
    directory,
    timeoutMs: 10_000,
    meanwhile: () => isPlaying && ahead.go(),
  })
  try {
    const runner = new Runner(virtioBlkModel, machine, target)
    // The monitor of QEMU costs the same here and there, and more than everything else. What is under way when a queue
    // is reset comes back before or after it, so that nobody can wait for it; a lap is a bare loop already.
    const controls = machine.actions.filter(({ actor }) => actor === 'backend').map(({ name }) => name)
    const unavailable = new Set([...Object.keys(runner.unavailable), ...controls, 'driver.resetQueue', 'driver.lap'])
    const drawer = new Drawer(machine, { played: ['driver'], unavailable, hostile: 0 })
    const known = new KnownDeviations(shippedDeviations(), target.describe(), new Date().toISOString().slice(0, 10))
    // One that stops the device stops what is under way with it, and nobody can wait for that.
    const harmless = known.of(machine.name).filter(({ law }) => !law.startsWith('device.needReset.'))
    const tolerated = new Set(harmless.map(({ law, clause }) => lawKey(law, clause)))

    const script: Script = { pokes: [], driving: false, chains: { ...noChains }, unkicked: undefined }
    const description = target.describe()
    const map = memoryMap(description, description.devices[0]!, machine.scope.size!)
    const watched = recorded(target, map, script)
    const recording = new Runner(scripted(virtioBlkModel, script), machine, watched, { tolerated })
    const seeds = Array.from({ length: RUNS }, (_, i) => runSeed(1, machine.name, i))
    const trials = seeds.flatMap((seed): Trial[] => {
      script.pokes.length = 0
      const { verdict, commands, trace } = recording.run(drawer.draw(seed))
      if (verdict !== 'conforms') return []
      const requests = trace.filter((step) => step.by === 'target' && step.action.name === 'device.return').length
      return [
        { seed, commands, requests, pokes: script.pokes.slice(), repeats: true, campaign: Infinity, bare: Infinity },
      ]
    })

    const campaign = new Runner(virtioBlkModel, machine, target, { tolerated })
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, trial] of trials.entries()) {
        isPlaying = true
        const [, playing] = timed(() => {
          const plan = (ahead.take(trial) ?? drawer.begin(trial.seed)).plan()
          const next = trials[(i + 1) % trials.length]!
          ahead.expect(next, drawer.begin(next.seed))
          campaign.run(plan)
        })
        isPlaying = false
        const [repeats, bare] = timed(() => replay(target, trial.pokes))
        trial.repeats &&= repeats
        trial.campaign = Math.min(trial.campaign, playing)
        trial.bare = Math.min(trial.bare, bare)
      }
    const sum = (what: 'commands' | 'requests' | 'campaign' | 'bare'): number =>
      trials.reduce((total, trial) => total + (trial.repeats ? trial[what] : 0), 0)
    const [commands, requests, playing, bare] = [sum('commands'), sum('requests'), sum('campaign'), sum('bare')]
    const others = trials.filter(({ repeats }) => !repeats).length
    line(
      `qemu:${address}`,
      `${Math.round(commands / playing)} steps/s, ${Math.round(requests / playing)} requests/s`,
      `${((100 * bare) / playing).toFixed(0)} % of a bare loop (${Math.round(requests / bare)} requests/s)` +
        (others === 0 ? '' : `; ${others} of ${trials.length} plans did not come again`),
    )
  } finally {
    target.close()
  }
}

export const run = async (): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'iospec-bench-'))
  try {
    await measure('virtio-blk', directory)
    await measure('virtio-blk?iothread=1', directory)
    await measure('virtio-blk-mmio', directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
