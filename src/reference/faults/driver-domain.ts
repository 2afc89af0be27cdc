/** Faults of a driver domain and of the grant tables under it. */
import { GRANT_RIGHTS } from '../../layout/driver-domain.ts'
import { driverDomainBoard } from '../assigned/driver-domain-board.ts'
import type { DriverDomainParts } from '../assigned/driver-domain-parts.ts'
import { boardFault, type Fault } from './fault.ts'

interface DomainFault<Name extends keyof DriverDomainParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  readonly part: DriverDomainParts[Name]
}

const fault = <Name extends keyof DriverDomainParts>({ replaces, part, ...what }: DomainFault<Name>): Fault =>
  boardFault(driverDomainBoard, {
    ...what,
    area: 'dma',
    replaces: `driverDomain.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

export const driverDomainFaults: readonly Fault[] = [
  fault({
    id: 'dma-service-request-read-twice',
    difficulty: 'medium',
    what: 'The device is told what the ring says when its turn comes, not what was copied and checked.',
    replaces: 'commandOf',
    part: (_job, reread) => reread(),
  }),
  fault({
    id: 'dma-service-read-grant-written',
    difficulty: 'shallow',
    what: 'A grant for reading is enough for a request that has the device write into the frame.',
    replaces: 'suffices',
    part: ({ rights }) => (rights & GRANT_RIGHTS.READ) !== 0,
  }),
  fault({
    id: 'dma-service-grant-not-looked-at',
    difficulty: 'shallow',
    what: 'A frame is mapped whether it was granted or not.',
    replaces: 'suffices',
    part: () => true,
  }),
  fault({
    id: 'dma-service-mapping-not-counted',
    difficulty: 'medium',
    what: 'A grant does not show that it is in use: its owner takes it back with a request under way.',
    replaces: 'count',
    part: () => 0,
  }),
  fault({
    id: 'dma-service-second-mapping-not-counted',
    difficulty: 'deep',
    what: 'Of several mappings of one grant one is counted: the first that goes makes it show as free.',
    replaces: 'count',
    part: (_mapped, by) => (by > 0 ? 1 : 0),
  }),
  fault({
    id: 'dma-service-mapping-never-released',
    difficulty: 'shallow',
    what: 'A grant stays in use when its request has ended.',
    replaces: 'count',
    part: (mapped, by) => (by > 0 ? mapped + by : mapped),
  }),
  fault({
    id: 'dma-service-device-outlives-its-domain',
    difficulty: 'medium',
    what: 'The device goes on with what it was told before its domain died, and mappings stay.',
    replaces: 'stops',
    part: () => false,
  }),
  fault({
    id: 'dma-service-requests-lost-in-a-crash',
    difficulty: 'medium',
    what: 'A domain that comes back goes on behind the requests that it had copied before it died: they are never answered.',
    replaces: 'resumeAt',
    part: (_answers, taking) => taking,
  }),
  fault({
    id: 'dma-service-acknowledged-before-kept',
    difficulty: 'medium',
    what: 'A block is acknowledged while only the memory of the domain has it: a crash loses it.',
    replaces: 'keeps',
    part: () => false,
  }),
  fault({
    id: 'dma-service-error-told-as-success',
    difficulty: 'shallow',
    what: 'Every request ends as a success.',
    replaces: 'statusOf',
    part: () => true,
  }),
  fault({
    id: 'dma-service-answer-not-told',
    difficulty: 'shallow',
    what: 'A client is not told of the last answer, when no request of it is left.',
    replaces: 'tells',
    part: ({ jobs }) => jobs.length > 0,
  }),
  fault({
    id: 'dma-service-sleeps-without-looking-again',
    difficulty: 'medium',
    what: 'One request is taken for a kick: what came with it waits for the next.',
    replaces: 'looksAgain',
    part: () => false,
  }),
]
