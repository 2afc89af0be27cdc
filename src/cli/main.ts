#!/usr/bin/env node
/** The program `iospec`: signals, streams and the exit status. Everything else is loaded once these are in place. */
import type { Context } from './command.ts'

/** What has not stopped by itself so long after Ctrl-C is left behind. */
const PATIENCE_MS = 950
/** Exit code where standard output cannot be written. */
const UNWRITABLE = 2
const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

const controller = new AbortController()
const cleanUps: (() => void)[] = []
let interruptedBy: keyof typeof CODES | undefined

const leave = (code: number): never => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp()
  process.exit(code)
}
for (const signal of Object.keys(CODES) as (keyof typeof CODES)[])
  process.on(signal, () => {
    if (interruptedBy !== undefined) leave(CODES[signal])
    interruptedBy = signal
    controller.abort()
    setTimeout(() => leave(CODES[signal]), PATIENCE_MS).unref()
  })

// Whoever reads our output may have enough of it: `iospec list | head`. What was done by then keeps its exit code, and
// work that is cut short by it is as if interrupted: never a 0 for what was not seen.
const mute = new Set<NodeJS.WriteStream>()
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (mute.has(stream)) return
    mute.add(stream)
    if (error.code !== 'EPIPE') {
      if (stream === process.stdout) process.stderr.write(`iospec: standard output cannot be written: ${error.code}\n`)
      leave(UNWRITABLE)
    }
    if (controller.signal.aborted) return
    controller.abort()
    setTimeout(() => leave(CODES.SIGINT), PATIENCE_MS).unref()
  })

const [{ runProgram }, { styleOf, wantsColour, wantsLive }] = await Promise.all([
  import('./program.ts'),
  import('../report/style.ts'),
])
const { env, stdout } = process
const context: Context = {
  print: (text) => stdout.write(`${text}\n`),
  complain: (text) => process.stderr.write(`${text}\n`),
  printJson: (value) => stdout.write(`${JSON.stringify(value, null, 2)}\n`),
  style: styleOf(wantsColour(env, stdout)),
  live: wantsLive(env, stdout),
  env,
  signal: controller.signal,
  onExit: (cleanUp) => cleanUps.push(cleanUp),
}
const code = await runProgram(process.argv.slice(2), context, process.cwd())
// `exit` does not wait for what a slow reader has not taken yet.
for (const stream of [stdout, process.stderr]) await new Promise<void>((resolve) => stream.write('', () => resolve()))
leave(interruptedBy === undefined ? code : CODES[interruptedBy])
