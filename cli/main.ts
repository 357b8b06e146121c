#!/usr/bin/env -S node --max-semi-space-size=64 --disable-warning=ExperimentalWarning
import { defineCommand } from 'citty';
import packageJson from '../package.json' with { type: 'json' };
import { runCommandLine } from './command-line.ts';

const command = defineCommand({
  meta: {
    name: 'closewatch',
    version: packageJson.version,
    description:
      'Watches the finance integrations around Odoo: missing postings, stuck approvals, duplicates, close readiness',
  },
  subCommands: {
    up: () => import('./up.ts').then((module) => module.default),
    engine: () => import('./engine.ts').then((module) => module.default),
    demo: () => import('./demo.ts').then((module) => module.default),
    import: () => import('./import.ts').then((module) => module.default),
    backtest: () => import('./backtest.ts').then((module) => module.default),
    eval: () => import('./eval.ts').then((module) => module.default),
    flows: () => import('./flows.ts').then((module) => module.default),
    detect: () => import('./detect.ts').then((module) => module.default),
    token: () => import('./token.ts').then((module) => module.default),
    users: () => import('./users.ts').then((module) => module.default),
    inbox: () => import('./inbox.ts').then((module) => module.default),
    'dead-letters': () => import('./inbox.ts').then((module) => module.deadLetters),
    odoo: () => import('./odoo.ts').then((module) => module.default),
    audit: () => import('./audit.ts').then((module) => module.default),
    retention: () => import('./retention.ts').then((module) => module.default),
    doctor: () => import('./doctor.ts').then((module) => module.default),
  },
});

await runCommandLine(command, process.argv.slice(2));
