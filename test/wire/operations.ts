/** What a client can do, and which permissions each of it needs. */
import { table } from '../../protocol/amqp/field-table.js';
import type { Method } from '../../protocol/amqp/methods.gen.js';
import type { Access } from '../../src/auth/permissions.js';
import type { WireClient } from '../support/wire-client.js';

export type Need = readonly [access: Access, kind: 'queue' | 'exchange', name: string];

export interface Operation {
  readonly name: string;
  readonly ids: readonly [number, number];
  /** In the order in which they are checked. */
  readonly needs: readonly Need[];
  readonly send: (client: WireClient) => void;
  readonly answer: Method['name'];
}

export const toDeadLetterTo = (exchange: string) => table({ 'x-dead-letter-exchange': exchange });
const alternate = (exchange: string) => table({ 'alternate-exchange': exchange });

/** On a virtual host with a queue `q` and the direct exchanges `from` and `to`. */
export const OPERATIONS: readonly Operation[] = [
  {
    name: 'queue.declare',
    ids: [50, 10],
    needs: [['configure', 'queue', 'new']],
    send: (client) => client.send(1, { name: 'queue.declare', queue: 'new' }),
    answer: 'queue.declare-ok',
  },
  {
    name: 'queue.declare of one that exists',
    ids: [50, 10],
    needs: [['configure', 'queue', 'q']],
    send: (client) => client.send(1, { name: 'queue.declare', queue: 'q' }),
    answer: 'queue.declare-ok',
  },
  {
    name: 'passive queue.declare',
    ids: [50, 10],
    needs: [],
    send: (client) => client.send(1, { name: 'queue.declare', queue: 'q', passive: true }),
    answer: 'queue.declare-ok',
  },
  {
    name: 'queue.declare with a dead letter exchange',
    ids: [50, 10],
    needs: [
      ['configure', 'queue', 'new'],
      ['read', 'queue', 'new'],
      ['write', 'exchange', 'to'],
    ],
    send: (client) => client.send(1, { name: 'queue.declare', queue: 'new', arguments: toDeadLetterTo('to') }),
    answer: 'queue.declare-ok',
  },
  {
    name: 'queue.declare with the default exchange for dead letters',
    ids: [50, 10],
    needs: [
      ['configure', 'queue', 'new'],
      ['read', 'queue', 'new'],
      ['write', 'exchange', 'amq.default'],
    ],
    send: (client) => client.send(1, { name: 'queue.declare', queue: 'new', arguments: toDeadLetterTo('') }),
    answer: 'queue.declare-ok',
  },
  {
    name: 'queue.delete',
    ids: [50, 40],
    needs: [['configure', 'queue', 'q']],
    send: (client) => client.send(1, { name: 'queue.delete', queue: 'q' }),
    answer: 'queue.delete-ok',
  },
  {
    name: 'queue.delete of one that is not there',
    ids: [50, 40],
    needs: [['configure', 'queue', 'none']],
    send: (client) => client.send(1, { name: 'queue.delete', queue: 'none' }),
    answer: 'queue.delete-ok',
  },
  {
    name: 'queue.purge',
    ids: [50, 30],
    needs: [['read', 'queue', 'q']],
    send: (client) => client.send(1, { name: 'queue.purge', queue: 'q' }),
    answer: 'queue.purge-ok',
  },
  {
    name: 'queue.bind',
    ids: [50, 20],
    needs: [
      ['write', 'queue', 'q'],
      ['read', 'exchange', 'from'],
    ],
    send: (client) => client.send(1, { name: 'queue.bind', queue: 'q', exchange: 'from', routingKey: 'k' }),
    answer: 'queue.bind-ok',
  },
  {
    name: 'queue.unbind',
    ids: [50, 50],
    needs: [
      ['write', 'queue', 'q'],
      ['read', 'exchange', 'from'],
    ],
    send: (client) => client.send(1, { name: 'queue.unbind', queue: 'q', exchange: 'from', routingKey: 'k' }),
    answer: 'queue.unbind-ok',
  },
  {
    name: 'exchange.declare',
    ids: [40, 10],
    needs: [['configure', 'exchange', 'new']],
    send: (client) => client.send(1, { name: 'exchange.declare', exchange: 'new', type: 'topic' }),
    answer: 'exchange.declare-ok',
  },
  {
    name: 'passive exchange.declare',
    ids: [40, 10],
    needs: [],
    send: (client) => client.send(1, { name: 'exchange.declare', exchange: 'from', passive: true }),
    answer: 'exchange.declare-ok',
  },
  {
    name: 'exchange.declare with an alternate exchange',
    ids: [40, 10],
    needs: [
      ['configure', 'exchange', 'new'],
      ['read', 'exchange', 'new'],
      ['write', 'exchange', 'to'],
    ],
    send: (client) =>
      client.send(1, { name: 'exchange.declare', exchange: 'new', type: 'topic', arguments: alternate('to') }),
    answer: 'exchange.declare-ok',
  },
  {
    name: 'exchange.delete',
    ids: [40, 20],
    needs: [['configure', 'exchange', 'from']],
    send: (client) => client.send(1, { name: 'exchange.delete', exchange: 'from' }),
    answer: 'exchange.delete-ok',
  },
  {
    name: 'exchange.bind',
    ids: [40, 30],
    needs: [
      ['write', 'exchange', 'to'],
      ['read', 'exchange', 'from'],
    ],
    send: (client) => client.send(1, { name: 'exchange.bind', source: 'from', destination: 'to' }),
    answer: 'exchange.bind-ok',
  },
  {
    name: 'exchange.unbind',
    ids: [40, 40],
    needs: [
      ['write', 'exchange', 'to'],
      ['read', 'exchange', 'from'],
    ],
    send: (client) => client.send(1, { name: 'exchange.unbind', source: 'from', destination: 'to' }),
    answer: 'exchange.unbind-ok',
  },
  {
    name: 'basic.publish',
    ids: [60, 40],
    needs: [['write', 'exchange', 'to']],
    send: (client) => client.publish(1, { exchange: 'to', routingKey: 'k', mandatory: true }),
    answer: 'basic.return',
  },
  {
    name: 'basic.publish to the default exchange',
    ids: [60, 40],
    needs: [['write', 'exchange', 'amq.default']],
    send: (client) => client.publish(1, { routingKey: 'nowhere', mandatory: true }),
    answer: 'basic.return',
  },
  {
    name: 'basic.get',
    ids: [60, 70],
    needs: [['read', 'queue', 'q']],
    send: (client) => client.send(1, { name: 'basic.get', queue: 'q' }),
    answer: 'basic.get-empty',
  },
  {
    name: 'basic.consume',
    ids: [60, 20],
    needs: [['read', 'queue', 'q']],
    send: (client) => client.send(1, { name: 'basic.consume', queue: 'q' }),
    answer: 'basic.consume-ok',
  },
];

/** Patterns that allow just these accesses to just these names. */
export function patternsFor(needs: readonly Need[]): Record<Access, string> {
  const pattern = (access: Access) => {
    const names = needs.filter(([needed]) => needed === access).map(([, , name]) => name.replaceAll('.', '\\.'));
    return names.length === 0 ? '' : `^(${names.join('|')})$`;
  };
  return { configure: pattern('configure'), write: pattern('write'), read: pattern('read') };
}
