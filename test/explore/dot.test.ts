import { describe, expect, it } from 'vitest'
import { graphOf } from '../../src/kernel/explore/graph.ts'
import { explore } from '../../src/kernel/explore/index.ts'
import { dotOf } from '../../src/report/dot.ts'
import { mailbox } from './machines/mailbox.ts'
import { twoPhaseCommit } from './machines/two-phase-commit.ts'

describe('a state graph', () => {
  it('has the states and transitions of the exploration', () => {
    const scope = twoPhaseCommit.at('explored')
    const { states, transitions } = explore(scope)
    const graph = graphOf(scope, 300)!
    expect(graph.states).toHaveLength(states)
    expect(graph.edges).toHaveLength(transitions)
    const dot = dotOf(graph)
    expect(dot.match(/^ {2}\d+ \[/gm)).toHaveLength(states)
    const arrows = new Set(graph.edges.map(({ from, to }) => `${from} -> ${to}`))
    expect(dot.match(/^ {2}\d+ -> \d+ \[/gm)).toHaveLength(arrows.size)
    // Labels name actions with their arguments; every quote is closed.
    expect(dot).toContain('device.prepare(rm 2)')
    for (const line of dot.split('\n')) expect(line.replaceAll('\\"', '').split('"').length % 2, line).toBe(1)
  })

  it('marks what breaks a law, and steps that break a duty', () => {
    const flawed = mailbox({ acknowledgesEarly: true }).at('explored')
    const broken = graphOf(flawed, 3000, ['driver'])!
    expect(broken.states.some((state) => state.broken.length > 0)).toBe(
      explore(flawed, { hostile: ['driver'] }).violations.some(({ kind }) => kind === 'invariant'),
    )
    expect(dotOf(broken)).toContain('style=dashed')
  })

  it('is refused when nobody could look at it', () => {
    expect(graphOf(twoPhaseCommit.at('explored'), 287)).toBeUndefined()
    expect(graphOf(twoPhaseCommit.at('explored'), 288)).toBeDefined()
  })
})
