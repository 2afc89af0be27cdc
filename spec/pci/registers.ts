/**
 * The registers of a PCI function, as they read: command, base addresses, power state, identification.
 *
 * Configuration reads are answered at once, so a question and its answer need no state in between. One base address is
 * followed, the one of the virtio common configuration: it is at `home` or `away`, and is asked for at either place.
 */
import { part, t } from '../../src/kernel/language/index.ts'
import { clause } from '../clauses/index.ts'
import { isReachable, isUp, optionState, READ, registerState } from './lifecycle.ts'

const place = t.oneOf('home', 'away')

export const registers = () =>
  part({
    source: 'PCI 3.0; PCI PM 1.2; PCIe 2.0',
    borrows: { ...registerState, ...optionState },
    state: { place },
    actions: {
      'driver.setUp': { effect: (s) => void (s.place = 'home') },
      'driver.restart': { effect: (s) => void (s.place = 'home') },
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
      'driver.readPower': { weight: READ, when: (s) => s.hasPower && !s.resetting && !s.waking },
      'device.answerPower': {
        args: { state: registerState.power },
        requires: { readsItsState: { clause: clause('PCI-PM-01'), holds: (s, { state }) => state === s.power } },
      },
    },
    goals: {
      aMovedFunction: { on: 'driver.touch', when: (s) => isReachable(s) && s.place === 'away' },
      aDeafFunction: { on: 'driver.touch', when: (s) => isUp(s) && !s.decode },
      aProbedFunction: { on: 'driver.probeBars' },
    },
  })
