/**
 * Where RabbitMQ 3.10 does otherwise than 4.x and ours: at most 25. Each changes what 3.10 said in one step into what
 * 4.x says there, and is counted when that made the difference. After some of them the brokers hold different things,
 * and the program ends.
 */
import type { Step } from './steps.js';

/** Where a program is, and what ours says there. */
export interface Moment {
  /** Undefined when the program is over and what is left is looked at. */
  readonly step: Step | undefined;
  readonly steps: readonly Step[];
  readonly ours: readonly string[];
}

export interface ExplainedDifference {
  readonly id: string;
  /** The section of SEMANTICS and what it says. */
  readonly semantics: string;
  readonly ends: boolean;
  /** What 4.x would have said, given what 3.10 said; the same lines when the difference does not apply. */
  adapt(theirs: readonly string[], moment: Moment): readonly string[];
}

export const MOST_EXPLAINED = 25;

export const explainedDifferences: readonly ExplainedDifference[] = [
  {
    id: 'first-delivery-count',
    semantics: '3.8: 3.10 sends x-delivery-count 0 on the first get, then 1, 2; later on redeliveries only',
    ends: false,
    adapt: (theirs, { ours }) => theirs.map((line) => withoutZeroCount(line, ours)),
  },
  {
    id: 'dead-letter-cc',
    semantics: '3.5: up to 3.12 the CC header goes when there is a dead-letter routing key',
    ends: false,
    adapt: (theirs, { ours }) => theirs.map((line) => withPart('copyKeys', line, ours)),
  },
  {
    id: 'last-death',
    semantics: '3.5: x-last-death-reason, -queue and -exchange since 3.13',
    ends: false,
    adapt: (theirs, { ours }) => theirs.map((line) => withPart('lastDeath', line, ours)),
  },
  {
    id: 'original-expiration',
    semantics: '3.5: expiration moves to original-expiration; 3.10 only where it has the properties decoded',
    ends: false,
    adapt: (theirs, { ours }) => theirs.map((line) => withPart('originalExpiration', line, ours)),
  },
  {
    id: 'priority-head-expiry',
    semantics: '3.6: expiry is of the overall head; 3.10 looks at it late when a message overtakes the head',
    ends: true,
    adapt: (theirs, { ours, steps }) => (steps.some(declaresPriorities) && isFuller(theirs, ours) ? ours : theirs),
  },
  {
    id: 'quorum-consumer-count',
    semantics:
      '3.8: a quorum queue counts an unsettled basic.get as a consumer, and only the active one of single active ' +
      'consumers; 4.x as well',
    ends: false,
    adapt: (theirs, { ours, steps }) => theirs.map((line) => withOurConsumerCount(line, ours, steps)),
  },
  {
    id: 'quorum-return-order',
    semantics: '3.8: in quorum queues requeued messages return near the head, not to their exact position',
    ends: true,
    adapt: (theirs, { ours }) => (says(theirs, RETURNED) && areSameUnordered(theirs, ours) ? ours : theirs),
  },
  {
    id: 'quorum-reject-publish',
    semantics: '3.4: reject-publish of quorum queues is approximate, and may overshoot',
    ends: true,
    adapt: (theirs, { ours, steps }) => (steps.some(refusesPublishes) && isFuller(theirs, ours) ? ours : theirs),
  },
  {
    id: 'delivered-while-closing',
    semantics: '2.1: channel.close requeues and is then answered; other queues may deliver to the channel meanwhile',
    ends: true,
    adapt: (theirs) => {
      const closed = theirs.flatMap((line) => /^(..): channel.close(-ok)? /.exec(line)?.[1] ?? []);
      return theirs.filter((line) => !closed.some((channel) => line.startsWith(`${channel}: deliver `)));
    },
  },
  {
    id: 'dead-letter-order',
    semantics:
      '3.5: a queue publishes its dead letters by itself: whether before or after what clients publish is open',
    ends: true,
    adapt: (theirs, { ours }) => (says(theirs, /x-death/) && areSameUnordered(theirs, ours) ? ours : theirs),
  },
  {
    id: 'no-ack-and-global-prefetch',
    semantics:
      '2.11: no_ack consumers are not limited; RabbitMQ holds them back too while the limit of the channel is reached',
    ends: true,
    adapt: (theirs, { ours, steps }) =>
      steps.some(limitsChannel) && steps.some(consumesWithoutAck) && isFuller(theirs, ours) ? ours : theirs,
  },
  {
    id: 'foreign-queue-order',
    semantics: '2.4: RabbitMQ validates the arguments of a binding before it asks whose exclusive queue it is',
    ends: false,
    adapt: (theirs, { ours }) =>
      says(ours, /channel.close 405 50,20 RESOURCE_LOCKED/)
        ? theirs.map((line) =>
            line.includes('Invalid x-match') ? sameBeginning(line, ours, /^..: channel.close 40/) : line,
          )
        : theirs,
  },
  {
    id: 'dead-letter-history',
    semantics: '3.5: 3.x goes on counting in an x-death header that a client published, 4.x starts anew',
    ends: true,
    adapt: (theirs, { steps, ours }) =>
      steps.some(publishesDeaths) && says(theirs, /x-death:\[\{.*reason:S'rejected'/) ? ours : theirs,
  },
  {
    id: 'stored-queue-type',
    semantics: '3.1: in 4.x every queue stores its x-queue-type',
    ends: false,
    adapt: (theirs, { ours }) => theirs.map((line) => sameBeginning(line, ours, /^.*inequivalent arg 'x-queue-type'/)),
  },
  {
    id: 'delivery-mode',
    semantics: '2.8: other delivery modes than 1 and 2 are refused up to 3.12, and transient since',
    ends: true,
    adapt: (theirs, { ours }) => (says(theirs, /delivery_mode_unknown/) ? ours : theirs),
  },
  {
    id: 'unknown-exchange-type',
    semantics: '2.2: an unknown exchange type is a hard 503 in 3.x and a soft 406 in 4.x',
    ends: true,
    adapt: (theirs, { ours }) =>
      says(theirs, /connection.close 503 40,10 COMMAND_INVALID - (unknown|invalid) exchange type/) &&
      says(ours, /channel.close 406 40,10 PRECONDITION_FAILED - unknown exchange type/)
        ? ours
        : theirs,
  },
  {
    id: 'header-number-types',
    semantics: '2.5: in a headers exchange the integer 1 equals the double 1.0 up to 3.12',
    ends: true,
    adapt: (theirs, { step, ours }) => (hasDoubleHeader(step) ? ours : theirs),
  },
  {
    id: 'user-id-order',
    semantics: '2.8: since 3.13 the user-id is looked at after expiration, CC and BCC',
    ends: false,
    adapt: (theirs, { ours }) =>
      theirs.map((line) =>
        /PRECONDITION_FAILED - user_id property/.test(line)
          ? sameBeginning(line, ours, /^.*PRECONDITION_FAILED/)
          : line,
      ),
  },
];

/** Those that explain the difference: none when there is no difference, undefined when they do not explain it. */
export function explain(
  differences: readonly ExplainedDifference[],
  moment: Moment,
  theirs: readonly string[],
): readonly ExplainedDifference[] | undefined {
  const { ours } = moment;
  if (areSame(ours, theirs)) return [];
  const applied: ExplainedDifference[] = [];
  let adapted = theirs;
  for (const difference of differences) {
    const next = difference.adapt(adapted, moment);
    if (areSame(next, adapted)) continue;
    applied.push(difference);
    adapted = next;
    if (areSame(ours, adapted)) return applied;
  }
  return undefined;
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, index) => line === other[index]);
}

