/** `iospec report`: a counterexample as Markdown, fit to be pasted into a report. */
import { clauses } from '../../../spec/clauses/index.ts'
import type { Counterexample } from '../../campaign/counterexample.ts'
import { EXIT, UsageError } from '../../campaign/exit.ts'
import { writeWhole } from '../../campaign/files.ts'
import { readCounterexample } from '../../campaign/main-side.ts'
import { chooseMachines, loadMachines } from '../../campaign/models.ts'
import { machineOf, plansOf } from '../../campaign/replay.ts'
import { preview } from '../../contract/explain.ts'
import { bugReport } from '../../report/index.ts'
import { command } from '../command.ts'

/** Throws a `UsageError` when a file is about a machine or an action that there is not. */
const expectKnown = async (file: string, found: Counterexample, models: string | undefined): Promise<void> => {
  const machines = await loadMachines(models)
  try {
    chooseMachines(
      [found.machine],
      machines.map(({ name }) => name),
    )
    plansOf(machineOf(found, machines.find(({ name }) => name === found.machine)!), found)
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(`${preview(file)}: ${error.message}`) : error
  }
}

export const report = command({
  name: 'report',
  does: 'Turn a counterexample into Markdown, fit to be pasted into a bug report',
  arguments: [{ name: '<file>', does: 'a counterexample file' }],
  options: ['output', 'models', 'json'],
  examples: [
    'iospec report .iospec/counterexamples/split-queue-1f2e3d4c.json',
    'iospec report bug.json --output bug.md',
  ],
  async run(context, [file = ''], { output, models, json }) {
    const found = readCounterexample(file)
    await expectKnown(file, found, models)
    const label = clauses.find(({ id }) => id === found.finding.clause.id)?.label
    const text = bugReport(found, file, label)
    const { bugId, disclosure } = found
    if (output !== undefined) writeWhole(output, text)
    if (json) context.printJson({ file, bugId, disclosure, clause: found.finding.clause.id, markdown: text })
    else if (output === undefined) context.print(text.trimEnd())
    return EXIT.conforms
  },
})
