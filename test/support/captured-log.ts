/** A log that keeps its lines for the test. */
import type { Logger } from '../../src/logger.js';

export interface CapturedLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function capturedLog(): { log: Logger; lines: CapturedLine[] } {
  const lines: CapturedLine[] = [];
  const method =
    (level: string) =>
    (first: unknown, second?: unknown): void => {
      if (typeof first === 'string') lines.push({ level, message: first, fields: {} });
      else lines.push({ level, message: String(second), fields: first as Record<string, unknown> });
    };
  const names = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'];
  const methods = Object.fromEntries(names.map((name) => [name, method(name)]));
  const log = { level: 'trace', ...methods, child: () => log } as unknown as Logger;
  return { log, lines };
}
