/** What a type of device adds to queues and status: features, a configuration space, and what a chain asks for. */

import type { DeviceOptions, Engine } from './parts.ts'
import type { Request } from './state.ts'

export interface DeviceKind {
  /** Of `DEVICE_TYPE`. */
  readonly type: number
  /** Features that are offered, in 32-bit windows. */
  features(options: DeviceOptions): number[]
  /** Bytes of the readable stream of a chain that are fetched, at most. */
  inputLimit(device: Engine): number
  /** Whether a chain is a request at all. */
  isRequest(device: Engine, request: Request): boolean
  /** Gives back what is no request. */
  refuse(device: Engine, request: Request): void
  /** The device keeps a chain until it has something to put into it. */
  keeps?(device: Engine, request: Request): boolean
  /** Carries a request out: fills `output` and `status`. */
  perform(device: Engine, request: Request): void
  resize?(device: Engine, sectors: number): void
  /** One byte of the configuration space. */
  configByte(device: Engine, offset: number): number
  writeConfigByte(device: Engine, offset: number, value: number): void
  /** Feature negotiation has ended. */
  negotiated(device: Engine): void
  /** The device was reset. */
  afterReset?(device: Engine): void
}
