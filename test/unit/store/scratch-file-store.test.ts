import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ScratchPage } from '../../../src/core/ports/scratch-store.js';
import { ScratchFileStore } from '../../../src/store/scratch-file-store.js';

type Callback = (error: Error | null, count: number) => void;

/** What the system does to reads and writes: at most so many bytes at once, and a full disk. */
const system = vi.hoisted(() => ({ atOnce: Number.POSITIVE_INFINITY, full: false }));

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const short =
    (original: typeof fs.write | typeof fs.read, fails: () => boolean) =>
    (fd: number, bytes: Uint8Array, offset: number, length: number, at: number, done: Callback): void => {
      if (fails()) setImmediate(() => done(Object.assign(new Error('no space'), { code: 'ENOSPC' }), 0));
      else (original as typeof fs.write)(fd, bytes, offset, Math.min(length, system.atOnce), at, done);
    };
  return {
    ...fs,
    write: short(fs.write, () => system.full),
    read: short(fs.read, () => false),
    readSync: (fd: number, bytes: Uint8Array, offset: number, length: number, at: number) =>
      fs.readSync(fd, bytes, offset, Math.min(length, system.atOnce), at),
  };
});

let folder: string;
let store: ScratchFileStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scratch-'));
  store = new ScratchFileStore(join(folder, 'pages'));
});

afterEach(async () => {
  system.atOnce = Number.POSITIVE_INFINITY;
  system.full = false;
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(bytes: Uint8Array, length = bytes.length): Promise<ScratchPage | undefined> {
  let returned = false;
  const written = new Promise<ScratchPage | undefined>((resolve) => {
    store.write(bytes, length, (page) => {
      expect(returned).toBe(true);
      resolve(page);
    });
  });
  returned = true;
  return written;
}

async function page(bytes: Uint8Array): Promise<ScratchPage> {
  const written = await write(bytes);
  if (written === undefined) throw new Error('not written');
  return written;
}

function read(from: ScratchPage, length: number): Buffer {
  const target = Buffer.alloc(length);
  store.read(from, target);
  return target;
}

function readAhead(from: ScratchPage, target: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => store.readAhead(from, target, resolve));
}

function filled(length: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 7 + seed) & 0xff));
}

describe('scratch files', () => {
  it('give back what was written, of any size, both ways', async () => {
    const sizes = [1, 4095, 4096, 4097, 100_000, 262_144, 262_145, 1_000_000];
    const contents = sizes.map((size, index) => filled(size, index));
    const pages = await Promise.all(contents.map(page));
    for (const [index, content] of contents.entries()) {
      const from = pages[index] as ScratchPage;
      expect(read(from, content.length).equals(content)).toBe(true);
      const larger = Buffer.alloc(content.length + 10, 0xaa);
      expect(await readAhead(from, larger)).toBe(true);
      expect(larger.subarray(0, content.length).equals(content)).toBe(true);
      expect(larger.subarray(content.length).every((byte) => byte === 0xaa)).toBe(true);
    }
  });

  it('write only so much of the bytes as they are asked to', async () => {
    const from = (await write(filled(10_000, 1), 5000)) as ScratchPage;
    expect(
      read(from, 10_000)
        .subarray(5000)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  it('go on where the system stopped short', async () => {
    system.atOnce = 1000;
    const content = filled(10_500, 3);
    const from = await page(content);
    expect(read(from, content.length).equals(content)).toBe(true);
    const target = Buffer.alloc(content.length);
    expect([await readAhead(from, target), target.equals(content)]).toEqual([true, true]);
  });

  it('use the place of a freed page again', async () => {
    const pages = await Promise.all(Array.from({ length: 10 }, (_, index) => page(filled(4000, index))));
    expect(store.fileBytes).toBe(10 * 4096);
    store.free(pages[3] as ScratchPage);
    store.free(pages[7] as ScratchPage);
    const again = await Promise.all([page(filled(100, 100)), page(filled(4096, 101))]);
    expect(store.fileBytes).toBe(10 * 4096);
    expect(again.map((from) => read(from, 4096).subarray(0, 2))).toEqual([filled(2, 100), filled(2, 101)]);
    for (const index of [0, 1, 2, 4, 5, 6, 8, 9]) {
      expect(read(pages[index] as ScratchPage, 4000).equals(filled(4000, index))).toBe(true);
    }
  });

  it('say when something cannot be written, and go on', async () => {
    const before = await page(filled(5000, 1));
    system.full = true;
    expect(await write(filled(5000, 2))).toBeUndefined();
    system.full = false;
    const after = await page(filled(5000, 3));
    expect(store.fileBytes).toBe(2 * 8192);
    expect([read(before, 5000), read(after, 5000)]).toEqual([filled(5000, 1), filled(5000, 3)]);
    rmSync(join(folder, 'pages'), { recursive: true });
    expect(await write(filled(20_000, 2))).toBeUndefined();
  });

  it('have no names, and give their space back when nothing is in them', async () => {
    const pages = await Promise.all(Array.from({ length: 70 }, () => page(filled(262_144, 1))));
    expect(store.fileBytes).toBe(70 * 262_144);
    if (process.platform === 'linux') expect(readdirSync(join(folder, 'pages'))).toEqual([]);
    const target = Buffer.alloc(262_144);
    const late = readAhead(pages[0] as ScratchPage, target);
    for (const from of pages) store.free(from);
    await late;
    expect(store.fileBytes).toBe(0);
    expect(read(await page(filled(262_144, 9)), 262_144).equals(filled(262_144, 9))).toBe(true);
  });

  it('remove what an earlier process left, and nothing else', () => {
    const left = join(folder, 'pages', 'scratch-12');
    const other = join(folder, 'pages', 'notes');
    for (const path of [left, other]) writeFileSync(path, 'x');
    new ScratchFileStore(join(folder, 'pages'));
    expect([existsSync(left), existsSync(other)]).toEqual([false, true]);
  });

  it('wait for what is on its way when they are closed, and take nothing more', async () => {
    const from = await page(filled(5000, 1));
    const [writing, reading] = [write(filled(5000, 2)), readAhead(from, Buffer.alloc(5000))];
    await Promise.all([store.close(), store.close()]);
    expect([await writing, await reading]).toEqual([expect.anything(), true]);
    expect(await write(filled(5000, 3))).toBeUndefined();
    expect(await readAhead(from, Buffer.alloc(5000))).toBe(false);
    expect(() => read(from, 5000)).toThrow();
    store.free(from);
  });
});
