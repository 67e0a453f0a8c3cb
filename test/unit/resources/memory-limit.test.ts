import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { memoryLimitBytes, usableMemoryBytes } from '../../../src/resources/memory-limit.js';

const TOTAL = 64e9;
const files = (content: Record<string, string>) => (path: string) => content[path];
const usable = (content: Record<string, string>) => usableMemoryBytes(TOTAL, files(content));

describe('the memory that the process may use', () => {
  it('is what the machine has where nothing limits it', () => {
    expect(usable({})).toBe(TOTAL);
    expect(usable({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': 'max\n' })).toBe(TOTAL);
    expect(
      usable({
        '/proc/self/cgroup': '4:memory:/\n0::/\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      }),
    ).toBe(TOTAL);
  });

  it('is the smallest limit of its group and those around it, version 2', () => {
    const content = {
      '/proc/self/cgroup': '0::/system.slice/broker.service\n',
      '/sys/fs/cgroup/system.slice/broker.service/memory.max': '4000000000\n',
      '/sys/fs/cgroup/system.slice/memory.max': '3000000000\n',
    };
    expect(usable(content)).toBe(3e9);
    expect(usable({ ...content, '/sys/fs/cgroup/system.slice/broker.service/memory.high': '1000000000\n' })).toBe(1e9);
  });

  it('is the limit of version 1, in a list of controllers too', () => {
    const limit = '2000000000\n';
    const own = '/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes';
    expect(usable({ '/proc/self/cgroup': '3:cpu,memory:/docker/abc\n1:name=systemd:/x\n', [own]: limit })).toBe(2e9);
  });

  it('is the limit at the root when a container sees its own group there under another path', () => {
    expect(usable({ '/proc/self/cgroup': '0::/../../docker/abc\n', '/sys/fs/cgroup/memory.max': '500000000\n' })).toBe(
      5e8,
    );
    expect(usable({ '/proc/self/cgroup': '0::/docker/abc\n', '/sys/fs/cgroup/memory.max': '500000000\n' })).toBe(5e8);
  });

  it('can be told on this machine', () => {
    expect(usableMemoryBytes()).toBeGreaterThan(0);
    expect(usableMemoryBytes()).toBeLessThanOrEqual(totalmem());
  });
});

describe('the memory limit', () => {
  it('is absolute or a share', () => {
    expect(memoryLimitBytes(5, 1000)).toBe(5);
    expect(memoryLimitBytes('40%', 1000)).toBe(400);
    expect(memoryLimitBytes('12.5%', 1000)).toBe(125);
    expect(memoryLimitBytes('0%', 1000)).toBe(0);
  });
});
