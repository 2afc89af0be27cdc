/**
 * The campaign of one machine: blocks of runs, each cleared up before the next one begins.
 *
 * A law that was found broken often enough is overlooked from then on, and the runs that it ended are run again, so that
 * they can find other things. Blocks have fixed sizes, so what is overlooked when does not depend on the workers.
 */
import type { Verdict } from '../kernel/judge/verdict.ts'
import { clauseRows } from './clauses.ts'
import type { Counterexample } from './counterexample.ts'
import type { Crew } from './crew.ts'
import { type KnownDeviations, lawKey, STALE_AFTER } from './deviations.ts'
import { isTrouble } from './failures.ts'
import type { ExamineJob, Failure, Prepared, RunItem } from './jobs.ts'
import { verdictOf } from './machine-verdict.ts'
import { emptyTally, type Tally } from './tally.ts'
import type { CounterexampleSummary, DeviationSeen, Listener, MachineResult, Unjudged } from './types.ts'

const BLOCKS = [40, 30, 30, 100, 100, 200, 400, 800] as const
const BLOCK_MAX = 1600
/** One run in so many is led toward a goal, as long as some were not reached. */
const LED_EVERY = 2
/** So many failures of a law that came to a bug that was known already end the search for others of that law. */
const REPEATS_MAX = 2
const UNJUDGED_SHOWN = 20
/** So many failures of a law that never came again end the search. */
const UNCONFIRMED_MAX = 5
export interface MachineCampaignOptions {
  readonly runs: number
  readonly maxBugs: number
  readonly maxPerLaw: number
  readonly maxHangs: number
  /** No new run starts after this moment, in ms since the epoch. */
  readonly untilMs: number | undefined
  readonly known: KnownDeviations
  readonly corpus: readonly RunItem[]
  readonly listener: Listener
  /** Writes a counterexample; returns the file, or undefined when nothing is to be written. */
  readonly keep: (found: Counterexample) => string | undefined
  readonly interrupted: () => boolean
  readonly now: () => number
}

/** What happened to one law so far. */
interface LawRecord {
  readonly bugs: Set<string>
  repeats: number
  /** Nothing more is examined. */
  closed: boolean
  /** At least one of its bugs is no known deviation. */
  unknown: boolean
  confirmed: boolean
}

/** A law, and the clause that it rests on here. */
interface Law {
  readonly law: string
  readonly clause: string
}

const lawKeyOf = ({ law, clause }: Law): string => lawKey(law, clause)
const lawOf = ({ finding }: Counterexample): Law => ({ law: finding.law, clause: finding.clause.id })
const alsoOf = ({ also = [] }: Counterexample): string[] => also.map(lawKeyOf)

export class MachineCampaign {
  readonly prepared: Prepared
  readonly tally: Tally
  private readonly crew: Crew
  private readonly options: MachineCampaignOptions
  private readonly laws = new Map<string, LawRecord>()
  private readonly summaries = new Map<string, CounterexampleSummary>()
  /** The files of the bugs. */
  private readonly kept = new Map<string, Counterexample>()
  private readonly hardened = new Map<string, CounterexampleSummary | undefined>()
  private readonly overlooked = new Set<string>()
  private readonly told = new Set<string>()
  private readonly unjudged: Unjudged[] = []
  private unjudgedRuns = 0
  private unjudgedVerdicts = new Set<Verdict>()
  /** Runs that cost a timeout or a worker. */
  private stops = 0
  private runs = 0
  private ended: string | undefined
  private readonly started: number

  constructor(prepared: Prepared, crew: Crew, options: MachineCampaignOptions) {
    this.prepared = prepared
    this.crew = crew
    this.options = options
    this.tally = emptyTally(prepared.laws.length, prepared.goals.length)
    this.started = options.now()
    for (const law of options.known.tolerated(prepared.machine)) this.overlooked.add(law)
  }

  /** Different bugs so far that are no known deviations. */
  get bugs(): number {
    let count = 0
    for (const { known } of this.summaries.values()) if (!known) count++
    return count
  }

  /** Goals reached so far, of those that can be. */
  get goals(): { readonly reached: number; readonly of: number } {
    const { goals, unreachable } = this.prepared
    const possible = goals.flatMap((name, i) => (name in unreachable ? [] : [this.tally.goals[i]!]))
    return { reached: possible.filter((times) => times > 0).length, of: possible.length }
  }

