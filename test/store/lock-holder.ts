/** A process that takes the lock of a directory, says how that went, and keeps it until its input ends. */
import { SystemClock } from '../../src/clock.js';
import { lockDirectory } from '../../src/store/directory-lock.js';

const [, , directory = ''] = process.argv;
try {
  const lock = await lockDirectory(directory, new SystemClock());
  process.stdout.write('locked\n');
  process.stdin.resume().once('end', () => void lock.release());
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
}
