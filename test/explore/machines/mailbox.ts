/** One driver, one device, one slot, and an interrupt that can be masked; small enough to be understood at a glance. */
import { type Clause, machine, scoped, t } from '../../../src/kernel/language/index.ts'

const clause = (id: string) => ({ id }) as Clause

export interface MailboxFlaws {
  /** The device completes without remembering that it has to interrupt while the mask is set. */
  readonly forgetsWhileMasked?: boolean
  /** The device counts a completion as seen as soon as it has made it. */
  readonly acknowledgesEarly?: boolean
  /** The device sometimes goes to sleep while it owes an interrupt. */
  readonly oversleeps?: boolean
}

export const mailbox = (flaws: MailboxFlaws = {}) =>
  scoped('mailbox', { explored: { pages: 2, wrap: 2 }, played: { pages: 16, wrap: 65_536 } }, ({ pages, wrap }) =>
    machine({
      source: 'MBOX 1.0',
      state: {
        slot: t.maybe(t.below(pages)),
        busy: t.flag,
        mask: t.flag,
        pend: t.flag,
        asleep: t.flag,
        broken: t.flag,
        mapped: t.set(pages),
        touched: t.set(pages),
        posts: t.mod(wrap),
        dones: t.mod(wrap),
        seen: t.mod(wrap),
      },
      initial(s) {
        s.mapped = s.mapped.with(0)
      },
      actions: {
        'driver.post': {
          args: { page: t.below(pages) },
          when: (s) => !s.asleep,
          requires: {
            oneAtATime: { clause: clause('MBOX-ONE'), holds: (s) => !s.busy },
            namesAMappedPage: {
              clause: clause('MBOX-MAPPED'),
              given: (s) => !s.busy,
              holds: (s, { page }) => s.mapped.has(page),
            },
          },
          effect(s, { page }) {
            s.slot = page
            s.busy = true
            s.posts++
          },
        },
        'driver.map': {
          args: { page: t.below(pages) },
          when: (s) => !s.asleep,
          effect: (s, { page }) => void (s.mapped = s.mapped.with(page)),
        },
        'driver.toggleMask': { when: (s) => !s.asleep, effect: (s) => void (s.mask = !s.mask) },
        'driver.unplug': {
          hostile: true,
          when: (s) => s.busy,
          effect: (s) => void (s.mapped = s.mapped.minus(s.mapped)),
        },
        'driver.reset': {
          when: (s) => s.broken,
          effect(s) {
            s.broken = false
            s.busy = false
            s.slot = undefined
            s.dones = s.posts
            s.seen = s.posts
            s.pend = false
            s.touched = s.touched.minus(s.touched)
          },
        },
        'device.touch': {
          args: { page: t.below(pages) },
          when: (s) => s.busy && !s.asleep,
          requires: {
            staysInItsPage: { clause: clause('MBOX-FETCH'), holds: (s, { page }) => s.slot === page },
            isTranslated: { clause: clause('MBOX-DMA'), safety: true, holds: (s, { page }) => s.mapped.has(page) },
          },
          effect: (s, { page }) => void (s.touched = s.touched.with(page)),
        },
        'device.done': {
          when: (s) => s.busy && !s.asleep,
          effect(s) {
            s.busy = false
            s.slot = undefined
            s.dones++
            if (flaws.acknowledgesEarly) s.seen = s.dones
            else if (!(flaws.forgetsWhileMasked && s.mask)) s.pend = true
          },
        },
        'device.interrupt': {
          when: (s) => s.pend && !s.mask && !s.asleep,
          effect(s) {
            s.pend = false
            s.seen = s.dones
          },
        },
        'device.sleep': {
          when: (s) => flaws.oversleeps === true && s.pend && !s.asleep,
          effect: (s) => void (s.asleep = true),
        },
      },
      owes: { 'device.interrupt': { clause: clause('MBOX-INTERRUPT'), when: (s) => s.pend && !s.mask } },
      invariants: {
        noCompletionIsLost: { clause: clause('MBOX-PEND'), holds: (s) => s.seen === s.dones || s.pend },
        onlyMappedPagesAreTouched: {
          clause: clause('MBOX-DMA'),
          safety: true,
          holds: (s) => s.mapped.isEmpty || s.mapped.contains(s.touched),
        },
      },
      steps: {
        onlyTheDeviceCompletes: {
          clause: clause('MBOX-DONE'),
          holds: (before, after, by) =>
            before.dones === after.dones || by.startsWith('device.') || by === 'driver.reset',
        },
        nothingIsMarkedSeenWithoutAnInterrupt: {
          clause: clause('MBOX-SEEN'),
          holds: (before, after, by) =>
            before.seen === after.seen || by === 'device.interrupt' || by === 'driver.reset',
        },
      },
      goals: {
        aCompletionSeenWhileMasked: (s) => s.seen === 1 && s.mask,
        anInterruptForAWrappedCount: { on: 'device.interrupt', when: (s) => s.dones === 0 },
        aPageThatIsNotThere: (s) => s.slot === pages,
      },
      breach: (s) => void (s.broken = true),
      unspecified: (s) => s.broken,
    }),
  )
