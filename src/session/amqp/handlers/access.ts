/**
 * access.request, a leftover of older protocol versions: everybody gets ticket 1, nothing is checked.
 */
import { writeAccessRequestOk } from '../../../../protocol/amqp/methods.gen.js';
import type { Channel } from '../channel.js';

const TICKET = 1;

export function accessRequest(channel: Channel): void {
  writeAccessRequestOk(channel.output.writer, channel.number, TICKET);
  channel.output.touch();
}
