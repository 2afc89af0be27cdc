import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'properties/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    // Processes, not threads: some tests block in reads of a child, which no thread could be ended in.
    pool: 'forks',
    // Files share a process: to load the project for each of them takes as long as many tests.
    isolate: false,
    // Much of the time is spent waiting for children: with one CPU less than there are, half of it would be idle.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
