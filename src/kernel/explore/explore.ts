/**
 * The explorer: breadth first, explicit states, exact. Every law is judged on every reachable state and transition of
 * one scope; the first way found to break a law is a shortest one, because states are met level by level.
 */
import { totalmem } from 'node:os'
import { ACTORS, type Actor, type Machine } from '../language/index.ts'
import { ReadOnlyError } from '../language/packed-views.ts'
import { type WordLayout, wordLayoutOf } from '../language/word-layout.ts'
import { Auditor, everyState, sample } from './audit.ts'
import { type Choices, choicesOf } from './choices.ts'
import { Crew, type CrewOptions } from './crew/crew.ts'
import type { Heard } from './crew/orders.ts'
import { ExploreError, nameOf, writeRefused } from './error.ts'
import { type Expander, expanderOf, rowsMaxOf } from './expand.ts'
import type { Exploration, ExploreOptions, Progress } from './exploration.ts'
import { Findings } from './findings.ts'
import { HousedVisited } from './housed-visited.ts'
import { type Liveness, livenessOf } from './liveness/liveness.ts'
import { Reader } from './liveness/reader.ts'
import { Watch } from './liveness/watch.ts'
import { diagnose } from './retrace.ts'
import { type Canoniser, canoniserOf } from './symmetry/canonical.ts'
import { SymmetryAuditor } from './symmetry/equivariance.ts'
import { Tracer } from './tracer.ts'
import { MAX_STATES } from './visited.ts'
import type { WasmVisited } from './wasm/wasm-visited.ts'

const PROGRESS_MS = 100
const GIB = 2 ** 30
/** States from which on several threads can share them. */
const MOVE_STATES = 2 ** 12

const atLeastOne = (option: string, value: number): number => {
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`explore: ${option}: expected a whole number from 1 on, found ${String(value)}`)
  return value
}

const hostileOf = ({ hostile = [] }: ExploreOptions): readonly Actor[] => {
  const stranger = hostile.find((actor) => !ACTORS.includes(actor))
  if (stranger === undefined) return hostile
  throw new RangeError(`explore: hostile: expected some of ${ACTORS.join(', ')}, found ${String(stranger)}`)
}

export class Search {
  private readonly machine: Machine
  private readonly options: ExploreOptions
  private readonly hostile: readonly Actor[]
  private readonly choices: Choices
  private readonly layout: WordLayout
  private readonly states: HousedVisited
  private readonly expander: Expander
  /** Of a search under symmetry, whose states stand for others too. */
  private readonly canoniser: Canoniser | undefined
  private readonly symmetryAuditor: SymmetryAuditor | undefined
  private readonly tracer: Tracer
  private readonly auditor: Auditor
  /** The states to be audited, in order, and the next of them. */
  private readonly audited: Iterator<number>
  private auditAt: number | undefined
  private auditing = false
  private readonly reader: Reader
  /** Of laws that are about all transitions, as long as there is room. */
  private watch: Watch | undefined
  /** Where edges are collected, when somebody wants them. */
  private readonly edges: { readonly to: Int32Array; readonly by: Int32Array } | undefined
  private readonly startedAt = performance.now()
  private readonly findings: Findings
  /** Of the goals that are states, then of those that are steps. */
  private readonly goalDepths: (number | null)[]
  private readonly owed: boolean[]
  private stuckCount = 0
  private firstStuck: number | undefined
  /** The state that is being expanded, its level, and the first state of the next level. */
  private id = 0
  private depth = 0
  private levelEnd = 1
  /** The first state of each level. */
  private readonly levels = [0]
  private readonly memoryBytes: number
  /** Threads that may help with large levels, once they were started. */
  private readonly crewOptions: CrewOptions | undefined
  private crew: Crew | undefined

