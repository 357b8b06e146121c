import type { Category } from '../model/assessment.ts';

/** How something fails, in the words of the system that tells it. `{…}` stands for what differs from one time to the next. */
export interface ErrorTemplate {
  readonly service: string;
  readonly operation: string;
  readonly message: string;
  readonly type?: string;
  readonly http?: number;
  readonly grpc?: number;
}

const odoo = (
  message: string,
  type = 'odoo.exceptions.UserError',
  operation = 'account.move/action_post',
): ErrorTemplate => ({
  service: 'odoo',
  operation,
  message,
  type,
});
const validation = (message: string): ErrorTemplate => odoo(message, 'odoo.exceptions.ValidationError');
const http = (
  status: number,
  message: string,
  service = 'integration-hub',
  operation = 'POST /invoices',
): ErrorTemplate => ({
  service,
  operation,
  message,
  http: status,
});
const grpc = (
  code: number,
  message: string,
  service = 'billing-gateway',
  operation = 'billing.v1.Invoices/Create',
): ErrorTemplate => ({
  service,
  operation,
  message,
  grpc: code,
});
const thrown = (
  type: string,
  message: string,
  service = 'posting-worker',
  operation = 'post_document',
): ErrorTemplate => ({
  service,
  operation,
  message,
  type,
});
const bank = (message: string, operation = 'submit pain.001'): ErrorTemplate => ({
  service: 'bank-connector',
  operation,
  message,
});
const tax = (message: string, more: Partial<ErrorTemplate> = {}): ErrorTemplate => ({
  service: 'tax-engine',
  operation: 'calculate tax',
  message,
  ...more,
});

/**
 * Errors by the category that a person would give them: texts as Odoo 17 to 19, banks, tax engines and middleware write them. The
 * even ones are for writing rules, the odd ones for measuring them: no wording is in both.
 */
