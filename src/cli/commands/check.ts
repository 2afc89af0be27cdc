/** `iospec check`: whether an adapter keeps the target contract, before anything is said about its device. */
import { EXIT } from '../../campaign/exit.ts'
import { withFolder } from '../../campaign/files.ts'
import { escapeText } from '../../contract/explain.ts'
import { parseAddress } from '../../targets/index.ts'
import { command } from '../command.ts'
import { liveRegion } from '../live.ts'
import { inThread } from '../thread.ts'
import { outputOf } from './targets.ts'

export const check = command({
  name: 'check',
  does: 'Test the adapter of a target: that it keeps the contract, not that its device is right',
  arguments: [{ name: '[target]', does: 'address of the target, such as stdio:./device; default: --target' }],
  options: ['target', 'timeout', 'json'],
  examples: ['iospec check stdio:./my-device', 'iospec check module:./device.ts --json'],
  async run(context, [argument], { target: setting, timeout, json }) {
    const target = argument ?? setting
    parseAddress(target)
    const live = liveRegion(context, json)
    live.show([`checking ${escapeText(target)}`])
    const checks = await withFolder((directory) =>
      inThread(
        'check',
        { address: target, directory, timeoutMs: timeout },
        { signal: context.signal, timeoutMs: timeout, onOutput: outputOf(context) },
      ),
    ).finally(live.clear)
    const broken = checks.filter(({ verdict }) => verdict === 'broken')
    if (json) context.printJson({ target, ok: broken.length === 0, checks })
    else {
      const { style } = context
      const marks = { ok: style.green('ok     '), broken: style.red('broken '), 'not-applicable': style.dim('skipped') }
      for (const { name, verdict, detail } of checks)
        context.print(`${marks[verdict]}  ${escapeText(name)}${style.dim(`: ${escapeText(detail)}`)}`)
      context.print(
        broken.length === 0
          ? style.green('the adapter keeps the contract')
          : style.red(`the adapter breaks the contract in ${broken.length} of ${checks.length} checks`),
      )
    }
    return broken.length === 0 ? EXIT.conforms : EXIT.target
  },
})
