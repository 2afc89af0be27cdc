/** Every kind of unit that can be driven. */
import type { UnitKind } from './unit.ts'
import { amdUnit } from './unit-amd.ts'
import { virtioUnit } from './unit-virtio.ts'
import { vtdUnit } from './unit-vtd.ts'

export const unitKinds: readonly UnitKind[] = [vtdUnit, amdUnit, virtioUnit]