  constructor(machine: Machine, options: ExploreOptions, crew?: CrewOptions) {
    this.crewOptions = crew
    this.machine = machine
    this.options = options
    this.hostile = hostileOf(options)
    this.choices = choicesOf(machine)
    this.layout = wordLayoutOf(machine.layout)
    const maxStates = atLeastOne('maxStates', options.maxStates ?? MAX_STATES)
    this.memoryBytes = atLeastOne('memoryBytes', options.memoryBytes ?? Math.min(8 * GIB, Math.floor(totalmem() / 2)))
    const rowsMax = rowsMaxOf(this.choices)
    const { memoryBytes } = this
    const lanes = crew === undefined ? {} : { lanes: crew.threads, moveStates: crew.levelWorth ?? MOVE_STATES }
    this.states = new HousedVisited({ words: this.layout.words, rowsMax, maxStates, memoryBytes, ...lanes })
    this.goalDepths = [...machine.goals, ...machine.stepGoals].map(() => null)
    this.owed = machine.owes.map(() => false)
    this.canoniser = options.symmetry === true ? canoniserOf(machine) : undefined
    this.symmetryAuditor =
      this.canoniser && new SymmetryAuditor(machine, this.choices, this.hostile, options.audit ?? 'sample')
    const { choices, hostile, states, canoniser } = this
    this.tracer = new Tracer({ machine, choices, hostile, states, canoniser })
    const underSymmetry = canoniser !== undefined
    this.findings = new Findings({ machine, choices, hostile, tracer: this.tracer, underSymmetry })
    this.auditor = new Auditor(machine, this.choices, this.hostile)
    this.audited = (options.audit === 'all' ? everyState : sample)(this.choices)
    this.auditAt = this.audited.next().value
    const numbers = (): Int32Array => new Int32Array(rowsMax)
    this.reader = new Reader(machine, this.states, {
      interrupted: () => options.interrupted?.() === true,
      explain: (error, id) => this.explain(error, id),
    })
    if (options.liveness !== false && machine.leadsTo.length > 0)
      this.watch = new Watch(machine, this.choices, this.reader)
    this.edges = (options.onEdges ?? this.watch) && { to: numbers(), by: numbers() }
    this.expander = expanderOf({
      machine,
      choices: this.choices,
      hostile: this.hostile,
      rows: this.states.rows,
      labels: this.edges?.by,
      hearer: {
        invariantBroken: (law, id) => this.findings.note('invariant', machine.invariants[law]!, id),
        goalReached: (goal) => this.reach(goal, this.depth),
        stepBroken: (law, id, choice) => this.findings.note('step', machine.steps[law]!, id, choice),
        stepGoalReached: (goal) => this.reach(machine.goals.length + goal, this.depth + 1),
        rested: (id, duty) => this.auditing || this.rest(id, duty),
      },
    })
  }

  run(): Exploration {
    this.symmetryAuditor?.auditInitial()
    this.layout.pack(this.machine.initial(), this.states.rows, 0)
    this.states.rows[this.layout.words] = -1
    this.canoniser?.canonise(this.states.rows, 1)
    let cutShort: string | undefined
    try {
      cutShort = this.states.insert(1) ? this.search() : this.whyFull()
    } finally {
      this.crew?.end()
    }
    const isAsked = this.options.liveness !== false
    const liveness = isAsked && cutShort === undefined ? this.liveness() : undefined
    return this.report(cutShort ?? liveness?.undecided, isAsked, liveness)
  }

  /** What has to come in the end; known only when all states are. */
  private liveness(): Liveness {
    const { machine, hostile, states, levels, memoryBytes, canoniser, tracer, reader } = this
    return livenessOf({
      ...{ machine, hostile, states, levels, memoryBytes, canoniser, tracer, reader },
      watched: this.watch?.of(states.count),
      broken: new Set(this.owed.flatMap((isBroken, i) => (isBroken ? [i] : []))),
    })
  }

