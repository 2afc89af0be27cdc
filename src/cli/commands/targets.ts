/** `iospec targets`: the doors, and what a target tells about itself. */

import { EXIT } from '../../campaign/exit.ts'
import { withFolder } from '../../campaign/files.ts'
import { escapeText } from '../../contract/explain.ts'
import { placeOf } from '../../contract/place.ts'
import type { Description } from '../../contract/target.ts'
import { description as descriptionCodec } from '../../contract/wire.ts'
import { models } from '../../models/index.ts'
import { columns } from '../../report/style.ts'
import { doors, parseAddress } from '../../targets/index.ts'
import { type Context, command } from '../command.ts'
import { inThread } from '../thread.ts'

export const targets = command({
  name: 'targets',
  does: 'Show the doors to targets, or open a target and show what it tells about itself',
  arguments: [{ name: '[address]', does: 'a target, such as qemu:virtio-blk' }],
  options: ['timeout', 'json'],
  examples: [
    'iospec targets',
    'iospec targets reference:virtio-blk',
    'iospec targets "qemu:virtio-blk?iothread=1" --json',
  ],
  async run(context, [address], { timeout, json }) {
    if (address === undefined) {
      const rows = doors.map(({ scheme, summary }) => ({ scheme, summary }))
      if (json) context.printJson({ doors: rows })
      else context.print(columns(rows.map(({ scheme, summary }) => [`${scheme}:`, summary])).join('\n'))
      return EXIT.conforms
    }
    parseAddress(address)
    const told = await withFolder((directory) =>
      inThread(
        'describe',
        { address, directory, timeoutMs: timeout },
        { signal: context.signal, timeoutMs: timeout, onOutput: outputOf(context) },
      ),
    )
    const machines = models.map(({ machine, notApplicable }) => ({ name: machine.name, reason: notApplicable(told) }))
    if (json) context.printJson({ ...descriptionCodec.encode(told), machines })
    else context.print(columns([...rowsOf(told), ...machineRows(machines)]).join('\n'))
    return EXIT.conforms
  },
})

/** What a target printed goes where it disturbs no document. */
export const outputOf =
  ({ complain, style }: Pick<Context, 'complain' | 'style'>) =>
  (text: string): void =>
    complain(style.dim(`the target printed: ${text}`))

/** The machines that it can be judged by, and why it cannot be by the others. */
const machineRows = (
  machines: readonly { readonly name: string; readonly reason: string | undefined }[],
): string[][] => [
  [
    'judged by',
    machines
      .filter(({ reason }) => reason === undefined)
      .map(({ name }) => name)
      .join(', ') || 'no machine',
  ],
  ...machines.flatMap(({ name, reason }) =>
    reason === undefined ? [] : [['not by', `${name}: ${escapeText(reason)}`]],
  ),
]

const hex = (n: number): string => `0x${n.toString(16)}`

const rowsOf = ({ name, version, issues, memory, devices, observes, can }: Description): string[][] => [
  ['name', escapeText(`${name} ${version}`)],
  ...(issues === undefined ? [] : [['reports to', escapeText(issues)]]),
  ['memory', memory.map(({ start, end }) => `${hex(start)} to ${hex(end)}`).join(', ')],
  ...devices.map((device) => ['device', `${escapeText(`${device.id}: ${device.kind}`)}, ${placeOf(device)}`]),
  [
    'shows',
    Object.entries(observes)
      .map(([what, how]) => `${what} ${how}`)
      .join(', '),
  ],
  ['works', can.synchronous ? 'only while it is called' : 'by itself'],
  ['resets', can.resets.join(', ') || 'none'],
  ['backend', can.controls.join(', ') || 'not controlled'],
  ...(['step', 'save', 'migrate', 'fingerprint'] as const).map((ability) => [ability, can[ability] ? 'yes' : 'no']),
]
