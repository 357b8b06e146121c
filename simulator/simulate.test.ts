import { describe, expect, test } from 'vitest';
import type { Company } from '../model/company.ts';
import { type EventData, eventData } from '../model/event.ts';
import { joinKey } from '../model/key.ts';
import { afterOfficeTime } from './calendar.ts';
import type { CloudEvent } from './events.ts';
import { SOURCES } from './events.ts';
import { countLogs } from './logs.ts';
import { countSpans } from './otlp.ts';
import { simulate } from './simulate.ts';
import { createTrickle } from './trickle.ts';

const NOW = Date.parse('2026-06-17T11:30:00Z');
const shortType = (event: CloudEvent) => event.type.replace(/^closewatch\.(.*)\.v1$/, '$1');

/** A second, slow reading of the six rules, straight from the events, to hold the truth against. */
function openAt(now: number, companies: readonly Company[], events: readonly CloudEvent[]): string[] {
  const byKey = new Map<string, CloudEvent[]>();
  const facts = events.filter((event) => shortType(event) !== 'flow.heartbeat');
  const keysOf = (event: CloudEvent) => [
    `subject ${event.source} ${event.subject}`,
    ...(event.data as EventData).keys.map((key) =>
      joinKey(key, { company: event.companyid, source: event.source }),
    ),
  ];
  for (const event of facts)
    for (const key of keysOf(event)) byKey.set(key, [...(byKey.get(key) ?? []), event]);
  const joined = (event: CloudEvent, type: string) =>
    keysOf(event)
      .filter((key) => key.startsWith(`${type} `) || key.startsWith(`${type}:`))
      .flatMap((key) => byKey.get(key) ?? []);
  const officeDays = (days: number) => (event: CloudEvent) =>
    afterOfficeTime(
      companies.find(({ key }) => key === event.companyid) as Company,
      Date.parse(event.time),
      days * 8 * 60,
    );
  const open: string[] = [];
  const late = (
    rule: string,
    anchor: string,
    key: string,
    answers: string[],
    due: (e: CloudEvent) => number,
  ) => {
    for (const event of facts.filter((candidate) => shortType(candidate) === anchor)) {
      const answered = joined(event, key).some(
        (other) => answers.includes(shortType(other)) && other.time >= event.time,
      );
      if (!answered && due(event) < now) open.push(`${rule} ${event.companyid} ${event.subject}`);
    }
  };
  late('MP-02', 'bill.received', 'supref', ['bill.posted', 'bill.rejected'], officeDays(3));
  late('SA-04', 'bill.drafted', 'subject', ['bill.posted', 'bill.rejected', 'bill.cancelled'], officeDays(3));
  late(
    'SA-02',
    'approval.requested',
    'extid',
    ['approval.granted', 'approval.rejected', 'approval.withdrawn'],
    officeDays(2),
  );
  late(
    'MP-09',
    'payment.registered',
    'e2e',
    ['payment.confirmed', 'payment.rejected', 'payment.returned'],
    officeDays(1),
  );
  late('MP-06', 'invoice.issued', 'docno', ['invoice.posted'], (event) => Date.parse(event.time) + 3_600_000);
  for (const event of facts.filter((candidate) => shortType(candidate) === 'bill.posted')) {
    const gone = (e: CloudEvent) =>
      joined(e, 'subject').some((o) => ['bill.cancelled', 'bill.reversed'].includes(shortType(o)));
    const amount = (e: CloudEvent) => (e.data as EventData).money?.amount;
    const earlier = joined(event, 'supref').some(
      (other) =>
        shortType(other) === 'bill.posted' &&
        other.subject !== event.subject &&
        other.time < event.time &&
        amount(other) === amount(event) &&
        !gone(other),
    );
    if (earlier && !gone(event)) open.push(`CT-01 ${event.companyid} ${event.subject}`);
  }
  return open.sort();
}

