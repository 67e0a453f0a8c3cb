/**
 * Both ports for a broker that keeps nothing on disk: every commit is 0, which counts as durable at once.
 */
import type { Definition, DefinitionStore } from '../core/ports/definition-store.js';
import type { CommitId, MessageStore, StoredBody } from '../core/ports/message-store.js';

export class MemoryMessageStore implements MessageStore {
  readonly keepsMessages = false;
  readonly openBatch: CommitId = 0;
  readonly durableCommit: CommitId = 0;

  enlist(): void {}
  recover(): undefined {}

  recoverBodies(): Iterable<StoredBody> {
    return [];
  }

  read(): void {}
  prefetch(): void {}

  readBody(): Uint8Array {
    throw new Error('a store that keeps nothing has no body');
  }

  dropLog(): void {}
  onDurable(): void {}
}

export class MemoryDefinitionStore implements DefinitionStore {
  readonly lastCommit: CommitId = 0;

  put(): CommitId {
    return 0;
  }

  remove(): CommitId {
    return 0;
  }

  load(): Iterable<Definition> {
    return [];
  }
}
