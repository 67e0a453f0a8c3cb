"""celery: a worker process runs tasks that come through the broker and sends the results back through rpc://."""

import os
import subprocess
import sys
import time

from proof import LIMIT_SECONDS, Address, contains, equal, holds, named_scenarios, prove, unique_name

address = Address()
os.environ['BROKER_URL'] = address.url
os.environ['CELERY_PROOF_NAME'] = unique_name('celery')

from celery import chain, group  # noqa: E402

from celery_tasks import NAME, add, app, delivery_of_itself, fail, succeed_on_third_attempt  # noqa: E402

WORKER = f'worker@{NAME}'


def start_worker():
    arguments = ['-A', 'celery_tasks', 'worker', '--pool=solo', '--loglevel=ERROR', '-n', WORKER]
    worker = subprocess.Popen([sys.executable, '-m', 'celery', *arguments], cwd=os.path.dirname(__file__) or '.',
                              stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 2 * LIMIT_SECONDS
    while not app.control.ping([WORKER], timeout=1):
        if worker.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError('the worker did not come up')
    return worker


def stop_worker(worker):
    worker.terminate()
    worker.wait(LIMIT_SECONDS)
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        channel.queue_delete(NAME)
        channel.queue_delete(app.thread_oid)
        for exchange in (NAME, f'{NAME}.pidbox', f'reply.{NAME}.pidbox', f'{NAME}.events'):
            channel.exchange_delete(exchange)


def result_of(signature, **options):
    return signature.apply_async(**options).get(timeout=LIMIT_SECONDS)


def connect():
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)
        holds(connection.connected, 'not connected')


def connect_wrong_password():
    with app.connection_for_write(f'amqp://{address.user}:wrong@{address.host}:{address.port}//') as connection:
        try:
            connection.connect()
        except connection.recoverable_connection_errors + connection.channel_errors as error:
            contains(str(error), 'ACCESS_REFUSED')
            return
    raise AssertionError('the connection was accepted')


def consume():
    equal([result_of(add.s(n, n)) for n in range(20)], [2 * n for n in range(20)])


def rpc():
    pending = [add.delay(n, 1) for n in range(50)]
    equal([result.get(timeout=LIMIT_SECONDS) for result in pending], list(range(1, 51)))


def declare_queue():
    info = result_of(delivery_of_itself.s())
    equal((info['exchange'], info['routing_key'], info['redelivered']), ('', NAME, False))
    active = app.control.inspect([WORKER]).active_queues()[WORKER]
    equal([(queue['name'], queue['durable']) for queue in active], [(NAME, True)])


def task_failure():
    try:
        result_of(fail.s('on purpose'))
    except ValueError as error:
        equal(str(error), 'on purpose')
        return
    raise AssertionError('the failure did not come back')


def task_retry():
    equal(result_of(succeed_on_third_attempt.s()), 2)


def task_countdown():
    equal(result_of(add.s(1, 2), countdown=0.2), 3)


def task_priority():
    equal(result_of(add.s(1, 2), priority=5), 3)


def task_chain():
    equal(chain(add.s(1, 2), add.s(3), add.s(4)).apply_async().get(timeout=LIMIT_SECONDS), 10)


def task_group():
    equal(group(add.s(n, n) for n in range(10)).apply_async().get(timeout=LIMIT_SECONDS), [2 * n for n in range(10)])


def worker_inspect():
    registered = app.control.inspect([WORKER]).registered()[WORKER]
    holds('celery_tasks.add' in registered, f'{registered}')
    equal(app.control.broadcast('ping', destination=[WORKER], reply=True), [{WORKER: {'ok': 'pong'}}])


def worker_events():
    seen = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={'task-succeeded': seen.append})
        with receiver.consumer_context() as (own_connection, _channel, _consumers):
            sent = add.delay(4, 5)
            deadline = time.monotonic() + LIMIT_SECONDS
            while not any(event['uuid'] == sent.id for event in seen) and time.monotonic() < deadline:
                own_connection.drain_events(timeout=LIMIT_SECONDS)
    equal([event['result'] for event in seen if event['uuid'] == sent.id], ['9'])


scenarios = {
    'connect': connect,
    'connect-wrong-password': connect_wrong_password,
    'declare-queue': declare_queue,
    'consume': consume,
    'rpc': rpc,
}
own = {
    'task-failure': task_failure,
    'task-retry': task_retry,
    'task-countdown': task_countdown,
    'task-priority': task_priority,
    'task-chain': task_chain,
    'task-group': task_group,
    'worker-inspect': worker_inspect,
    'worker-events': worker_events,
}
unsupported = {name: 'celery offers tasks, not channels' for name in named_scenarios() if name not in scenarios}

worker_process = start_worker()
try:
    prove({**scenarios, **own}, unsupported)
finally:
    stop_worker(worker_process)
