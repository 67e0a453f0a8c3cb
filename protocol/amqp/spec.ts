/**
 * Every class and method with its arguments in wire order. `generate.ts` turns the table into code and the tests turn
 * it into arbitraries: a new method is a row here and `npm run generate`.
 */

export type Domain = 'octet' | 'short' | 'long' | 'longlong' | 'shortstr' | 'longstr' | 'bit' | 'table';

export interface Argument {
  readonly name: string;
  readonly domain: Domain;
  /** Always zero or empty: on the wire, but not in the decoded method. */
  readonly reserved: boolean;
}

export interface MethodSpec {
  /** As in texts: 'declare-ok'. */
  readonly name: string;
  readonly id: number;
  readonly arguments: readonly Argument[];
  /** A content header and body follow. */
  readonly content: boolean;
}

export interface ClassSpec {
  readonly name: string;
  readonly id: number;
  readonly methods: readonly MethodSpec[];
}

/** 'short ticket reserved' is a short named ticket that is always zero. */
type ArgumentText = `${Domain} ${string}`;

const TICKET = 'short ticket reserved';
const CLOSE: readonly ArgumentText[] = ['short replyCode', 'shortstr replyText', 'short classId', 'short methodId'];
const EXCHANGE_BINDING: readonly ArgumentText[] = [
  TICKET,
  'shortstr destination',
  'shortstr source',
  'shortstr routingKey',
  'bit noWait',
  'table arguments',
];
const CONTENT = true;

export const CLASSES: readonly ClassSpec[] = [
  {
    name: 'connection',
    id: 10,
    methods: [
      method(10, 'start', [
        'octet versionMajor',
        'octet versionMinor',
        'table serverProperties',
        'longstr mechanisms',
        'longstr locales',
      ]),
      method(11, 'start-ok', ['table clientProperties', 'shortstr mechanism', 'longstr response', 'shortstr locale']),
      method(20, 'secure', ['longstr challenge']),
      method(21, 'secure-ok', ['longstr response']),
      method(30, 'tune', ['short channelMax', 'long frameMax', 'short heartbeat']),
      method(31, 'tune-ok', ['short channelMax', 'long frameMax', 'short heartbeat']),
      method(40, 'open', ['shortstr virtualHost', 'shortstr capabilities reserved', 'bit insist reserved']),
      method(41, 'open-ok', ['shortstr knownHosts reserved']),
      method(50, 'close', CLOSE),
      method(51, 'close-ok', []),
      method(60, 'blocked', ['shortstr reason']),
      method(61, 'unblocked', []),
      method(70, 'update-secret', ['longstr newSecret', 'shortstr reason']),
      method(71, 'update-secret-ok', []),
    ],
  },
  {
    name: 'channel',
    id: 20,
    methods: [
      method(10, 'open', ['shortstr reserved1 reserved']),
      method(11, 'open-ok', ['longstr channelId reserved']),
      method(20, 'flow', ['bit active']),
      method(21, 'flow-ok', ['bit active']),
      method(40, 'close', CLOSE),
      method(41, 'close-ok', []),
    ],
  },
  {
    name: 'access',
    id: 30,
    methods: [
      method(10, 'request', ['shortstr realm', 'bit exclusive', 'bit passive', 'bit active', 'bit write', 'bit read']),
      method(11, 'request-ok', ['short ticket']),
    ],
  },
  {
    name: 'exchange',
    id: 40,
    methods: [
      method(10, 'declare', [
        TICKET,
        'shortstr exchange',
        'shortstr type',
        'bit passive',
        'bit durable',
        'bit autoDelete',
        'bit internal',
        'bit noWait',
        'table arguments',
      ]),
      method(11, 'declare-ok', []),
      method(20, 'delete', [TICKET, 'shortstr exchange', 'bit ifUnused', 'bit noWait']),
      method(21, 'delete-ok', []),
      method(30, 'bind', EXCHANGE_BINDING),
      method(31, 'bind-ok', []),
      method(40, 'unbind', EXCHANGE_BINDING),
      method(51, 'unbind-ok', []),
    ],
  },
  {
    name: 'queue',
    id: 50,
    methods: [
      method(10, 'declare', [
        TICKET,
        'shortstr queue',
        'bit passive',
        'bit durable',
        'bit exclusive',
        'bit autoDelete',
        'bit noWait',
        'table arguments',
      ]),
      method(11, 'declare-ok', ['shortstr queue', 'long messageCount', 'long consumerCount']),
      method(20, 'bind', [
        TICKET,
        'shortstr queue',
        'shortstr exchange',
        'shortstr routingKey',
        'bit noWait',
        'table arguments',
      ]),
      method(21, 'bind-ok', []),
      method(30, 'purge', [TICKET, 'shortstr queue', 'bit noWait']),
      method(31, 'purge-ok', ['long messageCount']),
      method(40, 'delete', [TICKET, 'shortstr queue', 'bit ifUnused', 'bit ifEmpty', 'bit noWait']),
      method(41, 'delete-ok', ['long messageCount']),
      method(50, 'unbind', [TICKET, 'shortstr queue', 'shortstr exchange', 'shortstr routingKey', 'table arguments']),
      method(51, 'unbind-ok', []),
    ],
  },
  {
    name: 'basic',
    id: 60,
    methods: [
      method(10, 'qos', ['long prefetchSize', 'short prefetchCount', 'bit global']),
      method(11, 'qos-ok', []),
      method(20, 'consume', [
        TICKET,
        'shortstr queue',
        'shortstr consumerTag',
        'bit noLocal',
        'bit noAck',
        'bit exclusive',
        'bit noWait',
        'table arguments',
      ]),
      method(21, 'consume-ok', ['shortstr consumerTag']),
      method(30, 'cancel', ['shortstr consumerTag', 'bit noWait']),
      method(31, 'cancel-ok', ['shortstr consumerTag']),
      method(
        40,
        'publish',
        [TICKET, 'shortstr exchange', 'shortstr routingKey', 'bit mandatory', 'bit immediate'],
        CONTENT,
      ),
      method(
        50,
        'return',
        ['short replyCode', 'shortstr replyText', 'shortstr exchange', 'shortstr routingKey'],
        CONTENT,
      ),
      method(
        60,
        'deliver',
        ['shortstr consumerTag', 'longlong deliveryTag', 'bit redelivered', 'shortstr exchange', 'shortstr routingKey'],
        CONTENT,
      ),
      method(70, 'get', [TICKET, 'shortstr queue', 'bit noAck']),
      method(
        71,
        'get-ok',
        ['longlong deliveryTag', 'bit redelivered', 'shortstr exchange', 'shortstr routingKey', 'long messageCount'],
        CONTENT,
      ),
      method(72, 'get-empty', ['shortstr clusterId reserved']),
      method(80, 'ack', ['longlong deliveryTag', 'bit multiple']),
      method(90, 'reject', ['longlong deliveryTag', 'bit requeue']),
      method(100, 'recover-async', ['bit requeue']),
      method(110, 'recover', ['bit requeue']),
      method(111, 'recover-ok', []),
      method(120, 'nack', ['longlong deliveryTag', 'bit multiple', 'bit requeue']),
    ],
  },
  {
    name: 'confirm',
    id: 85,
    methods: [method(10, 'select', ['bit noWait']), method(11, 'select-ok', [])],
  },
  {
    name: 'tx',
    id: 90,
    methods: [
      method(10, 'select', []),
      method(11, 'select-ok', []),
      method(20, 'commit', []),
      method(21, 'commit-ok', []),
      method(30, 'rollback', []),
      method(31, 'rollback-ok', []),
    ],
  },
];

