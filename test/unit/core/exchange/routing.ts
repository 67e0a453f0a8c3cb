/** Bindings and messages for routers, which look at keys, arguments and headers only. */
import type { Binding } from '../../../../src/core/binding.js';
import type {
  ExchangeType,
  RandomSource,
  RoutedMessage,
  Router,
  RoutingProperty,
} from '../../../../src/core/exchange/exchange-type.js';
import { EMPTY_TABLE, type FieldTable } from '../../../../src/core/field-value.js';
import { anyPlace, foundBindings } from '../../../support/exchange-place.js';

export function bindingOf(routingKey: string, args: FieldTable = EMPTY_TABLE): Binding {
  return { routingKey, arguments: args } as Binding;
}

export function bindingTo(name: string, routingKey = '', args: FieldTable = EMPTY_TABLE): Binding {
  return { routingKey, arguments: args, destination: { kind: 'queue', queue: { name } } } as Binding;
}

export interface MessageFields {
  readonly headers?: FieldTable;
  readonly properties?: Partial<Record<RoutingProperty, string>>;
  readonly furtherKeys?: readonly string[];
}

export function messageOf(routingKey: string, fields: MessageFields = {}): RoutedMessage {
  const { headers = EMPTY_TABLE, properties = {} } = fields;
  return { routingKey, headers, property: (name) => properties[name] };
}

/** The bindings that a message finds, in the order reported. */
export function routed(router: Router, routingKey: string, headers: FieldTable = EMPTY_TABLE): Binding[] {
  return routedMessage(router, routingKey, { headers });
}

export function routedMessage(router: Router, routingKey: string, fields: MessageFields): Binding[] {
  const targets = foundBindings();
  router.route(messageOf(routingKey, fields), targets, fields.furtherKeys ?? []);
  return targets.found;
}

export function routerWith(
  type: ExchangeType,
  bindings: readonly Binding[],
  args = EMPTY_TABLE,
  random: RandomSource = Math.random,
): Router {
  const router = type.createRouter(args, anyPlace(random));
  for (const binding of bindings) router.add(binding);
  return router;
}
