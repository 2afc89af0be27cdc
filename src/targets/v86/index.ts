/**
 * The door `v86:`, to the virtio devices and interrupt controllers of the PC emulator v86, an npm package that runs in the calling thread.
 *
 * Addresses: `v86:virtio-9p` (also plain `v86:`), `v86:virtio-console`, `v86:virtio-net`, `v86:virtio-balloon`. Each
 * instance is a PC with that one virtio device; its processor never runs, and the harness plays the guest.
 *
 * Facts that a driver or a model needs (v86 0.5.462):
 *
 * - Found by PCI configuration mechanism 1 at bus 0, function 0 of device 6 (9P), 10 (net), 11 (balloon), 12 (console).
 *   Base addresses 0 to 3 are I/O ports, assigned from the start: common configuration, notification, ISR, device
 *   configuration. There is no MSI-X. A register answers at its natural width only; command register writes count when
 *   they are 8 or 16 bits wide.
 * - `queue_notify_off` is multiplied by 2. The value written names the queue; 9P ignores every value but 0.
 * - Split rings only. 9P offers RING_INDIRECT_DESC and RING_EVENT_IDX beside VERSION_1 and its mount tag, the others
 *   neither. Queues: 9P 32; net 1024, 1024, 16; balloon 32, 32, 2, 64; console 16 four times, then 16, 8 three times.
 * - Ring areas below 4 GiB and not at address 0. The 64-bit fields take two 32-bit writes.
 * - A kick is served before the write returns. Used entries of 9P and console are published one by one, those of net and
 *   balloon once a kick.
 * - The 9P back end is the door's own: Tversion is answered with Rversion, anything else with Rlerror, cut to the
 *   writable bytes of the chain. It can be held, released in any order and made to fail.
 *
 * `v86:pic` is the pair of 8259s, bare; see the folder `pic`. Its INT output cannot be seen.
 *
 * Accesses to guest memory and the interrupt line are seen exactly. An exception out of the device is the end of the
 * target (`dead`), and so is work that does not end (`hang`).
 */

import { type Door, type OpenOptions, type Target, TargetError } from '../../contract/target.ts'
import { NinePBackend } from './backend.ts'
import { V86PicTarget } from './pic/target.ts'
import { DEVICES, type DeviceName, installedPackage, loadPackage, type Package, startEmulator } from './start.ts'
import { type Device, EXPECTED_VERSION, INSTALL, probe, probeProcessor } from './surface.ts'
import { V86Target } from './target.ts'
import { Watch } from './watch.ts'

const PIC = 'pic'
const DEFAULT_DEVICE: DeviceName = 'virtio-9p'

/** v86 draws the address of its network card at random; equal instances are worth more here. */
const MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]

/** A door that gets the package from `load`. */
export function v86DoorWith(load: () => Promise<Package>): Door {
  return {
    scheme: 'v86',
    summary: 'the PC emulator v86, in process: v86:virtio-9p, -console, -net, -balloon, v86:pic',
    open: (rest, options) => open(rest === '' ? DEFAULT_DEVICE : rest, options, load),
  }
}

let installed: Promise<Package> | undefined

export const v86Door: Door = v86DoorWith(() => {
  installed ??= installedPackage()
  return installed
})

async function open(name: string, options: OpenOptions, load: () => Promise<Package>): Promise<Target> {
  if (name === PIC) return openPic(options, load)
  if (!isDeviceName(name)) {
    throw new TargetError(
      'address',
      `v86 has no device ${JSON.stringify(name)}; it has ${[...Object.keys(DEVICES), PIC].join(', ')}`,
    )
  }
  const v86 = await loadPackage(load)
  const backend = name === 'virtio-9p' ? new NinePBackend() : undefined
  let printed = ''
  const log = (text: string) => {
    printed = text
  }
  const emulator = await startEmulator(v86, {
    options: DEVICES[name].options,
    backend,
    timeoutMs: options.timeoutMs,
    log,
  })
  try {
    const surface = probe(emulator, DEVICES[name].key, v86.version)
    if (name === 'virtio-net') Object.assign(surface.device, { mac: Uint8Array.from(MAC) } satisfies Partial<NetDevice>)
    backend?.attach(surface)
    const watch = new Watch(name, surface.device.virtio)
    const { version } = v86
    const { heartbeat } = options
    return new V86Target({ name, version, emulator, surface, watch, backend, heartbeat, printed: () => printed })
  } catch (error) {
    emulator.destroy().catch(() => {})
    if (error instanceof TargetError) throw error
    const problem = `v86 ${v86.version} does not behave as version ${EXPECTED_VERSION} does (${error}): ${INSTALL}`
    throw new TargetError('start', problem.replaceAll(/\s+/g, ' '))
  }
}

/** The interrupt controllers alone, with no virtio device beside them. */
async function openPic(options: OpenOptions, load: () => Promise<Package>): Promise<Target> {
  const v86 = await loadPackage(load)
  const emulator = await startEmulator(v86, {
    ...{ options: {}, backend: undefined, timeoutMs: options.timeoutMs },
    log: () => {},
  })
  try {
    const { version } = v86
    return new V86PicTarget({ version, emulator, cpu: probeProcessor(emulator, version), heartbeat: options.heartbeat })
  } catch (error) {
    emulator.destroy().catch(() => {})
    throw error
  }
}

interface NetDevice extends Device {
  mac: Uint8Array
}

function isDeviceName(name: string): name is DeviceName {
  return Object.hasOwn(DEVICES, name)
}
