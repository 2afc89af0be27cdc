/**
 * The block nodes behind the virtio-blk device, built so that the harness can hold, reorder and fail single requests.
 *
 * QEMU's `blkdebug` suspends the first request that meets a breakpoint and forgets the breakpoint, so one node can hold
 * one read and one write. The graph therefore has HOLDS of them on top of each other: the first request stops in the topmost, the
 * next one passes it and stops in the second, and so on. One more below fails requests: it counts failures down in its
 * own state variable, and only a write that is smaller than a sector, which no guest can make, counts that variable up.
 *
 *   device - r0 - hold0 - r1 - hold1 - ... - hold3 - base (skips the scratch area) - fail - file
 *
 * Each blkdebug node also has a named drive beside it, because the monitor waits for all requests when it is given the
 * name of a node, and requests that are held would never let it go on.
 */

/** Requests of each kind, reads and writes, that can be held at the same time. */
export const HOLDS = 4
/** Failures that can be pending at the same time. */
export const FAILURES_MAX = 8
/** Bytes at the start of the image file that the guest does not see. */
export const SCRATCH_BYTES = 4096
/** Node that the device is attached to. */
export const TOP_NODE = 'r0'

/** Name of the drive that reaches the `index`-th holding node: short, since the monitor reads its commands byte by byte. */
export const holdDrive = (index: number): string => `h${index}`
export const FAIL_DRIVE = 'f'
/** Name of the drive whose requests count as a guest's for the failing node, and pass no holding one. */
export const NEXT_DRIVE = 'n'

/** Command-line arguments that build the graph over the raw image `file`; `readonly` is what the device is told. */
export function blockGraph(file: string, readonly: boolean): string[] {
  const nodes: object[] = [
    { driver: 'file', 'node-name': 'file', filename: file, cache: { 'no-flush': true } },
    { driver: 'blkdebug', 'node-name': 'fail', image: 'file', align: 512, ...failRules() },
    { driver: 'raw', 'node-name': 'base', file: 'fail', offset: SCRATCH_BYTES },
  ]
  let below = 'base'
  for (let index = HOLDS - 1; index >= 0; index--) {
    nodes.push({ driver: 'blkdebug', 'node-name': `hold${index}`, image: below })
    below = `r${index}`
    nodes.push({ driver: 'raw', 'node-name': below, file: `hold${index}`, 'read-only': readonly && below === TOP_NODE })
  }
  const drives = [
    drive(FAIL_DRIVE, { driver: 'blkdebug', image: 'fail' }, false),
    drive(NEXT_DRIVE, { driver: 'raw', file: 'fail' }, true),
  ]
  for (let index = 0; index < HOLDS; index++) {
    drives.push(drive(holdDrive(index), { driver: 'raw', file: `hold${index}` }, true))
  }
  return [
    ...nodes.flatMap((node) => ['-blockdev', JSON.stringify(node)]),
    ...drives.flatMap((text) => ['-drive', text]),
  ]
}

/** A format driver above the node itself would count as a guest's request there, so the failing node gets a filter. */
function drive(id: string, node: object, readonly: boolean): string {
  const json = JSON.stringify(node).replaceAll(',', ',,')
  return `if=none,id=${id},read-only=${readonly ? 'on' : 'off'},file=json:${json}`
}

/** State 1 is normal; state 1 + n: the next n requests fail. */
function failRules(): object {
  const inject: object[] = []
  const change: object[] = []
  for (const [event, iotype] of [
    ['read_aio', 'read'],
    ['write_aio', 'write'],
  ]) {
    // An error that was injected once stays active until another one is: this one, at a sector that does not exist. It
    // is for requests of one type, or a flush in between, which causes no event, would meet it too.
    inject.push({ event, iotype, state: 1, errno: 5, sector: 2 ** 40 })
    for (let left = 1; left <= FAILURES_MAX; left++) {
      inject.push({ event, iotype, state: 1 + left, errno: 5 })
      change.push({ event, state: 1 + left, new_state: left })
    }
  }
  for (let left = 0; left < FAILURES_MAX; left++) {
    change.push({ event: 'pwritev_rmw_head', state: 1 + left, new_state: 2 + left })
  }
  return { 'inject-error': inject, 'set-state': change }
}
