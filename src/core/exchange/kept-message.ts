/**
 * A message that an exchange kept in its log, on its way to be routed again and appended elsewhere. Reused; it shows the
 * bytes of the record and is valid as long as they are.
 */
import { EMPTY_TABLE, type FieldTable } from '../field-value.js';
import { hiddenKeysStart, NO_EXPIRATION, type RecordReader, RecordSource } from '../log/record.js';
import { RecordFlag } from '../log/record-layout.js';
import type { Properties, PropertiesCodec } from '../ports/properties-codec.js';
import { routingProperty, shortstrs, visibleKeys } from '../routing-parts.js';
import type { RoutedMessage, RoutingProperty } from './exchange-type.js';

const NO_KEYS = new Uint8Array(0);

export class KeptMessage implements RoutedMessage {
  routingKey = '';
  /** Those of CC and BCC. */
  furtherKeys: readonly string[] = [];
  headers: FieldTable = EMPTY_TABLE;
  readonly source = new RecordSource();
  readonly #codec: PropertiesCodec;
  #properties: Properties = {};

  constructor(codec: PropertiesCodec) {
    this.#codec = codec;
  }

  /** As it was published; with `alter` it has other headers from now on. */
  show(record: RecordReader, alter?: (headers: FieldTable) => FieldTable): void {
    const { source } = this;
    const properties = this.#codec.decode(record.bytes, record.propertiesStart, record.propertiesEnd);
    this.#properties = properties;
    this.headers = properties.headers ?? EMPTY_TABLE;
    this.#showKeys(record);
    source.route = record.bytes;
    source.routeStart = record.routeStart;
    source.routeEnd = record.routeEnd;
    source.body = record.body;
    source.bodyStart = record.bodyStart;
    source.bodyEnd = record.bodyEnd;
    source.persistent = (record.flags & RecordFlag.Persistent) !== 0;
    source.priority = record.priority;
    // It was valid when it was published.
    source.expirationMs = properties.expiration === undefined ? NO_EXPIRATION : Number(properties.expiration);
    source.deadLettered = (record.flags & RecordFlag.DeadLettered) !== 0;
    if (alter === undefined) {
      source.properties = record.bytes;
      source.propertiesStart = record.propertiesStart;
      source.propertiesEnd = record.propertiesEnd;
    } else this.#alter(properties, alter);
  }

  property(name: RoutingProperty): string | undefined {
    return routingProperty(this.#properties, name);
  }

  #showKeys(record: RecordReader): void {
    const { bytes, extensionEnd } = record;
    const hiddenStart = hiddenKeysStart(record);
    this.routingKey = shortstrs(bytes, record.routeStart, record.routeEnd)[1] ?? '';
    const visible = visibleKeys(this.headers);
    if (hiddenStart === extensionEnd) {
      this.source.hiddenKeys = NO_KEYS;
      this.furtherKeys = visible;
    } else {
      this.source.hiddenKeys = bytes.subarray(hiddenStart, extensionEnd);
      this.furtherKeys = [...visible, ...shortstrs(bytes, hiddenStart, extensionEnd)];
    }
  }

  #alter(properties: Properties, alter: (headers: FieldTable) => FieldTable): void {
    this.headers = alter(this.headers);
    const encoded = this.#codec.encode({ ...properties, headers: this.headers });
    this.source.properties = encoded;
    this.source.propertiesStart = 0;
    this.source.propertiesEnd = encoded.length;
  }
}
