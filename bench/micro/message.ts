/** A message as the publisher hands it to the core, without a publisher. */
import { RecordSource } from '../../src/core/log/record.js';

export function messageOf(bodyBytes: number, persistent = false): RecordSource {
  const source = new RecordSource();
  source.route = Buffer.from('\0\x05bench');
  source.routeEnd = source.route.length;
  source.properties = new Uint8Array(2);
  source.propertiesEnd = source.properties.length;
  source.body = new Uint8Array(bodyBytes);
  source.bodyEnd = bodyBytes;
  source.persistent = persistent;
  return source;
}
