import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { TargetError } from '../../src/contract/index.ts'
import { openError, openTarget } from './open-target.ts'
import { qemuMissing } from './require-qemu.ts'
import { ScriptedDriver } from './scripted-driver.ts'

/** Folders that this process keeps for QEMU. */
function folders(): string[] {
  const places = ['/dev/shm', tmpdir()].filter((place) => existsSync(place))
  return places.flatMap((place) => readdirSync(place)).filter((name) => name.startsWith(`iospec-qemu-${process.pid}-`))
}

function caught(action: () => unknown): TargetError {
  try {
    action()
  } catch (error) {
    if (error instanceof TargetError) return error
    throw error
  }
  throw new Error('expected a TargetError, found none')
}

/** Whether a process exists, other than as one that nobody has collected yet. */
function runs(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')
  } catch {
    return false
  }
}

describe('qemu: addresses', () => {
  test.each([
    ['virtio-blk?binary=/nowhere/qemu', /no program \/nowhere\/qemu; install QEMU \(Debian: .*qemu-system-x86\)/],
    ['virtio-blk?binary=qemu-that-is-not-there', /not in PATH; install QEMU/],
    ['virtio-blk?speed=1', /unknown option 'speed', expected one of binary, iothread/],
    ['virtio-blk?numQueues=many', /numQueues expects a number from 1 to 16, found 'many'/],
    ['virtio-blk?iothread=perhaps', /iothread expects 1 or 0, found 'perhaps'/],
    ['virtio-blk-mmio?iothread=1', /virtio-blk-mmio does not have the option iothread: QEMU has ioeventfd/],
    ['virtio-disk', /unknown machine 'virtio-disk', expected one of virtio-blk, virtio-blk-mmio/],
  ])('%s is refused in one line', async (rest, message) => {
    const error = await openError(rest)
    expect(error).toMatchObject({ name: 'TargetError', reason: 'address' })
    expect(error.message).toMatch(message)
    expect(error.message).not.toContain('\n')
    expect(folders()).toEqual([])
  })
})

describe.skipIf(qemuMissing !== undefined)('qemu: life and death', () => {
  test('a QEMU that refuses its flags is quoted', async () => {
    const error = await openError('virtio-blk?queueSize=5')
    expect(error).toMatchObject({
      reason: 'start',
      message: expect.stringMatching(/exited with status 1 .*queue-size/),
    })
    expect(folders()).toEqual([])
  })

  test('a program that exits at once, and one that never answers, are refused with their last words', async () => {
    const place = mkdtempSync(join(tmpdir(), 'iospec-test-program-'))
    try {
      const program = join(place, 'not-qemu')
      writeFileSync(program, '#!/bin/sh\nprintf "first\\nlast \\033[31mwords\\n" >&2\nexit 3\n')
      chmodSync(program, 0o755)
      const exited = await openError(`virtio-blk?binary=${program}`)
      expect(exited.message).toBe('qemu: exited with status 3 before it answered: last ?[31mwords')
      expect(exited).toMatchObject({ reason: 'start', lastWords: 'first\nlast \u001b[31mwords' })
      writeFileSync(program, '#!/bin/sh\nexec sleep 1000\n')
      let pid = 0
      const silent = await openError(`virtio-blk?binary=${program}`, {
        timeoutMs: 300,
        onProcessGroup: (group) => (pid = group),
      })
      expect(silent).toMatchObject({ reason: 'start', message: 'qemu: no answer within 1200 ms of its start' })
      expect(pid).toBeGreaterThan(0)
      await expect.poll(() => runs(pid), { timeout: 10_000 }).toBe(false)
      expect(folders()).toEqual([])
    } finally {
      rmSync(place, { recursive: true })
    }
  })

  test('nothing is left behind: neither files while it runs, nor a process afterwards', async () => {
    let pid = 0
    const target = await openTarget('virtio-blk', { onProcessGroup: (group) => (pid = group) })
    expect(runs(pid)).toBe(true)
    expect(folders()).toEqual([])
    target.close()
    target.close()
    expect(runs(pid)).toBe(false)
    await sleep(50)
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    expect(caught(() => target.events()).reason).toBe('poisoned')
  })

  test('death is told with its signal and the last words', async () => {
    let pid = 0
    const target = await openTarget('virtio-blk', { onProcessGroup: (group) => (pid = group) })
    const driver = new ScriptedDriver(target)
    // A head outside the ring: QEMU says so and stops the device.
    driver.publishHead(999)
    driver.kick()
    target.settle(5)
    process.kill(pid, 'SIGABRT')
    const error = caught(() => {
      for (;;) target.read({ space: 'port', address: 0x80 }, 1)
    })
    expect(error.reason).toBe('dead')
    expect(error.message).toMatch(/the process was ended by signal 6/)
    expect(error.lastWords).toContain('999')
    expect(target.settle(0)).toBe('dead')
    expect(caught(() => target.load(0x200000, 4))).toBeInstanceOf(Object)
  })

  test('a hang that the watchdog ended is told as a hang, also when asked again', async () => {
    let pid = 0
    let beats = 0
    const target = await openTarget('virtio-blk', {
      onProcessGroup: (group) => (pid = group),
      heartbeat: () => beats++,
      killed: () => true,
    })
    process.kill(pid, 'SIGSTOP')
    spawn('sh', ['-c', `sleep 0.2; kill -KILL -${pid}`], { stdio: 'ignore' })
    const before = beats
    expect(caught(() => target.read({ space: 'port', address: 0x80 }, 1)).reason).toBe('hang')
    // Before and after the write, before and after the read.
    expect(beats - before).toBe(4)
    expect(caught(() => target.read({ space: 'port', address: 0x80 }, 1)).reason).toBe('hang')
  })
})
