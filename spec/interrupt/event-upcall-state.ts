/** What guest and hypervisor share about events, and what each of them is in the middle of. */
import { type Bits, type ReadonlyCells, t } from '../../src/kernel/language/index.ts'

/** How upcalls are delivered. */
export const paths = t.oneOf('interrupt', 'callback')

export const upcallState = (ports: number, words: number) => {
  const port = t.id('port', ports)
  const some = t.set(ports)
  const word = t.below(words)
  return {
    /** Both ends of each channel are the guest's. */
    ports: t.array(
      ports,
      t.record({
        is: t.oneOf('free', 'unbound', 'bound'),
        peer: t.maybe(port),
        word,
        pending: t.flag,
        masked: t.flag,
      }),
    ),
    selected: t.set(words),
    marked: t.flag,
    /** Ends whose other end was closed, until they are bound again or closed. Where there are more than two ports. */
    left: some,
    /** The guest has unmasked a port by itself, and has not gone on since; it went on without looking. The same. */
    unmasked: t.flag,
    careless: t.flag,
    /** How the upcall is delivered; the interrupt flag, which holds callbacks back. */
    path: t.oneOf('none', 'interrupt', 'callback'),
    enabled: t.flag,
    /** The call in progress, the port that it is about, and whether it can be carried out. */
    call: t.oneOf('none', 'open', 'bind', 'close', 'send', 'unmask', 'path', 'status'),
    about: t.maybe(port),
    valid: t.flag,
    /** Ports that it may announce; those that it has to; a pending bit or a mask that it still has to change. */
    announces: some,
    owed: some,
    toChange: t.flag,
    /** The call in progress has set a pending bit. */
    pended: t.flag,
    /** The upcall may be marked; it has to be. The same of an interrupt. */
    mayMark: t.flag,
    owesMark: t.flag,
    mayTell: t.flag,
    owesTell: t.flag,
    /** The guest has taken the mark and is about to look at the selector; words that it looks through; ports that it looks at. */
    entered: t.flag,
    scan: t.set(words),
    recheck: some,
  }
}

interface Port {
  readonly is: 'free' | 'unbound' | 'bound'
  readonly word: number
  readonly pending: boolean
  readonly masked: boolean
}

/** A port that the guest knows the number of. */
export const isKnown = (
  s: { readonly ports: ReadonlyCells<Port>; readonly call: string; readonly about: number | undefined },
  port: number,
): boolean => s.ports.at(port).is !== 'free' && !(s.about === port && (s.call === 'open' || s.call === 'bind'))

interface Setup {
  readonly marked: boolean
  call: 'none' | 'open' | 'bind' | 'close' | 'send' | 'unmask' | 'path' | 'status'
  valid: boolean
  path: 'none' | 'interrupt' | 'callback'
  mayTell: boolean
  owesTell: boolean
}

/** An interrupt may come of it in any case, and has to where the mark is there already. */
export const choose = (s: Setup, path: 'interrupt' | 'callback'): void => {
  s.call = 'path'
  s.valid = true
  s.path = path
  if (path !== 'interrupt') return
  s.mayTell = true
  s.owesTell = s.marked
}

/** Whether one of these ports has its bit in that word. */
export const announced = (s: { readonly ports: ReadonlyCells<Port> }, set: Bits, word: number): boolean =>
  s.ports.some((port, i) => set.has(i) && port.word === word)
