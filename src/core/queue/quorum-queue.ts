/**
 * The quorum queue, on one node: durable whatever the message says, and it counts how often a message came back. Replication
 * is all it lacks of RabbitMQ's.
 */
import { MessageQueue } from './message-queue.js';
import type { QueueType } from './queue-type.js';
import { QuorumBacklog } from './quorum-backlog.js';
import { type QueueSettings, settingsOf } from './settings.js';

export const QUORUM: QueueType = {
  name: 'quorum',
  alwaysKept: true,
  takesGlobalPrefetch: false,
  takesGetsBesideActive: false,
  deleteFlags: 'refused',
  tellsCounts: true,
  logCount: () => 2,
  create: (id, name, options, host) => {
    const backlog = new QuorumBacklog(id, host.logs, host.properties);
    const settings = settingsOf(options.arguments);
    return new MessageQueue(id, name, options, host, { type: 'quorum', backlog, settings, adapt, isShared: true });
  },
};

/**
 * What RabbitMQ makes of settings that do not go together: one overflow behaviour is the classic queue's alone, and dead
 * letters are kept until somebody takes them only where publishers are refused meanwhile.
 */
function adapt(settings: QueueSettings): QueueSettings {
  const overflow = settings.overflow === 'reject-publish-dlx' ? 'drop-head' : settings.overflow;
  const waits = overflow === 'reject-publish' && settings.deadLetterExchange !== undefined;
  return { ...settings, overflow, deadLetterStrategy: waits ? settings.deadLetterStrategy : 'at-most-once' };
}
