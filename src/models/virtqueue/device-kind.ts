import type { Args } from '../../kernel/language/machine.ts'
import type { BuiltChain, SplitDriver } from './driver.ts'
import type { Request } from './requests.ts'

/** Eight bytes of the configuration space. */
export type ReadConfig = (offset: number) => number

/** What a device type adds to the queue: its requests, and what a return of one says. */
export interface DeviceKind {
  /** Feature bits of the device type that the driver accepts where they are offered. */
  readonly features: bigint
  /** The request of a `driver.add`. */
  request(args: Args): Request
  /** The arguments that a return has beside head and lengths; `len` is what the used entry says. */
  readReturn(driver: SplitDriver, chain: BuiltChain | undefined, len: number): Args
  /** A request for the second queue. */
  readonly plain: Request
  /** A request that costs the device little, to be sent many times. */
  readonly quick: Request
  /** A new run; `config` reads the configuration space of the device. */
  restart(config: ReadConfig): void
  /** What it remembers of a run beside the requests. */
  remembers?(): unknown
}