/** A message of a quorum queue that came back. */
const RETURNED = /x-delivery-count:l'[1-9]/;
const QUEUE_LINE =
  /^(?<before>queue: (?<queue>\S+) ready=\d+ consumers=|.*queue.declare-ok \{"queue":"(?<declared>[^"]*)".*"consumerCount":)\d+/;

/** A queue that the program declares as a quorum queue. */
function withOurConsumerCount(line: string, ours: readonly string[], steps: readonly Step[]): string {
  const { before, queue, declared } = QUEUE_LINE.exec(line)?.groups ?? {};
  const isQuorum = steps.some((step) => declaresQuorum(step, queue ?? declared ?? ''));
  if (before === undefined || !isQuorum) return line;
  return ours.find((own) => own.startsWith(before)) ?? line;
}

function declaresQuorum(step: Step, queue: string): boolean {
  if (step.kind !== 'call' || step.method.name !== 'queue.declare' || step.method.queue !== queue) return false;
  return step.method.arguments?.some(([, value]) => value.type === 'S' && value.value === 'quorum') ?? false;
}

function declaresPriorities(step: Step): boolean {
  if (step.kind !== 'call' || step.method.name !== 'queue.declare') return false;
  return step.method.arguments?.some(([key]) => key === 'x-max-priority') ?? false;
}

function refusesPublishes(step: Step): boolean {
  if (step.kind !== 'call' || step.method.name !== 'queue.declare') return false;
  const values = step.method.arguments?.map(([, value]) => (value.type === 'S' ? value.value : '')) ?? [];
  return values.includes('quorum') && values.includes('reject-publish');
}

