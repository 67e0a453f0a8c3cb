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
  deleteFlags: 'refused',
  logCount: () => 2,
  create: (id, name, options, host) => {
    const backlog = new QuorumBacklog(id, host.logs, host.properties);
    const settings = settingsOf(options.arguments);
    return new MessageQueue(id, name, options, host, { type: 'quorum', backlog, settings, adapt, isShared: true });
  },
};

/** Of the overflow behaviours one is the classic queue's alone; RabbitMQ takes the default for it then. */
function adapt(settings: QueueSettings): QueueSettings {
  return settings.overflow === 'reject-publish-dlx' ? { ...settings, overflow: 'drop-head' } : settings;
}
