/** Numbers for people: thousands separated, and units that keep about three digits. */

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Three digits, as far as the value has them. */
function threeDigits(value: number): string {
  if (value >= 99.95) return whole(value);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

export function perSecond(rate: number): string {
  return `${rate >= 100 ? whole(rate) : threeDigits(rate)}/s`;
}

export function duration(micros: number): string {
  if (micros < 1000) return `${whole(micros)} µs`;
  if (micros < 10_000_000) return `${threeDigits(micros / 1000)} ms`;
  return `${threeDigits(micros / 1e6)} s`;
}

/** CPU time of one message, where a hundredth of a microsecond counts. */
export function cpuMicros(micros: number): string {
  return `${threeDigits(micros)} µs`;
}

export function bytes(count: number): string {
  if (count < 1e9) return `${threeDigits(count / 1e6)} MB`;
  return `${threeDigits(count / 1e9)} GB`;
}
