/** The limits on memory and disk of a whole broker, moved while it runs. */
import { connect } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import { OptionError, startBroker } from '../../src/index.js';
import { eventually } from '../support/eventually.js';
import { temporaryDirectory } from './lmdb-environment.js';

test('raise and clear the alarms when they are moved', async () => {
  const broker = await startBroker({ port: 0, dataDirectory: temporaryDirectory(), logLevel: 'silent' });
  onTestFinished(() => broker.close());
  const connection = await connect(broker.amqpUrl);
  onTestFinished(() => connection.close());
  const heard: string[] = [];
  connection.on('blocked', (reason) => heard.push(reason));
  connection.on('unblocked', () => heard.push('unblocked'));
  const channel = await connection.createChannel();
  const publish = (): boolean => channel.publish('', 'nowhere', Buffer.from('body'));

  broker.setMemoryLimit('1MiB');
  await eventually(() => {
    publish();
    expect(heard).toEqual(['low on memory']);
  });
  broker.setMemoryLimit('40%');
  await eventually(() => expect(heard).toEqual(['low on memory', 'unblocked']));

  broker.setDiskFreeLimit('1000000GB');
  await eventually(() => {
    publish();
    expect(heard).toEqual(['low on memory', 'unblocked', 'low on disk']);
  });
  broker.setDiskFreeLimit('50MB');
  await eventually(() => expect(heard).toEqual(['low on memory', 'unblocked', 'low on disk', 'unblocked']));

  expect(() => broker.setMemoryLimit('much')).toThrow(OptionError);
  expect(() => broker.setDiskFreeLimit(-1)).toThrow(OptionError);
});
