/** What a driver domain and the hypervisor under it decide, each in a part of its own. */
import { GRANT_RIGHTS } from '../../layout/driver-domain.ts'

/** A request, as it was read. */
export interface BlockRequest {
  readonly grant: number
  readonly write: boolean
}

/** A request that the back end works on: plain data. */
export interface BlockJob {
  grant: number
  write: boolean
  /** Copied; its frame is mapped; moved; unmapped or never mapped; its answer stands on the ring. */
  stage: 'copied' | 'mapped' | 'moved' | 'done' | 'written'
  /** Address of the frame, while it is mapped. */
  gpa: number
  ok: boolean
}

/** What the back end knows of a client. */
export interface ServedClient {
  kicked: boolean
  /** Free-running: the next request to be copied, the next answer. */
  taking: number
  answering: number
  jobs: BlockJob[]
  untold: boolean
}

export interface Grant {
  readonly rights: number
  readonly frame: number
}

export interface DriverDomainParts {
  /** Whether a grant lets the device do what the request wants of its frame. */
  suffices(grant: Grant, request: BlockRequest): boolean
  /** What the device is told to do: as the copy says. */
  commandOf(job: BlockJob, reread: () => BlockRequest): BlockRequest
  /** How many requests there are to be copied. */
  waiting(published: number, taking: number, slots: number): number
  /** How many mappings a grant shows after one was made (`by` 1) or undone (-1). */
  count(mapped: number, by: number): number
  /** What becomes of what is mapped and under way when the domain dies: undone, or left. */
  stops(): boolean
  /** Where a domain that comes back goes on, by the answers that are on the ring. */
  resumeAt(answers: number, taking: number): number
  /** Whether a block is on the medium before its request is answered, or only in the memory of the domain. */
  keeps(): boolean
  /** Which of the jobs of a client is answered next. */
  nextAnswer(jobs: readonly BlockJob[]): number
  /** How a request ended. */
  statusOf(job: BlockJob): boolean
  /** Whether a client is to be told of an answer. */
  tells(client: ServedClient): boolean
  /** Whether a back end that found nothing to do looks once more before it sleeps. */
  looksAgain(): boolean
}

const RIGHTS_TO_WRITE = GRANT_RIGHTS.BOTH

export const correctDriverDomain = (): DriverDomainParts => ({
  // A request that writes the medium reads the frame.
  suffices: ({ rights }, { write }) => (write ? (rights & GRANT_RIGHTS.READ) !== 0 : rights === RIGHTS_TO_WRITE),
  commandOf: (job) => job,
  // An index that runs ahead by more than the ring holds is not believed.
  waiting(published, taking, slots) {
    const ahead = (published - taking) >>> 0
    return ahead <= slots ? ahead : 0
  },
  count: (mapped, by) => mapped + by,
  stops: () => true,
  resumeAt: (answers) => answers,
  keeps: () => true,
  nextAnswer: (jobs) => (jobs[0]?.stage === 'done' || jobs[0]?.stage === 'written' ? 0 : -1),
  statusOf: ({ ok }) => ok,
  tells: () => true,
  looksAgain: () => true,
})
