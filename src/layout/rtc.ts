/** The clock of a PC (Motorola MC146818): an index port, a data port, and registers behind them. */

export const RTC = { index: 0x70, data: 0x71 } as const
export const RTC_BYTES = 128

export const CLOCK = {
  seconds: 0,
  secondsAlarm: 1,
  minutes: 2,
  minutesAlarm: 3,
  hours: 4,
  hoursAlarm: 5,
  weekday: 6,
  day: 7,
  month: 8,
  year: 9,
  a: 10,
  b: 11,
  c: 12,
  d: 13,
} as const

/** Register A. */
export const RATE = 0x0f
export const DIVIDER = { mask: 0x70, running: 0x20 } as const
export const UPDATING = 0x80
/** Register B; the three enables stand where register C has the flags. */
export const REGISTER_B = { set: 0x80, squareWave: 0x08, binary: 0x04, hours24: 0x02 } as const
export const FLAG = { periodic: 0x40, alarm: 0x20, update: 0x10 } as const
export const FLAGS = 0x70
export const REQUEST = 0x80
/** Register D: the battery is good. */
export const VALID = 0x80
/** An alarm byte from here on matches everything. */
export const ANY = 0xc0
export const AFTERNOON = 0x80
