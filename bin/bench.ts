/** `jackalope bench`: the load generator, which the command loads instead of the broker. */
import { runBenchCommand } from '../bench/command.js';

process.exitCode = await runBenchCommand(process.argv.slice(3));
