/** What a printer port and the printer behind it decide, each part for a fault to replace. */
import { CONTROL, CONTROL_MASK, PRINTER } from '../../layout/parport.ts'

export interface ParportState {
  data: number
  control: number
  /** The printer has a byte that it has not acknowledged. */
  busy: boolean
  /** The back end keeps what it gets. */
  held: boolean
}

export const isSet = (control: number, bit: number): boolean => ((control >>> bit) & 1) === 1

export const correctParport = () => ({
  /** A write of the control register strobes a byte into the printer. */
  strobes: (before: number, after: number): boolean =>
    isSet(after, CONTROL.strobe) &&
    !isSet(before, CONTROL.strobe) &&
    isSet(after, CONTROL.run) &&
    isSet(after, CONTROL.select),
  status: ({ busy, control }: ParportState): number =>
    PRINTER.noError |
    PRINTER.noAcknowledge |
    (isSet(control, CONTROL.select) ? PRINTER.selected : 0) |
    (busy ? 0 : PRINTER.notBusy),
  /** The acknowledge pulse of the printer reaches the line. */
  interrupts: ({ control }: ParportState): boolean => isSet(control, CONTROL.interrupt),
  setData(s: ParportState, value: number): void {
    s.data = value
  },
  readControl: ({ control }: ParportState): number => control | (~CONTROL_MASK & 0xff),
  /** The printer is reset: it forgets the byte that it has, and acknowledges nothing. */
  initialise(s: ParportState): void {
    s.busy = false
  },
  reset: (_s: ParportState): ParportState => idle(),
})
export type ParportParts = ReturnType<typeof correctParport>

export const idle = (): ParportState => ({ data: 0, control: 0, busy: false, held: false })
