export { bugId, canonicalForm } from './canonical.ts'
export { type Minimality, type MinimalOptions, proveMinimal } from './minimal.ts'
export { type ShrinkOptions, type Shrunk, sameFailure, shrink } from './shrink.ts'
export { lengthOf } from './steps.ts'