/** In wire order, which is the order of the flag bits from the highest down. */
export const PROPERTIES = [
  { name: 'contentType', domain: 'shortstr', flag: 0x8000 },
  { name: 'contentEncoding', domain: 'shortstr', flag: 0x4000 },
  { name: 'headers', domain: 'table', flag: 0x2000 },
  { name: 'deliveryMode', domain: 'octet', flag: 0x1000 },
  { name: 'priority', domain: 'octet', flag: 0x0800 },
  { name: 'correlationId', domain: 'shortstr', flag: 0x0400 },
  { name: 'replyTo', domain: 'shortstr', flag: 0x0200 },
  { name: 'expiration', domain: 'shortstr', flag: 0x0100 },
  { name: 'messageId', domain: 'shortstr', flag: 0x0080 },
  { name: 'timestamp', domain: 'longlong', flag: 0x0040 },
  { name: 'type', domain: 'shortstr', flag: 0x0020 },
  { name: 'userId', domain: 'shortstr', flag: 0x0010 },
  { name: 'appId', domain: 'shortstr', flag: 0x0008 },
  { name: 'clusterId', domain: 'shortstr', flag: 0x0004 },
] as const;

export const REPLY_CODES = [
  { name: 'REPLY_SUCCESS', code: 200 },
  { name: 'CONTENT_TOO_LARGE', code: 311 },
  { name: 'NO_ROUTE', code: 312 },
  { name: 'NO_CONSUMERS', code: 313 },
  { name: 'CONNECTION_FORCED', code: 320 },
  { name: 'INVALID_PATH', code: 402 },
  { name: 'ACCESS_REFUSED', code: 403 },
  { name: 'NOT_FOUND', code: 404 },
  { name: 'RESOURCE_LOCKED', code: 405 },
  { name: 'PRECONDITION_FAILED', code: 406 },
  { name: 'FRAME_ERROR', code: 501 },
  { name: 'SYNTAX_ERROR', code: 502 },
  { name: 'COMMAND_INVALID', code: 503 },
  { name: 'CHANNEL_ERROR', code: 504 },
  { name: 'UNEXPECTED_FRAME', code: 505 },
  { name: 'RESOURCE_ERROR', code: 506 },
  { name: 'NOT_ALLOWED', code: 530 },
  { name: 'NOT_IMPLEMENTED', code: 540 },
  { name: 'INTERNAL_ERROR', code: 541 },
] as const;

export const FRAME_TYPES = [
  { name: 'method', type: 1 },
  { name: 'header', type: 2 },
  { name: 'body', type: 3 },
  { name: 'heartbeat', type: 8 },
] as const;

export const FRAME_END = 0xce;

function method(id: number, name: string, texts: readonly ArgumentText[], content = false): MethodSpec {
  return { id, name, arguments: texts.map(argument), content };
}

function argument(text: ArgumentText): Argument {
  const [domain, name, reserved] = text.split(' ') as [Domain, string, string | undefined];
  return { domain, name, reserved: reserved === 'reserved' };
}
