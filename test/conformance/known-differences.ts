/**
 * Where RabbitMQ 3.x answers otherwise than 4.x and ours. A test that touches one of them names it: `expects(id, …)`
 * picks the answer for the broker under test, `skipOn3(id)` leaves the test out there.
 */

export interface KnownDifference {
  readonly id: string;
  readonly rabbit3: string;
  readonly ours: string;
  readonly reason: string;
}

export const knownDifferences = [
  {
    id: 'protocol-0-8',
    rabbit3: 'speaks the 0-8 dialect to the headers of 0-8',
    ours: 'answers with its own protocol header and closes',
    reason: '4.x dropped 0-8',
  },
  {
    id: 'sasl-anonymous',
    rabbit3: 'does not know ANONYMOUS',
    ours: 'offers it, and logs in the anonymous user',
    reason: 'added in 4.0',
  },
  {
    id: 'tune-refusal',
    rabbit3: 'ends the connection without a frame, three seconds after a tune-ok it does not accept',
    ours: 'closes with 530',
    reason: '4.x says why',
  },
  {
    id: 'tune-zero',
    rabbit3: 'refuses 0 for channel_max and frame_max unless it offered 0',
    ours: 'takes 0 for what it offered',
    reason: 'older clients answer 0, and mean "no limit of mine"',
  },
  {
    id: 'body-exceeds-header',
    rabbit3: 'accepts a message with more octets than its header announced',
    ours: 'closes with 501',
    reason: 'checked since 4.0',
  },
  {
    id: 'announced-body-size',
    rabbit3: 'waits for a body of any announced size',
    ours: 'closes with 501 when 536870912 octets are exceeded',
    reason: 'checked since 4.0',
  },
  {
    id: 'unknown-exchange-type',
    rabbit3: 'closes the connection with 503',
    ours: 'closes the channel with 406',
    reason: 'softened in 4.0',
  },
  {
    id: 'header-number-types',
    rabbit3: 'takes the integer 1 and the double 1.0 for equal in a headers exchange',
    ours: 'takes them for different',
    reason: 'compared strictly since 3.13',
  },
  {
    id: 'message-size',
    rabbit3: 'accepts messages of up to 134217728 octets',
    ours: 'accepts messages of up to 16777216 octets',
    reason: 'the default limit was lowered in 4.0',
  },
  {
    id: 'delivery-mode',
    rabbit3: 'refuses a message with a delivery-mode other than 1 and 2',
    ours: 'takes it for transient',
    reason: 'changed in 3.13',
  },
  {
    id: 'user-id-order',
    rabbit3: 'looks at the user-id of a message before its expiration and its CC and BCC headers',
    ours: 'looks at it after them',
    reason: 'the order changed in 3.13',
  },
  {
    id: 'reply-to-mandatory',
    rabbit3: 'delivers a mandatory reply to amq.rabbitmq.reply-to and returns it as well',
    ours: 'delivers it',
    reason: 'taken for routed since 4.2',
  },
  {
    id: 'reply-to-delivery-tags',
    rabbit3: 'gives a direct reply the next delivery tag and does not count it',
    ours: 'counts it',
    reason: 'a queue of its own since 4.2',
  },
  {
    id: 'reply-to-binding',
    rabbit3: 'does not find amq.rabbitmq.reply-to names when binding',
    ours: 'refuses to bind them with 403',
    reason: 'said so since 4.2',
  },
  {
    id: 'dead-letter-history',
    rabbit3: 'goes on counting in an x-death header that a client published',
    ours: 'starts a new history at the next death',
    reason: 'in 4.x the history belongs to the broker',
  },
  {
    id: 'first-delivery-count',
    rabbit3: 'gives a message of a quorum queue x-delivery-count 0 at its first basic.get',
    ours: 'has the header from the second delivery on',
    reason: 'so since 4.0, and as the documentation has it',
  },
  {
    id: 'hash-argument-type',
    rabbit3: 'closes the connection with 541 when hash-header or hash-property is no string',
    ours: 'closes the channel with 406',
    reason: 'a crash there, in 4.x as well',
  },
  {
    id: 'hash-header-type',
    rabbit3: 'hashes a header together with its type, so that an int and a long of one value may go different ways',
    ours: 'hashes the value',
    reason: 'values alone since 3.13',
  },
  {
    id: 'hash-largest-weight',
    rabbit3: 'takes any weight in a consistent hash exchange',
    ours: 'takes up to 10000',
    reason: 'limited since 4.3',
  },
  {
    id: 'hash-several-weights',
    rabbit3: 'counts the weight that a queue was bound with first, and drops the queue when any of its bindings goes',
    ours: 'counts the largest weight of the bindings that there are',
    reason: 'it can be told from the bindings alone, as after a restart; 4.x does as 3.x',
  },
  {
    id: 'hash-removal',
    rabbit3: 'moves most messages to other queues when a queue leaves a consistent hash exchange',
    ours: 'moves those of that queue and hardly any other',
    reason: 'buckets are renumbered there, in 4.x as well',
  },
  {
    id: 'jms-refused-selector',
    rabbit3: 'closes the connection with 541 when a selector is missing or malformed',
    ours: 'closes the channel with 406',
    reason: 'selectors are validated since 4.3, save for a missing one',
  },
  {
    id: 'jms-several-selectors',
    rabbit3: 'keeps the last selector of several bindings of a queue with one key',
    ours: 'selects for each binding',
    reason: 'each is a binding; 4.x does as 3.x',
  },
  {
    id: 'delayed-exchange',
    rabbit3: 'knows x-delayed-message with a community plugin only',
    ours: 'has it',
    reason: 'the plugin is not part of the distribution',
  },
  {
    id: 'deduplication',
    rabbit3: 'knows x-message-deduplication with a community plugin only',
    ours: 'has it',
    reason: 'the plugin is not part of the distribution',
  },
  {
    id: 'recent-history-order',
    rabbit3: 'gives the history to an exchange that is bound the latest message first',
    ours: 'gives it the oldest first, as to a queue',
    reason: 'an oversight there, in 4.x too: the history of a queue is in order',
  },
  {
    id: 'recent-history-unroutable',
    rabbit3: 'closes the connection with 541 when an exchange is bound that routes one of the messages nowhere',
    ours: 'drops that message',
    reason: 'an oversight there, in 4.x too: a client could not bind the exchange at all',
  },
  {
    id: 'stomp-limits',
    rabbit3: 'takes STOMP frames of any size and any number of headers',
    ours: 'ends the connection above 4 MiB and 100 headers',
    reason: 'limited in 4.x',
  },
  {
    id: 'stomp-receipts-at-the-end',
    rabbit3: 'may drop receipts of SENDs that are not confirmed yet when DISCONNECT comes',
    ours: 'sends them, and the receipt of DISCONNECT last',
    reason: 'STOMP: the receipt of DISCONNECT says that everything before it was received',
  },
  {
    id: 'stomp-queue-type',
    rabbit3: 'declares a quorum queue with the flags of a transient one, and is refused',
    ours: 'declares it durable and not exclusive',
    reason: 'mended in 4.3',
  },
  {
    id: 'stomp-priority',
    rabbit3: 'does not know x-priority on SUBSCRIBE',
    ours: 'serves subscriptions of higher priority first',
    reason: 'added in 4.x',
  },
  {
    id: 'stomp-transient',
    rabbit3: 'gives a message of delivery-mode 1 the header persistent:1',
    ours: 'gives it no such header',
    reason: 'persistent is true or absent everywhere else',
  },
  {
    id: 'stomp-nack',
    rabbit3: 'ends the connection when a message with a receipt is refused by its queue',
    ours: 'sends no receipt, and goes on',
    reason: '4.x goes on',
  },
  {
    id: 'stomp-transaction-checks',
    rabbit3: 'looks at the destination of a SEND when it joins a transaction',
    ours: 'looks at it when the transaction is committed',
    reason: 'moved in 4.x',
  },
  {
    id: 'stream-offset-word',
    rabbit3:
      'closes the connection with 541 when x-stream-offset is a word that is none of its own, or no string at all',
    ours: 'closes the channel with 406',
    reason: 'a crash there; 4.x refuses it',
  },
  {
    id: 'stream-texts',
    rabbit3: 'words two refusals of consumers of streams otherwise',
    ours: 'has the texts of 4.x',
    reason: 'reworded since',
  },
  {
    id: 'stream-nack',
    rabbit3: 'closes the connection with 540 for basic.nack and basic.reject of what a stream delivered',
    ours: 'takes them for acknowledgements',
    reason: 'credit like any other since 3.11',
  },
  {
    id: 'stream-filter',
    rabbit3: 'knows no filters of streams',
    ours: 'has them, and they are exact',
    reason: 'added in 3.13, where the filter works on chunks and lets others through',
  },
] as const satisfies readonly KnownDifference[];

export type DifferenceId = (typeof knownDifferences)[number]['id'];
