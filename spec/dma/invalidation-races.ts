/**
 * Taking memory back from devices: what each step of it is for (VT-d 4.1, chapter 6).
 *
 * A unit in its smallest steps, as it may be built: an access finds its domain, then its frame, in a cache or in memory,
 * and arrives some time later; what was read in memory may go into a cache even later. A driver unmaps a page or detaches a
 * domain, invalidates, waits, and lends the frame to the other domain. The law is that no access arrives in a frame that
 * is not lent to its domain. The bound `without` takes one step away, of the driver or of the unit: then the law is broken,
 * and the explorer has a shortest way there.
 */
import { machine, scoped, t } from '../../src/kernel/language/index.ts'
import { type ClauseId, clause } from '../clauses/index.ts'

/** What can be missing, by number; the clause that says that it must not. */
const MISSING = {
  nothing: 'VTD-30',
  /** A frame is lent again without any invalidation. */
  'the invalidation': 'VTD-14',
  /** It is lent again when the invalidation is requested. */
  'the wait': 'VTD-22',
  /** The invalidation does not drain. */
  'the drain': 'VTD-19',
  /** A domain that was left is invalidated before the context entries that led to it. */
  'the order': 'VTD-13',
  /** An invalidation leaves alone what was read before it and goes into a cache after it. */
  'the end of walks': 'VTD-14',
  /** The unit says that an invalidation is complete before it is done. */
  'the completion': 'VTD-22',
} as const satisfies Readonly<Record<string, ClauseId>>
export const MISSING_STEPS = Object.keys(MISSING) as (keyof typeof MISSING)[]

/** How far the driver is in invalidating something that it changed. */
const progress = t.oneOf('clean', 'changed', 'requested')

const whole = { domains: 2, devices: 2, frames: 1, without: 0 } as const
const lacking = (step: keyof typeof MISSING) => ({ ...whole, devices: 1, without: MISSING_STEPS.indexOf(step) })

