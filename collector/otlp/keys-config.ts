import { z } from 'zod';
import { keyType } from '../../model/key.ts';

/** Attributes of spans that hold correlation keys, and the type of each. A list gives a key for each of its values. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  'document.number': 'docno',
  'odoo.record.name': 'docno',
  'odoo.record.ids': 'subject',
  'purchase_order.number': 'po',
  'payment.end_to_end_id': 'e2e',
  'payment.uetr': 'uetr',
  'payment.reference': 'payref',
  'psp.reference': 'psp',
  'peppol.message.id': 'peppol',
  'file.sha256': 'filehash',
  'batch.id': 'batch',
  'messaging.message.id': 'message',
  'messaging.message.conversation_id': 'correlation',
  'correlation.id': 'correlation',
  'http.request.header.x-correlation-id': 'correlation',
  'http.request.header.idempotency-key': 'idempotency',
};

/** What `collector.yaml` says of the correlation keys of spans. */
export const keysConfig = z
  .strictObject({
    attributes: z
      .record(z.string().min(1).max(255), z.union([keyType, z.literal('none')]))
      .default({})
      .transform((own) => ({ ...ATTRIBUTES, ...own }))
      .describe(
        'Attributes of spans that hold correlation keys, beside those that are built in; none takes one away',
      ),
    company: z
      .array(z.string().min(1).max(255))
      .default(['closewatch.company', 'odoo.company'])
      .describe('Attributes of a span, else of its resource, that name its company; the first that is there'),
    maxKeys: z.int().nonnegative().default(16).describe('Keys of one span at most'),
  })
  .describe('Correlation keys of spans');

export type KeysConfig = z.infer<typeof keysConfig>;
