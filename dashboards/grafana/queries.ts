/** What a panel shows a query as. */
type Format = 'timeseries' | 'table';
export interface PanelQuery {
  readonly sql: string;
  readonly format: Format;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in
const COMPANIES = 'Company IN (${company:sqlstring})';
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in
const PERIODS = "JSONExtractString(Data, 'period') IN (${period:sqlstring})";
const STANDING = "('open', 'indeterminate')";

/** The last entry of each company and period chosen, at the end of the range: what GraphQL's readiness said then. */
const READINESS = `SELECT Company AS company, argMax(JSONExtractString(Data, 'period'), Seq) AS period,
    argMax(State, Seq) AS verdict, argMax(Data, Seq) AS data, max(At) AS since
  FROM incident_events
  WHERE Entity = 'readiness' AND ${COMPANIES} AND ${PERIODS} AND At <= $__toTime
  GROUP BY Company, EntityId`;

/** The last state of each exception at the end of the range, of every period. */
const STANDING_EXCEPTIONS = `SELECT EntityId, argMax(State, Seq) AS state, argMax(Severity, Seq) AS severity,
    argMax(Currency, Seq) AS currency, argMax(AmountText, Seq) AS amount,
    argMax(JSONExtractString(Data, 'closeImpact'), Seq) AS impact, argMax(Rule, Seq) AS rule
  FROM incident_events
  WHERE Entity = 'exception' AND ${COMPANIES} AND At <= $__toTime
  GROUP BY EntityId HAVING state IN ${STANDING}`;

const RANK = "indexOf(['critical', 'high', 'medium', 'low', 'info'], severity)";

/** Every query of the dashboard, with the macros of the ClickHouse data source. */
export const QUERIES = {
  readiness: {
    format: 'table',
    sql: `SELECT company, period, replaceOne(verdict, '-', ' ') AS verdict, JSONExtractFloat(data, 'confidence') AS confidence, since
FROM (${READINESS}) ORDER BY company, period DESC`,
  },
  gates: {
    format: 'table',
    sql: `SELECT company, period, JSONExtractString(gate, 'state') AS state, JSONExtractString(gate, 'title') AS title,
  JSONExtractString(gate, 'detail') AS detail
FROM (${READINESS}) ARRAY JOIN JSONExtractArrayRaw(data, 'gates') AS gate
ORDER BY indexOf(['blocked', 'unknown', 'passed'], state), company, period DESC`,
  },
  openInPeriod: {
    format: 'table',
    sql: `SELECT company, period, JSONExtractString(line, 'severity') AS severity, JSONExtractUInt(line, 'count') AS open,
  JSONExtractUInt(line, 'blockers') AS blockers,
  arrayStringConcat(arrayMap(sum -> JSONExtractString(sum, 'currency') || ' ' || JSONExtractString(sum, 'amount'),
    JSONExtractArrayRaw(line, 'sums')), ', ') AS money
FROM (${READINESS}) ARRAY JOIN JSONExtractArrayRaw(data, 'openBySeverity') AS line
WHERE open > 0 ORDER BY company, period DESC, indexOf(['critical', 'high', 'medium', 'low', 'info'], severity)`,
  },
  waived: {
    format: 'table',
    sql: `SELECT company, period, JSONExtractString(sum, 'currency') AS currency, JSONExtractString(sum, 'amount') AS waived
FROM (${READINESS}) ARRAY JOIN JSONExtractArrayRaw(data, 'waived') AS sum ORDER BY company, period DESC, currency`,
  },
  openExceptions: {
    format: 'table',
    sql: `SELECT count() AS open FROM (${STANDING_EXCEPTIONS})`,
  },
  criticalExceptions: {
    format: 'table',
    sql: `SELECT countIf(severity = 'critical') AS critical FROM (${STANDING_EXCEPTIONS})`,
  },
  blockingExceptions: {
    format: 'table',
    sql: `SELECT countIf(impact = 'blocker') AS blockers FROM (${STANDING_EXCEPTIONS})`,
  },
  openIncidents: {
    format: 'table',
    sql: `SELECT count() AS open FROM (
  SELECT EntityId, argMax(State, Seq) AS state FROM incident_events
  WHERE Entity = 'incident' AND ${COMPANIES} AND At <= $__toTime
  GROUP BY EntityId HAVING state IN ('open', 'acknowledged'))`,
  },
  exceptionsBySeverity: {
    format: 'table',
    sql: `SELECT severity, currency, count() AS open, countIf(impact = 'blocker') AS blockers,
  sum(toDecimal256OrZero(amount, 18)) AS money
FROM (${STANDING_EXCEPTIONS}) GROUP BY severity, currency ORDER BY ${RANK}, currency`,
  },
  exceptionsByRule: {
    format: 'table',
    sql: `SELECT rule, currency, count() AS open, sum(toDecimal256OrZero(amount, 18)) AS money
FROM (${STANDING_EXCEPTIONS}) GROUP BY rule, currency ORDER BY open DESC, rule, currency LIMIT 50`,
  },
  exceptionsOverTime: {
    format: 'timeseries',
    sql: `SELECT time, severity, sum(delta) OVER (PARTITION BY severity ORDER BY time) AS open FROM (
  SELECT $__timeInterval(greatest(At, toDateTime64($__fromTime, 6))) AS time, severity, sum(step) AS delta FROM (
    SELECT At, Severity AS severity, toInt64(State IN ${STANDING}) AS step FROM incident_events
    WHERE Entity = 'exception' AND ${COMPANIES} AND At <= $__toTime
    UNION ALL
    SELECT At, severityBefore AS severity, -toInt64(stateBefore IN ${STANDING}) AS step FROM (
      SELECT At, lagInFrame(toString(Severity), 1, '') OVER changes AS severityBefore,
        lagInFrame(toString(State), 1, '') OVER changes AS stateBefore
      FROM incident_events WHERE Entity = 'exception' AND ${COMPANIES} AND At <= $__toTime
      WINDOW changes AS (PARTITION BY EntityId ORDER BY Seq ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ) WHERE severityBefore != ''
  ) GROUP BY time, severity
) ORDER BY time, severity`,
  },
  incidentChanges: {
    format: 'timeseries',
    sql: `SELECT $__timeInterval(At) AS time, Change AS change, count() AS changes FROM incident_events
WHERE Entity = 'incident' AND ${COMPANIES} AND $__timeFilter(At)
GROUP BY time, change ORDER BY time, change`,
  },
  eventsByType: {
    format: 'timeseries',
    sql: `SELECT $__timeInterval(Time) AS time, Type AS type, count() AS events FROM finance_events
WHERE ${COMPANIES} AND $__timeFilter(Time) GROUP BY time, type ORDER BY time, type`,
  },
  errorSpans: {
    format: 'timeseries',
    sql: `SELECT $__timeInterval(Timestamp) AS time, ServiceName AS service, uniqExact(TraceId, SpanId) AS errors FROM otel_traces
WHERE StatusCode = 'Error' AND $__timeFilter(Timestamp) GROUP BY time, service ORDER BY time, service`,
  },
  freshness: {
    format: 'table',
    sql: `SELECT argMax(JSONExtractString(Data, 'source'), Seq) AS source, Company AS company,
  argMax(JSONExtractString(Data, 'stream'), Seq) AS stream, argMax(JSONExtractString(Data, 'kind'), Seq) AS kind,
  argMax(State, Seq) AS state, argMax(JSONExtractString(Data, 'watermark'), Seq) AS watermark,
  argMax(JSONExtractString(Data, 'lastArrivalAt'), Seq) AS last_arrival, argMax(JSONExtractUInt(Data, 'events'), Seq) AS events,
  max(At) AS as_of
FROM incident_events WHERE Entity = 'watermark' AND ${COMPANIES} AND At <= $__toTime
GROUP BY EntityId, Company ORDER BY indexOf(['stale', 'fresh'], state), source, company, stream LIMIT 1000`,
  },
} as const satisfies Record<string, PanelQuery>;

/** Fill the variables. */
export const COMPANY_VARIABLE =
  "SELECT DISTINCT Company FROM incident_events WHERE Company NOT IN ('', '*') ORDER BY 1";
export const PERIOD_VARIABLE =
  "SELECT DISTINCT JSONExtractString(Data, 'period') AS period FROM incident_events WHERE Entity = 'readiness' ORDER BY 1 DESC";
