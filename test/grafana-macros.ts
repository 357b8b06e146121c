/** What a person chose in Grafana: times as ClickHouse writes them, and periods; the company is acme. */
export interface Range {
  readonly from: string;
  readonly to: string;
  readonly periods: readonly string[];
}

/** The SQL of a panel with its variables and macros as Grafana and the data source write them out. */
export function writtenOut(sql: string, range: Range): string {
  const [from, to] = [`toDateTime('${range.from}', 'UTC')`, `toDateTime('${range.to}', 'UTC')`];
  const text = sql
    .replaceAll('$' + '{company:sqlstring}', "'acme'")
    .replaceAll('$' + '{period:sqlstring}', range.periods.map((period) => `'${period}'`).join())
    .replaceAll(
      /\$__timeInterval\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)/g,
      'toStartOfInterval(toDateTime($1), INTERVAL 3600 second)',
    )
    .replaceAll(/\$__timeFilter\((\w+)\)/g, `$1 >= ${from} AND $1 <= ${to}`)
    .replaceAll('$__fromTime', from)
    .replaceAll('$__toTime', to);
  if (text.includes('$')) throw new Error(`what is not written out: ${text}`);
  return text;
}
