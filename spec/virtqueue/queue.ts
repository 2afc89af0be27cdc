/**
 * A queue without its format: a chain is made available, taken by the device, returned exactly once, and taken back.
 * Both ring formats, split and packed, are this machine composed with one format machine.
 */
import { clear, machine, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** Where a chain, named by its head, is. `added` chains are written but not yet published. */
export const place = t.oneOf('idle', 'added', 'available', 'popped', 'returned')

/** Chains are named by their heads, and nothing else depends on which head one has. */
export const headOf = (size: number) => t.id('head', size)

export const queueState = (size: number) => ({ chains: t.array(headOf(size), t.record({ at: place })) })

export const queue = ({ size }: { readonly size: number }) => {
  const head = headOf(size)
  return machine({
    source: 'VIRTIO 1.4',
    symmetry: { ids: ['head'] },
    state: queueState(size),
    actions: {
      'driver.add': {
        does: 'Writes a descriptor chain and its head into the available ring.',
        args: { head },
        requires: {
          headIsIdle: { clause: clause('VIO-STAT-11'), holds: (s, { head }) => s.chains.at(head).at === 'idle' },
        },
        effect: (s, { head }) => void (s.chains.at(head).at = 'added'),
      },
      'driver.publish': {
        does: 'Moves the available index over every chain that was added.',
        when: (s) => s.chains.some((chain) => chain.at === 'added'),
        effect(s) {
          for (let head = 0; head < size; head++)
            if (s.chains.at(head).at === 'added') s.chains.at(head).at = 'available'
        },
      },
      'device.pop': {
        does: 'Takes an available chain: reads its head descriptor.',
        args: { head },
        seenBy: 'dma',
        when: (s, { head }) => s.chains.at(head).at === 'available',
        effect: (s, { head }) => void (s.chains.at(head).at = 'popped'),
      },
      'device.return': {
        does: 'Makes a used entry visible. No head: the entry names none of the queue.',
        args: { head: t.maybe(head) },
        requires: {
          namesAHead: { clause: clause('VIO-SPLIT-09'), holds: (_s, { head }) => head !== undefined },
          chainIsOutstanding: {
            clause: clause('VIO-SPLIT-10'),
            given: (_s, { head }) => head !== undefined,
            holds: (s, { head }) => s.chains.at(head!).at === 'available' || s.chains.at(head!).at === 'popped',
          },
        },
        effect(s, { head }) {
          if (head !== undefined) s.chains.at(head).at = 'returned'
        },
        eager(s) {
          const head = s.chains.findIndex((chain) => chain.at === 'popped' || chain.at === 'available')
          return head === undefined ? undefined : { head }
        },
      },
      'driver.consume': {
        does: 'Takes a returned chain back.',
        args: { head },
        weight: 5,
        when: (s, { head }) => s.chains.at(head).at === 'returned',
        effect: (s, { head }) => clear(s.chains.at(head)),
      },
      'device.finishReset': { effect: forget(size) },
      'device.finishQueueReset': { effect: forget(size) },
    },
    goals: {
      everyChainOutstanding: (s) => s.chains.every((chain) => chain.at === 'available' || chain.at === 'popped'),
      aReturnedChain: (s) => s.chains.some((chain) => chain.at === 'returned'),
    },
  })
}

/** After a reset no chain is outstanding: whatever was available before is the driver's again. */
const forget = (size: number) => (s: { readonly chains: { at(head: number): object } }) => {
  for (let head = 0; head < size; head++) clear(s.chains.at(head))
}
