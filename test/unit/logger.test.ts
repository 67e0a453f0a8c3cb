import { describe, expect, it } from 'vitest';
import { createLogger, type Logger, readableLine } from '../../src/logger.js';

function logTo(lines: string[], logFormat: 'json' | 'pretty', logLevel: 'info' | 'silent' = 'info'): Logger {
  return createLogger({ logFormat, logLevel }, { write: (line) => lines.push(line) });
}

describe('the log', () => {
  it('is one JSON object a line, with the fields of its child loggers', () => {
    const lines: string[] = [];
    logTo(lines, 'json')
      .child({ connection: 'a -> b', vhost: '/' })
      .child({ channel: 1 })
      .info({ queue: 'q' }, 'Bound');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      connection: 'a -> b',
      vhost: '/',
      channel: 1,
      queue: 'q',
      msg: 'Bound',
    });
  });

  it('can be made readable', () => {
    const lines: string[] = [];
    const log = logTo(lines, 'pretty');
    log.info({ queue: 'q', text: 'a b', count: 2 }, 'Server startup complete');
    log.error('Stopped');
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}Server startup complete {2}queue=q {2}text="a b" {2}count=2\n$/,
    );
    expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} ERROR Stopped\n$/);
  });

  it('writes nothing below its level', () => {
    const lines: string[] = [];
    logTo(lines, 'json').debug('Frame');
    logTo(lines, 'json', 'silent').fatal('Stopped');
    expect(lines).toEqual([]);
    expect(logTo(lines, 'json').isLevelEnabled('debug')).toBe(false);
  });

  it.each(['json', 'pretty'] as const)('hides what is called password, secret or response (%s)', (logFormat) => {
    const lines: string[] = [];
    const log = logTo(lines, logFormat);
    log.child({ password: 's3cret' }).info({ response: Buffer.from('s3cret') }, 'Login');
    log.info({ options: { defaultPassword: 's3cret', user: { secret: 's3cret' } } }, 'Options');
    log.error({ err: Object.assign(new Error('refused'), { password: 's3cret' }) }, 'Failed');
    expect(lines).toHaveLength(3);
    expect(lines.join('')).not.toContain('s3cret');
    expect(lines.join('')).not.toContain('115,51,99');
  });

  it('puts the stack of an error below the line', () => {
    const lines: string[] = [];
    logTo(lines, 'pretty').error({ err: new Error('no such thing') }, 'Failed');
    expect(lines[0]).toMatch(/ERROR Failed\n {4}Error: no such thing\n(?: {8}at .*\n)+$/);
  });

  it("gives a peer's text no line of its own and no control of the terminal", () => {
    const at = { level: 'warn', time: '2026-01-01T00:00:00.000Z' };
    const line = readableLine(
      JSON.stringify({ ...at, msg: 'a\nb', name: 'x\n\u001b[2J', err: { stack: 'E\u001b[2J' } }),
    );
    expect(line.split('\n')).toHaveLength(3);
    expect(line).not.toContain('\u001b');
  });
});
