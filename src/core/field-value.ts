/**
 * Arguments and headers as typed values. The type letters are those of AMQP field tables as RabbitMQ reads and writes
 * them, because error texts and comparisons depend on them ('signedint' against 'long'). `protocol/amqp/field-table`
 * has the same shapes; neither imports the other.
 */

export type IntegerType = 'b' | 'B' | 's' | 'u' | 'I' | 'i';

export type FieldValue =
  | { readonly type: 't'; readonly value: boolean }
  | { readonly type: IntegerType; readonly value: number }
  | { readonly type: 'l' | 'T'; readonly value: bigint }
  | { readonly type: 'f' | 'd'; readonly value: number }
  | { readonly type: 'D'; readonly scale: number; readonly value: number }
  /** A string when the bytes are UTF-8, else the bytes themselves. */
  | { readonly type: 'S'; readonly value: string | Uint8Array }
  | { readonly type: 'x'; readonly value: Uint8Array }
  | { readonly type: 'A'; readonly value: readonly FieldValue[] }
  | { readonly type: 'F'; readonly value: FieldTable }
  | { readonly type: 'V' };

/** In wire order; keys may repeat, and look-ups use the first. */
export type FieldTable = readonly (readonly [key: string, value: FieldValue])[];

export const EMPTY_TABLE: FieldTable = Object.freeze([]);

export function lookUp(table: FieldTable, key: string): FieldValue | undefined {
  for (const [name, value] of table) {
    if (name === key) return value;
  }
  return undefined;
}
