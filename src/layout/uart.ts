/** Registers of a 16550 serial port, as offsets from its base (PC16550D, "Registers"), and the bits of each. */

/** With the divisor latch access bit set, offsets 0 and 1 are the divisor latch. */
export const UART = {
  data: 0,
  enable: 1,
  /** Read: what interrupts. Written: control of the FIFOs. */
  identification: 2,
  fifoControl: 2,
  line: 3,
  modem: 4,
  lineStatus: 5,
  modemStatus: 6,
  scratch: 7,
  divisorLow: 0,
  divisorHigh: 1,
} as const

export const UART_PORTS = 8
/** Bytes that a FIFO holds. */
export const FIFO_BYTES = 16
/** Received bytes that interrupt, by the two trigger bits. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const
export const TRIGGER_SHIFT = 6
/** Input of the divider, in Hz; a bit takes sixteen of its output. */
export const CLOCK_HZ = 1_843_200
/** Time without a read and without a byte, in characters, after which what is in the FIFO interrupts. */
export const TIMEOUT_CHARACTERS = 4

/** Bit numbers of the enable register. */
export const ENABLE = { data: 0, empty: 1, status: 2, modem: 3 } as const
/** Low four bits of the identification register. */
export const CAUSE = { modem: 0x0, none: 0x1, empty: 0x2, data: 0x4, status: 0x6, timeout: 0xc } as const
export const CAUSE_MASK = 0x0f
/** High bits of the identification register while the FIFOs are on. */
export const FIFOS_ON = 0xc0

export const FIFO = { on: 0x01, clearReceiver: 0x02, clearTransmitter: 0x04 } as const

/** Bits of the line control register: word length, stop bits, parity, divisor latch. */
export const LINE = { eightBits: 0x03, twoStopBits: 0x04, parity: 0x08, divisorLatch: 0x80 } as const

/** Bit numbers of the modem control register. */
export const MODEM = { terminalReady: 0, requestToSend: 1, out1: 2, out2: 3, loop: 4 } as const

/** Bits of the line status register. */
export const LINE_STATUS = {
  dataReady: 0x01,
  overrun: 0x02,
  otherErrors: 0x9c,
  holdingEmpty: 0x20,
  transmitterEmpty: 0x40,
} as const

/** Bit numbers of the modem status register: changes of the inputs, then the inputs in the same order. */
export const MODEM_STATUS = { clearToSend: 0, dataSetReady: 1, ring: 2, carrier: 3 } as const
export const INPUTS_SHIFT = 4
