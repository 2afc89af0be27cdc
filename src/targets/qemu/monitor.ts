/** QEMU's machine protocol (QMP), spoken synchronously over a pipe, and the human monitor behind it. */

import { TargetError } from '../../contract/index.ts'
import type { LinePipe } from './pipe.ts'

interface Answer {
  readonly return?: unknown
  readonly error?: { readonly desc?: unknown }
  readonly event?: unknown
}

export class Monitor {
  readonly #pipe: LinePipe

  /** `pipe` has already been greeted and has its capabilities negotiated. */
  constructor(pipe: LinePipe) {
    this.#pipe = pipe
  }

  /** Runs one command and returns its result. */
  run(command: string, parameters: object = {}): unknown {
    this.#send(command, parameters)
    return this.#result(command)
  }

  /** Runs commands of the human monitor in one go and returns what each of them printed. */
  runHuman(commands: readonly string[]): string[] {
    for (const command of commands) this.#send('human-monitor-command', { 'command-line': command })
    return commands.map((command) => String(this.#result(command)))
  }

  /** Runs one command and waits for an event besides its result. */
  runUntil(event: string, command: string): void {
    this.#send(command, {})
    for (let owed = 2; owed > 0; ) {
      const answer = this.#answer()
      if (answer.error !== undefined) throw refused(command, answer)
      if (answer.return !== undefined || answer.event === event) owed--
    }
  }

  #send(command: string, parameters: object): void {
    this.#pipe.send(`${JSON.stringify({ execute: command, arguments: parameters })}\n`)
  }

  #result(command: string): unknown {
    for (;;) {
      const answer = this.#answer()
      if (answer.error !== undefined) throw refused(command, answer)
      if (answer.return !== undefined) return answer.return
    }
  }

  #answer(): Answer {
    const line = this.#pipe.line()
    try {
      return JSON.parse(line) as Answer
    } catch {
      throw new TargetError(
        'protocol',
        `qemu: expected JSON from the monitor, found ${JSON.stringify(line.slice(0, 200))}`,
      )
    }
  }
}

function refused(command: string, answer: Answer): TargetError {
  return new TargetError('protocol', `qemu: the monitor refused '${command}': ${String(answer.error?.desc)}`)
}
