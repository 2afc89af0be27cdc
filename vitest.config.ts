import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'properties/**/*.test.ts'],
    // A process each: some tests block in reads of a child, which no thread could be ended in.
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
