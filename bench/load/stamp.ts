/**
 * What a body says about its message, so that whoever gets it can check order and loss and measure latency:
 *
 *      0          4           6          8               14        16
 *      ┌──────────┬───────────┬──────────┬───────────────┬─────────┬────────────────┐
 *      │ sequence │ its upper │ producer │ sent, in µs   │ run     │ filler         │
 *      │ low u32  │ half, u16 │ u16      │ u16, u32      │ u16     │ by position    │
 *      └──────────┴───────────┴──────────┴───────────────┴─────────┴────────────────┘
 *
 * A body of 8 to 15 bytes has no time and no run, a shorter one has nothing.
 */
export const SEQUENCE_BYTES = 8;
export const STAMP_BYTES = 16;
export const TWO_TO_32 = 0x1_0000_0000;
export const MOST_PRODUCERS = 0x1_0000;

export const StampAt = { sequenceHigh: 4, producer: 6, sentHigh: 8, sentLow: 10, run: 14 } as const;

/** The byte at a position behind the stamp. */
export function fillerAt(position: number): number {
  return (position * 31 + 7) & 0xff;
}

/** A body as it is before sequence and time are written into it. */
export function templateBody(sizeBytes: number, producer: number, run: number): Uint8Array {
  const body = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at++) body[at] = fillerAt(at);
  const view = new DataView(body.buffer);
  if (sizeBytes >= SEQUENCE_BYTES) view.setUint16(StampAt.producer, producer);
  if (sizeBytes >= STAMP_BYTES) view.setUint16(StampAt.run, run);
  return body;
}
