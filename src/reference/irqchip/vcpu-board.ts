import type { BoardDesign } from '../boards.ts'
import { Vcpu } from './vcpu.ts'
import { correctVcpu, type VcpuParts } from './vcpu-parts.ts'

export const vcpuBoard: BoardDesign<VcpuParts> = {
  name: 'vcpu',
  summary: 'a virtual CPU: messages in, handlers out',
  parts: () => ({ ...correctVcpu }),
  wire: (parts) => ({ build: (board) => [new Vcpu(parts, board)] }),
}
