import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'properties/**/*.test.ts'],
    // A process each: some tests block in reads of a child, which no thread could be ended in.
    pool: 'forks',
    // Much of the time is spent waiting for children: with one CPU less than there are, half of it would be idle.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
