/** What is used of the engine's WebAssembly, which may be missing. */

/** Memory that threads may share. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer
}

interface Engine {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => WasmMemory
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (
    module: object,
    imports: { env: { memory: WasmMemory } },
  ) => { readonly exports: Readonly<Record<string, unknown>> }
}

export const engine = (globalThis as unknown as { readonly WebAssembly?: Engine }).WebAssembly
