/** Finds records by position among the segments of a log, which are in the order of their positions. */
import type { RecordReader } from './record.js';
import type { Segment } from './segment.js';
import type { SharedBodies } from './shared-bodies.js';

/** Index of the segment that holds `position`; of the first one behind it when none does. */
export function segmentIndexOf(segments: readonly Segment[], position: number): number {
  const first = segments[0];
  if (first === undefined || position <= first.lastPosition) return 0;
  let low = 1;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((segments[middle] as Segment).lastPosition < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The records first..last of a hot segment refer to their shared bodies no more. `reader` is moved over them. */
export function releaseBodies(
  bodies: SharedBodies,
  segment: Segment,
  first: number,
  last: number,
  reader: RecordReader,
): void {
  for (let index = segment.indexOf(first); index < segment.count; index++) {
    segment.readAt(segment.offsetOf(index), reader);
    if (reader.position > last) return;
    if (reader.sharedBodyId !== 0) bodies.release(reader.sharedBodyId);
  }
}

/** The same for every record that `isSettled` does not know. */
export function releaseLiveBodies(
  bodies: SharedBodies,
  segment: Segment,
  isSettled: (position: number) => boolean,
  reader: RecordReader,
): void {
  for (let index = 0; index < segment.count; index++) {
    segment.readAt(segment.offsetOf(index), reader);
    const { position, sharedBodyId } = reader;
    if (sharedBodyId !== 0 && !isSettled(position)) bodies.release(sharedBodyId);
  }
}
