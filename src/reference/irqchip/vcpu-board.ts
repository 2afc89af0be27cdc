import type { BoardDesign } from '../boards.ts'
import { Vcpu } from './vcpu.ts'
import { correctVcpu, type VcpuParts } from './vcpu-parts.ts'

export const vcpuBoard: BoardDesign<VcpuParts> = {
  name: 'vcpu',
  summary: 'a virtual CPU: messages in, handlers out',
  parts: () => ({ ...correctVcpu }),
  wire: (parts) => ({ memory: [{ start: 0, end: 0x1000 }], build: (board) => [new Vcpu(parts, board)] }),
}