/** There is more in a queue of theirs, or they confirmed what ours refused. */
function isFuller(theirs: readonly string[], ours: readonly string[]): boolean {
  return theirs.some((line, index) => {
    const [, ready] = / ready=(\d+)/.exec(line) ?? [];
    const [, own] = / ready=(\d+)/.exec(ours[index] ?? '') ?? [];
    return Number(ready) > Number(own) || (/basic.ack \d/.test(line) && !ours.includes(line));
  });
}

function limitsChannel(step: Step): boolean {
  return step.kind === 'call' && step.method.name === 'basic.qos' && step.method.global === true;
}

function consumesWithoutAck(step: Step): boolean {
  return step.kind === 'call' && step.method.name === 'basic.consume' && step.method.noAck === true;
}

function publishesDeaths(step: Step): boolean {
  if (step.kind !== 'publish' || step.message.properties instanceof Uint8Array) return false;
  return step.message.properties?.headers?.some(([key]) => key === 'x-death') ?? false;
}

function areSameUnordered(one: readonly string[], other: readonly string[]): boolean {
  const content = (lines: readonly string[]) =>
    lines.map((line) => withoutParts(line.replace(/ left=\d+| ?x-delivery-count:l'\d+'| ?headers={}/g, ''))).toSorted();
  return areSame(content(one), content(other));
}

function says(lines: readonly string[], pattern: RegExp): boolean {
  return lines.some((line) => pattern.test(line));
}

/** Our line when it begins with what the pattern finds at the beginning of theirs, and goes on otherwise. */
function sameBeginning(line: string, ours: readonly string[], pattern: RegExp): string {
  const beginning = pattern.exec(line)?.[0];
  if (beginning === undefined) return line;
  return ours.find((own) => own.startsWith(beginning)) ?? line;
}

/** What 4.x says of a dead-lettered message and 3.10 does not always. */
const PARTS = {
  lastDeath: / x-last-death-exchange:S'.*?' x-last-death-queue:S'.*?' x-last-death-reason:S'\w+'/,
  copyKeys: /CC:\[[^\]]*\] (?=.*x-death)/,
  originalExpiration: / original-expiration:S'\d*'(?=.*reason)/,
} as const;

/** The line with that part of ours, when the two differ in such parts alone. */
function withPart(part: keyof typeof PARTS, line: string, ours: readonly string[]): string {
  if (!line.includes('x-first-death') || PARTS[part].test(line)) return line;
  // Nor is the key a copy key of a later death.
  const rest = (text: string) =>
    withoutParts(part === 'copyKeys' ? text.replaceAll(/ routing-keys:\[.*?\]/g, '') : text);
  const own = ours.find((candidate) => PARTS[part].test(candidate) && rest(candidate) === rest(line));
  if (own === undefined || !tellsNewestDeath(own)) return line;
  const others = Object.values(PARTS).filter((other) => other !== PARTS[part] && !other.test(line));
  return others.reduce((text, other) => text.replace(other, ''), own);
}

/** One of ours, save for what other differences explain. */
function isKnown(line: string, ours: readonly string[]): boolean {
  return (
    ours.includes(line) || ours.some((own) => line.includes('x-death') && withoutParts(own) === withoutParts(line))
  );
}

function withoutParts(line: string): string {
  return Object.values(PARTS).reduce((text, part) => text.replace(part, ''), line);
}

/** The last death is the newest entry of the history, which has the exchange of the first such death. */
function tellsNewestDeath(line: string): boolean {
  if (!line.includes("x-death:[{count:l'1'")) return true;
  const newest = /x-death:\[\{count:l'\d+' exchange:(S'.*?').*? queue:(S'.*?') reason:(S'.*?')/.exec(line) ?? [];
  const last =
    /x-last-death-exchange:(S'.*?') x-last-death-queue:(S'.*?') x-last-death-reason:(S'.*?')/.exec(line) ?? [];
  return newest.slice(1).join() === last.slice(1).join();
}

function withoutZeroCount(line: string, ours: readonly string[]): string {
  const emptied = line.replace(/ ?x-delivery-count:l'0'/, '').replace('headers={ ', 'headers={');
  const without = emptied.replace(/ ?headers={}/, '');
  // What a client says there stays.
  const clients = line.replace("x-delivery-count:l'0'", "x-delivery-count:I'7'");
  return [emptied, without, clients].find((candidate) => isKnown(candidate, ours)) ?? line;
}

function hasDoubleHeader(step: Step | undefined): boolean {
  const properties = step?.kind === 'publish' ? step.message.properties : undefined;
  if (properties === undefined || properties instanceof Uint8Array) return false;
  return properties.headers?.some(([, { type }]) => type === 'd') ?? false;
}
