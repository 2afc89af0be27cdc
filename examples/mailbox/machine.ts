/**
 * MBOX 1.0, an invented device: the driver posts a page, the device reads it by DMA, sets PEND and interrupts unless
 * masked; the driver acknowledges. Small enough to be read in one go.
 */
import { type Clause, machine, scoped, t } from 'iospec'

const clause = (id: string, duty: 'driver' | 'device', requirement: string): Clause => ({
  id,
  area: 'interrupt',
  source: 'MBOX 1.0',
  section: id,
  since: '1.0',
  duty,
  strength: 'MUST',
  basis: 'normative',
  confidence: 'checked',
  requirement,
})

const mbox = {
  oneAtATime: clause('MBOX-1', 'driver', 'A driver posts no page while the mailbox is busy.'),
  fetch: clause('MBOX-2', 'device', 'The device reads the page that was posted, and no other.'),
  status: clause('MBOX-3', 'device', 'STATUS shows whether the mailbox is busy and whether a completion is pending.'),
  interrupt: clause('MBOX-4', 'device', 'A completion that is pending and not masked raises the line.'),
  pend: clause(
    'MBOX-5',
    'device',
    'A posted page is completed, and the completion stays pending until it is acknowledged.',
  ),
}

export const mailbox = scoped('mailbox', { explored: { pages: 2 }, played: { pages: 8 } }, ({ pages }) =>
  machine({
    source: 'MBOX 1.0',
    state: {
      slot: t.maybe(t.below(pages)),
      pend: t.flag,
      masked: t.flag,
      raised: t.flag,
    },
    actions: {
      'driver.post': {
        args: { page: t.below(pages) },
        weight: 3,
        requires: { oneAtATime: { clause: mbox.oneAtATime, holds: (s) => s.slot === undefined } },
        effect: (s, { page }) => void (s.slot = page),
      },
      'driver.mask': {
        args: { on: t.flag },
        effect(s, { on }) {
          s.masked = on
          if (on) s.raised = false
        },
      },
      'driver.acknowledge': {
        when: (s) => s.pend,
        effect: (s) => void (s.pend = s.raised = false),
      },
      'driver.look': { does: 'Reads STATUS.' },
      'device.status': {
        args: { busy: t.flag, pend: t.flag },
        requires: {
          truthful: {
            clause: mbox.status,
            holds: (s, { busy, pend }) => busy === (s.slot !== undefined) && pend === s.pend,
          },
        },
      },
      'device.fetch': {
        args: { page: t.maybe(t.below(pages)) },
        requires: { asPosted: { clause: mbox.fetch, holds: (s, { page }) => page !== undefined && page === s.slot } },
        effect(s) {
          s.slot = undefined
          s.pend = true
        },
        eager: (s) => (s.slot === undefined ? undefined : { page: s.slot }),
      },
      'device.raise': {
        requires: { withCause: { clause: mbox.interrupt, holds: (s) => s.pend && !s.masked } },
        effect: (s) => void (s.raised = true),
        eager: (s) => (s.pend && !s.masked && !s.raised ? {} : undefined),
      },
    },
    owes: {
      'device.fetch': { clause: mbox.pend, when: (s) => s.slot !== undefined },
      'device.raise': { clause: mbox.interrupt, when: (s) => s.pend && !s.masked && !s.raised },
    },
    goals: {
      aMaskedCompletion: (s) => s.pend && s.masked,
      anUnmaskWithACompletionPending: { on: 'driver.mask', when: (s, { on }) => !on && s.masked && s.pend },
    },
  }),
)
