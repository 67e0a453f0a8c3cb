/**
 * A copy of `bytes[start, end)` that shares no memory with it. `slice` will not do: on a Buffer it makes a view.
 */
export function copyRange(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}
