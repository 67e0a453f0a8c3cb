/**
 * ACK and NACK: what delivery they mean (SEMANTICS 4.8).
 */
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { headerId } from '../../../protocol/stomp/names.js';
import { BrokerError } from '../../errors.js';
import { StompError } from './errors.js';
import { booleanHeader } from './frame-headers.js';
import type { StompSession } from './session.js';

const ID = headerId('id');
const MESSAGE_ID = headerId('message-id');
const SEPARATOR = '@@';

export function settle(session: StompSession, frame: StompFrame): void {
  const { command } = frame;
  // STOMP 1.2 has an id of its own for this.
  const header = session.sendsAck ? 'id' : 'message-id';
  const value = frame.text(session.sendsAck ? ID : MESSAGE_ID);
  if (value === undefined) throw new StompError('Missing header', `"${command}" must include the "${header}" header\n`);
  const delivery = parseMessageId(value);
  if (delivery === undefined || delivery.session !== session.sessionId) {
    throw new StompError('Invalid header', `"${command}" must include a valid "${header}" header\n`);
  }
  const consumer = session.consumers.get(delivery.consumerTag);
  if (consumer === undefined) {
    throw new StompError('Subscription not found', `Message with id "${value}" has no subscription`);
  }
  // In auto mode nothing is outstanding, so the tag is unknown.
  const multiple = consumer.subscription.ack === 'client';
  const kind = command === 'ACK' ? 'ack' : booleanHeader(frame, 'requeue') === false ? 'reject' : 'requeue';
  if (!session.settleDeliveries(delivery.tag, multiple, kind)) {
    throw new BrokerError('precondition-failed', `unknown delivery tag ${delivery.tag}`);
  }
}

interface Delivery {
  readonly consumerTag: string;
  readonly session: string;
  readonly tag: number;
}

/** `<consumer tag>@@<session>@@<delivery tag>`. A consumer tag may have the separator in it. */
function parseMessageId(text: string): Delivery | undefined {
  const second = text.lastIndexOf(SEPARATOR);
  const first = second < 1 ? -1 : text.lastIndexOf(SEPARATOR, second - SEPARATOR.length);
  if (first === -1) return undefined;
  const digits = text.slice(second + SEPARATOR.length);
  const tag = /^[0-9]{1,15}$/.test(digits) ? Number(digits) : 0;
  const session = text.slice(first + SEPARATOR.length, second);
  return tag === 0 ? undefined : { consumerTag: text.slice(0, first), session, tag };
}
