"""kombu: connections, queues, exchanges and errors; its messages are in kombu_messages."""

from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError

import kombu_messages
from kombu_session import (Reader, address, connection, declared, delete_temporary_queues, drain_until, drained,
                           send, temporary_exchange, temporary_queue)
from proof import contains, equal, holds, named_scenarios, prove, unique_name


def exclusive_queue():
    return Queue(unique_name('queue'), exclusive=True, durable=False)


def refused(code, text, operation):
    try:
        operation()
    except connection.channel_errors as error:
        equal((error.reply_code, text in error.reply_text), (code, True))
        return
    raise AssertionError(f'{code} did not come')


def connect():
    with Connection(address.given) as own:
        own.connect()
    properties = connection.connection.server_properties
    holds(properties['capabilities']['consumer_cancel_notify'], 'no consumer_cancel_notify')


def refusal(**change):
    login = {'userid': address.user, 'password': address.password, **change}
    own = Connection(address.host, port=address.port, transport='pyamqp', **login)
    try:
        own.connect()
    except (OperationalError, *own.connection_errors, *own.channel_errors) as error:
        return str(error)
    raise AssertionError('the connection was accepted')


def connect_wrong_password():
    contains(refusal(password='wrong'), 'ACCESS_REFUSED - Login was refused')


def connect_unknown_vhost():
    contains(refusal(virtual_host='nowhere'), 'vhost nowhere not found')


def declare_queue():
    queue = declared(temporary_queue(message_ttl=60, max_length=10))
    send('one', queue.name)
    equal(tuple(queue.queue_declare(passive=True)), (queue.name, 1, 0))
    with Reader(queue):
        equal(queue.queue_declare(passive=True).consumer_count, 1)


def declare_server_named():
    queue = Queue('', exclusive=True, durable=False)(connection.default_channel)
    queue.declare()
    holds(queue.name.startswith('amq.gen-'), queue.name)


def declare_exchange():
    for kind in ('direct', 'fanout', 'topic', 'headers'):
        exchange = Exchange(unique_name(kind), type=kind)(connection.default_channel)
        exchange.declare()
        exchange.declare()
        exchange.declare(passive=True)
        exchange.delete()


def routed(kind, bindings, publications):
    exchange = temporary_exchange(kind)
    queues = [declared(temporary_queue(exchange=exchange, **binding)) for binding in bindings]
    for key, body, headers in publications:
        send(body, key, exchange, headers=headers)
    return [drained(queue) for queue in queues]


def bind_direct():
    publications = [('red', 'r', None), ('blue', 'b', None), ('red.dark', 'none', None)]
    equal(routed('direct', [{'routing_key': 'red'}, {'routing_key': 'blue'}], publications), [['r'], ['b']])


def bind_fanout():
    equal(routed('fanout', [{}, {}], [('a', 'one', None), ('b', 'two', None)]), [['one', 'two'], ['one', 'two']])


def bind_topic():
    publications = [(key, key, None) for key in ('web.error', 'web.disk.error', 'audit', 'audit.error')]
    equal(routed('topic', [{'routing_key': '*.error'}, {'routing_key': 'audit.#'}], publications),
          [['web.error', 'audit.error'], ['audit', 'audit.error']])


def bind_headers():
    bindings = [{'binding_arguments': {'x-match': match, 'format': 'pdf', 'pages': 2}} for match in ('all', 'any')]
    publications = [('', 'both', {'format': 'pdf', 'pages': 2}), ('', 'one', {'format': 'pdf', 'pages': 3}),
                    ('', 'neither', {'format': 'zip'})]
    equal(routed('headers', bindings, publications), [['both'], ['both', 'one']])


def bind_exchange():
    source, destination = temporary_exchange('topic'), temporary_exchange('fanout')
    queue = declared(temporary_queue(exchange=destination))
    source(connection.default_channel).declare()
    bound = destination(connection.default_channel)
    bound.bind_to(source.name, 'a.*')
    send('not', 'c', source)
    send('through', 'a.b', source)
    equal(drained(queue), ['through'])
    bound.unbind_from(source.name, 'a.*')


def unbind():
    exchange = temporary_exchange('direct')
    queue = declared(temporary_queue(exchange=exchange, routing_key='a'))
    queue.bind_to(exchange, 'b')
    queue.unbind_from(exchange, 'a')
    send('gone', 'a', exchange)
    send('kept', 'b', exchange)
    equal(drained(queue), ['kept'])


def purge_delete():
    queue = declared(temporary_queue())
    for body in ('1', '2', '3'):
        send(body, queue.name)
    equal(queue.purge(), 3)
    send('4', queue.name)
    equal(queue.delete(), 1)


def error_404_queue():
    queue = Queue(unique_name('missing'))
    refused(404, f"NOT_FOUND - no queue '{queue.name}' in vhost '/'",
            lambda: queue(connection.channel()).queue_declare(passive=True))


def error_404_exchange():
    exchange = Exchange(unique_name('missing'))
    refused(404, f"NOT_FOUND - no exchange '{exchange.name}' in vhost '/'", lambda: send('lost', '', exchange))


def error_406_redeclare():
    name = unique_name('queue')
    queue = declared(Queue(name, durable=False, auto_delete=True))
    refused(406, "inequivalent arg 'durable'",
            lambda: Queue(name, durable=True, auto_delete=True)(connection.channel()).declare())
    queue.delete()


def error_406_ack():
    channel = connection.channel()
    channel.basic_ack(9)
    refused(406, 'PRECONDITION_FAILED - unknown delivery tag 9', lambda: drain_until(lambda: False))


def error_403():
    name = f'amq.{unique_name("reserved")}'
    refused(403, f"ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'",
            lambda: Queue(name)(connection.channel()).declare())


def error_405():
    queue = declared(exclusive_queue())
    with Connection(address.url) as stranger:
        refused(405, f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue.name}'",
                lambda: queue(stranger.channel()).get())


def error_survived():
    queue = declared(temporary_queue())
    with Reader(queue, no_ack=True) as reader:
        error_404_queue()
        send('still here', queue.name)
        equal(reader.read(1).bodies, ['still here'])


def close():
    queue = exclusive_queue()
    with Connection(address.url) as own:
        declared(queue, own.default_channel)
    with Connection(address.url) as other:
        declared(queue, other.default_channel)


unsupported = {
    'nack-multiple': 'kombu has no basic.nack',
    'tx-commit': 'kombu has no transactions',
    'tx-rollback': 'kombu has no transactions',
}
defined = {**vars(kombu_messages), **globals()}
methods = {name: 'returned' if name == 'return' else name.replace('-', '_') for name in named_scenarios()}
scenarios = {name: defined[method] for name, method in methods.items() if method in defined}
prove({**scenarios, 'simple-queue': kombu_messages.simple_queue}, unsupported, after_each=delete_temporary_queues)
