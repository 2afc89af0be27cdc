/** Faults of the pair of 8259s. */
import { CASCADE_INPUT, OCW2 } from '../../layout/i8259.ts'
import { highest } from '../irqchip/i8259.ts'
import { correctPair, type I8259PairParts } from '../irqchip/i8259-pair.ts'
import { picBoard } from '../irqchip/pic-board.ts'
import { boardFault, type Fault } from './fault.ts'

interface PicFault<Name extends keyof I8259PairParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  /** What takes the place of the part. */
  readonly part: I8259PairParts[Name]
}

const fault = <Name extends keyof I8259PairParts>({ replaces, part, ...what }: PicFault<Name>): Fault =>
  boardFault(picBoard, {
    ...what,
    area: 'interrupt',
    replaces: `pic.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const { setPin, holding, take, initialise, setSpecialMask, end } = correctPair()

export const picFaults: readonly Fault[] = [
  fault({
    id: 'irq-pic-master-ack-before-slave',
    difficulty: 'medium',
    what: 'The master does not see the INT of the slave fall in an acknowledge, so that a second request of the slave makes no edge and waits for another event.',
    replaces: 'afterTake',
    part: () => {},
  }),
  fault({
    id: 'irq-pic-level-and-edge-latch-confused',
    difficulty: 'medium',
    what: 'A level input that stays asserted is not requested again after its acknowledge.',
    replaces: 'requests',
    part: (chip) => chip.pins & chip.armed,
  }),
  fault({
    id: 'irq-pic-poll-without-request-bit',
    difficulty: 'shallow',
    what: 'The answer to a poll is the bare level, without the bit that says that there is a request.',
    replaces: 'pollAnswer',
    part: (level) => level ?? 0,
  }),
  fault({
    id: 'irq-pic-poll-enters-no-service',
    difficulty: 'medium',
    what: 'A poll takes the request away without setting the bit in service.',
    replaces: 'takePolled',
    part: (chip, level) => void (chip.armed &= ~(1 << level)),
  }),
  fault({
    id: 'irq-pic-special-mask-eoi-ends-masked',
    difficulty: 'deep',
    what: 'In special mask mode a non-specific EOI ends the highest level in service although it is masked.',
    replaces: 'toEnd',
    part: (chip) => highest(chip, chip.inService),
  }),
  fault({
    id: 'irq-pic-special-mask-ignored',
    difficulty: 'deep',
    what: 'Special mask mode is accepted and changes nothing: a masked level in service holds back what is below it.',
    replaces: 'holding',
    part: (chip) => chip.inService,
  }),
  fault({
    id: 'irq-pic-special-fully-nested-lets-lower-through',
    difficulty: 'deep',
    what: 'In special fully nested mode the slave in service does not count at all, so that master inputs below it interrupt.',
    replaces: 'holding',
    part: (chip, place) => holding(chip, place) & ~(chip.specialFullyNested ? place.slaves : 0),
  }),
  fault({
    id: 'irq-pic-special-fully-nested-ignored',
    difficulty: 'deep',
    what: 'A slave in service is locked out in special fully nested mode as in the plain one.',
    replaces: 'passesItself',
    part: () => false,
  }),
  fault({
    id: 'irq-pic-rotation-forgotten',
    difficulty: 'medium',
    what: 'Rotate on EOI ends the interrupt and leaves the priorities as they are.',
    replaces: 'end',
    part: (chip, level) => end(chip, level, false),
  }),
  fault({
    id: 'irq-pic-eoi-in-fixed-order',
    difficulty: 'deep',
    what: 'A non-specific EOI looks for the lowest number in service, whatever the priorities are.',
    replaces: 'toEnd',
    part: (chip) => highest({ ...chip, lowest: 7 }, chip.inService & ~(chip.specialMask ? chip.mask : 0)),
  }),
  fault({
    id: 'irq-pic-auto-eoi-leaves-in-service',
    difficulty: 'medium',
    what: 'In automatic EOI mode the bit in service stays set after an acknowledge.',
    replaces: 'take',
    part(chip, level) {
      take(chip, level)
      chip.inService |= 1 << level
    },
  }),
  fault({
    id: 'irq-pic-rotates-without-auto-eoi',
    difficulty: 'medium',
    what: 'Rotation in automatic EOI mode works in every mode: each acknowledge makes its level the lowest.',
    replaces: 'take',
    part(chip, level) {
      take(chip, level)
      if (chip.rotateInAutoEoi) chip.lowest = level
    },
  }),
  fault({
    id: 'irq-pic-elcr-masked-with-itself',
    difficulty: 'shallow',
    what: 'A write to the ELCR is masked with what it held, so that a bit written twice is cleared.',
    replaces: 'setTrigger',
    part: (chip, value, place) => void (chip.trigger = value & place.triggerLines & ~chip.trigger),
  }),
  fault({
    id: 'irq-pic-elcr-takes-reserved-lines',
    difficulty: 'shallow',
    what: 'Lines that are always edge-triggered on a PC can be made level-triggered.',
    replaces: 'setTrigger',
    part: (chip, value) => void (chip.trigger = value),
  }),
  fault({
    id: 'irq-pic-spurious-enters-service',
    difficulty: 'medium',
    what: 'An acknowledge that finds no request sets the in-service bit of level 7.',
    replaces: 'takeNothing',
    part: (chip) => void (chip.inService |= 0x80),
  }),
  fault({
    id: 'irq-pic-slave-eoi-ends-master',
    difficulty: 'medium',
    what: 'A non-specific EOI to the slave ends its input of the master too.',
    replaces: 'alsoWrites',
    part: ({ master }, value) => {
      if ((value & 0xf8) === OCW2.EOI) end(master.state, CASCADE_INPUT, false)
    },
  }),
  fault({
    id: 'irq-pic-cascade-not-withdrawn',
    difficulty: 'deep',
    what: 'A request of the slave that is masked or withdrawn stays requested at the master.',
    replaces: 'follow',
    part(pair) {
      if (pair.slave.requested !== undefined) pair.setCascade(true)
    },
  }),
  fault({
    id: 'irq-pic-icw1-keeps-mask',
    difficulty: 'medium',
    what: 'ICW1 leaves the mask register as it is.',
    replaces: 'initialise',
    part(chip, icw1) {
      const { mask } = chip
      initialise(chip, icw1)
      chip.mask = mask
    },
  }),
  fault({
    id: 'irq-pic-icw1-keeps-edges',
    difficulty: 'medium',
    what: 'ICW1 leaves edges latched that nobody acknowledged.',
    replaces: 'initialise',
    part(chip, icw1) {
      const { armed } = chip
      initialise(chip, icw1)
      chip.armed = armed
    },
  }),
  fault({
    id: 'irq-pic-icw1-keeps-priorities',
    difficulty: 'deep',
    what: 'ICW1 leaves the level of the lowest priority as rotation left it.',
    replaces: 'initialise',
    part(chip, icw1) {
      const { lowest } = chip
      initialise(chip, icw1)
      chip.lowest = lowest
    },
  }),
  fault({
    id: 'irq-pic-icw1-level-bit-ignored',
    difficulty: 'medium',
    what: 'The level bit of ICW1 is ignored, as in later chipsets: all inputs stay edge-triggered.',
    replaces: 'initialise',
    part: (chip, icw1) => initialise(chip, icw1 & ~0x08),
  }),
  fault({
    id: 'irq-pic-masked-request-forgotten',
    difficulty: 'shallow',
    what: 'An edge on a masked input is not latched, so that nothing is requested when the mask goes.',
    replaces: 'setPin',
    part(chip, pin, level) {
      setPin(chip, pin, level)
      if (level && ((chip.mask >>> pin) & 1) === 1) chip.armed &= ~(1 << pin)
    },
  }),
  fault({
    id: 'irq-pic-vector-with-low-bits',
    difficulty: 'medium',
    what: 'The low three bits of ICW2 are added to the level.',
    replaces: 'vector',
    part: (chip, level) => (chip.base + level) & 0xff,
  }),
  fault({
    id: 'irq-pic-special-mask-write-selects-requests',
    difficulty: 'medium',
    what: 'An OCW3 without RR makes the command port read the request register again.',
    replaces: 'setSpecialMask',
    part(chip, on) {
      setSpecialMask(chip, on)
      chip.readsInService = false
    },
  }),
]