describe('the simulated landscape', () => {
  test('is the same for the same seed and instant, and another for another seed', () => {
    const first = JSON.stringify(simulate({ seed: 7, now: NOW }));
    expect(JSON.stringify(simulate({ seed: 7, now: NOW }))).toBe(first);
    expect(JSON.stringify(simulate({ seed: 8, now: NOW }))).not.toBe(first);
  });

  test('speaks the wire form: valid data, unique ids, in order, nothing after now', () => {
    const { events, companies } = simulate({ seed: 1, now: NOW });
    expect(new Set(events.map(({ source, id }) => `${source} ${id}`)).size).toBe(events.length);
    const times = events.map(({ time }) => time);
    expect(times).toEqual([...times].sort());
    expect(Date.parse(times.at(-1) ?? '')).toBe(NOW);
    const beats = events.filter((event) => shortType(event) === 'flow.heartbeat');
    expect(beats).toHaveLength(companies.length * Object.keys(SOURCES).length);
    for (const event of events) if (shortType(event) !== 'flow.heartbeat') eventData.parse(event.data);
  });

  test.each([
    ['a Wednesday', 1, '2026-06-17T11:30:00Z'],
    ['a Sunday', 2, '2026-06-21T02:00:00Z'],
    ['a Monday morning', 3, '2026-11-23T04:00:00Z'],
    ['after the clocks went back', 4, '2026-11-04T20:00:00Z'],
    ['after the clocks went forward', 5, '2026-04-01T06:30:00Z'],
    ['after new year', 6, '2027-01-05T23:59:00Z'],
  ])('holds exactly the planted faults on %s', (_, seed, text) => {
    const now = Date.parse(text);
    const { events, companies, truth } = simulate({ seed, now });
    const planted = truth.map(({ rule, company, subject }) => `${rule} ${company} ${subject}`).sort();
    expect(planted).toHaveLength(12 + 3 * 9);
    expect(openAt(now, companies, events)).toEqual(planted);
  });

  test('leaves in the logs what the services did, with the trace, and what no call tells', () => {
    const { logs, traces } = simulate({ seed: 1, now: NOW, plantedEach: 1 });
    const records = logs
      .flatMap(({ resourceLogs }) => resourceLogs)
      .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords));
    expect(records).toHaveLength(countLogs(logs));
    const spans = traces
      .flatMap(({ resourceSpans }) => resourceSpans)
      .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
    const withError = spans.filter(({ status }) => status?.code === 2);
    const failed = new Set(withError.map(({ spanId }) => spanId));
    const errors = records.filter(({ severityText, spanId }) => severityText === 'ERROR' && spanId);
    expect(errors.map(({ spanId }) => spanId).sort()).toEqual([...failed].sort());
    const served = spans.filter(({ kind, spanId }) => (kind === 2 || kind === 5) && !failed.has(spanId));
    expect(records.filter(({ severityText }) => severityText === 'INFO')).toHaveLength(served.length);
    const alone = records.filter(({ spanId }) => !spanId).map(({ body }) => body.stringValue);
    expect(alone).toContain('the webhook to middleware was answered 410 Gone and is given up');
    expect(alone.filter((body) => body.includes('in no mapping'))).toHaveLength(3);
    for (const { scopeLogs } of logs.flatMap(({ resourceLogs }) => resourceLogs)) {
      const times = scopeLogs.flatMap(({ logRecords }) => logRecords.map(({ timeUnixNano }) => timeUnixNano));
      expect(times).toEqual(times.toSorted());
    }
  });

  test('leaves error spans of the tax engine in the traces of the bills that it kept back', () => {
    const { events, traces, truth } = simulate({ seed: 1, now: NOW });
    expect(countSpans(traces)).toBeGreaterThan(5000);
    const failed = new Set(
      traces
        .flatMap(({ resourceSpans }) => resourceSpans)
        .filter(({ resource }) =>
          resource.attributes.some(
            ({ value }) => 'stringValue' in value && value.stringValue === 'tax-engine',
          ),
        )
        .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
        .filter(({ status }) => status?.code === 2)
        .map(({ traceId }) => traceId),
    );
    const outage = truth.filter(({ fault }) => fault === 'tax-engine-outage').map(({ subject }) => subject);
    const hit = events.filter(({ subject }) => outage.includes(subject));
    expect(hit).toHaveLength(12);
    expect(failed.size).toBe(12);
    for (const { traceparent } of hit) expect(failed).toContain(traceparent?.split('-')[1]);
  });
});

describe('the trickle', () => {
  const past = simulate({ seed: 1, now: NOW });
  const start = () => createTrickle({ seed: 1, from: NOW, companies: past.companies, past });
  const minutes = (count: number, trickle = start()) =>
    Array.from({ length: count }, (_, index) => trickle.take(NOW + (index + 1) * 60_000));

  test('goes on after now, each event once and none before its time', () => {
    const taken = minutes(48);
    const ids = taken.flatMap(({ events }) => events.map(({ source, id }) => `${source} ${id}`));
    expect(new Set(ids).size).toBe(ids.length);
    taken.forEach(({ events }, index) => {
      for (const { time } of events) {
        expect(Date.parse(time)).toBeGreaterThanOrEqual(NOW + index * 60_000 - 1);
        expect(Date.parse(time)).toBeLessThanOrEqual(NOW + (index + 1) * 60_000);
      }
    });
    const posted = taken.flatMap(({ events }) => events).filter((e) => shortType(e) === 'bill.posted');
    expect(posted.length).toBeGreaterThan(40);
    expect(taken.reduce((sum, { traces }) => sum + countSpans(traces), 0)).toBeGreaterThan(300);
  });

  test('nothing comes after a heartbeat that was to be before it', () => {
    const completeUpTo = new Map<string, string>();
    let others = 0;
    // Every turn at the very millisecond of the next event.
    const trickle = start();
    const times = [
      ...new Set(minutes(10).flatMap(({ events }) => events.map(({ time }) => Date.parse(time)))),
    ];
    for (const now of times.sort((a, b) => a - b)) {
      for (const event of trickle.take(now).events) {
        const flow = `${event.source} ${event.companyid}`;
        if (shortType(event) === 'flow.heartbeat') completeUpTo.set(flow, `${event.data.completeUpTo}`);
        else {
          others++;
          expect(event.time > (completeUpTo.get(flow) ?? '')).toBe(true);
        }
      }
    }
    expect(others).toBeGreaterThan(50);
  });

  test('shares no id or subject with the past, save those of the bills that get through', () => {
    const before = new Set(past.events.map(({ source, subject }) => `${source} ${subject}`));
    const after = minutes(5)
      .flatMap(({ events }) => events)
      .filter((event) => shortType(event) !== 'flow.heartbeat');
    for (const { source, subject } of after) expect(before).not.toContain(`${source} ${subject}`);
    expect(
      after.filter(({ id, type }) => id.startsWith('recovered-') && type.includes('posted')),
    ).toHaveLength(12);
  });
});
