/** An interrupt of a controller as the message that carries it to the local APICs. */
import type { Delivery, TargetEvent } from '../../contract/index.ts'
import { DELIVERIES, MESSAGE, MESSAGE_DATA } from '../../layout/lapic.ts'

type Message = Extract<TargetEvent, { kind: 'interrupt' }>
const CODES: readonly (Delivery | undefined)[] = DELIVERIES

export const addressOf = ({ destination, logical }: Message): number =>
  (MESSAGE.base | (destination << MESSAGE.destination) | (logical ? MESSAGE.logical : 0)) >>> 0
export const dataOf = ({ vector, delivery, level }: Message): number =>
  vector | (CODES.indexOf(delivery) << MESSAGE_DATA.delivery) | (level ? MESSAGE_DATA.level | MESSAGE_DATA.assert : 0)
