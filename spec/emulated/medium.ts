/** What holds the data of a drive, behind it: it may be slow, and it may fail. */

interface Medium {
  /** It answers no more. */
  stalled: boolean
  /** It fails, once. */
  failing: boolean
}

/** Its actions upon a state that says whether it is free: nothing that was asked is still to be answered. */
export const backend = <S extends Readonly<Medium>>(
  isFree: (s: S) => boolean,
  failure: { readonly weight: number; readonly when: (s: S) => boolean },
) => ({
  'backend.hold': {
    does: 'The medium answers no more.',
    weight: 2,
    when: (s: S) => !s.stalled && isFree(s),
    effect: (s: Medium) => void (s.stalled = true),
  },
  'backend.release': {
    weight: 6,
    when: (s: S) => s.stalled && isFree(s),
    effect: (s: Medium) => void (s.stalled = false),
  },
  'backend.fail': {
    does: 'The next thing that the medium is asked for fails.',
    weight: failure.weight,
    when: (s: S) => !s.failing && failure.when(s),
    effect: (s: Medium) => void (s.failing = true),
  },
})
