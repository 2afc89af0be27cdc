import { describe, expect, it } from 'vitest'
import { splitQueueModel } from '../../src/models/split-queue.ts'
import type { PlatformParts } from '../../src/reference/platform.ts'
import { openReference } from '../../src/targets/reference.ts'
import { campaign } from './campaign.ts'

const IN_ORDER = { window: 1, bit: 1 << 3 }

/** Returns a batch by one used entry, in the slot of its first chain, that names its last: `amiss` entries off. */
const batching = (amiss: number) => (parts: PlatformParts) => {
  const { writeUsedElement } = parts.complete
  const skipped = new Map<object, number>()
  parts.complete.writeUsedElement = (device, queue) => {
    const { state } = device
    if ((state.features[IN_ORDER.window]! & IN_ORDER.bit) === 0) return writeUsedElement(device, queue)
    const [first, second] = state.requests.filter((request) => request.queue === queue.index)
    const before = queue.complete.request === first!.id ? (skipped.get(queue) ?? 0) : 0
    if (second?.stage === 'done' && before < queue.size - 1) {
      state.requests.splice(state.requests.indexOf(first!), 1)
      state.done.splice(state.done.indexOf(first!.id), 1)
      queue.usedIdx = (queue.usedIdx + 1) & 0xffff
      queue.inUse--
      queue.complete.request = -1
      skipped.set(queue, before + 1)
      return 'idle'
    }
    skipped.delete(queue)
    queue.usedIdx = (queue.usedIdx - before) & 0xffff
    const next = writeUsedElement(device, queue)
    queue.usedIdx = (queue.usedIdx + before + (before > 0 ? amiss : 0)) & 0xffff
    return next
  }
}
const found = (amiss: number) => {
  const fault = { id: 'batching', install: batching(amiss) } as never
  return campaign(splitQueueModel, openReference({ queues: 2, fault }), { runs: 150, hostile: 0, untilFound: true })
}

describe('IN_ORDER', () => {
  it('lets a device return a batch by one used entry', () => {
    const { first, found: laws, goals } = found(0)
    expect(first).toBeUndefined()
    expect(laws).toEqual({})
    expect(goals.aReturnInOrder).toBeGreaterThan(0)
  })

  it('wants the used index to count the whole batch', () => {
    expect(Object.keys(found(-1).found)).not.toEqual([])
  })
})
