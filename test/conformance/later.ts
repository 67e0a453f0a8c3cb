/**
 * What this suite leaves out until the broker has it: vectors by the name they have in `vectors.ts`, and behaviours
 * that need a queue type, an argument or a protocol that is not there yet.
 */
import type { VectorName } from './vectors.js';

export interface LaterVector {
  readonly vector: VectorName;
  readonly waitsFor: string;
}

export const laterVectors: readonly LaterVector[] = [{ vector: 'memory alarm, publish', waitsFor: 'the memory alarm' }];

export interface LaterBehaviour {
  readonly behaviour: string;
  readonly waitsFor: string;
}

export const laterBehaviours: readonly LaterBehaviour[] = [
  { behaviour: 'connection.blocked and connection.unblocked', waitsFor: 'the alarms' },
  { behaviour: 'what survives a restart', waitsFor: 'the durability tests' },
  { behaviour: 'permissions on every method', waitsFor: 'tests with users of their own' },
  { behaviour: 'limits of virtual hosts, users and the node', waitsFor: 'those limits' },
  { behaviour: 'the handshake timeout of ten seconds', waitsFor: 'a clock the tests can turn' },
];
