// Explores every entry of spec/manifest.json again and writes what it found: run it when a machine has changed on purpose.
// Entries marked "long" are left as they are unless --long is given. Needs `npm run build` first.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { machines } from '../dist/spec/index.js'
import { explore } from '../dist/src/kernel/explore/index.js'

const file = new URL('../spec/manifest.json', import.meta.url)
const manifest = JSON.parse(readFileSync(file, 'utf8'))
for (const entry of manifest.entries) {
  if (entry.long && !process.argv.includes('--long')) continue
  const machine = machines.find((each) => each.name === entry.machine)?.at(entry.scope, entry.bounds ?? {})
  if (machine === undefined) throw new Error(`spec/manifest.json: no machine is called ${entry.machine}`)
  const found = explore(machine, { hostile: entry.hostile ?? [], maxStates: 60_000_000 })
  const unreached = Object.entries(found.goals)
    .filter(([, depth]) => depth === null)
    .map(([name]) => name)
  Object.assign(entry, {
    states: found.states,
    transitions: found.transitions,
    depth: found.depth,
    result: found.result,
    stuck: found.stuck.count,
    unreached,
  })
  console.log(entry.machine, entry.scope, found.states, found.result, `${found.seconds.toFixed(1)} s`)
}
const text = `${JSON.stringify(manifest, null, 2)}\n`
writeFileSync(`${file.pathname}.new`, text)
renameSync(`${file.pathname}.new`, file)