  async run(): Promise<MachineResult> {
    const { runs, corpus } = this.options
    if (this.prepared.notApplicable === undefined) {
      await this.block(corpus)
      for (let from = 0, block = 0; from < runs && this.ended === undefined; block++) {
        const to = Math.min(runs, from + (BLOCKS[block] ?? BLOCK_MAX))
        await this.block(this.items(from, to))
        from = to
      }
    }
    return this.result()
  }

  /** Blocks are the same for any number of workers, and so are the goals that were reached before one begins. */
  private items(from: number, to: number): RunItem[] {
    const missed = from === 0 ? [] : this.missed
    return Array.from({ length: to - from }, (_, i) => {
      const run = from + i
      if (missed.length === 0 || run % LED_EVERY > 0) return { run }
      return { run, toward: missed[(run / LED_EVERY) % missed.length]! }
    })
  }

  /** Goals that were not reached though they can be. */
  private get missed(): string[] {
    const { goals, unreachable } = this.prepared
    return goals.filter((name, i) => this.tally.goals[i] === 0 && !(name in unreachable))
  }

  private async block(items: readonly RunItem[]): Promise<void> {
    for (let round = items; round.length > 0 && this.ended === undefined; ) {
      const job = {
        machine: this.prepared.machine,
        items: round,
        tolerated: [...this.overlooked],
        ...(this.options.untilMs === undefined ? {} : { untilMs: this.options.untilMs }),
      }
      const first = round === items
      const played = await this.crew.play(job, this.tally, this.options.maxHangs - this.stops)
      if (first) this.runs += items.length - played.unplayed - played.warnings.length
      for (const message of played.warnings) this.options.listener({ kind: 'warning', message })
      for (const failure of played.failures) await this.take(failure, job.tolerated)
      const again = this.overlookWhatIsClosed(played.failures)
      if (played.interrupted || this.options.interrupted()) this.end('interrupted')
      else if (played.stopped !== undefined) {
        this.end(`given up: ${played.stopped.message}`)
        this.unjudgedVerdicts.add('adapter-error')
      } else if (this.stops >= this.options.maxHangs)
        this.end(`given up after ${this.stops} runs that had to be killed`)
      else if (played.unplayed > 0) this.end(`the time was over after ${this.runs} runs`)
      else if (this.bugs >= this.options.maxBugs) this.end(`given up after ${this.bugs} different bugs`)
      round = again
    }
  }

  private end(reason: string): void {
    this.ended ??= reason
  }

  private async take(failure: Failure, tolerated: readonly string[]): Promise<void> {
    const { verdict } = failure
    if (verdict === 'hangs' || failure.lost === true) this.stops++
    if (verdict !== 'violates' && !isTrouble(verdict)) {
      this.cannotJudge(failure, {
        run: failure.item.run,
        verdict,
        message: failure.message,
        lastWords: failure.lastWords,
      })
      return
    }
    this.tell(failure)
    if (this.options.interrupted() || this.bugs >= this.options.maxBugs) return
    if (failure.hardening) {
      if (this.hardened.has(failure.law)) return
      this.hardened.set(failure.law, undefined)
      const found = await this.examine(failure, tolerated)
      if (found === undefined) return
      const { law } = lawOf(found)
      if (this.hardened.get(law) === undefined) this.hardened.set(law, this.publish(failure, found))
      return
    }
    const record = this.recordOf(failure)
    if (record.closed) {
      if (verdict === 'hangs') this.cameAgain([...record.bugs][0])
      return
    }
    const found = await this.examineForNew(failure, tolerated)
    if (found === undefined) {
      if (this.options.interrupted()) return
      record.repeats++
      if (record.repeats >= (record.confirmed ? REPEATS_MAX : UNCONFIRMED_MAX)) record.closed = true
      return
    }
    const bugId = this.sameEnd(found) ?? found.bugId
    const known = this.summaries.get(bugId)?.known ?? this.isKnown(found)
    // What was found may show a law that breaks with less than the one that the run ended with.
    for (const each of new Set([record, this.recordOf(lawOf(found))])) {
      each.confirmed = true
      if (!known) each.unknown = true
      if (each.bugs.has(bugId)) {
        if (++each.repeats >= REPEATS_MAX) each.closed = true
      } else {
        each.bugs.add(bugId)
        if (each.bugs.size >= (verdict === 'hangs' ? 1 : this.options.maxPerLaw)) each.closed = true
      }
    }
    if (this.summaries.has(bugId)) this.cameAgain(bugId, bugId === found.bugId ? found : undefined)
    else this.summaries.set(bugId, this.publish(failure, found))
  }

