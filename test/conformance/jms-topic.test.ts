import { describe, expect } from 'vitest';
import { type FieldTable, table } from '../../protocol/amqp/field-table.js';
import { test } from './conformance-test.js';
import { bindExchange, bindQueue, declareExchange, drain, exclusiveQueue, isRouted } from './topology.js';

describe('a JMS exchange', () => {
  const type = 'x-jms-topic';
  const selecting = (selector: string): FieldTable => table({ rjms_erlang_selector: selector, rjms_version: '3.2.0' });
  const headers = table({ type: 'car', colour: 'blue', weight: 2501, ratio: 0.03, yes: true, no: false });
  test.beforeEach(({ needsExchangeType }) => needsExchangeType(type));

  const rows: readonly (readonly [selector: string, selected: boolean])[] = [
    ['{\'ident\',<<"yes">>}.', true],
    ['{\'ident\',<<"no">>}.', false],
    ["{'not',{'ident',<<\"no\">>}}.", true],
    ['{\'=\',{\'ident\',<<"type">>},<<"car">>}.', true],
    ['{\'<>\',{\'ident\',<<"type">>},<<"car">>}.', false],
    ["{'=',{'ident',<<\"weight\">>},2501.0}.", true],
    ["{'>',{'ident',<<\"type\">>},2501}.", true],
    ["{'=',{'ident',<<\"ratio\">>},3.0E-2}.", true],
    ["{'and',{'is_null',{'ident',<<\"nothing\">>}},{'>',{'ident',<<\"weight\">>},{'-',12,4}}}.", true],
    ["{'or',{'<',{'ident',<<\"missing\">>},1},{'ident',<<\"yes\">>}}.", true],
    ["{'not',{'<',{'ident',<<\"missing\">>},1}}.", false],
    ["{'between',{'ident',<<\"weight\">>},2500,{'+',2500,1}}.", true],
    ["{'not_between',{'ident',<<\"weight\">>},2500,{'*',2500,2}}.", false],
    ["{'like',{'ident',<<\"colour\">>},<<\"b_u%\">>,'no_escape'}.", true],
    ['{\'like\',{\'ident\',<<"colour">>},<<"b!_u%">>,<<"!">>}.', false],
    ["{'not_like',{'ident',<<\"colour\">>},<<\"l%\">>,'no_escape'}.", true],
    ["{'not_like',{'ident',<<\"missing\">>},<<\"l%\">>,'no_escape'}.", false],
    ['{\'in\',{\'ident\',<<"colour">>},[<<"blue">>,<<"green">>]}.', true],
    ['{\'not_in\',{\'ident\',<<"missing">>},[<<"blue">>]}.', false],
    ["{'=',{'/',5,2},2.5}.", true],
  ];

  test.for(rows)('with the selector %s selects: %s', async ([selector, selected], { client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'k', arguments: selecting(selector) });
    expect(await isRouted(client, { exchange, routingKey: 'other', properties: { headers } })).toBe(selected);
  });

  test('selects behind a topic exchange, as the JMS client binds it', async ({ client, unique }) => {
    const topic = await declareExchange(client, { exchange: unique('topic'), type: 'topic' });
    const exchange = await declareExchange(client, { exchange: unique('selection'), type, autoDelete: true });
    await bindExchange(client, exchange, topic, 'news');
    const queue = await exclusiveQueue(client);
    const args = selecting('{\'ident\',<<"yes">>}.');
    await bindQueue(client, { queue, exchange, routingKey: 'news', arguments: args });
    expect(await isRouted(client, { exchange: topic, routingKey: 'news', properties: { headers } })).toBe(true);
    expect(await isRouted(client, { exchange: topic, routingKey: 'weather', properties: { headers } })).toBe(false);
    expect(await isRouted(client, { exchange: topic, routingKey: 'news' })).toBe(false);
  });

  test('selects by each of several bindings', async ({ client, unique, skipOn3 }) => {
    skipOn3('jms-several-selectors');
    const exchange = await declareExchange(client, { exchange: unique('x'), type });
    const queue = await exclusiveQueue(client);
    for (const selector of ['{\'ident\',<<"yes">>}.', '{\'ident\',<<"no">>}.']) {
      await bindQueue(client, { queue, exchange, routingKey: 'k', arguments: selecting(selector) });
    }
    client.publish(1, { exchange, body: 'once', properties: { headers } });
    expect(await drain(client, queue)).toEqual(['once']);
  });

  test.for([
    ['', 'invalid JMS selector: unexpected_end'],
    ['{', 'invalid JMS selector: unexpected_end'],
    ['{\'ident\',<<"a">>}. more', 'invalid JMS selector: trailing_characters'],
    ['[1 2].', 'invalid JMS selector: expected_comma_or_closing_bracket'],
  ] as const)('refuses the selector %j', async ([selector, text], { client, unique, expects }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type });
    const queue = await exclusiveQueue(client, { queue: unique('q') });
    client.send(1, { name: 'queue.bind', queue, exchange, routingKey: 'k', arguments: selecting(selector) });
    await expects('jms-refused-selector', {
      rabbit3: () => client.expectConnectionClose(541, 'INTERNAL_ERROR', [0, 0]),
      default: () => client.expectChannelClose(1, 406, `PRECONDITION_FAILED - ${text}`, [50, 20]),
    })();
  });
});
