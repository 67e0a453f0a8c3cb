/** Every step there is, in the order of the table. */
import { CODEC_STEPS } from './codec-steps.js';
import { LOG_STEPS } from './log-steps.js';
import { ROUTING_STEPS } from './routing-steps.js';
import { SESSION_STEPS } from './session-steps.js';
import type { MicroStep } from './step.js';
import { STORE_STEPS } from './store-steps.js';

export const STEPS: readonly MicroStep[] = [
  ...CODEC_STEPS,
  ...ROUTING_STEPS,
  ...LOG_STEPS,
  ...SESSION_STEPS,
  ...STORE_STEPS,
];
