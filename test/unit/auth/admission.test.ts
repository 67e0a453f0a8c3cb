import { beforeEach, describe, expect, it } from 'vitest';
import { Admission } from '../../../src/auth/admission.js';
import { type ClientConnection, OpenConnections } from '../../../src/auth/open-connections.js';
import { FULL_PERMISSIONS } from '../../../src/auth/permissions.js';
import { UserStore } from '../../../src/auth/user-store.js';
import type { VirtualHostAccess } from '../../../src/auth/virtual-host-access.js';
import { BrokerError } from '../../../src/errors.js';
import { type CoreEnvironment, coreEnvironment, RecordingDefinitions } from '../../support/core-environment.js';

class TestConnection implements ClientConnection {
  channelCount = 0;
  reason: string | undefined;
  access: VirtualHostAccess | undefined;

  close(reason: string): void {
    this.reason = reason;
    this.access?.releaseExclusiveQueues();
  }
}

let core: CoreEnvironment;
let users: UserStore;
let connections: OpenConnections;
let admission: Admission;

beforeEach(() => {
  core = coreEnvironment();
  users = new UserStore(new RecordingDefinitions());
  for (const name of ['mary', 'joe']) {
    users.put({ name, tags: [], passwordHash: undefined, hashing: 'sha256', limits: {} });
    users.setPermissions(name, '/', FULL_PERMISSIONS);
  }
  connections = new OpenConnections();
  admission = new Admission((name) => (name === '/' ? core.host : undefined), users, connections);
});

function admit(name: string, virtualHost = '/'): TestConnection {
  const connection = new TestConnection();
  const user = users.find(name) ?? { name, tags: [] };
  connection.access = admission.admit(virtualHost, user, connection);
  return connection;
}

function refusal(action: () => unknown): string {
  try {
    action();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof BrokerError) || error.kind !== 'not-allowed') throw error;
    return error.message;
  }
}

describe('a user', () => {
  it('needs a virtual host, and permissions there', () => {
    expect(refusal(() => admit('mary', 'other'))).toBe('vhost other not found');
    users.clearPermissions('mary', '/');
    expect(refusal(() => admit('mary'))).toBe("access to vhost '/' refused for user 'mary'");
    expect(connections.countIn('/')).toBe(0);
  });

  it('is refused when the virtual host has as many connections as it may', () => {
    core.host.parameters.setLimits({ maxConnections: 2 });
    const first = admit('mary');
    admit('joe');
    const text = "access to vhost '/' refused for user 'joe': connection limit (2) is reached";
    expect(refusal(() => admit('joe'))).toBe(text);
    first.access?.releaseExclusiveQueues();
    first.access?.releaseExclusiveQueues();
    expect(refusal(() => admit('joe'))).toBe('accepted');
    core.host.parameters.setLimits({ maxConnections: -1 });
    expect(refusal(() => admit('joe'))).toBe('accepted');
    core.host.parameters.setLimits({ maxConnections: 0 });
    expect(refusal(() => admit('joe'))).toBe(text.replace('2', '0'));
  });

  it('is refused with as many connections as they may have', () => {
    users.setLimits('mary', { maxConnections: 1 });
    const first = admit('mary');
    expect(refusal(() => admit('mary'))).toBe(
      "connection refused for user 'mary': user connection limit (1) is reached",
    );
    expect(refusal(() => admit('joe'))).toBe('accepted');
    first.access?.releaseExclusiveQueues();
    expect(refusal(() => admit('mary'))).toBe('accepted');
  });

  it('may have so many channels over all connections', () => {
    const [one, two] = [admit('mary'), admit('mary')];
    [one.channelCount, two.channelCount] = [2, 3];
    const open = () => refusal(() => two.access?.assertMayOpenChannel());
    expect(open()).toBe('accepted');
    users.setLimits('mary', { maxChannels: 5 });
    expect(open()).toBe("number of channels opened for user 'mary' has reached the maximum allowed user limit of 5");
    expect(refusal(() => admit('joe').access?.assertMayOpenChannel())).toBe('accepted');
    one.access?.releaseExclusiveQueues();
    expect(open()).toBe('accepted');
  });
});

describe('open connections', () => {
  it('are closed by user and by virtual host', () => {
    const [mary, joe] = [admit('mary'), admit('joe')];
    connections.closeOf('mary', 'gone');
    expect([mary.reason, joe.reason]).toEqual(['gone', undefined]);
    connections.closeIn('/', 'all gone');
    expect([mary.reason, joe.reason]).toEqual(['gone', 'all gone']);
    expect([connections.countOf('joe'), connections.countIn('/')]).toEqual([0, 0]);
  });
});
