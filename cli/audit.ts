import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { defineCommand } from 'citty';
import { unzipSync } from 'fflate';
import { checkPack, type PackFault } from '../model/audit-pack.ts';
import { ClosewatchError } from '../model/errors.ts';
import { readAnchors } from './audit-anchors.ts';
import { anchorAuditTask, exportAuditTask, verifyAuditTask } from './audit-tasks.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { printable } from './printable.ts';
import { runTask } from './run-task.ts';

const say = (text: string): void => {
  process.stdout.write(`${printable(text)}\n`);
};

const faultText = (fault: PackFault): string =>
  'file' in fault ? `${fault.file}: ${fault.why}` : `row ${fault.seq} is ${fault.fault}: ${fault.why}`;

/** The most that a pack may be, packed and unpacked. */
const MAX_PACK = 1 << 30;

function readPack(file: string): Readonly<Record<string, Uint8Array>> {
  const bytes = readFileSync(file);
  let size = bytes.length;
  try {
    return unzipSync(bytes, {
      filter: ({ originalSize }) => {
        size += originalSize;
        if (size > MAX_PACK) throw new Error('it is larger than 1 GiB');
        return true;
      },
    });
  } catch (error) {
    throw new ClosewatchError('config.invalid', `${file} is no evidence pack: ${(error as Error).message}`);
  }
}

const verify = defineCommand({
  meta: {
    name: 'verify',
    description: 'Check the audit chain of the database, or of an evidence pack, which needs nothing else',
  },
  args: {
    file: {
      type: 'positional',
      required: false,
      description: 'an evidence pack (zip); left out, the database',
    },
    anchors: {
      type: 'string',
      description: 'file of anchors that were kept elsewhere, one JSON object a line',
    },
    key: { type: 'string', description: 'fingerprint that the key of the pack must have' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const anchors = args.anchors ? readAnchors(args.anchors) : [];
      if (args.file) {
        const result = checkPack(readPack(args.file), { anchors, ...(args.key ? { key: args.key } : {}) });
        if (args.json) say(JSON.stringify({ fault: null, ...result }));
        else if (result.fault) say(faultText(result.fault));
        else
          say(
            `${result.manifest?.about}: ${result.rows} rows of a chain of ${result.links}, whole and unaltered; signed by the key ${result.keyFingerprint}`,
          );
        return result.fault ? EXIT.findings : EXIT.ok;
      }
      const result = await runTask(verifyAuditTask, { anchors }, configOf(args));
      if (args.json) say(JSON.stringify(result));
      else if (result.fault) say(faultText(result.fault));
      else say(`${result.rows} rows, whole and unaltered, ${result.anchors} anchors; head ${result.head}`);
      return result.fault ? EXIT.findings : EXIT.ok;
    }),
});

const exportCommand = defineCommand({
  meta: { name: 'export', description: 'Write an evidence pack of an incident or of a span of time' },
  args: {
    incident: { type: 'string', description: 'number or id of an incident' },
    from: { type: 'string', description: 'first instant, such as 2026-05-01T00:00:00Z' },
    to: { type: 'string', description: 'instant after the last' },
    company: { type: 'string', description: 'only decisions of this company' },
    out: { type: 'string', required: true, description: 'the zip to write' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      if (args.incident && (args.from || args.to || args.company))
        throw new ClosewatchError('config.invalid', 'an incident, or a span of time: not both');
      const { incident, from, to, company } = args;
      const asked = { incident, from, to, company, by: userInfo().username };
      const pack = await runTask(exportAuditTask, asked, configOf(args));
      writeFileSync(args.out, Buffer.from(pack.zip, 'base64'), { mode: 0o600 });
      const { zip, ...facts } = pack;
      if (args.json) say(JSON.stringify({ out: args.out, ...facts }));
      else say(`${args.out}: ${pack.about}, ${pack.rows} decisions; SHA-256 ${pack.sha256}`);
      return EXIT.ok;
    }),
});

const anchor = defineCommand({
  meta: {
    name: 'anchor',
    description:
      "Note the head of the chain outside of PostgreSQL now, and print it and the key's fingerprint to keep",
  },
  args: { ...commonFlags, ...jsonFlag },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const done = await runTask(anchorAuditTask, {}, configOf(args));
      if (args.json) say(JSON.stringify(done));
      else {
        say(done.anchor ? JSON.stringify(done.anchor) : 'The head was anchored before.');
        say(`Packs are signed by the key ${done.key}`);
      }
      return EXIT.ok;
    }),
});

export default defineCommand({
  meta: { name: 'audit', description: 'Who decided what: check the chain, export it, anchor it' },
  subCommands: { verify, export: exportCommand, anchor },
});
