/** Microseconds since this process started: what stamps and latencies are counted in. Never goes back. */
export function nowMicros(): number {
  return performance.now() * 1000;
}
