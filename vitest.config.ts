import { defineConfig } from 'vitest/config'

const endToEnd = 'test/**/*.e2e.test.ts'

export default defineConfig({
  test: {
    setupFiles: ['test/setup.ts'],
    // Processes, not threads: some tests block in reads of a child, which no thread could be ended in.
    pool: 'forks',
    // Files share a process: to load the project for each of them takes as long as many tests.
    isolate: false,
    // Much of the time is spent waiting for children: with one CPU less than there are, half of it would be idle.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts', 'properties/**/*.test.ts'],
          exclude: ['**/node_modules/**', endToEnd],
        },
      },
      // What is shipped, as people meet it: the program, the package, the examples, the tutorial, campaigns on QEMU.
      { extends: true, test: { name: 'e2e', include: [endToEnd] } },
    ],
  },
})
