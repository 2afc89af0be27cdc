/** What an access must not come to, and which clause says so: the first that is broken tells what was stale. */
import { clause } from '../clauses/index.ts'
import type { Answer, GhostRules, GhostSizes, SeenGhost } from './invalidation-ghost.ts'
import { CONTEXTS, ELSEWHERE, isLargeFrame, REFUSED, tableOfFrame, wayOfFrame } from './invalidation-tables.ts'

const isPlaced = ({ as }: Answer): boolean => as < ELSEWHERE

export const answerDuties = (
  { rules, tablesOf, outcomes, isAllowed, leadsTo }: GhostRules,
  { history, ways, ats, caching }: GhostSizes,
) => {
  const mayBeRefused = (s: SeenGhost, answer: Answer): boolean => ((outcomes(s, answer) >>> REFUSED) & 1) === 1
  return {
    // Where it arrives, if it does.
    inAMappedPage: {
      clause: clause('VTD-30'),
      safety: true as const,
      holds: (_s: SeenGhost, { as }: Answer) => as !== ELSEWHERE,
    },
    throughTheRootInForce: {
      clause: clause('VTD-25'),
      given: (s: SeenGhost, answer: Answer) => isPlaced(answer) && s.root.written !== s.root.inForce,
      holds(s: SeenGhost, answer: Answer): boolean {
        const next = CONTEXTS[s.contexts.at(rules.contextAt(s.root.written, answer.requester))]
        return (
          isAllowed(s, answer) ||
          next?.table !== tableOfFrame(answer.as) ||
          leadsTo(s, answer.requester, answer.as) ||
          (history === 1 && s.were.at(answer.requester).has(next.table))
        )
      },
    },
    inAnOwnDomain: {
      clause: clause('VTD-12'),
      given: (_s: SeenGhost, answer: Answer) => history === 1 && isPlaced(answer),
      holds: (s: SeenGhost, answer: Answer) =>
        isAllowed(s, answer) || s.were.at(answer.requester).has(tableOfFrame(answer.as)),
    },
    byACurrentContext: {
      clause: clause('VTD-13'),
      given: (s: SeenGhost, answer: Answer) =>
        isPlaced(answer) &&
        (history === 0 || s.were.at(answer.requester).mask !== rules.tablesFor(tablesOf(s), s.held, answer.requester)),
      holds: (s: SeenGhost, answer: Answer) => isAllowed(s, answer) || leadsTo(s, answer.requester, answer.as),
    },
    noLongerInALargePage: {
      clause: clause('VTD-15'),
      given: (_s: SeenGhost, answer: Answer) => isPlaced(answer) && isLargeFrame(answer.as),
      holds: isAllowed,
    },
    byACurrentDirectory: {
      clause: clause('VTD-16'),
      given: (_s: SeenGhost, answer: Answer) => ways > 1 && isPlaced(answer) && !isLargeFrame(answer.as),
      holds: (s: SeenGhost, answer: Answer) =>
        isAllowed(s, answer) ||
        rules.mayPass(
          tablesOf(s),
          s.held,
          answer.requester,
          answer.page,
          tableOfFrame(answer.as),
          wayOfFrame(answer.as),
        ),
    },
    notOfTheDeviceAlone: {
      clause: clause('VTD-37'),
      given: (_s: SeenGhost, answer: Answer) => isPlaced(answer) && ats > 0 && rules.deviceOf(answer.requester) >= 0,
      holds: isAllowed,
    },
    fresh: { clause: clause('VTD-14'), given: (_s: SeenGhost, answer: Answer) => isPlaced(answer), holds: isAllowed },
    // Whether it arrives.
    seenAtOnce: {
      clause: clause('VTD-17'),
      given: (s: SeenGhost, answer: Answer) =>
        caching === 0 && history === 1 && s.missed.at(answer.requester).has(answer.page) && !mayBeRefused(s, answer),
      holds: (_s: SeenGhost, { as }: Answer) => as !== REFUSED,
    },
    withoutAHole: {
      clause: clause('VTD-36'),
      given: (s: SeenGhost, answer: Answer) => !mayBeRefused(s, answer),
      holds: (_s: SeenGhost, { as }: Answer) => as !== REFUSED,
    },
  }
}
