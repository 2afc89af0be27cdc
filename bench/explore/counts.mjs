/**
 * Asks SPIN for the counts of the reference models, breadth first, without reduction, and compares them with those that
 * the tests hold the explorer to: `node bench/explore/counts.mjs [model]`. Needs spin and gcc.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const expected = new URL('../../test/explore/models/counts.json', import.meta.url)
const SECONDS_MAX = 600

/** States, transitions and depth; SPIN counts the first state as a transition. */
const askSpin = (model, defines) => {
  const folder = mkdtempSync(join(tmpdir(), 'iospec-spin-'))
  const options = { cwd: folder, encoding: 'utf8', timeout: SECONDS_MAX * 1000 }
  try {
    copyFileSync(fileURLToPath(new URL(`${model}.pml`, import.meta.url)), join(folder, 'model.pml'))
    // Every statement stays a step, and no variable is dropped from the state.
    execFileSync('spin', ['-o1', '-o2', '-o3', '-a', ...defines, 'model.pml'], options)
    execFileSync('gcc', ['-O2', '-w', '-DSAFETY', '-DBFS', '-DNOREDUCE', '-DNOCLAIM', '-o', 'pan', 'pan.c'], options)
    // Deadlocks are counted by the explorer, and are no errors here.
    const told = execFileSync('./pan', ['-E', '-m10000000'], options)
    const number = (pattern) => Number(pattern.exec(told)?.[1] ?? Number.NaN)
    return {
      states: number(/(\d+) states, stored/),
      transitions: number(/(\d+) transitions \(= stored\+matched\)/) - 1,
      depth: number(/depth reached (\d+)/),
      errors: number(/errors: (\d+)/),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const missing = ['spin', 'gcc'].filter((program) => spawnSync(program, ['--version']).error !== undefined)
if (missing.length > 0) {
  console.log(`not compared: ${missing.join(' and ')} not installed (apt-get install --no-install-recommends spin gcc)`)
  process.exit(0)
}

const { models } = JSON.parse(readFileSync(expected, 'utf8'))
const asked = process.argv[2]
const chosen = models.filter(({ model }) => asked === undefined || model === asked)
if (chosen.length === 0) {
  console.error(`no reference model is called ${asked}; there are ${models.map(({ model }) => model).join(', ')}`)
  process.exit(2)
}
let differing = 0
for (const { model, defines, sizes } of chosen)
  for (const { bounds, states, transitions, depth } of sizes) {
    const found = askSpin(
      model,
      Object.entries(bounds).map(([bound, value]) => `-D${defines[bound]}=${value}`),
    )
    const equal =
      found.states === states && found.transitions === transitions && found.depth === depth && found.errors === 0
    if (!equal) differing++
    const size = Object.entries(bounds).map(([bound, value]) => `${bound}=${value}`)
    const counts = `${states} states, ${transitions} transitions, depth ${depth}`
    console.log(`${equal ? 'equal   ' : 'DIFFERS '} ${`${model} ${size.join(' ')}`.padEnd(38)} ${counts}`)
    if (!equal) console.log(`         SPIN found ${JSON.stringify(found)}`)
  }
process.exitCode = differing === 0 ? 0 : 1
