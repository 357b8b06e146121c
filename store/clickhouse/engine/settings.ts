import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineConfig } from './config.ts';

const MIB = 1024 * 1024;

/** Server settings of a small installation: the defaults assume that the whole machine is the engine's. */
function serverSettings(config: EngineConfig): Record<string, number | string> {
  const cache = Math.round(config.memoryBytes / 16);
  return {
    max_server_memory_usage: config.memoryBytes,
    max_server_memory_usage_to_ram_ratio: 0.9,
    mark_cache_size: cache,
    primary_index_cache_size: cache,
    uncompressed_cache_size: 0,
    index_mark_cache_size: cache,
    index_uncompressed_cache_size: 0,
    query_condition_cache_size: 16 * MIB,
    parquet_metadata_cache_size: 16 * MIB,
    iceberg_metadata_files_cache_size: 0,
    vector_similarity_index_cache_size: 0,
    text_index_tokens_cache_size: cache,
    text_index_header_cache_size: cache,
    text_index_postings_cache_size: cache,
    compiled_expression_cache_size: 16 * MIB,
    mmap_cache_size: 64,
    max_thread_pool_size: 1000,
    max_thread_pool_free_size: 32,
    background_pool_size: 4,
    background_merges_mutations_concurrency_ratio: 2,
    background_schedule_pool_size: 8,
    background_common_pool_size: 4,
    background_move_pool_size: 1,
    background_fetches_pool_size: 1,
    background_message_broker_schedule_pool_size: 1,
    background_distributed_schedule_pool_size: 1,
    background_buffer_flush_schedule_pool_size: 1,
    tables_loader_foreground_pool_size: 2,
    tables_loader_background_pool_size: 2,
    restore_threads: 1,
    backup_threads: 1,
  };
}

/**
 * What SQL may do: everything with tables, nothing with files, addresses, programs or users. Without the grants on
 * sources, `file()`, `url()`, `remote()`, `s3()`, `ENGINE = File` … are refused with code 497; INFILE and OUTFILE are
 * clauses of the console client, refused in statement.ts and used by the engine itself only.
 */
const GRANTS = [
  'SHOW, SELECT, INSERT, ALTER, TRUNCATE, OPTIMIZE, CHECK, KILL QUERY, UNDROP TABLE, dictGet ON *.*',
  'CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE TEMPORARY TABLE, CREATE FUNCTION ON *.*',
  'DROP DATABASE, DROP TABLE, DROP VIEW, DROP DICTIONARY, DROP FUNCTION ON *.*',
  'SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM MOVES, SYSTEM VIEWS, SYSTEM DROP CACHE, SYSTEM FLUSH ON *.*',
];
/** The engine itself reads `system`: to kill queries, and to set settings back. */
const REVOKED = ['system', 'information_schema', 'INFORMATION_SCHEMA'].map(
  (database) => `INSERT, ALTER, TRUNCATE, CREATE, DROP ON ${database}.*`,
);

/**
 * Settings that name files or addresses, that hold SQL, or that choose the language of the query (our reader knows one,
 * and reads the query only). No request may set them.
 */
export const FIXED = [
  'dialect',
  'polyglot_dialect',
  'additional_table_filters',
  'additional_result_filter',
  'parallel_replicas_custom_key',
  'schema_inference_hints',
  'input_format_record_errors_file_path',
  'rename_files_after_processing',
  'url_base',
  'format_schema',
  'format_schema_source',
  'output_format_schema',
  'format_template_row',
  'format_template_resultset',
  'format_avro_schema_registry_url',
];

const tag = (name: string, value: number | string) => `  <${name}>${value}</${name}>`;

/** Writes the engine's configuration into the data directory and returns the arguments to open chDB with. */
export function writeEngineSettings(config: EngineConfig): string[] {
  const usersFile = join(config.dataDir, 'users.xml');
  const configFile = join(config.dataDir, 'config.xml');
  const users = `<clickhouse>
  <profiles><default>
    <max_execution_time>${config.maxExecutionSeconds}</max_execution_time>
    <constraints>
      <max_execution_time><min>0.001</min><max>${config.maxExecutionSeconds}</max></max_execution_time>
${FIXED.map((name) => `      <${name}><const/></${name}>`).join('\n')}
    </constraints>
  </default></profiles>
  <quotas><default></default></quotas>
  <users><default>
    <password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants>
${GRANTS.map((grant) => `      <query>GRANT ${grant}</query>`).join('\n')}
${REVOKED.map((grant) => `      <query>REVOKE ${grant}</query>`).join('\n')}
    </grants>
  </default></users>
</clickhouse>
`;
  const server = Object.entries(serverSettings(config)).map(([name, value]) => tag(name, value));
  const xml = `<clickhouse>
${tag('users_config', escapeXml(usersFile))}
${server.join('\n')}
</clickhouse>
`;
  writeFileSync(usersFile, users, { mode: 0o600 });
  writeFileSync(configFile, xml, { mode: 0o600 });
  return [`--config-file=${configFile}`];
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
