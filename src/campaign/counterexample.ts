/**
 * Counterexample files: everything that one needs to understand a failure and to see it again, and never a command to
 * start. Versioned, canonical JSON, written to a temporary name and renamed.
 */
import {
  Codec,
  either,
  fields,
  flag,
  integer,
  listOf,
  mapOf,
  matching,
  oneOf,
  tagged,
  text,
} from '../contract/codec.ts'
import { ACTORS } from '../kernel/language/index.ts'
import type { ScalarJson } from '../kernel/language/scalar.ts'
import { SCHEMA_VERSION } from './types.ts'

const isScalarJson = (u: unknown): u is ScalarJson =>
  u === null ||
  typeof u === 'boolean' ||
  typeof u === 'string' ||
  Number.isFinite(u) ||
  (Array.isArray(u) && u.every((item) => Number.isInteger(item)))

export const scalarJson = new Codec<ScalarJson>(
  'a value of an argument',
  {},
  isScalarJson,
  (u, context) =>
    isScalarJson(u)
      ? { _tag: 'Right', right: u }
      : { _tag: 'Left', left: [{ value: u, context, message: 'a value of an argument' }] },
  (a) => a,
)

export const actionName = matching(
  `an action such as "driver.kick" by one of ${ACTORS.join(', ')}`,
  new RegExp(`^(?:${ACTORS.join('|')})\\.\\w+$`),
)
const args = mapOf(scalarJson)

export const planStep = tagged('do', {
  act: fields({ do: oneOf('act'), action: actionName, args }, { hostile: oneOf(true) }),
  step: fields({ do: oneOf('step'), count: integer(1, 1 << 20) }, { seen: oneOf(true) }),
  settle: fields({ do: oneOf('settle') }),
  save: fields({ do: oneOf('save') }),
})

const performed = { action: actionName, args }
const traceStep = tagged('by', {
  us: fields({ by: oneOf('us'), ...performed }, { note: text }),
  target: fields({ by: oneOf('target'), ...performed }, { note: text }),
  schedule: fields({ by: oneOf('schedule'), do: oneOf('step', 'settle', 'save') }, { count: integer(0) }),
})
export type TraceStepJson = (typeof traceStep)['_A']

const scope = fields({ name: text, bounds: mapOf(integer(0)) })

const verdicts = oneOf('violates', 'crashes', 'hangs', 'livelocks')
const basis = oneOf('normative', 'recommendation', 'derived', 'hardening')

const finding = fields({
  /** Name of the law in the machine; the verdict where a target crashed or hung. */
  law: text,
  kind: oneOf('duty', 'obligation', 'invariant', 'step', 'trouble'),
  clause: fields({
    id: text,
    section: text,
    source: text,
    basis,
    strength: oneOf('MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY'),
    requirement: text,
  }),
  action: text,
  expected: text,
  observed: text,
  /** Index in the trace of the step that failed. */
  at: integer(0),
})

const change = fields({ path: text, before: scalarJson, after: scalarJson })

export const counterexample = fields(
  {
    schemaVersion: oneOf(SCHEMA_VERSION),
    kind: oneOf('counterexample'),
    /** Version of iospec that wrote it. */
    iospec: text,
    machine: matching('a machine such as "split-queue"', /^[a-z][a-z0-9-]*$/),
    scope,
    target: fields({ name: text, version: text, address: text }),
    seed: integer(-(2 ** 31), 2 ** 32 - 1),
    /** Number of the run that found it; negative for one of the corpus. */
    run: integer(Number.MIN_SAFE_INTEGER),
    verdict: verdicts,
    finding,
    /** What the failing step changed in the state of the spec. */
    difference: listOf(change),
    plan: listOf(planStep),
    trace: listOf(traceStep),
    steps: integer(0),
    minimality: either(oneOf('proved', 'unknown'), matching('"at least" and a number', /^at least \d+$/)),
    reproduced: fields({ times: integer(0), of: integer(0) }),
    bugId: matching('a bug id, such as "1f2e3d4c"', /^[0-9a-z][0-9a-z-]{3,63}$/),
    shrink: fields({ executions: integer(0), from: integer(0), exhausted: flag }),
    disclosure: oneOf('public', 'private'),
    /** The one command that replays it; for people, never run by itself. */
    replay: text,
  },
  {
    /** Runs that have to come before it on the same target: what they leave behind outlives a reset (SAF-12). */
    prelude: listOf(listOf(planStep)),
    /** What the target printed last, escaped. */
    lastWords: text,
    /** Laws that it breaks on the way, as `law@clause`; they were overlooked to get there. */
    overlooked: listOf(text, 1),
    /**
     * Laws that longer plans break, found on the way here: by the same mistake, as far as can be told. The shortest of
     * such plans is what the file is about.
     */
    also: listOf(fields({ law: text, clause: text, steps: integer(0), plan: listOf(planStep) }), 1),
    /** Behaviours in use beside the one that it was judged by, which do the same. */
    profiles: listOf(text, 1),
    /** Silence of a target that cannot say that it is quiet. */
    timed: oneOf(true),
  },
)

export type Counterexample = (typeof counterexample)['_A']
