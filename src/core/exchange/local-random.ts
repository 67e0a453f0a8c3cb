/**
 * The local random exchange: a random one of the queues bound to it that are on this node, which all of ours are. Made
 * for request and reply, it takes classic queues only, and no binding key.
 */
import { BrokerError } from '../../errors.js';
import type { ExchangeType, KnownDestination } from './exchange-type.js';
import { RandomRouter } from './random.js';

export const LOCAL_RANDOM: ExchangeType = {
  name: 'x-local-random',
  routesEachKey: false,
  validateBinding: (routingKey, _args, destination) => {
    const refusal = routingKey === '' ? describeInvalidDestination(destination) : describeKey(routingKey);
    if (refusal !== undefined) throw new BrokerError('precondition-failed', refusal);
  },
  createRouter: (_args, { host }) => new RandomRouter(host.random),
};

function describeKey(routingKey: string): string {
  return `Non empty binding '${routingKey}' key not permitted`;
}

/** RabbitMQ looks for a queue of that name, whatever the destination is. */
function describeInvalidDestination(destination: KnownDestination): string | undefined {
  if (destination.kind === 'exchange') return 'Destination not found';
  const { type } = destination.queue;
  return type === 'classic' ? undefined : `Queue type rabbit_${type}_queue not valid for this exchange type`;
}
