import { describe, expect } from 'vitest';
import { expectOpen, test } from './stomp-test.js';

describe('STOMP frames', () => {
  test('are each followed by one line feed', async ({ stomp }) => {
    await stomp.request('BEGIN', { transaction: 't' });
    expect(Buffer.concat(stomp.received).toString('latin1')).toMatch(/\n\n\0\nRECEIPT\nreceipt-id:r-[0-9.]+\n\n\0\n$/);
  });

  test('may have NUL, LF and CRLF between them', async ({ stomp }) => {
    stomp.sendBytes(
      '\n\n\0\r\n\0\0\nBEGIN\ntransaction:t\nreceipt:1\n\n\0\r\n\0BEGIN\ntransaction:t\nreceipt:2\n\n\0\n',
    );
    expect((await stomp.expect('RECEIPT')).headers).toEqual({ 'receipt-id': '1' });
    expect((await stomp.expect('RECEIPT')).headers).toEqual({ 'receipt-id': '2' });
  });

  test('may end their lines with CRLF in every version', async ({ connectStomp }) => {
    for (const version of ['1.0', '1.1', '1.2']) {
      const client = await connectStomp({ version });
      client.sendBytes('BEGIN\r\ntransaction:t\r\nreceipt:1\r\n\r\n\0');
      expect((await client.expect('RECEIPT')).headers).toEqual({ 'receipt-id': '1' });
    }
  });

  test('have the same escapes in every version', async ({ connectStomp, unique }) => {
    for (const version of ['1.0', '1.1', '1.2']) {
      const client = await connectStomp({ version });
      const destination = `/queue/${unique('q')}`;
      client.send('SUBSCRIBE', { id: '0', destination });
      client.sendBytes(`SEND\ndestination:${destination}\nodd:a\\cb\\\\c\\nd\\re:f\n\n\0`);
      const { headers } = await client.expect('MESSAGE');
      expect(headers['odd']).toBe('a:b\\c\nd\re:f');
      expect(Buffer.concat(client.received).toString()).toContain('\nodd:a\\cb\\\\c\\nd\\re\\cf\n');
    }
  });

  test('lose blanks before values in 1.0 only', async ({ connectStomp, unique }) => {
    for (const [version, value] of [
      ['1.0', 'x '],
      ['1.1', '  x '],
    ] as const) {
      const client = await connectStomp({ version });
      const destination = `/queue/${unique('q')}`;
      client.send('SUBSCRIBE', { id: '0', destination });
      client.send('SEND', { destination, padded: '  x ' });
      expect((await client.expect('MESSAGE')).headers['padded']).toBe(value);
    }
  });

  test('count the first of a repeated header', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    stomp.send('SUBSCRIBE', { id: '0', destination });
    stomp.sendBytes(`SEND\ndestination:${destination}\nfoo:1\nfoo:2\ndestination:/queue/other\n\n\0`);
    expect((await stomp.expect('MESSAGE')).headers).toMatchObject({ destination, foo: '1' });
  });

  test('have a body of NULs where SEND says how long it is', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    stomp.send('SUBSCRIBE', { id: '0', destination });
    stomp.send('SEND', { destination, 'content-length': '5' }, 'a\0\0b\n');
    const { headers, body } = await stomp.expect('MESSAGE');
    expect([headers['content-length'], body]).toEqual(['5', 'a\0\0b\n']);
    expect(
      Buffer.concat(stomp.received)
        .toString()
        .match(/content-length/g),
    ).toHaveLength(1);
  });

  test('without a body have no content-length', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    stomp.send('SUBSCRIBE', { id: '0', destination });
    stomp.send('SEND', { destination, 'content-length': '0' });
    expect((await stomp.expect('MESSAGE')).names).not.toContain('content-length');
  });

  test('other than SEND end at the first NUL, whatever they say', async ({ stomp }) => {
    stomp.sendBytes('BEGIN\ntransaction:t\nreceipt:1\ncontent-length:100\n\nabc\0');
    await stomp.expect('RECEIPT');
    await expectOpen(stomp);
  });

  for (const [what, bytes] of [
    ['a carriage return within a line', 'SEND\na:b\rc\n\n\0'],
    ['a header without a colon', 'SEND\nabc\n\n\0'],
    ['an unknown escape', 'SEND\na:\\t\n\n\0'],
    ['another byte than NUL behind the body', 'SEND\ndestination:/queue/a\ncontent-length:1\n\nabc\0'],
  ] as const) {
    test(`with ${what} end the connection without a word`, async ({ stomp }) => {
      stomp.sendBytes(bytes);
      await stomp.closed();
      expect(stomp.pending).toBe(0);
    });
  }

  test('above 4 MiB end the connection without a word', async ({ stomp, skipOn3 }) => {
    skipOn3('stomp-limits');
    stomp.sendBytes(`SEND\ndestination:/queue/a\ncontent-length:${4 * 1024 * 1024}\n\n`);
    await stomp.closed();
    expect(stomp.pending).toBe(0);
  });

  test('with more than 100 headers end the connection without a word', async ({ stomp, skipOn3 }) => {
    skipOn3('stomp-limits');
    stomp.sendBytes(`SEND\n${Array.from({ length: 101 }, (_, index) => `h${index}:x\n`).join('')}\n\0`);
    await stomp.closed();
    expect(stomp.pending).toBe(0);
  });

  test('of large bodies arrive as they were sent', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    const body = Array.from({ length: 3_000_000 }, (_, index) => String.fromCharCode(index % 251)).join('');
    stomp.send('SUBSCRIBE', { id: '0', destination });
    stomp.send('SEND', { destination, 'content-length': String(body.length) }, body);
    expect((await stomp.expect('MESSAGE')).body === body).toBe(true);
  });

  test('have commands in capitals', async ({ stomp }) => {
    stomp.send('begin', { transaction: 't' });
    expect((await stomp.expect('ERROR')).headers['message']).toBe('Bad command');
  });
});
