/** `iospec replay`: a counterexample again, step by step, on a target that the command line names. */
import { EXIT, exitOf } from '../../campaign/exit.ts'
import { readCounterexample, replayCounterexample } from '../../campaign/main-side.ts'
import type { ReplayResult } from '../../campaign/replay.ts'
import { escapeText, preview } from '../../contract/explain.ts'
import { argumentsText } from '../../report/steps.ts'
import { parseAddress } from '../../targets/index.ts'
import { type Context, command } from '../command.ts'
import { liveRegion } from '../live.ts'
import { addressFromFile } from '../trust.ts'

export const replay = command({
  name: 'replay',
  does: 'Do a counterexample again, step by step',
  arguments: [{ name: '<file>', does: 'a counterexample file' }],
  options: ['replayTarget', 'timeout', 'grace', 'models', 'json'],
  examples: ['iospec replay .iospec/counterexamples/split-queue-1f2e3d4c.json --target stdio:./my-device'],
  async run(context, [file = ''], { replayTarget, timeout, grace, models, json }) {
    const found = readCounterexample(file)
    const target = replayTarget ?? addressFromFile(found.target.address, preview(file))
    parseAddress(target)
    const live = liveRegion(context, json)
    live.show([`replaying ${escapeText(file)}`])
    const result = await replayCounterexample(
      {
        file,
        target,
        timeoutMs: timeout,
        ...(grace === undefined ? {} : { graceMs: grace }),
        ...(models === undefined ? {} : { modelsFrom: models }),
      },
      { signal: context.signal },
    ).finally(live.clear)
    const { reproduced, verdict, clause = null, step } = result
    if (json) context.printJson({ ...result, reproduced, verdict, clause, step, recorded: found.target })
    else print(context, result, found.finding.law)
    return reproduced ? EXIT.violation : exitOf(verdict)
  },
})

const print = ({ print: line, style }: Context, result: ReplayResult, law: string): void => {
  const { reproduced, verdict, clause, step, observed, diverged, trace, target } = result
  trace.forEach((each, i) => {
    const mark = i === step && reproduced ? style.red(' <- here') : ''
    const text =
      each.by === 'schedule'
        ? style.dim(`${each.do}${each.count === undefined ? '' : ` ${each.count}`}`)
        : `${each.by === 'us' ? '>' : '<'} ${each.action}${argumentsText(each.args)}${each.note === undefined ? '' : style.dim(`  ${escapeText(each.note)}`)}`
    line(`  ${String(i + 1).padStart(3)}. ${text}${mark}`)
  })
  if (diverged !== undefined)
    line(style.yellow(`diverged: at step ${diverged.step + 1} the target did something else than what was recorded`))
  const name = style.dim(escapeText(`${target.name} ${target.version}`))
  if (!reproduced) {
    const other = clause === undefined ? '' : ` (${clause})`
    line(`${style.yellow(`not reproduced: ${verdict}${other}`)}  ${name}`)
    return
  }
  if (observed !== undefined) line(`observed  ${escapeText(observed)}`)
  line(`${style.red(`reproduced: ${law} (${clause ?? ''}), ${verdict}, at step ${step + 1}`)}  ${name}`)
}
