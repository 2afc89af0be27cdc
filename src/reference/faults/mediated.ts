/** Faults of a driver that mediates between guests and a device. */
import { mediatedBoard } from '../assigned/mediated-board.ts'
import { correctMediation, type MediatedParts } from '../assigned/mediated-parts.ts'
import { boardFault, type Fault } from './fault.ts'

interface MediatedFault<Name extends keyof MediatedParts> extends Pick<Fault, 'id' | 'difficulty' | 'what'> {
  readonly replaces: Name
  readonly part: MediatedParts[Name]
}

const fault = <Name extends keyof MediatedParts>({ replaces, part, ...what }: MediatedFault<Name>): Fault =>
  boardFault(mediatedBoard, {
    ...what,
    area: 'dma',
    replaces: `mediated.${replaces}`,
    install(parts) {
      parts[replaces] = part
    },
  })

const { translate, findFree } = correctMediation()

export const mediatedFaults: readonly Fault[] = [
  fault({
    id: 'dma-mediated-command-read-twice',
    difficulty: 'medium',
    what: 'Addresses are made from the command in memory, not from the copy that was checked: a guest that changes it meanwhile reaches other frames.',
    replaces: 'frameOf',
    part: (vm, reread) => {
      const { page } = reread()
      return vm.homes[page + vm.touched] ?? page
    },
  }),
  fault({
    id: 'dma-mediated-direction-read-twice',
    difficulty: 'medium',
    what: 'The direction is read from the command again when the device is told.',
    replaces: 'directionOf',
    part: (_vm, reread) => reread().write,
  }),
  fault({
    id: 'dma-mediated-first-page-checked',
    difficulty: 'shallow',
    what: 'Only the first page of a command is checked; the others follow it in memory, whoever has them.',
    replaces: 'translate',
    part(vm, command) {
      const first = translate(vm, { ...command, pages: 1 })?.[0]
      return first === undefined ? undefined : Array.from({ length: command.pages }, (_, at) => first + at)
    },
  }),
  fault({
    id: 'dma-mediated-page-number-as-frame',
    difficulty: 'shallow',
    what: 'A page that the VM does not have is taken for a frame of that number.',
    replaces: 'translate',
    part: (vm, { page, pages }) => Array.from({ length: pages }, (_, at) => vm.homes[page + at] ?? page + at),
  }),
  fault({
    id: 'dma-mediated-page-not-pinned',
    difficulty: 'medium',
    what: 'A page is taken back while a command uses it.',
    replaces: 'isPinned',
    part: () => false,
  }),
  fault({
    id: 'dma-mediated-second-page-not-pinned',
    difficulty: 'deep',
    what: 'Of the frames of a command only the first is held.',
    replaces: 'isPinned',
    part: (vms, frame) => vms.some(({ stage, frames }) => stage === 'running' && frames[0] === frame),
  }),
  fault({
    id: 'dma-mediated-done-too-early',
    difficulty: 'medium',
    what: 'A command of several pages is reported as done after the first.',
    replaces: 'isOver',
    part: (vm) => vm.touched > 0,
  }),
  fault({
    id: 'dma-mediated-frame-given-twice',
    difficulty: 'shallow',
    what: 'The search for a free frame leaves the last VM out.',
    replaces: 'findFree',
    part: (vms, frames) => findFree(vms.slice(0, -1), frames),
  }),
]
