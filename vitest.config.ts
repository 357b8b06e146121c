import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

/**
 * graphql as Node itself resolves it: vitest would take its build for development, a second copy that knows none of the
 * types of the first one, which the packages load.
 */
const resolve = {
  alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }],
};

/** Two suites: `unit` is pure and runs in milliseconds; `engine` starts real engines, processes, ports or a browser. */
export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: ['**/*.engine.test.ts', 'node_modules/**'],
          environment: 'node',
          testTimeout: 10_000,
        },
      },
      {
        resolve,
        test: {
          name: 'engine',
          include: ['**/*.engine.test.ts'],
          exclude: ['node_modules/**'],
          environment: 'node',
          pool: 'forks',
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
