/**
 * CRC-32 of what is stored, so that damage is told from messages. Node has it from 20.15 on; without it the checksum is
 * 0, which stands for none.
 */
import * as zlib from 'node:zlib';

/** What is summed with another Node may be read with one that cannot. */
const canSum = typeof zlib.crc32 === 'function';

/** Never 0 where it can be computed. */
export function checksumOf(bytes: Uint8Array): number {
  return canSum ? zlib.crc32(bytes) || 1 : 0;
}

export function isIntact(bytes: Uint8Array, checksum: number): boolean {
  return checksum === 0 || !canSum || checksumOf(bytes) === checksum;
}
