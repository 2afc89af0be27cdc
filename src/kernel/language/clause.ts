/** What a clause rests on; only the first two are words of a standard. */
export type Basis = 'normative' | 'recommendation' | 'derived' | 'hardening'

/** The key word of the requirement, RFC 2119. */
export type Strength = 'MUST' | 'MUST NOT' | 'SHOULD' | 'SHOULD NOT' | 'MAY'

/** How surely the wording stands for its source; see `spec/clauses/README.md`. */
export type Confidence = 'checked' | 'source-read' | 'from-knowledge'

/** One requirement: what a law of a machine appeals to, and what a verdict names. */
export interface Clause {
  /** Stable name, for example `VIO-NTF-01`. */
  readonly id: string
  readonly area: 'virtqueue' | 'interrupt' | 'emulated' | 'dma' | 'migration'
  /** Standard and version that was read, for example `VIRTIO 1.4`; `iospec` for what this suite adds. */
  readonly source: string
  /** Section in that version; it may name several. */
  readonly section: string
  /** Label of the block in the source of the standard, which outlives its number. */
  readonly label?: string
  /** First version of the standard that has it; it never convicts a device of an older one. */
  readonly since: string
  /** Whose duty it is. */
  readonly duty: string
  readonly strength: Strength
  readonly basis: Basis
  readonly confidence: Confidence
  /** Our own wording, one sentence. */
  readonly requirement: string
  /** What one would watch to see it kept or broken. */
  readonly observable?: string
  /** Public reports of implementations that broke it, as `owner/repository#number`. */
  readonly evidence?: readonly string[]
  /** What was wrong in an earlier wording. */
  readonly corrected?: string
  readonly notes?: string
}
