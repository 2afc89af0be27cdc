/** How a pair of 8259As is initialised: as firmware does it, word by word, and by sequences that are broken off. */
import { part, t } from '../../src/kernel/language/index.ts'
import { isKnown } from './pic-chip.ts'
import {
  after,
  afterWord,
  begin,
  COMMANDS,
  chips,
  endAll,
  initialiseAll,
  isReady,
  type Mode,
  modes,
  type PicScope,
  pairState,
  type SeenPair,
  setBase,
  setMode,
  triggerModes,
  type Which,
} from './pic-wire.ts'

export const setUps = (scope: PicScope) => {
  const has = (kind: number): boolean => (scope.commands & kind) !== 0
  const { initialisation, sequences } = COMMANDS
  /** 0x70, where there are so many. */
  const slaveBase = Math.min(14, scope.bases - 1)
  const base = t.below(scope.bases)
  /** The low bits of ICW2, which mean nothing. */
  const low = t.below(8)
  /** What would only make the walk longer is left to what is played. */
  const isWhole = scope.bases > 2
  /** Special mask mode has nothing to change. */
  const isBare = (s: SeenPair, chip: Which): boolean =>
    isWhole && scope.selectsRequests === 1 && isReady(s, chip) && isKnown(s[chip]) && s[chip].served.isEmpty
  /** Of the set-up: edges, as on every PC, unless the scope has none. */
  const trigger = (scope.triggers & 1) !== 0 ? 'edge' : 'level'
  /** What a scope is about. */
  const isChosen = (trigger: 'edge' | 'level', mode: Mode): boolean =>
    (scope.triggers & (trigger === 'edge' ? 1 : 2)) !== 0 &&
    (scope.modes & { plain: 1, nested: 2, autoEoi: 4 }[mode]) !== 0
  return part({
    source: 'Intel 8259A',
    borrows: {},
    state: pairState(scope.bases),
    actions: {
      'driver.setUp': {
        does: 'Initialises both chips, the slave first, and ends all that may be in service, as firmware does.',
        args: { mode: modes },
        weight: 60,
        when: (s, { mode }) =>
          s.asked === 'nothing' && s.master.phase === 'off' && s.slave.phase === 'off' && isChosen(trigger, mode),
        effect(s, { mode }) {
          for (const chip of ['slave', 'master'] as const) {
            begin(s, chip, { level: trigger === 'level', single: false, icw4: true }, scope)
            setMode(s[chip], mode === 'nested' && chip === 'slave' ? 'plain' : mode)
            s[chip].base = chip === 'slave' ? slaveBase : 1 % scope.bases
            afterWord(s, chip, scope)
            endAll(s[chip])
            after(s, chip, scope)
          }
        },
      },
      'driver.initialiseMaster': {
        does: 'ICW1 to ICW4, as an x86 processor needs them; `anew`: special mask mode was on, and reads were of what is in service.',
        args: { trigger: triggerModes, mode: modes, base, low, anew: t.flag },
        weight: 2,
        when: (s, { trigger, mode, low, anew }) =>
          has(initialisation) &&
          s.asked === 'nothing' &&
          isChosen(trigger, mode) &&
          (low === 0 || isWhole) &&
          (!anew || isBare(s, 'master')),
        effect: (s, { trigger, mode, ...vectors }) =>
          initialiseAll(s, 'master', trigger === 'level', mode, vectors, scope),
      },
      'driver.initialiseSlave': {
        does: 'The same for the slave. Special fully nested mode is one of masters.',
        args: { trigger: triggerModes, mode: modes, base, low, anew: t.flag },
        weight: 1.5,
        when: (s, { trigger, mode, low, anew }) =>
          has(initialisation) &&
          s.asked === 'nothing' &&
          mode !== 'nested' &&
          isChosen(trigger, mode) &&
          (low === 0 || isWhole) &&
          (!anew || isBare(s, 'slave')),
        effect: (s, { trigger, mode, ...vectors }) =>
          initialiseAll(s, 'slave', trigger === 'level', mode, vectors, scope),
      },
      'driver.initialiseShort': {
        does: 'Initialises a chip in a mode, and at once again by ICW1 to ICW3: no ICW4 is one of all zeros.',
        args: { chip: chips, trigger: triggerModes, mode: modes, base },
        weight: 0.7,
        when: (s, { chip, trigger, mode }) =>
          isWhole &&
          has(sequences) &&
          s.asked === 'nothing' &&
          isChosen(trigger, mode) &&
          (mode !== 'nested' || chip === 'master'),
        effect(s, { chip, trigger, mode, base }) {
          initialiseAll(s, chip, trigger === 'level', mode, { base, low: 0 }, scope)
          begin(s, chip, { level: trigger === 'level', single: false, icw4: false }, scope)
          setBase(s[chip], { base, low: 0 }, scope)
          s[chip].phase = 'ready'
          afterWord(s, chip, scope)
        },
      },
      'driver.beginInitialisation': {
        does: 'ICW1, whatever comes after it: a sequence may have two, three or four words, or be broken off.',
        args: { chip: chips, trigger: triggerModes, single: t.flag, icw4: t.flag },
        weight: 0.5,
        when: (s) => has(sequences) && s.asked === 'nothing',
        effect: (s, { chip, trigger, ...words }) => begin(s, chip, { level: trigger === 'level', ...words }, scope),
      },
      'driver.setBase': {
        does: 'ICW2; its low three bits mean nothing.',
        args: { chip: chips, base, low },
        weight: 12,
        when: (s, { chip }) => s.asked === 'nothing' && s[chip].phase === 'icw2',
        effect(s, { chip, ...vectors }) {
          setBase(s[chip], vectors, scope)
          s[chip].phase = !s[chip].single ? 'icw3' : s[chip].wantsIcw4 ? 'icw4' : 'ready'
          afterWord(s, chip, scope)
        },
      },
      'driver.setCascade': {
        does: 'ICW3, as the board is wired.',
        args: { chip: chips },
        weight: 12,
        when: (s, { chip }) => s.asked === 'nothing' && s[chip].phase === 'icw3',
        effect(s, { chip }) {
          s[chip].phase = s[chip].wantsIcw4 ? 'icw4' : 'ready'
          afterWord(s, chip, scope)
        },
      },
      'driver.setMode': {
        does: 'ICW4, in 8086 mode. Special fully nested mode is one of masters.',
        args: { chip: chips, mode: modes },
        weight: 12,
        when: (s, { chip, mode }) =>
          s.asked === 'nothing' && s[chip].phase === 'icw4' && (mode !== 'nested' || chip === 'master'),
        effect(s, { chip, mode }) {
          setMode(s[chip], mode)
          afterWord(s, chip, scope)
        },
      },
    },
    goals: {
      halfASequence: { on: 'driver.beginInitialisation', when: (s, { chip }) => s[chip].phase !== 'ready' },
      anInitialisationInService: { on: 'driver.initialiseMaster', when: (s) => !s.master.served.isEmpty },
      anInitialisationOfADirtyChip: {
        on: 'driver.initialiseMaster',
        when: ({ master }, { trigger }) => master.lowest !== 7 && trigger === 'level' && master.high.size > 2,
      },
    },
  })
}
