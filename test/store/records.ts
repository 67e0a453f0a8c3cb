/** Records as the core lays them out, without the core. */
import { RecordFlag, recordHeader } from '../../src/core/log/record-layout.js';

export function encodedRecord(bodyBytes: number, sharedBodyId: number, fill: number): Buffer {
  const shared = sharedBodyId !== 0;
  const length = recordHeader.span + (shared ? 8 : bodyBytes);
  const record = Buffer.alloc(length, fill);
  recordHeader.encode(
    {
      length,
      positionDelta: 0,
      flags: RecordFlag.Persistent | (shared ? RecordFlag.SharedBody : 0),
      priority: 0,
      routeLength: 0,
      propertiesLength: 0,
      enqueuedAt: 1_700_000_000_000,
    },
    record,
  );
  if (shared) record.writeUInt32LE(sharedBodyId, recordHeader.span);
  return record;
}
