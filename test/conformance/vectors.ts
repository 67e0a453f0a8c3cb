/** The minimal vectors a broker must get right, by name: each is a test in `vectors.test.ts` or an entry in `later.ts`. */

export const vectorNames = [
  'declare q durable; redeclare durable=false',
  'redeclare with args {x-message-ttl:1000}',
  'declare ttl as `I` 1000, redeclare as `l` 1000',
  'qos(3), 5 messages, consume',
  'recover(true) after that',
  'two gets (unacked) m0,m1 of m0..m3; reject m1; get',
  'queue max-length 1 reject-publish + confirms, 2 publishes',
  'fanout to rejecting and accepting queue',
  'mandatory unroutable with confirms',
  '20 persistent publishes with confirms',
  'persistent then transient publish to durable queue',
  'queue ttl=50, DLX "", no rk (self-cycle)',
  'cy2(ttl, dlx→cy3), cy3 reject → cy2 → expires → cy3',
  'tx: publish, rollback; publish to full reject-publish queue, commit',
  'consume twice same tag',
  'channel error, then publish to missing exchange',
  'get on closed channel number never opened',
  'exclusive queue, other connection passive declare',
  'x-expires 200, idle 500 ms',
  'memory alarm, publish',
  '300 000-byte body, frame_max 131072',
  'priority queue max 5, priorities 0,3,9,1,5,3,none',
  'SUBSCRIBE /queue/x then AMQP delete',
] as const;

export type VectorName = (typeof vectorNames)[number];
