/**
 * The classic queue, with or without priorities.
 */
import { LogBacklog } from './backlog.js';
import { DeduplicatingBacklog } from './deduplicating-backlog.js';
import { MessageQueue } from './message-queue.js';
import { PriorityBacklog } from './priority-backlog.js';
import { isKept, type QueueType } from './queue-type.js';
import { settingsOf } from './settings.js';

export const CLASSIC: QueueType = {
  name: 'classic',
  alwaysKept: false,
  takesGlobalPrefetch: true,
  takesGetsBesideActive: true,
  deleteFlags: 'obeyed',
  tellsCounts: true,
  logCount: (args) => (settingsOf(args).maxPriority ?? 0) + 1,
  create: (id, name, options, host) => {
    const settings = settingsOf(options.arguments);
    const { maxPriority = 0, deduplicationHeader: header } = settings;
    const kept = isKept(options);
    const plain =
      maxPriority === 0 ? new LogBacklog(id, host.logs, kept) : new PriorityBacklog(id, host.logs, kept, maxPriority);
    const backlog = header === undefined ? plain : new DeduplicatingBacklog(plain, header, host.properties);
    return new MessageQueue(id, name, options, host, { type: 'classic', backlog, settings });
  },
};
