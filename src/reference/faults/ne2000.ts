/** Faults of the NE2000. */
import { NE_INTERRUPT, NE_WRITE } from '../../layout/ne2000.ts'
import type { Ne2000Parts } from '../emulated/ne2000.ts'
import { ne2000Board } from '../emulated/ne2000-board.ts'
import { boardFault, type Fault } from './fault.ts'

/** Each replaces one part, named first. */
const fault = (
  id: string,
  difficulty: Fault['difficulty'],
  replaces: keyof Ne2000Parts,
  what: string,
  wrong: Partial<Ne2000Parts>,
): Fault =>
  boardFault(ne2000Board, {
    id: `emu-ne2000-${id}`,
    area: 'emulated',
    difficulty,
    what,
    replaces: `ne2000.${replaces}`,
    install: (parts: Ne2000Parts) => void Object.assign(parts, wrong),
  })

export const ne2000Faults: readonly Fault[] = [
  fault(
    'clear-overwrites',
    'shallow',
    'afterClear',
    'A write to the interrupt status takes the value as it is, instead of clearing the bits that are one in it.',
    { afterClear: (_interrupts, written) => written },
  ),
  fault('clear-clears-all', 'shallow', 'afterClear', 'A write to the interrupt status clears all of its bits.', {
    afterClear: () => 0,
  }),
  fault('mask-ignored', 'shallow', 'isAsserted', 'The interrupt line ignores the mask.', {
    isAsserted: ({ interrupts }) => (interrupts & 0x7f) !== 0,
  }),
  fault(
    'mask-change-unseen',
    'medium',
    'isAsserted',
    'A mask that is lifted does not let a pending interrupt through, only a new one does.',
    { isAsserted: ({ interrupts, mask, line }) => (interrupts & mask & (line ? 0x7f : NE_INTERRUPT.RECEIVED)) !== 0 },
  ),
  fault('remote-done-missing', 'shallow', 'isRemoteDone', 'The end of remote DMA is not told.', {
    isRemoteDone: () => false,
  }),
  fault('remote-done-early', 'medium', 'isRemoteDone', 'The end of remote DMA is told with its first word.', {
    isRemoteDone: () => true,
  }),
  fault('remote-within-a-page', 'medium', 'nextAddress', 'Remote DMA does not leave the page in which it began.', {
    nextAddress: (address, width) => (address & 0xff00) | ((address + width) & 0xff),
  }),
  fault('transmission-untold', 'shallow', 'tellsTransmission', 'The end of a transmission is not told.', {
    tellsTransmission: () => false,
  }),
  fault('reception-untold', 'shallow', 'tellsReception', 'A packet that was received is not told.', {
    tellsReception: () => false,
  }),
  fault('accepts-others', 'medium', 'accepts', 'Packets to other addresses are received without promiscuous mode.', {
    accepts: () => true,
  }),
  fault('broadcasts-always', 'medium', 'accepts', 'Broadcasts are received although AB is clear.', {
    accepts: ({ registers, address }, packet) =>
      (registers[NE_WRITE.receive]! & 0x10) !== 0 ||
      packet.subarray(0, 6).every((byte) => byte === 0xff) ||
      packet.subarray(0, 6).every((byte, at) => byte === address[at]),
  }),
  fault('receives-stopped', 'medium', 'mayReceive', 'A controller that is stopped receives all the same.', {
    mayReceive: ({ overflowed }) => !overflowed,
  }),
  fault(
    'boundary-ignored',
    'medium',
    'room',
    'The boundary is not looked at: a full ring is written over, and unread packets are lost.',
    { room: () => 0x100 },
  ),
  fault('overflow-untold', 'medium', 'tellsOverflow', 'A packet for which there is no room is dropped without OVW.', {
    tellsOverflow: () => false,
  }),
  fault(
    'stores-past-the-end',
    'deep',
    'nextPage',
    'A packet that reaches PSTOP goes on behind the ring instead of at PSTART.',
    { nextPage: (_state, page) => page + 1 },
  ),
  fault(
    'next-past-the-end',
    'deep',
    'nextPacket',
    'The page of the next packet is PSTOP instead of PSTART where a packet ends exactly there.',
    {
      nextPacket({ registers }, page) {
        const start = registers[NE_WRITE.ringStart]!
        const stop = registers[NE_WRITE.ringStop]!
        return page > stop ? start + (page - stop) : page
      },
    },
  ),
  fault('count-without-header', 'medium', 'headerCount', 'The count in the header leaves its own four bytes out.', {
    headerCount: (bytes) => bytes,
  }),
  fault('reset-keeps-mask', 'medium', 'afterReset', 'A reset leaves the mask, and with it the line as it was.', {
    afterReset: (state) => void (state.interrupts |= NE_INTERRUPT.RESET),
  }),
  fault('reset-untold', 'shallow', 'afterReset', 'A reset does not set RST.', {
    afterReset: (state) => void (state.mask = 0),
  }),
]
