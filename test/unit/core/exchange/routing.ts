/** Bindings and messages for routers, which look at keys, arguments and headers only. */
import type { Binding } from '../../../../src/core/binding.js';
import type { ExchangeType, Router } from '../../../../src/core/exchange/exchange-type.js';
import { EMPTY_TABLE, type FieldTable } from '../../../../src/core/field-value.js';

export function bindingOf(routingKey: string, args: FieldTable = EMPTY_TABLE): Binding {
  return { routingKey, arguments: args } as Binding;
}

/** The bindings that a message finds, in the order reported. */
export function routed(router: Router, routingKey: string, headers: FieldTable = EMPTY_TABLE): Binding[] {
  const found: Binding[] = [];
  router.route({ routingKey, headers }, { add: (binding) => found.push(binding) });
  return found;
}

export function routerWith(type: ExchangeType, bindings: readonly Binding[]): Router {
  const router = type.createRouter(EMPTY_TABLE);
  for (const binding of bindings) router.add(binding);
  return router;
}