export const ERROR_TEMPLATES: Readonly<Partial<Record<Category, readonly ErrorTemplate[]>>> = {
  mapping: [
    thrown('MappingError', 'No account mapping found for GL code {n}'),
    odoo('Cannot find a chart of accounts account for code {n}; you should configure the mapping'),
    http(422, 'Unmapped tax code {code} for jurisdiction {country}'),
    thrown('KeyError', 'no journal configured for payment method {code}'),
    http(422, 'Missing mapping: cost center {code} has no counterpart', 'mulesoft-erp'),
    thrown('LookupError', 'unit of measure {code} not mapped to an internal unit'),
    http(400, 'Unknown currency code {code} in mapping table', 'boomi-process'),
    odoo('No journal could be found in company {name} for any of those types: purchase'),
    thrown(
      'TransformException',
      'DataWeave: value {code} missing in lookup table account_mapping',
      'mulesoft-erp',
    ),
    http(422, 'tax code {code} is not mapped for vendor group {name}'),
  ],
  'missing-data': [
    odoo('The Bill/Refund date is required to validate this document.'),
    odoo("The field 'Customer' is required, please complete it to validate the Customer Invoice."),
    http(422, 'validation failed: invoice_number is required'),
    odoo('You need to add a line before posting.'),
    validation('The operation cannot be completed: a mandatory field is not set. Model: Journal Item'),
    http(400, "Required property 'dueDate' is missing in the request body"),
    thrown(
      'psycopg2.errors.NotNullViolation',
      'null value in column "partner_id" violates not-null constraint',
    ),
    http(422, 'field purchase_order must not be empty', 'supplier-portal'),
    grpc(3, 'INVALID_ARGUMENT: required field billing_address is empty'),
    thrown('ValidationError', 'incomplete document: delivery date missing'),
  ],
  connection: [
    thrown('ConnectionRefusedError', '[Errno 111] Connection refused'),
    http(502, '502 Bad Gateway: upstream prematurely closed connection'),
    thrown(
      'requests.exceptions.ConnectionError',
      'Max retries exceeded with url: /api (Caused by NewConnectionError: Failed to establish a new connection)',
    ),
    thrown('Error', 'connect ECONNREFUSED {ip}:8069'),
    http(503, 'Service Unavailable: no healthy upstream', 'api-gateway', 'POST /erp/bills'),
    thrown('ssl.SSLError', 'TLS handshake failed: unexpected eof while reading'),
    thrown('socket.gaierror', 'getaddrinfo ENOTFOUND erp.{name}.example: Name or service not known'),
    grpc(14, 'UNAVAILABLE: connection reset by peer'),
    thrown('psycopg2.OperationalError', 'could not connect to server: connection to server at {ip} failed'),
    thrown(
      'SftpException',
      'Connection to host {name} was closed by remote host: host unreachable',
      'file-transfer',
      'put statement',
    ),
  ],
  'rate-limit': [
    http(429, 'Too Many Requests'),
    http(429, 'Rate limit exceeded, retry after {n} seconds', 'shop-connector'),
    grpc(8, 'RESOURCE_EXHAUSTED: quota exceeded for requests per minute'),
    thrown('ThrottlingException', 'Rate exceeded: request was throttled', 'aws-adapter'),
    http(429, 'API call limit reached for this tenant; calls per minute exceeded', 'erp-proxy'),
    thrown('TooManyRequestsError', 'too many requests: slow down', 'card-gateway'),
    http(429, 'quota exceeded: daily limit of {n} requests', 'bank-api'),
    thrown('RateLimitError', 'rate limit reached for the organisation', 'expense-sync'),
    http(429, 'Request rate is large', 'cosmos-adapter'),
    thrown('QuotaExceeded', 'quota of concurrent calls exceeded', 'mulesoft-erp'),
  ],
  timeout: [
    http(504, '504 Gateway Time-out'),
    thrown(
      'requests.exceptions.ReadTimeout',
      'HTTPSConnectionPool(host={name}): Read timed out. (read timeout=30)',
    ),
    grpc(4, 'DEADLINE_EXCEEDED: context deadline exceeded'),
    thrown('Error', 'connect ETIMEDOUT {ip}:443'),
    thrown('psycopg2.errors.QueryCanceled', 'canceling statement due to statement timeout'),
    thrown('TimeoutError', 'operation timed out after {n} ms', 'posting-worker'),
    http(408, 'Request Timeout', 'api-gateway'),
    thrown('asyncio.TimeoutError', 'timed out waiting for a response of the ERP'),
    http(504, 'upstream request timeout', 'envoy'),
    thrown('java.net.SocketTimeoutException', 'Read timed out', 'boomi-process'),
  ],
  parse: [
    thrown(
      'json.decoder.JSONDecodeError',
      'Expecting value: line 1 column 1 (char 0): failed to decode JSON',
    ),
    thrown('lxml.etree.XMLSyntaxError', 'XML parse error: Opening and ending tag mismatch, line {n}'),
    http(415, 'Unsupported Media Type'),
    thrown('UnicodeDecodeError', "'utf-8' codec can't decode byte 0xe9: invalid encoding"),
    thrown('SyntaxError', 'Unexpected token < in JSON at position 0'),
    thrown(
      'EDIParseException',
      'malformed segment NAD at position {n}: cannot parse',
      'edi-translator',
      'parse INVOIC',
    ),
    thrown('CsvError', 'cannot parse row {n}: malformed quote', 'file-import'),
    thrown(
      'Mt940ParseError',
      'statement line {n} cannot be parsed: syntax error in :61:',
      'statement-import',
      'parse MT940',
    ),
    thrown('zipfile.BadZipFile', 'File is corrupt: cannot decode archive', 'file-import'),
    thrown(
      'XmlException',
      'Data at the root level is invalid: malformed XML, line {n}',
      'peppol-inbox',
      'parse UBL',
    ),
  ],
  'schema-change': [
    odoo("Invalid field 'x_studio_ref' on model 'account.move'", 'ValueError'),
    thrown('psycopg2.errors.UndefinedColumn', 'column "invoice_origin" does not exist'),
    odoo("Object hr.expense.sheet doesn't exist: unknown model", 'KeyError'),
    http(400, "Unexpected field 'vatNumber' in schema version {n}"),
    thrown(
      'AvroSchemaException',
      'incompatible schema: reader schema version unknown, field missing default',
      'kafka-consumer',
    ),
    thrown('KeyError', "unknown property 'lineItems' in payload: schema version changed"),
    odoo("The method 'account.move.post' does not exist: unsupported version", 'AttributeError'),
    thrown('psycopg2.errors.UndefinedTable', 'relation "account_invoice" does not exist'),
    http(400, 'unsupported API version: v{n}', 'shop-connector'),
    thrown('GraphQLError', 'Cannot query field "totalTax": unknown field on type Order', 'shop-connector'),
  ],
  duplicate: [
    validation(
      'Duplicated vendor reference detected. You probably encoded twice the same vendor bill/credit note.',
    ),
    thrown(
      'psycopg2.errors.UniqueViolation',
      'duplicate key value violates unique constraint "account_move_unique_name"',
    ),
    http(409, 'invoice {n} already exists'),
    odoo('You are trying to reconcile some entries that are already reconciled: duplicate entry'),
    http(409, 'Duplicate document number {n}', 'peppol-inbox'),
    thrown('IntegrityError', 'duplicate entry for key vendor_ref'),
    grpc(6, 'ALREADY_EXISTS: payment with this end-to-end id already exists'),
    thrown('DuplicateRecord', 'a record with this external id already exists', 'salesforce-sync'),
  ],
  'locked-period': [
    odoo('You cannot add/modify entries prior to and inclusive of: Global Lock Date (10/31/2026).'),
    odoo('You cannot reset to draft a locked journal entry.'),
    odoo('You cannot add/modify entries prior to and inclusive of the tax lock date {date}.'),
    http(422, 'posting period {n}/2026 is closed for company {name}', 'sap-adapter'),
    odoo('You cannot post an entry dated before the Hard Lock Date: the fiscal year is locked'),
    http(400, 'Accounting period closed', 'netsuite-adapter'),
    odoo('You cannot modify a posted entry of a journal because it is in a locked period'),
    http(422, 'The fiscal period is locked: choose an open date', 'dynamics-adapter'),
  ],
  'amount-mismatch': [
    odoo('The entry is not balanced: unbalanced amount of {n}'),
    validation('Cannot create unbalanced journal entry. Differences debit - credit: {n}'),
    http(422, 'amount mismatch: header total {n} differs from the sum of lines'),
    thrown('ReconcileError', 'statement balance mismatch: expected {n}'),
    http(
      422,
      'Invoice total does not match purchase order amount: mismatch',
      'three-way-match',
      'match invoice',
    ),
    thrown('ControlTotalError', 'batch amount and control total mismatch', 'payroll-import'),
  ],
  'wrong-entity': [
    odoo('Incompatible companies on records: the partner belongs to a different company'),
    validation('The journal and the account belong to different company: wrong company {name}'),
    http(422, 'company mismatch: document of {name} sent to another company'),
    thrown('CompanyError', 'wrong company: warehouse and invoice company differ', 'intercompany-sync'),
    http(400, 'legal entity mismatch: company code {code} is wrong', 'sap-adapter'),
    odoo('You cannot create a journal item in another company: company mismatch'),
  ],
  'master-data': [
    thrown('LookupError', 'vendor {n} not found'),
    http(404, 'Unknown vendor number {code}', 'ocr-export'),
    odoo('The partner {name} is archived'),
    odoo('The bank account {n} is missing or inactive for the vendor'),
    http(422, 'product {code} not found in catalogue', 'shop-connector'),
    thrown('ValidationError', 'VAT number {code} is not valid for the partner: invalid vat'),
    http(422, 'Vendor is disabled for payment', 'payment-hub'),
    thrown('LookupError', 'no partner with this reference: missing partner', 'posting-worker'),
  ],
  credentials: [
    http(401, 'Unauthorized'),
    odoo('Odoo Session Expired', 'odoo.http.SessionExpiredException'),
    thrown('AccessDenied', 'Access Denied: invalid API key', 'odoo', 'authenticate'),
    grpc(16, 'UNAUTHENTICATED: token expired'),
    http(401, 'User not authenticated, use an API Key with a Bearer Authorization header.', 'odoo'),
    thrown(
      'ssl.SSLError',
      'certificate expired: client certificate is no longer valid',
      'ebics-client',
      'HPB',
    ),
    http(401, 'invalid_grant: refresh token expired', 'bank-api'),
    thrown('paramiko.AuthenticationException', 'Authentication failed: bad password', 'file-transfer'),
  ],
  access: [
    odoo("You don't have the access rights to post an invoice.", 'odoo.exceptions.AccessError'),
    odoo(
      "You are not allowed to access 'Journal Entry' (account.move) records.",
      'odoo.exceptions.AccessError',
    ),
    http(403, 'Forbidden'),
    grpc(7, 'PERMISSION_DENIED: caller lacks permission'),
    odoo('You do not have enough rights to access the field "payment_state"', 'odoo.exceptions.AccessError'),
    http(403, 'the client is not authorized for this scope', 'bank-api'),
    thrown('PermissionError', "[Errno 13] Permission denied: '/out/statements'", 'file-transfer'),
    http(403, 'access to company {name} denied', 'api-gateway'),
  ],
  'bank-rejection': [
    bank('Payment rejected: AC04 ClosedAccountNumber'),
    bank('payment {n} rejected by the bank: AM04 InsufficientFunds'),
    bank('pain.002 RJCT: payment rejected, creditor agent invalid RC01'),
    bank('The bank rejected the payment file: duplicate message id, group status RJCT'),
    bank('direct debit rejected: bank reports MD01 NoMandate', 'submit pain.008'),
    bank('Payment order was rejected. Reason code AG01 TransactionForbidden at bank {name}'),
  ],
  'tax-engine': [
    tax('Tax calculation failed', { http: 500 }),
    tax('jurisdiction not determined for ship-to address', { service: 'avatax' }),
    tax('timeout while contacting the tax service', { service: 'vertex-adapter' }),
    tax('VIES service is unavailable', { service: 'vat-check', operation: 'check VAT number' }),
    tax('GetTaxError: nexus missing', { service: 'avalara-proxy', operation: 'POST /transactions/create' }),
    tax('no rate for tax group {code}', { service: 'tax-service' }),
    tax('e-invoice clearance failed at the tax authority', {
      service: 'einvoicing',
      operation: 'submit e-invoice',
    }),
    tax('quote refused', { service: 'vertex', operation: 'tax quote', http: 503 }),
  ],
  sequence: [
    odoo('The integrity hash of the journal is broken: an entry was altered'),
    odoo('A gap was found in the sequence of the journal'),
    validation('The sequence of the entry does not follow: sequence conflict at {n}'),
    thrown('SequenceError', 'missing number in sequence {code}: gap at {n}', 'fiscal-printer'),
    odoo('This document is protected by a hash: hash chain is broken'),
    http(409, 'statement sequence gap: number {n} expected', 'statement-import'),
  ],
  capacity: [
    thrown('OSError', '[Errno 28] No space left on device'),
    http(507, 'Insufficient Storage'),
    thrown('MemoryError', 'Out of memory: worker was killed'),
    thrown('psycopg2.pool.PoolError', 'connection pool exhausted'),
    thrown('QueueFullError', 'message queue is full: capacity exceeded', 'rabbitmq-bridge'),
    thrown('KafkaError', 'queue buffering: local queue full', 'kafka-producer'),
    thrown('DiskError', 'disk full: cannot write spool file', 'file-transfer'),
    thrown('RejectedExecutionException', 'worker pool exhausted, system is overloaded', 'boomi-process'),
  ],
  unknown: [
    http(500, 'Internal Server Error'),
    http(500, 'unexpected error, please contact support', 'supplier-portal'),
    http(500, 'error', 'integration-hub'),
    http(500, 'An internal server error occurred', 'erp-proxy'),
  ],
};
