/** What is shown while work goes on: a region that is redrawn on a terminal, a line now and then elsewhere. */
import { createLogUpdate } from 'log-update'
import type { Context } from './command.ts'

/** A region is redrawn at most so often; where lines stay, one comes at most so often. */
const REDRAW_MS = 100
const LINE_MS = 30_000

export interface Live {
  show(lines: readonly string[]): void
  /** Takes the region away, before something is printed for good. */
  clear(): void
}

const nothing: Live = { show: () => {}, clear: () => {} }

/** `silent`: nothing at all, as for `--json` and `--quiet`. */
export const liveRegion = (context: Pick<Context, 'live' | 'complain' | 'onExit'>, silent: boolean): Live => {
  if (silent) return nothing
  let at = Number.NEGATIVE_INFINITY
  const due = (everyMs: number): boolean => {
    const now = performance.now()
    if (now - at < everyMs) return false
    at = now
    return true
  }
  if (!context.live) {
    // The first line would only say that something begins.
    at = performance.now()
    return {
      show: (lines) => {
        if (due(LINE_MS)) context.complain(lines.join('  '))
      },
      clear: () => {},
    }
  }
  const region = createLogUpdate(process.stdout)
  const clear = (): void => {
    region.clear()
    region.done()
  }
  context.onExit(clear)
  return {
    show: (lines) => {
      if (due(REDRAW_MS)) region(lines.join('\n'))
    },
    clear,
  }
}