  /**
   * A crash that takes runs before it and that says the same as one that does not is that one: what the earlier runs
   * left behind was met by the start of the next.
   */
  private sameEnd({ prelude, verdict, finding, lastWords = '' }: Counterexample): string | undefined {
    if (prelude === undefined || !isTrouble(verdict)) return undefined
    const same = [...this.summaries.values()].find(
      (other) => other.verdict === verdict && other.observed === finding.observed && other.lastWords === lastWords,
    )
    return same?.bugId
  }

  /** One more run came to a bug, perhaps by a law that it was not known to break. */
  private cameAgain(bugId: string | undefined, found?: Counterexample): void {
    const summary = bugId === undefined ? undefined : this.summaries.get(bugId)
    if (summary === undefined) return
    const also = [...new Set([...summary.also, ...(found === undefined ? [] : alsoOf(found))])]
    this.summaries.set(summary.bugId, { ...summary, also, runs: summary.runs + 1 })
    if (found === undefined) return
    const before = this.kept.get(found.bugId)?.also ?? []
    const more = (found.also ?? []).filter((each) => !before.some((one) => lawKeyOf(one) === lawKeyOf(each)))
    if (more.length > 0) this.keep({ ...this.kept.get(found.bugId)!, also: [...before, ...more] })
  }

  private keep(found: Counterexample): string | undefined {
    this.kept.set(found.bugId, found)
    return this.options.keep(found)
  }

  /** A known bug never stands for another one. */
  private async examineForNew(failure: Failure, tolerated: readonly string[]): Promise<Counterexample | undefined> {
    const found = await this.examine(failure, tolerated)
    if (found === undefined || lawKeyOf(lawOf(found)) === lawKeyOf(failure) || !this.isKnown(found)) return found
    return this.examine(failure, tolerated, { keepLaw: true })
  }

  private isKnown(found: Counterexample): boolean {
    const { law, clause } = lawOf(found)
    const { bugId, finding, lastWords = '' } = found
    return this.options.known.knows(this.prepared.machine, {
      law,
      clause,
      bugId,
      observed: finding.observed,
      lastWords,
    })
  }

  private recordOf(law: Law): LawRecord {
    const key = lawKeyOf(law)
    const known = this.laws.get(key)
    if (known !== undefined) return known
    const made = { bugs: new Set<string>(), repeats: 0, closed: false, unknown: false, confirmed: false }
    this.laws.set(key, made)
    return made
  }

  private tell({ item, verdict, law, clause, hardening }: Failure): void {
    const key = lawKey(law, clause)
    if (this.told.has(key)) return
    this.told.add(key)
    const { machine } = this.prepared
    this.options.listener({ kind: 'finding', machine, run: item.run, verdict, law, clause, hardening })
  }

  private async examine(
    failure: Failure,
    tolerated: readonly string[],
    more: Pick<ExamineJob, 'keepLaw'> = {},
  ): Promise<Counterexample | undefined> {
    const { machine } = this.prepared
    const { run } = failure.item
    this.options.listener({ kind: 'shrinking', machine, run, law: failure.law })
    const examined = await this.crew.examine({ machine, failure, tolerated, ...more })
    if (examined.outcome === 'counterexample') return examined.counterexample
    if (examined.outcome === 'unconfirmed') {
      const { law, clause, lastWords } = failure
      const { times, of } = examined.reproduced
      const message = `${failure.message === '' ? law : failure.message}: reproduced ${times} of ${of}`
      const { reproduced } = examined
      this.cannotJudge(failure, { run, verdict: 'inconclusive', law, clause, message, lastWords, reproduced })
    }
    return undefined
  }

  private cannotJudge(failure: Failure, unjudged: Unjudged): void {
    this.unjudgedRuns++
    this.unjudgedVerdicts.add(failure.hardening ? 'inconclusive' : unjudged.verdict)
    if (this.unjudged.length >= UNJUDGED_SHOWN) return
    this.unjudged.push(unjudged)
    this.options.listener({ kind: 'unjudged', machine: this.prepared.machine, unjudged })
  }