export const invalidationRaces = scoped(
  'invalidation-races',
  {
    /** Two domains, two devices, each with an access under way, and one frame that goes from one domain to the other. */
    explored: whole,
    /** The same with two frames. */
    frames: { ...whole, frames: 2 },
    withoutInvalidation: lacking('the invalidation'),
    withoutWait: lacking('the wait'),
    withoutDrain: lacking('the drain'),
    withoutOrder: lacking('the order'),
    withoutEndOfWalks: lacking('the end of walks'),
    withoutCompletion: lacking('the completion'),
    /** Not played: no target shows these steps. */
    played: whole,
  },
  ({ domains, devices, frames, without }) => {
    const lacks = (step: keyof typeof MISSING): boolean => MISSING_STEPS[without] === step
    const device = t.id('device', devices)
    const domain = t.below(domains)
    const frame = t.id('frame', frames)
    const source = t.oneOf('cache', 'memory')

    interface Drained {
      readonly accesses: {
        some(
          test: (access: { readonly stage: string; readonly domain: number; readonly before: boolean }) => boolean,
        ): boolean
      }
      readonly request: { readonly is: string; readonly domain: number }
    }
    /** Nothing is under way that a drain waits for: what began before the invalidation, in the domain. */
    const isDrained = ({ accesses, request }: Drained): boolean =>
      lacks('the drain') ||
      request.is !== 'translations' ||
      !accesses.some(({ stage, domain, before }) => stage !== 'none' && before && domain === request.domain)

    return machine({
      source: 'VT-d 4.1',
      symmetry: { ids: ['device', 'frame'] },
      state: {
        // Memory.
        /** The domain of each device, and the frame that each domain maps. */
        contexts: t.array(device, t.maybe(domain)),
        pages: t.array(domains, t.maybe(frame)),
        /** The domain that a frame is lent to. */
        lent: t.array(frame, t.maybe(domain)),

        // The unit.
        cachedContexts: t.array(device, t.maybe(domain)),
        cachedPages: t.array(domains, t.maybe(frame)),
        accesses: t.array(
          device,
          t.record({
            stage: t.oneOf('none', 'routed', 'translated'),
            domain,
            frame: t.maybe(frame),
            /** What was read in memory may go into the cache. */
            keeps: t.flag,
            /** It began before the invalidation under way was done. */
            before: t.flag,
          }),
        ),
        request: t.record({
          is: t.oneOf('none', 'contexts', 'translations'),
          domain,
          done: t.flag,
        }),

        // What the driver knows: of its changes to context entries, to pages, and of domains without devices.
        routes: progress,
        unmapped: t.array(domains, progress),
        left: t.array(domains, progress),
      },
      initial(s) {
        for (let one = 0; one < domains; one++) s.left.set(one, 'changed')
      },
      actions: {
        'driver.lend': {
          does: 'Maps a frame that is lent to nobody.',
          args: { domain, frame },
          when: (s, { domain, frame }) => s.lent.at(frame) === undefined && s.pages.at(domain) === undefined,
          effect(s, { domain, frame }) {
            s.lent.set(frame, domain)
            s.pages.set(domain, frame)
          },
        },
        'driver.unmap': {
          args: { domain },
          when: (s, { domain }) => s.pages.at(domain) !== undefined,
          effect(s, { domain }) {
            s.pages.set(domain, undefined)
            s.unmapped.set(domain, 'changed')
          },
        },
        'driver.attach': {
          args: { device, domain },
          when: (s, { device, domain }) => s.contexts.at(device) === undefined && s.left.at(domain) !== 'requested',
          effect(s, { device, domain }) {
            s.contexts.set(device, domain)
            s.left.set(domain, 'changed')
          },
        },
        'driver.detach': {
          args: { device },
          when: (s, { device }) => s.contexts.at(device) !== undefined,
          effect(s, { device }) {
            s.contexts.set(device, undefined)
            s.routes = 'changed'
          },
        },
        'driver.flushContexts': {
          when: (s) => s.request.is === 'none' && s.routes === 'changed',
          effect(s) {
            s.request.is = 'contexts'
            s.routes = 'requested'
          },
        },
        'driver.flush': {
          does: 'Requests an invalidation of the translations of a domain, with a drain.',
          args: { domain },
          when: (s, { domain }) =>
            s.request.is === 'none' && (s.unmapped.at(domain) === 'changed' || s.left.at(domain) === 'changed'),
          effect(s, { domain }) {
            s.request.is = 'translations'
            s.request.domain = domain
            if (s.unmapped.at(domain) === 'changed') s.unmapped.set(domain, 'requested')
            const isLeft = !s.contexts.some((one) => one === domain) && (s.routes === 'clean' || lacks('the order'))
            if (isLeft) s.left.set(domain, 'requested')
          },
        },
        'driver.takeBack': {
          does: 'A frame is lent to nobody: its page was unmapped and invalidated, or its domain has no devices.',
          args: { frame },
          when(s, { frame }) {
            const domain = s.lent.at(frame)
            if (domain === undefined) return false
            const isOver = (step: 'clean' | 'changed' | 'requested'): boolean =>
              step === 'clean' || lacks('the invalidation') || (lacks('the wait') && step === 'requested')
            if (s.pages.at(domain) !== frame) return isOver(s.unmapped.at(domain))
            return !lacks('the invalidation') && !s.contexts.some((one) => one === domain) && isOver(s.left.at(domain))
          },
          effect(s, { frame }) {
            const domain = s.lent.at(frame)!
            // A table that nobody is led to any more needs no invalidation when its entries change.
            if (s.pages.at(domain) === frame) s.pages.set(domain, undefined)
            s.lent.set(frame, undefined)
          },
        },

        'device.access': {
          does: 'An access finds its domain: in the cache, or in memory, and then it may be kept.',
          args: { device, from: source, keeps: t.flag },
          when: (s, { device, from, keeps }) =>
            s.accesses.at(device).stage === 'none' &&
            (from === 'cache'
              ? s.cachedContexts.at(device) !== undefined && !keeps
              : s.contexts.at(device) !== undefined),
          effect(s, { device, from, keeps }) {
            const domain = (from === 'cache' ? s.cachedContexts : s.contexts).at(device)!
            if (keeps) s.cachedContexts.set(device, domain)
            const access = s.accesses.at(device)
            access.stage = 'routed'
            access.domain = domain
            access.before = s.request.is !== 'none' && !s.request.done
          },
        },
        'iommu.translate': {
          does: 'An access finds its frame: in the cache or in memory; none there, it is refused.',
          args: { device, from: source },
          when(s, { device, from }) {
            const { stage, domain } = s.accesses.at(device)
            return stage === 'routed' && (from === 'memory' || s.cachedPages.at(domain) !== undefined)
          },
          effect(s, { device, from }) {
            const access = s.accesses.at(device)
            const found = (from === 'cache' ? s.cachedPages : s.pages).at(access.domain)
            access.stage = found === undefined ? 'none' : 'translated'
            access.frame = found
            // It may have been led here by what is invalidated.
            access.keeps = from === 'memory' && found !== undefined && (!access.before || lacks('the end of walks'))
            if (found !== undefined) return
            access.domain = 0
            access.before = false
          },
        },
        'iommu.keep': {
          does: 'What an access read in memory goes into the cache.',
          args: { device },
          when: (s, { device }) => s.accesses.at(device).keeps,
          effect(s, { device }) {
            const access = s.accesses.at(device)
            access.keeps = false
            s.cachedPages.set(access.domain, access.frame)
          },
        },
        'iommu.arrive': {
          does: 'An access arrives in its frame.',
          args: { device },
          when: (s, { device }) => s.accesses.at(device).stage === 'translated',
          effect(s, { device }) {
            const access = s.accesses.at(device)
            access.stage = 'none'
            access.frame = undefined
            access.domain = 0
            access.keeps = access.before = false
          },
        },
        'iommu.invalidate': {
          does: 'What the request is about is in no cache any more, and what was read for one does not go there.',
          when: (s) => s.request.is !== 'none' && !s.request.done,
          effect(s) {
            s.request.done = true
            const { is, domain } = s.request
            for (let one = 0; one < devices; one++) {
              const access = s.accesses.at(one)
              if (access.stage !== 'none') access.before = true
              if (is === 'contexts') s.cachedContexts.set(one, undefined)
              else if (access.domain === domain && !lacks('the end of walks')) access.keeps = false
            }
            if (is === 'translations') s.cachedPages.set(domain, undefined)
          },
        },
        'iommu.complete': {
          does: 'The request is complete, and the driver knows.',
          when: (s) => s.request.is !== 'none' && (s.request.done || lacks('the completion')) && isDrained(s),
          effect(s) {
            const { is, domain } = s.request
            if (is === 'contexts' && s.routes === 'requested') s.routes = 'clean'
            if (is === 'translations') {
              if (s.unmapped.at(domain) === 'requested') s.unmapped.set(domain, 'clean')
              if (s.left.at(domain) === 'requested') s.left.set(domain, 'clean')
            }
            s.request.is = 'none'
            s.request.domain = 0
            s.request.done = false
            for (let one = 0; one < devices; one++) s.accesses.at(one).before = false
          },
        },
      },
      invariants: {
        accessesAreBoundForLentFrames: {
          clause: clause(MISSING[MISSING_STEPS[without]!]),
          holds: (s) =>
            !s.accesses.some(
              ({ stage, domain, frame }) =>
                stage === 'translated' && frame !== undefined && s.lent.at(frame) !== domain,
            ),
        },
      },
      goals: {
        anAccessByAnOldContext: {
          on: 'device.access',
          when: (s, { device, from }) => from === 'cache' && s.contexts.at(device) === undefined,
        },
        anAccessToAnUnmappedPage: {
          on: 'iommu.translate',
          when: (s, { device, from }) => from === 'cache' && s.pages.at(s.accesses.at(device).domain) === undefined,
        },
        aDrain: (s) => s.request.done && !isDrained(s),
        aFrameTakenBack: { on: 'driver.takeBack' },
        aDomainTakenApart: { on: 'driver.takeBack', when: (s, { frame }) => s.pages.at(s.lent.at(frame)!) === frame },
      },
    })
  },
)
