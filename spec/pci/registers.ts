/**
 * The registers of a PCI function: command, base addresses, power state, function-level reset.
 *
 * Configuration reads are answered at once, so a question and its answer need no state in between. One base address is
 * followed, the one of the virtio common configuration: it is at `home` or `away`, and is asked for at either place.
 */
import { machine, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** Weight of a read: plans take an action that changes nothing far less often than others. */
export const READ = 3

const place = t.oneOf('home', 'away')
const power = t.oneOf('D0', 'D3hot')

/** What other parts may borrow. */
export const registerState = {
  /** `up`: addresses, command and device are set up. `raw`: a reset has erased that. */
  phase: t.oneOf('up', 'raw'),
  decode: t.flag,
  master: t.flag,
  intxOff: t.flag,
  power,
  /** A function-level reset has begun and is not yet seen to be complete. */
  resetting: t.flag,
  /** Optional capabilities that the function turned out to have. */
  hasMessages: t.flag,
  /**
   * Bus mastering was off since the device was started: PCI does not say whether a device goes on by itself once it is
   * on again, so that nothing is owed before it was set up anew.
   */
  stalled: t.flag,
}
type Registers = {
  readonly phase: 'up' | 'raw'
  readonly decode: boolean
  readonly power: 'D0' | 'D3hot'
  readonly resetting: boolean
}

/** Set up, awake, and not being reset: it can be told to interrupt. */
export const isUp = (s: Registers): boolean => s.phase === 'up' && s.power === 'D0' && !s.resetting
/** Its registers behind a base address can be reached as well. */
export const isReachable = (s: Registers): boolean => isUp(s) && s.decode

const setUp = (s: {
  phase: string
  decode: boolean
  master: boolean
  intxOff: boolean
  stalled: boolean
  place: string
}) => {
  s.phase = 'up'
  s.decode = s.master = true
  s.intxOff = s.stalled = false
  s.place = 'home'
}

export const registers = () =>
  machine({
    source: 'PCI 3.0; PCI PM 1.2; PCIe 2.0',
    state: {
      ...registerState,
      place,
      /** D0 was written and it is not yet known whether the function keeps its registers. */
      waking: t.flag,
      hasPower: t.flag,
      hasReset: t.flag,
    },
    initial(s) {
      s.decode = s.master = true
    },
    actions: {
      'device.introduce': {
        does: 'Shows which optional capabilities it has: MSI-X, power management, function-level reset.',
        args: { messages: t.flag, power: t.flag, reset: t.flag },
        when: (s) => !s.hasMessages && !s.hasPower && !s.hasReset,
        effect(s, { messages, power, reset }) {
          s.hasMessages = messages
          s.hasPower = power
          s.hasReset = reset
        },
        eager: (s) =>
          s.hasMessages || s.hasPower || s.hasReset ? undefined : { messages: true, power: true, reset: true },
      },
      'driver.setUp': {
        does: 'Writes base addresses and command, programs the MSI-X table masked, and starts the device.',
        weight: 12,
        when: (s) => s.phase === 'raw' && s.power === 'D0' && !s.waking && !s.resetting,
        effect: setUp,
      },
      'driver.restart': {
        does: 'Sets everything up once more, after bus mastering was off.',
        weight: 1.5,
        when: (s) => isUp(s) && s.stalled,
        effect: setUp,
      },
      'driver.setCommand': {
        args: { decode: t.flag, master: t.flag, intxOff: t.flag },
        weight: 3,
        when: (s) => isUp(s),
        effect(s, { decode, master, intxOff }) {
          s.decode = decode
          s.master = master
          s.intxOff = intxOff
          if (!master) s.stalled = true
        },
      },
      'driver.readStatus': { does: 'Reads the virtio device status.', weight: READ, when: (s) => isReachable(s) },
      'device.answerStatus': {
        args: { running: t.flag },
        requires: {
          keepsRunning: {
            clause: clause('VIO-STAT-16'),
            given: (s) => isReachable(s),
            holds: (_s, { running }) => running,
          },
        },
      },
      'driver.readCommand': { weight: READ, when: (s) => !s.resetting && !s.waking },
      'device.answerCommand': {
        args: { decode: t.flag, master: t.flag, intxOff: t.flag },
        requires: {
          keepsWhatWasWritten: {
            clause: clause('PCI-CFG-03'),
            given: (s) => s.phase === 'up',
            holds: (s, { decode, master }) => decode === s.decode && master === s.master,
          },
          keepsInterruptDisable: {
            clause: clause('PCI-CFG-10'),
            given: (s) => s.phase === 'up',
            holds: (s, { intxOff }) => intxOff === s.intxOff,
          },
          zeroAfterReset: {
            clause: clause('PCI-FLR-01'),
            given: (s) => s.phase === 'raw',
            holds: (_s, { decode, master, intxOff }) => !decode && !master && !intxOff,
          },
        },
      },
      'driver.moveBar': {
        args: { to: place },
        weight: 2,
        when: (s, { to }) => isUp(s) && s.place !== to,
        effect: (s, { to }) => void (s.place = to),
      },
      'driver.touch': {
        does: 'Reads a register of the common configuration at one of the two places.',
        args: { at: place },
        weight: 3 * READ,
        when: (s) => !s.resetting && !s.waking,
      },
      'device.answerTouch': {
        args: { at: place, claims: t.flag },
        requires: {
          answersWhereItWasPut: {
            clause: clause('PCI-BAR-04'),
            given: (s) => isReachable(s),
            holds: (s, { at, claims }) => claims === (s.place === at),
          },
          silentWithoutDecoding: {
            clause: clause('PCI-CFG-04'),
            given: (s) => isUp(s) && !s.decode,
            holds: (_s, { claims }) => !claims,
          },
          silentAsleep: {
            clause: clause('PCI-PM-02'),
            given: (s) => s.power === 'D3hot',
            holds: (_s, { claims }) => !claims,
          },
          silentAfterReset: {
            clause: clause('PCI-FLR-01'),
            given: (s) => s.phase === 'raw' && s.power === 'D0',
            holds: (_s, { claims }) => !claims,
          },
        },
      },
      'driver.probeBars': {
        does: 'Writes all ones to each base address, reads it and restores it.',
        weight: READ,
        when: (s) => isUp(s),
        requires: { decodingIsOff: { clause: clause('PCI-BAR-06'), holds: (s) => !s.decode } },
      },
      'device.answerProbe': {
        args: { sizes: t.flag, types: t.flag, upperHalves: t.flag, unimplemented: t.flag, restored: t.flag },
        requires: {
          sizesArePowersOfTwo: { clause: clause('PCI-BAR-01'), holds: (_s, { sizes }) => sizes },
          typeBitsStay: { clause: clause('PCI-BAR-02'), holds: (_s, { types }) => types },
          upperHalvesTakeAllBits: { clause: clause('PCI-BAR-03'), holds: (_s, { upperHalves }) => upperHalves },
          othersReadZero: { clause: clause('PCI-BAR-05'), holds: (_s, { unimplemented }) => unimplemented },
          addressesAreKept: { clause: clause('PCI-BAR-08'), holds: (_s, { restored }) => restored },
        },
      },
      'driver.inspect': {
        does: 'Writes to read-only registers, then reads them and walks along the capability list.',
        weight: READ,
        when: (s) => !s.resetting && !s.waking,
      },
      'device.answerInspection': {
        args: { identity: t.flag, list: t.flag },
        requires: {
          identityIsReadOnly: { clause: clause('PCI-CFG-01'), holds: (_s, { identity }) => identity },
          listIsSound: { clause: clause('PCI-CFG-07'), holds: (_s, { list }) => list },
        },
      },
      'driver.resetFunction': {
        does: 'Initiates a function-level reset.',
        weight: 0.5,
        when: (s) => s.hasReset && isUp(s),
        effect(s) {
          s.resetting = true
          s.phase = 'raw'
          s.decode = s.master = s.intxOff = s.stalled = false
        },
      },
      'device.finishReset': {
        does: 'Answers configuration reads and shows no transaction pending.',
        when: (s) => s.resetting,
        effect: (s) => void (s.resetting = false),
        eager: (s) => (s.resetting ? {} : undefined),
      },
      'device.answerIdle': {
        does: 'Whether it did anything when bus mastering came on after a function-level reset, before it was started.',
        args: { idle: t.flag },
        requires: {
          nothingOfBefore: { clause: clause('PCI-FLR-02'), holds: (_s, { idle }) => idle, safety: true },
        },
      },
      'device.access': {
        does: 'Reads or writes guest memory.',
        requires: {
          mastering: { clause: clause('SAF-13'), given: (s) => isUp(s), holds: (s) => s.master, safety: true },
          awake: { clause: clause('PCI-PM-02'), holds: (s) => s.power === 'D0', safety: true },
          afterSetUp: { clause: clause('PCI-FLR-02'), holds: (s) => s.phase === 'up' || s.resetting, safety: true },
        },
      },
      'driver.setPower': {
        args: { to: power },
        weight: 0.5,
        when: (s, { to }) => s.hasPower && !s.resetting && !s.waking && s.power !== to,
        effect(s, { to }) {
          s.power = to
          s.waking = to === 'D0'
        },
      },
      'device.wake': {
        does: 'Is back in D0; without No_Soft_Reset that was a reset.',
        args: { reset: t.flag },
        when: (s) => s.waking,
        effect(s, { reset }) {
          s.waking = false
          if (!reset) return
          s.phase = 'raw'
          s.decode = s.master = s.intxOff = s.stalled = false
        },
        eager: (s) => (s.waking ? { reset: true } : undefined),
      },
      'driver.readPower': { weight: READ, when: (s) => s.hasPower && !s.resetting && !s.waking },
      'device.answerPower': {
        args: { state: power },
        requires: { readsItsState: { clause: clause('PCI-PM-01'), holds: (s, { state }) => state === s.power } },
      },
    },
    owes: {
      'device.finishReset': { clause: clause('PCI-FLR-05'), when: (s) => s.resetting },
    },
    goals: {
      aMovedFunction: { on: 'driver.touch', when: (s) => isReachable(s) && s.place === 'away' },
      aDeafFunction: { on: 'driver.touch', when: (s) => isUp(s) && !s.decode },
      aProbedFunction: { on: 'driver.probeBars' },
      anAwakenedFunction: { on: 'driver.setPower', when: (s) => s.power === 'D3hot' },
      aResetFunction: { on: 'driver.resetFunction' },
    },
  })
