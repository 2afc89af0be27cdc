/** The door `log:`: a recorded trace, judged without anything being driven. */
import { type Door, TargetError } from '../contract/target.ts'

export const logDoor: Door = {
  scheme: 'log',
  summary: 'a recorded trace, judged and not driven: log:./trace.jsonl',
  async open(rest) {
    throw new TargetError('address', `log:${rest}: a log is judged by a campaign; it cannot be driven`)
  },
}
