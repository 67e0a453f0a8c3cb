/** What a client's queue.delete may ask for. */
import { BrokerError } from '../../errors.js';
import { describeQueue } from '../names.js';
import type { Queue } from './queue.js';
import { queueType } from './registry.js';

/**
 * Throws BrokerError('precondition-failed') for a queue that is not empty or in use, 'not-implemented' for flags that its
 * type refuses.
 */
export function assertDeletable(queue: Queue, virtualHost: string, ifUnused: boolean, ifEmpty: boolean): void {
  if (!ifUnused && !ifEmpty) return;
  const described = describeQueue(queue.name, virtualHost);
  const { deleteFlags } = queueType(queue.type);
  if (deleteFlags === 'ignored') return;
  if (deleteFlags === 'refused') {
    const flag = ifUnused ? 'if-unused' : 'if-empty';
    const text = `queue.delete operations with ${flag} flag set are not supported by ${queue.type} queues`;
    throw new BrokerError('not-implemented', `cannot delete ${described}. ${text}`);
  }
  if (ifEmpty && queue.readyCount > 0) throw new BrokerError('precondition-failed', `${described} not empty`);
  if (ifUnused && queue.consumerCount > 0) throw new BrokerError('precondition-failed', `${described} in use`);
}
