/** virtio-blk behind the queue models. */
import type { Args, Machine } from '../../kernel/language/machine.ts'
import { BLK_FEATURE } from '../../layout/blk.ts'
import type { DeviceKind } from './device-kind.ts'
import { type BuiltChain, type SplitDriver, UNWRITTEN } from './driver.ts'
import { Medium } from './medium.ts'
import { type BlkRequest, blkRequest, plainRequest, quickRequest, statusName } from './requests.ts'

const features = [BLK_FEATURE.RO, BLK_FEATURE.FLUSH, BLK_FEATURE.MQ].reduce(
  (bits, feature) => bits | (1n << BigInt(feature)),
  0n,
)

/** Requests that mean something, with the medium watched. */
export const blkKind = (machine: Machine): DeviceKind => {
  const medium = new Medium(machine.scope.sectors!, machine.scope.contents!)
  const asked = new WeakMap<BuiltChain['request'], { readonly kind: BlkRequest; readonly sector: number }>()
  let run = 0
  return {
    features,
    plain: plainRequest('virtio-blk')!(),
    quick: quickRequest('virtio-blk')!,
    restart: () => medium.restart(++run),
    remembers: () => [run, medium.learnt],
    request({ request, sector, content }: Args) {
      const kind = request as BlkRequest
      const built = blkRequest(kind, sector as number, medium.pattern(sector as number, content as number))
      asked.set(built, { kind, sector: sector as number })
      return built
    },
    readReturn(driver: SplitDriver, chain: BuiltChain | undefined): Args {
      if (chain === undefined) return { status: 'other', content: undefined, padded: true }
      const bytes = driver.writableBytes(chain)
      const whole = bytes.length === chain.request.writableBytes
      const status = whole ? statusName(bytes.at(-1)!, UNWRITTEN) : 'unset'
      const { kind, sector } = asked.get(chain.request) ?? {}
      const data = bytes.subarray(0, -1)
      const content = kind === 'read' && status === 'ok' ? medium.recognise(sector!, data) : undefined
      const padded = kind !== 'getId' || status !== 'ok' || isPadded(data)
      // A failed request leaves its data unwritten and its status written: how that is counted is left open. What an
      // identification lacks has a law of its own.
      const isAllCounted = status === 'ioerr' || status === 'unsupp' || !padded
      return { status, content, padded, ...(isAllCounted ? { filled: bytes.length } : {}) }
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
