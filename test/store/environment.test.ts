import { copyFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { describe, expect, it } from 'vitest';
import { backupDirectory } from '../../src/store/lmdb/backup.js';
import { checkDirectory } from '../../src/store/lmdb/check.js';
import { DATA_FILE, openEnvironment } from '../../src/store/lmdb/environment.js';
import { FORMAT_KEY, formatLayout } from '../../src/store/lmdb/layouts.js';
import { openStore, ScriptedLog, temporaryDirectory } from './lmdb-environment.js';
import { encodedRecord } from './records.js';

const OPTIONS = { writer: 'jackalope 9.9.9', now: 1_700_000_000_000 };

async function directoryWithMessages(count: number, bytes: number): Promise<string> {
  const directory = temporaryDirectory();
  const { store, commit, abandon } = await openStore(directory);
  const log = new ScriptedLog(1, store);
  for (let position = 1; position <= count; position++) {
    const record = encodedRecord(bytes, 0, position);
    log.change((sink) => sink.append(1, position, record, 0, record.length));
    if (position % 10 === 0) await commit();
  }
  await commit();
  await abandon();
  return directory;
}

describe('a data directory', () => {
  it('notes the format and who wrote it', async () => {
    const directory = temporaryDirectory();
    const { root, tables } = await openEnvironment(directory, OPTIONS);
    const record = tables.meta.get(FORMAT_KEY) ?? Buffer.alloc(0);
    expect(formatLayout.decode(record)).toEqual({ version: 1, reserved: 0, createdAt: OPTIONS.now });
    expect(record.toString('utf8', formatLayout.span)).toBe('jackalope 9.9.9');
    await root.close();
  });

  it('of another version is refused with what to do', async () => {
    const directory = temporaryDirectory();
    const { root, tables } = await openEnvironment(directory, OPTIONS);
    const record = Buffer.alloc(formatLayout.span + 15);
    formatLayout.encode({ version: 7, reserved: 0, createdAt: 0 }, record);
    record.write('jackalope 9.0.0', formatLayout.span);
    await tables.meta.put(FORMAT_KEY, record);
    await root.close();
    await expect(openEnvironment(directory, { ...OPTIONS, writer: 'jackalope 1.0.0' })).rejects.toThrow(
      'this data directory was written by jackalope 9.0.0 (format 7, this is jackalope 1.0.0 with format 1); ' +
        `start with jackalope 9.0.0 or move '${directory}' away`,
    );
  });

  it('of another program is left alone', async () => {
    const directory = temporaryDirectory();
    const foreign = open({ path: join(directory, DATA_FILE), noSubdir: true, maxDbs: 20 });
    for (const name of ['a', 'b', 'c']) foreign.openDB({ name });
    await foreign.put('theirs', 1);
    await foreign.close();
    await expect(openEnvironment(directory, OPTIONS)).rejects.toThrow("another program's data");
  });

  it('that is no LMDB file is refused in one line', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, DATA_FILE), Buffer.alloc(100_000, 'not a database'));
    await expect(openEnvironment(directory, OPTIONS)).rejects.toThrow(
      "is not a broker's data, or damaged; move it away",
    );
  });

  it('cut short anywhere opens with all messages or is refused, and nothing crashes', async () => {
    const whole = await directoryWithMessages(300, 3000);
    const { size } = statSync(join(whole, DATA_FILE));
    for (const part of [0.999, 0.9, 0.5, 0.1, 0.02]) {
      const directory = temporaryDirectory();
      copyFileSync(join(whole, DATA_FILE), join(directory, DATA_FILE));
      truncateSync(join(directory, DATA_FILE), Math.floor(size * part));
      const report = await reportOf(directory);
      if (typeof report === 'string') continue;
      expect(report).toBe(300);
    }
  });

  it('with one byte changed in a message is found out by the check, and the message is not served', async () => {
    const directory = await directoryWithMessages(50, 3000);
    const file = join(directory, DATA_FILE);
    const bytes = readFileSync(file);
    // The body of message 7 is filled with its position.
    const at = bytes.indexOf(Buffer.alloc(2000, 7));
    bytes.writeUInt8(8, at + 1000);
    writeFileSync(file, bytes);
    const { problems } = await checkDirectory(directory, { compact: true, writer: OPTIONS.writer });
    expect(problems).toEqual([expect.stringContaining('the checksum does not match')]);
    expect(await reportOf(directory)).toContain('the checksum does not match');
  });

  it('is checked and compacted offline, and copied', async () => {
    const directory = await directoryWithMessages(300, 3000);
    const checked = await checkDirectory(directory, { compact: true, writer: OPTIONS.writer });
    expect(checked.problems).toEqual([]);
    expect(checked.fileBytes).toBe(statSync(join(directory, DATA_FILE)).size);
    const copy = join(temporaryDirectory(), 'copy');
    await backupDirectory(directory, copy, OPTIONS.writer);
    expect(existsSync(join(copy, DATA_FILE))).toBe(true);
    const { store, abandon } = await openStore(copy);
    expect(store.recover(1)?.nextPosition).toBe(301);
    await abandon();
    await expect(backupDirectory(directory, copy, OPTIONS.writer)).rejects.toThrow('already');
  });
});

/** Messages found, or why the directory is refused. */
async function reportOf(directory: string): Promise<number | string> {
  try {
    const { store, abandon } = await openStore(directory);
    let found = 0;
    try {
      store.read(1, 0, 1000, () => found++);
      return found;
    } finally {
      await abandon();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
