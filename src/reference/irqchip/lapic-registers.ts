/** The registers of a local APIC: what reading and writing each of them does. */
import { CAN_SUPPRESS, COMMAND, ERROR, FORMAT, LAPIC, LVT, SHORTHANDS, SPURIOUS } from '../../layout/lapic.ts'
import type { Lapics } from './lapic.ts'
import { type EntryName, isEnabled, type LapicState, modeOf } from './lapic-state.ts'

/** An integrated APIC with six entries in its local vector table. */
const VERSION = 0x14 | (5 << 16) | CAN_SUPPRESS
const SPURIOUS_BITS = 0xff | SPURIOUS.enabled | SPURIOUS.suppressBroadcast

const TABLE: Readonly<Record<number, { readonly name: EntryName; readonly bits: number }>> = {
  [LAPIC.timer]: { name: 'timer', bits: LVT.vector | LVT.masked | (3 << LVT.timerMode) },
  [LAPIC.thermal]: { name: 'thermal', bits: LVT.vector | (7 << LVT.delivery) | LVT.masked },
  [LAPIC.performance]: { name: 'performance', bits: LVT.vector | (7 << LVT.delivery) | LVT.masked },
  [LAPIC.lint0]: { name: 'lint0', bits: LVT.vector | (7 << LVT.delivery) | LVT.activeLow | LVT.level | LVT.masked },
  [LAPIC.lint1]: { name: 'lint1', bits: LVT.vector | (7 << LVT.delivery) | LVT.activeLow | LVT.level | LVT.masked },
  [LAPIC.error]: { name: 'error', bits: LVT.vector | LVT.masked },
}

/** Sets of vectors, eight registers each. */
const SETS = [
  [LAPIC.inService, 'isr'],
  [LAPIC.triggerMode, 'tmr'],
  [LAPIC.request, 'irr'],
] as const

/** Reserved registers read as zero, which is an error in xAPIC mode. */
export const readRegister = (chip: Lapics, apic: LapicState, cpu: number, offset: number): number => {
  const { parts } = chip.options
  const wide = apic.mode === 'x2apic'
  const entry = TABLE[offset]
  if (entry !== undefined) return apic[entry.name]
  for (const [base, name] of SETS) if (offset >= base && offset < base + 0x80) return apic[name][(offset - base) >> 4]!
  switch (offset) {
    case LAPIC.id:
      return wide ? cpu : (cpu << 24) >>> 0
    case LAPIC.version:
      return VERSION
    case LAPIC.taskPriority:
      return apic.taskPriority
    case LAPIC.processorPriority:
      return parts.priority(apic)
    case LAPIC.logicalDestination:
      return wide ? ((cpu >> 4) << 16) | (1 << (cpu & 15)) : apic.logicalId
    case LAPIC.destinationFormat:
      return apic.format
    case LAPIC.spurious:
      return apic.spurious
    case LAPIC.errorStatus:
      return parts.shownErrors(apic)
    case LAPIC.command:
      return apic.command
    case LAPIC.commandHigh:
      return apic.commandHigh
    case LAPIC.initialCount:
      return apic.initialCount
    case LAPIC.currentCount:
      return chip.countLeft(apic)
    case LAPIC.divide:
      return apic.divide
    case LAPIC.endOfInterrupt:
      return 0
    default:
      reserved(chip, apic)
      return 0
  }
}

export const writeRegister = (chip: Lapics, apic: LapicState, cpu: number, offset: number, value: number): void => {
  const { parts } = chip.options
  const wide = apic.mode === 'x2apic'
  const entry = TABLE[offset]
  if (entry !== undefined) {
    const before = modeOf(apic)
    apic[entry.name] = parts.entryWritten(apic, value & entry.bits)
    // A deadline and a count mean nothing to each other.
    if ((before === 'deadline') !== (modeOf(apic) === 'deadline')) apic.expires = 0
    return
  }
  switch (offset) {
    case LAPIC.taskPriority:
      apic.taskPriority = value & 0xff
      return
    case LAPIC.endOfInterrupt:
      chip.endOfInterruptOf(apic, cpu)
      return
    case LAPIC.logicalDestination:
      if (!wide) apic.logicalId = (value & 0xff00_0000) >>> 0
      return
    case LAPIC.destinationFormat:
      if (!wide) apic.format = (value | FORMAT.cluster) >>> 0
      return
    case LAPIC.spurious: {
      apic.spurious = value & SPURIOUS_BITS
      if (!isEnabled(apic)) parts.disable(apic)
      return
    }
    case LAPIC.errorStatus:
      apic.errorStatus = apic.errors
      apic.errors = 0
      return
    case LAPIC.command:
      apic.command = value & 0xc_cfff
      chip.command(apic, cpu, value, wide ? apic.commandHigh : apic.commandHigh >>> 24)
      return
    case LAPIC.commandHigh:
      if (wide) return
      apic.commandHigh = value >>> 0
      return
    case LAPIC.initialCount:
      if (modeOf(apic) === 'deadline') return
      apic.initialCount = value >>> 0
      chip.startTimer(apic)
      return
    case LAPIC.divide:
      apic.divide = value & 0xb
      return
    case LAPIC.selfIpi:
      if (wide) chip.command(apic, cpu, (value & 0xff) | (SHORTHANDS.indexOf('self') << COMMAND.shorthand), 0)
      else reserved(chip, apic)
      return
    default:
      reserved(chip, apic)
  }
}

const reserved = (chip: Lapics, apic: LapicState): void => {
  if (apic.mode === 'xapic') chip.fail(apic, ERROR.illegalRegister)
}