  /** Expands states in the order in which they were found; says why when it does not get to the end. */
  private search(): string | undefined {
    const { states } = this
    let progressAt = this.startedAt + PROGRESS_MS
    while (this.id < states.count) {
      if (this.id === this.levelEnd) {
        this.depth++
        this.levels.push(this.levelEnd)
        this.levelEnd = states.count
      }
      // A batch stays within its level, so that the levels are those of a search state by state.
      const first = this.id
      this.id = this.expandTogether(first, this.levelEnd)
      if (this.id === first) {
        this.id = this.expand(first, this.levelEnd)
        this.canoniser?.canonise(states.rows, this.expander.count())
        if (!states.insert(this.expander.count(), this.edges?.to)) return this.whyFull()
        this.tellEdges(first)
      }
      this.audit(first, this.id)
      this.symmetryAuditor?.audit(states.arena, states.stride, first, this.id)
      if (this.options.interrupted?.() === true) return `interrupted after ${this.id} of ${states.count} known states`
      if (this.options.onProgress !== undefined && performance.now() >= progressAt) {
        this.options.onProgress(this.progress())
        progressAt = performance.now() + PROGRESS_MS
      }
    }
    return undefined
  }

  private expand(first: number, end: number): number {
    try {
      return this.expander.expand(this.states.arena, first, end)
    } catch (error) {
      if (error instanceof ExploreError) throw error
      if (error instanceof ReadOnlyError) this.refuseWrite(this.expander.at())
      throw this.explain(error, this.expander.at())
    }
  }

  /** With the crew, where there is one and the level is worth it; the first state that was not expanded. */
  private expandTogether(first: number, end: number): number {
    const { crewOptions, states } = this
    if (crewOptions === undefined || states.shared === undefined) return first
    // As many a state as so far; the first states may have few.
    const expected = ((end - first) * this.transitions()) / first
    if (!Crew.isWorth(expected, crewOptions)) return first
    this.crew ??= this.crewOn(states.shared, crewOptions)
    return this.crew.isReady() ? this.crew.expand(first, end) : first
  }

  private crewOn(visited: WasmVisited, options: CrewOptions): Crew {
    const { machine, hostile, expander, canoniser, states } = this
    return new Crew(options, visited, {
      ...{ actions: machine.actions.length, hostile, expander, canoniser, rows: states.rows },
      interrupted: () => this.options.interrupted?.() === true,
      hear: (heard) => this.hear(heard),
    })
  }

  /** What somebody else came upon in the level that is being expanded. */
  private hear({ broken, goals, stepGoals, stuck }: Heard): void {
    const { machine } = this
    for (const { kind, law, id, choice } of broken) {
      if (kind === 'obligation') this.owed[law] = true
      const laws = { invariant: machine.invariants, step: machine.steps, obligation: machine.owes }[kind]
      this.findings.note(kind, laws[law]!, id, choice)
    }
    for (const goal of goals) this.reach(goal, this.depth)
    for (const goal of stepGoals) this.reach(machine.goals.length + goal, this.depth + 1)
    for (const { count, first } of stuck) {
      this.stuckCount += count
      this.firstStuck ??= first
    }
  }

  /** Each thread reaches a goal once, the first of them counts. */
  private reach(goal: number, depth: number): void {
    this.goalDepths[goal] ??= depth
  }

  /** Of the states from `first` on. */
  private tellEdges(first: number): void {
    const { states, edges, choices, id } = this
    if (edges === undefined) return
    const { rows, stride } = states
    const count = this.expander.count()
    if (this.options.onEdges !== undefined) {
      const from = Int32Array.from({ length: count }, (_, row) => rows[(row + 1) * stride - 1]!)
      this.options.onEdges({ ...edges, from, count, choices: choices.all })
    }
    const bytesMax = this.memoryBytes - states.bytes
    if (this.watch?.add({ rows, ...edges }, count, first, id, bytesMax) === false) this.watch = undefined
  }

  /** Expands those of the states `first` to `end - 1` that are to be audited a second time, for itself alone. */
  private audit(first: number, end: number): void {
    const { states, expander } = this
    for (; this.auditAt !== undefined && this.auditAt < end; this.auditAt = this.audited.next().value) {
      const id = this.auditAt
      if (id < first) continue
      const at = id * states.stride
      const before = expander.taken.slice()
      this.auditing = true
      this.expand(id, id + 1)
      this.auditing = false
      const taken = Array.from(expander.taken, (count, action) => count - before[action]!)
      expander.taken.set(before)
      const rowAt = (from: Int32Array, place: number): string => from.subarray(place, place + this.layout.words).join()
      const itself = rowAt(states.arena, at)
      const successors = Array.from({ length: expander.count() }, (_, row) => rowAt(states.rows, row * states.stride))
      const reading = { taken, successors: successors.filter((row) => row !== itself) }
      this.auditor.audit(states.arena, at, reading, expander.state)
    }
  }

