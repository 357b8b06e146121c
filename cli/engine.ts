import { once } from 'node:events';
import { join } from 'node:path';
import { defineCommand } from 'citty';
import { startEngine } from '../store/clickhouse/engine/supervisor.ts';
import { lockDirectory } from '../store/lock.ts';
import { commonFlags, configOf, EXIT, exitCodeOf } from './flags.ts';
import { createLogger } from './logger.ts';

export default defineCommand({
  meta: {
    name: 'engine',
    description:
      "Serve ClickHouse's HTTP interface from the embedded engine alone, on loopback, until SIGTERM",
  },
  args: {
    ...commonFlags,
    port: {
      type: 'string',
      description: 'HTTP port (CLOSEWATCH_ENGINE_PORT, default 8123); 0 takes any free one',
    },
    password: {
      type: 'string',
      description: 'password of the user closewatch; left out: generated and printed',
    },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const config = configOf(args, { enginePort: args.port });
      const lock = await lockDirectory(config.dataDir);
      const engine = await startEngine({
        dataDir: join(config.dataDir, 'clickhouse'),
        port: config.enginePort,
        memoryBytes: config.engineMemory,
        logger: createLogger(config.logLevel),
        ...(args.password ? { password: args.password } : {}),
      });
      process.stdout.write(
        `${JSON.stringify({ url: engine.url, username: engine.username, password: engine.password, database: engine.database })}\n`,
      );
      await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
      await engine.stop();
      lock.release();
      return EXIT.ok;
    }),
});
