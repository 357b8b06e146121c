import { defineConfig } from 'vitest/config';

/** Two suites: `unit` is pure and runs in milliseconds; `engine` starts real engines, processes, ports or a browser. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: ['**/*.engine.test.ts', 'node_modules/**'],
          environment: 'node',
          testTimeout: 10_000,
        },
      },
      {
        test: {
          name: 'engine',
          include: ['**/*.engine.test.ts'],
          exclude: ['node_modules/**'],
          environment: 'node',
          pool: 'forks',
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
