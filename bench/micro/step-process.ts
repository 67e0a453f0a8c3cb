/**
 * Measures the step named on the command line and prints the measurement as JSON. Every measurement has a process of
 * its own: what V8 learns from one step would change the next.
 */
import { measure } from './measure.js';
import { nameOf } from './step.js';
import { STEPS } from './steps.js';

const wanted = process.argv[2];
const step = STEPS.find((each) => nameOf(each) === wanted);
if (step === undefined) throw new Error(`there is no step '${wanted}'`);
process.stdout.write(`${JSON.stringify(await measure(step))}\n`);
