import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printedDashboard } from './dashboard.ts';

/** Writes closewatch.json anew. */
writeFileSync(join(import.meta.dirname, 'closewatch.json'), printedDashboard());
