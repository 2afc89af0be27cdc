/** `iospec report`: a counterexample as Markdown, fit to be pasted into a report. */
import { clauses } from '../../../spec/clauses/index.ts'
import { EXIT } from '../../campaign/exit.ts'
import { writeWhole } from '../../campaign/files.ts'
import { readCounterexample } from '../../campaign/main-side.ts'
import { bugReport } from '../../report/index.ts'
import { command } from '../command.ts'

export const report = command({
  name: 'report',
  does: 'Turn a counterexample into Markdown, fit to be pasted into a bug report',
  arguments: [{ name: '<file>', does: 'a counterexample file' }],
  options: ['output', 'json'],
  examples: [
    'iospec report .iospec/counterexamples/split-queue-1f2e3d4c.json',
    'iospec report bug.json --output bug.md',
  ],
  async run(context, [file = ''], { output, json }) {
    const found = readCounterexample(file)
    const label = clauses.find(({ id }) => id === found.finding.clause.id)?.label
    const text = bugReport(found, file, label)
    const { bugId, disclosure } = found
    if (output !== undefined) writeWhole(output, text)
    if (json) context.printJson({ file, bugId, disclosure, clause: found.finding.clause.id, markdown: text })
    else if (output === undefined) context.print(text.trimEnd())
    return EXIT.conforms
  },
})