  private publish(failure: Failure, found: Counterexample): CounterexampleSummary {
    const { finding, bugId, steps, minimality, reproduced, verdict, disclosure, run } = found
    const summary: CounterexampleSummary = {
      file: this.keep(found),
      bugId,
      clause: finding.clause.id,
      law: finding.law,
      verdict,
      basis: finding.clause.basis,
      requirement: finding.clause.requirement,
      expected: finding.expected,
      observed: finding.observed,
      lastWords: found.lastWords ?? '',
      steps,
      minimality: minimality as CounterexampleSummary['minimality'],
      known: this.isKnown(found),
      run,
      reproduced,
      overlooked: found.overlooked ?? [],
      also: alsoOf(found),
      profiles: found.profiles ?? [],
      runs: 1,
      disclosure,
    }
    const { hardening } = failure
    this.options.listener({ kind: 'counterexample', machine: this.prepared.machine, hardening, summary })
    return summary
  }

  /** Laws that are done with are overlooked; the runs that ended with them are to be run again. */
  private overlookWhatIsClosed(failures: readonly Failure[]): RunItem[] {
    const again: RunItem[] = []
    // Without the law that a bug is told by, the others that it breaks would be told as bugs of their own.
    for (const { closed, bugs } of [...this.laws.values()])
      for (const bug of closed ? bugs : [])
        for (const key of this.summaries.get(bug)?.also ?? []) {
          const record = this.laws.get(key)
          if (record !== undefined) record.closed = true
        }
    for (const { verdict, law, clause, hardening, item } of failures) {
      if (hardening || verdict !== 'violates') continue
      const key = lawKey(law, clause)
      if (!this.laws.get(key)?.closed) continue
      this.overlooked.add(key)
      again.push(item)
    }
    return again
  }

  private result(): MachineResult {
    const { prepared, tally } = this
    const goals = Object.fromEntries(prepared.goals.map((name, i) => [name, tally.goals[i]!]))
    const { missed } = this
    const counterexamples = [...this.summaries.values()]
    const { runs, ended, unjudged, unjudgedRuns, unjudgedVerdicts } = this
    const { verdict, reason } = verdictOf({
      ...{ notApplicable: prepared.notApplicable, counterexamples, missed, runs, ended },
      ...{ unjudged, unjudgedRuns, unjudgedVerdicts },
      unresolved: [...this.laws].find(([, { closed, confirmed }]) => closed && !confirmed)?.[0],
    })
    return {
      machine: prepared.machine,
      scope: prepared.scope,
      ...(prepared.profile === undefined ? {} : { profile: prepared.profile }),
      runs,
      steps: tally.steps,
      commands: tally.commands,
      verdict,
      reason,
      goals,
      missed: prepared.notApplicable === undefined ? missed : [],
      unreachable: prepared.unreachable,
      counterexamples,
      hardening: [...this.hardened.values()].filter((summary) => summary !== undefined),
      unjudged,
      inconclusive: unjudgedRuns,
      deviations: this.deviations(),
      clauses: clauseRows(prepared, tally, this.convictions()),
      seconds: (this.options.now() - this.started) / 1000,
    }
  }

  private convictions() {
    const violated = new Set<string>()
    const known = new Set<string>()
    const clauseOf = (key: string): string => key.slice(key.lastIndexOf('@') + 1)
    for (const [key, { confirmed, unknown }] of this.laws)
      if (confirmed) (unknown ? violated : known).add(clauseOf(key))
    const { machine } = this.prepared
    for (const key of this.options.known.tolerated(machine)) if (this.tally.met.has(key)) known.add(clauseOf(key))
    return { violated, known }
  }

  private deviations(): DeviationSeen[] {
    const { known } = this.options
    const decided = new Map<string, number>()
    this.prepared.laws.forEach(({ clause }, law) => {
      decided.set(clause, (decided.get(clause) ?? 0) + this.tally.decided[law]!)
    })
    return known.of(this.prepared.machine).map(({ law, clause, bugIds, reason }) => {
      const found = [...this.summaries.values()].filter((one) => one.law === law && one.clause === clause)
      const byBug = bugIds === undefined ? 0 : found.filter(({ bugId }) => bugIds.includes(bugId)).length
      const met = bugIds === undefined ? (this.tally.met.get(lawKey(law, clause)) ?? 0) : byBug
      return { law, clause, met, reason, stale: met === 0 && (decided.get(clause) ?? 0) >= STALE_AFTER }
    })
  }
}
