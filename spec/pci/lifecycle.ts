/**
 * The life of a PCI function: set up, told what it may do, put to sleep, reset. Every machine of a function has this part.
 */
import { type ErasedBody, machine, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'

/** Weight of a read: plans take an action that changes nothing far less often than others. */
export const READ = 3

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
/** What has to do with power. */
export const optionState = {
  hasPower: t.flag,
  /** D0 was written and it is not yet known whether the function keeps its registers. */
  waking: t.flag,
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

const setUp = (s: { phase: string; decode: boolean; master: boolean; intxOff: boolean; stalled: boolean }) => {
  s.phase = 'up'
  s.decode = s.master = true
  s.intxOff = s.stalled = false
}

export const lifecycle = () =>
  machine({
    source: 'PCI 3.0; PCI PM 1.2; PCIe 2.0',
    state: { ...registerState, ...optionState, hasReset: t.flag },
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
    },
    owes: {
      'device.finishReset': { clause: clause('PCI-FLR-05'), when: (s) => s.resetting },
    },
    goals: {
      anAwakenedFunction: { on: 'driver.setPower', when: (s) => s.power === 'D3hot' },
      aResetFunction: { on: 'driver.resetFunction' },
    },
  })

/** A driver that broke a duty is owed nothing until it has reset the function; the laws of safety stay. */
export const afterABreach: ErasedBody = {
  source: 'PCI 3.0',
  state: { broken: t.flag },
  actions: {
    'driver.resetFunction': { effect: (s: { broken: boolean }) => void (s.broken = false) },
  },
  breach: (s: { broken: boolean }) => void (s.broken = true),
  unspecified: (s: { broken: boolean }) => s.broken,
}
