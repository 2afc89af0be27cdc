/** virtio-blk behind the queue models. */
import type { Args, Machine } from '../../kernel/language/machine.ts'
import { BLK_CONFIG, BLK_FEATURE } from '../../layout/blk.ts'
import type { DeviceKind, ReadConfig } from './device-kind.ts'
import { type BuiltChain, type SplitDriver, UNWRITTEN } from './driver.ts'
import { Medium } from './medium.ts'
import { type BlkAsk, type BlkRequest, blkRequest, plainRequest, quickRequest, statusName } from './requests.ts'

const features = [BLK_FEATURE.RO, BLK_FEATURE.FLUSH, BLK_FEATURE.MQ].reduce(
  (bits, feature) => bits | (1n << BigInt(feature)),
  0n,
)

/** Requests that mean something, with the medium watched. */
export const blkKind = (machine: Machine): DeviceKind => {
  const medium = new Medium(machine.scope.sectors!, machine.scope.contents!)
  let run = 0
  let config: ReadConfig = () => 0
  let known: number | undefined
  /** In sectors, read where a request of this run needs it. */
  const capacity = (): number => {
    known ??= config(BLK_CONFIG.capacity)
    return known
  }
  return {
    features,
    plain: plainRequest('virtio-blk')!(),
    quick: quickRequest('virtio-blk')!,
    restart(readConfig) {
      medium.restart(++run)
      config = readConfig
      known = undefined
    },
    remembers: () => [run, medium.learnt, known],
    request({ request, sector, content }: Args) {
      const kind = request as BlkRequest
      const data = medium.pattern(sector as number, content as number)
      return blkRequest(kind, sector as number, data, capacity)
    },
    readReturn(driver: SplitDriver, chain: BuiltChain | undefined, len: number): Args {
      if (chain === undefined) return { status: 'other', content: undefined, padded: true, overstated: false }
      const bytes = driver.writableBytes(chain)
      const whole = bytes.length === chain.request.writableBytes
      const status = whole ? statusName(bytes.at(-1)!, UNWRITTEN) : 'unset'
      const { kind, sector } = chain.request as Partial<BlkAsk>
      const data = bytes.subarray(0, -1)
      const content = kind === 'read' && status === 'ok' ? medium.recognise(sector!, data) : undefined
      const padded = kind !== 'getId' || status !== 'ok' || isPadded(data)
      // A failed request and an incomplete identification have laws of their own.
      const isAllCounted = status === 'ioerr' || status === 'unsupp' || !padded
      const overstated = len > chain.filled
      return { status, content, padded, overstated, ...(isAllCounted ? { filled: bytes.length } : {}) }
    },
  }
}

/** A string with nothing but zeros behind it. */
const isPadded = (data: Uint8Array): boolean => {
  const end = data.indexOf(0)
  const string = end < 0 ? data : data.subarray(0, end)
  return !string.includes(UNWRITTEN) && (end < 0 || data.subarray(end).every((byte) => byte === 0))
}

/** Requests of any device type, about whose meaning the machine says nothing. */
export const plainKind = (kind: string): DeviceKind => {
  const plain = plainRequest(kind)!()
  return {
    features: kind === 'virtio-blk' ? features : 0n,
    plain,
    quick: quickRequest(kind) ?? plain,
    restart: () => undefined,
    request: () => plain,
    readReturn: () => ({}),
  }
}
