/** What every log of a broker shares. */
import type { Clock } from '../../clock.js';
import type { MessageStore } from '../ports/message-store.js';
import type { Pager } from './pager.js';
import type { SegmentPool } from './segment-pool.js';
import type { SharedBodies } from './shared-bodies.js';

export interface LogEnvironment {
  readonly clock: Clock;
  readonly segments: SegmentPool;
  readonly bodies: SharedBodies;
  readonly store: MessageStore;
  readonly pager: Pager;
}
