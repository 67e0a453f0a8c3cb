/**
 * How the parts of this store put their changes into the batch that is open.
 */
import type { CommitId } from '../../core/ports/message-store.js';

export type TableName = 'meta' | 'definitions' | 'logs' | 'runs' | 'records' | 'bodies';

export interface BatchWriter {
  /** What is put or removed now becomes durable with this batch. */
  readonly openBatch: CommitId;
  /** Key and value must not change afterwards. The last change of a key within a batch is the one that counts. */
  put(table: TableName, key: Uint8Array, value: Uint8Array): void;
  remove(table: TableName, key: Uint8Array): void;
}
