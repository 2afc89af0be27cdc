// Explores the entries of spec/manifest.json again. Needs `npm run build` first.
//   node scripts/manifest.mjs            writes what was found: for when a machine has changed on purpose
//   node scripts/manifest.mjs --check    writes nothing, and fails where something else was found
//   node scripts/manifest.mjs --print    writes nothing, and prints what was found as JSON
// Entries marked "long" are left as they are unless --long is given; --upto 100000 leaves out those with more states,
// --machine pic all of other machines. An entry of two fields, machine and scope, is completed.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { machines } from '../dist/spec/index.js'
import { explore } from '../dist/src/kernel/explore/index.js'

const {
  check,
  print,
  long,
  upto,
  machine: only,
} = parseArgs({
  options: {
    check: { type: 'boolean' },
    print: { type: 'boolean' },
    long: { type: 'boolean' },
    upto: { type: 'string', default: 'Infinity' },
    machine: { type: 'string' },
  },
}).values

const file = new URL('../spec/manifest.json', import.meta.url)
const manifest = JSON.parse(readFileSync(file, 'utf8'))
const wanted = manifest.entries.filter(
  (entry) =>
    (long || !entry.long) && (entry.states ?? 0) <= Number(upto) && (only === undefined || entry.machine === only),
)

/** The entry as it is today. */
const exploredAgain = (entry) => {
  const machine = machines.find((each) => each.name === entry.machine)?.at(entry.scope, entry.bounds ?? {})
  if (machine === undefined) throw new Error(`spec/manifest.json: no machine is called ${entry.machine}`)
  const { states, transitions, depth, result, stuck, goals, seconds } = explore(machine, {
    hostile: entry.hostile ?? [],
    maxStates: 60_000_000,
  })
  if (!print) console.log(entry.machine, entry.scope, states, result, `${seconds.toFixed(1)} s`)
  const unreached = Object.keys(goals).filter((name) => goals[name] === null)
  return { ...entry, states, transitions, depth, result, stuck: stuck.count, unreached }
}

const found = new Map(wanted.map((entry) => [entry, exploredAgain(entry)]))
if (print) process.stdout.write(JSON.stringify({ entries: [...found.values()] }))
else if (check) {
  for (const [entry, now] of found)
    if (!isDeepStrictEqual(entry, now)) {
      console.error(`expected ${JSON.stringify(entry)}\nfound    ${JSON.stringify(now)}`)
      process.exitCode = 1
    }
} else {
  const entries = manifest.entries.map((entry) => found.get(entry) ?? entry)
  writeFileSync(`${file.pathname}.new`, `${JSON.stringify({ ...manifest, entries }, null, 2)}\n`)
  renameSync(`${file.pathname}.new`, file)
}