  /** A state in which nothing can happen: nothing may be owed there, and the machine has to call it final. */
  private rest(id: number, duty: boolean): void {
    const { machine, expander } = this
    machine.owes.forEach((owed, i) => {
      if (this.owed[i] === true || (!duty && owed.safety !== true) || !owed.when(expander.state)) return
      this.owed[i] = true
      this.findings.note('obligation', owed, id)
    })
    if (machine.final?.(expander.state) === true) return
    this.stuckCount += this.canoniser?.orbitAt(this.states.arena, id * this.states.stride) ?? 1
    this.firstStuck ??= id
  }

  private explain(error: unknown, id: number): unknown {
    const cells = this.tracer.cellsOf(id)
    return diagnose(this.machine, this.choices.all, cells, this.hostile, error)
  }

  private refuseWrite(id: number): never {
    throw writeRefused(this.machine, this.tracer.cellsOf(id))
  }

  private whyFull(): string {
    const { states, machine } = this
    return states.full === 'states'
      ? `${nameOf(machine)} has more than ${states.count} states, the bound of this run (at most ${MAX_STATES} fit)`
      : `${nameOf(machine)} needs more memory than ${Math.round(states.bytes / 2 ** 20)} MiB for ${states.count} states`
  }

  private progress(): Progress {
    return {
      states: this.states.count,
      transitions: this.transitions(),
      depth: this.depth,
      waiting: this.states.count - this.id,
      seconds: this.seconds(),
    }
  }

  private transitions(): number {
    return this.expander.taken.reduce((sum, _, action) => sum + this.taken(action), 0)
  }

  private taken(action: number): number {
    return this.expander.taken[action]! + (this.crew?.taken(action) ?? 0)
  }

  /** How much there is to be shown of what was found. */
  found(): { readonly laws: number; readonly isStuck: boolean } {
    return { laws: this.findings.count, isStuck: this.stuckCount > 0 }
  }

  private represents(canoniser: Canoniser): number {
    const { arena, stride, count } = this.states
    let sum = 0
    for (let id = 0; id < count; id++) sum += canoniser.orbitAt(arena, id * stride)
    return sum
  }

  private seconds(): number {
    return (performance.now() - this.startedAt) / 1000
  }

  private report(cutShort: string | undefined, isAsked: boolean, liveness: Liveness | undefined): Exploration {
    const { machine, states } = this
    const violations = [...this.findings.violations(), ...(liveness?.violations ?? [])]
    const seconds = this.seconds()
    const stuck = this.firstStuck === undefined ? {} : { steps: this.tracer.wayTo(this.firstStuck).steps }
    return {
      machine: machine.name,
      scope: machine.scope,
      states: states.count,
      ...(this.canoniser === undefined ? {} : { represents: this.represents(this.canoniser) }),
      transitions: this.transitions(),
      depth: states.count > this.levelEnd ? this.depth + 1 : this.depth,
      seconds,
      result: violations.length > 0 ? 'violated' : cutShort === undefined ? 'holds' : 'cut-short',
      ...(cutShort === undefined ? {} : { cutShort }),
      liveness: !isAsked ? 'not-asked' : cutShort === undefined ? 'decided' : 'undecided',
      violations,
      stuck: { count: this.stuckCount, ...stuck },
      goals: Object.fromEntries(
        [...machine.goals, ...machine.stepGoals].map((goal, i) => [goal.name, this.goalDepths[i] ?? null]),
      ),
      actions: Object.fromEntries(machine.actions.map((action) => [action.name, this.taken(action.index)])),
    }
  }
}

/** Explores a machine within its scope. Throws an `ExploreError` when the machine cannot be explored as it is written. */
export const explore = (machine: Machine, options: ExploreOptions = {}): Exploration =>
  new Search(machine, options).run()
