// The broker as the programs of this folder start it: the library in a process of its own, so that it can be killed.
// node broker-child.mjs '{"options": {...}, "sabotage": "confirm-early"}'. Says `{"ready": PORT}` on stdout, among its log.
import { slowDown } from './support/slow-lmdb.mjs';

const CHANGES = { 'confirm-early': confirmEarly, 'slow-commits': slowDown };

const { options, sabotage = '' } = JSON.parse(process.argv[2]);
for (const name of sabotage.split(',').filter((each) => each !== '')) await CHANGES[name]();
// After the changes, which must be there before the store is loaded.
const { startBroker } = await import('../../dist/src/index.js');
const broker = await startBroker({ logFormat: 'json', ...options, port: 0 });
console.log(JSON.stringify({ level: 'info', msg: 'child is ready', ready: broker.amqpPort, pid: process.pid }));
process.on('SIGTERM', () => broker.close().then(() => process.exit(0)));

/**
 * The mistake that the crash test exists to find: a batch counts as durable when it is closed, before it is written.
 * The one place to adapt when the committer changes.
 */
async function confirmEarly() {
  const { Committer } = await import('../../dist/src/store/lmdb/committer.js');
  const { onDurable, runInTurn } = Committer.prototype;
  const listeners = new WeakMap();
  Committer.prototype.onDurable = function (listener) {
    listeners.set(this, [...(listeners.get(this) ?? []), listener]);
    onDurable.call(this, listener);
  };
  Committer.prototype.runInTurn = function () {
    const before = this.openBatch;
    runInTurn.call(this);
    if (this.openBatch === before) return;
    this.durableCommit = before;
    for (const listener of listeners.get(this) ?? []) listener(before);
  };
}
