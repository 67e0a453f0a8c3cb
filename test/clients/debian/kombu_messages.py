"""kombu's scenarios of messages: Producer, Consumer with drain_events, SimpleQueue."""

from amqp.exceptions import ConsumerCancelled
from kombu import Connection, Exchange, Producer, Queue
from kombu.simple import SimpleQueue

from kombu_session import (ACCEPTED, Reader, address, connection, declared, drain_until, drained, temporary_queue,
                           queue_with_dead_letters, send, temporary_exchange)
from proof import LIMIT_SECONDS, equal, holds, unique_name

LARGE_BODY = bytes((offset * 31 + (offset >> 8)) & 0xFF for offset in range(300_000))


def publish_properties():
    queue = declared(temporary_queue())
    properties = {'priority': 5, 'correlation_id': 'c-1', 'reply_to': 'answers', 'message_id': 'm-1', 'type': 'order',
                  'app_id': 'proof', 'timestamp': 1700000000, 'user_id': address.user}
    headers = {'text': 'grüße', 'large': 2 ** 40, 'yes': True, 'nothing': None, 'list': ['a', 1], 'table': {'a': 'b'}}
    send({'id': 1}, queue.name, headers=headers, expiration=60, **properties)
    message = queue.get(no_ack=True)
    equal(message.payload, {'id': 1})
    equal({name: message.properties[name] for name in properties}, properties)
    equal((message.properties['delivery_mode'], message.properties['expiration']), (2, '60000'))
    equal((message.content_type, message.content_encoding, message.headers), ('application/json', 'utf-8', headers))


def publish_empty_body():
    queue = declared(temporary_queue())
    send(b'', queue.name)
    equal(len(queue.get(no_ack=True, accept=ACCEPTED).body), 0)


def publish_large_body():
    queue = declared(temporary_queue())
    send(LARGE_BODY, queue.name)
    holds(bytes(queue.get(no_ack=True, accept=ACCEPTED).body) == LARGE_BODY, 'the body changed')


def confirm():
    queue = declared(temporary_queue())
    with connection.channel() as channel:
        producer = Producer(channel)
        for number in range(100):
            producer.publish(number, routing_key=queue.name)
    equal(queue.queue_declare(passive=True).message_count, 100)


def confirm_nack():
    queue = declared(temporary_queue(max_length=1, queue_arguments={'x-overflow': 'reject-publish'}))
    send('fits', queue.name)
    try:
        send('too many', queue.name)
    except Exception as error:
        equal(type(error).__name__, 'MessageNacked')
        equal(drained(queue), ['fits'])
        return
    raise AssertionError('the second publish was not nacked')


def returned():
    came_back, key = [], unique_name('nobody')

    def on_return(error, exchange, routing_key, message):
        came_back.append((error.reply_code, error.reply_text, exchange, routing_key, message.body))

    with connection.channel() as channel:
        producer = Producer(channel, Exchange('amq.direct'), auto_declare=False, on_return=on_return)
        producer.publish('back', routing_key=key, mandatory=True, serializer='json')
        drain_until(lambda: came_back)
    equal(came_back, [(312, 'NO_ROUTE', 'amq.direct', key, '"back"')])


def consume():
    exchange = temporary_exchange('direct')
    queue = declared(temporary_queue(exchange=exchange, routing_key='key'))
    for body in ('1', '2', '3'):
        send(body, 'key', exchange)
    with Reader(queue) as reader:
        reader.read(3)
        equal(reader.bodies, ['1', '2', '3'])
        info = [(m.delivery_tag, m.delivery_info['exchange'], m.delivery_info['routing_key'],
                 m.delivery_info['redelivered']) for m in reader.messages]
        equal(info, [(tag, exchange.name, 'key', False) for tag in (1, 2, 3)])


def consume_cancel():
    queue = declared(temporary_queue())
    with Reader(queue, no_ack=True) as reader:
        send('before', queue.name)
        reader.read(1)
        reader.consumer.cancel()
        send('after', queue.name)
        equal(tuple(queue.queue_declare(passive=True)), (queue.name, 1, 0))
        equal(reader.bodies, ['before'])


def consumer_cancelled():
    queue = temporary_queue()
    with Connection(address.url) as own:
        with Reader(declared(queue, own.default_channel), channel=own.channel()):
            declared(queue).delete()
            try:
                drain_until(lambda: False, on=own)
            except ConsumerCancelled:
                return
    raise AssertionError('the cancel did not come')


def prefetch():
    queue = declared(temporary_queue())
    for body in ('1', '2', '3', '4', '5'):
        send(body, queue.name)
    reader = Reader(queue, prefetch_count=2)
    with reader:
        reader.read(2)
        equal(queue.queue_declare(passive=True).message_count, 3)
        reader.messages[0].ack()
        reader.read(3)
        equal(queue.queue_declare(passive=True).message_count, 2)
        equal(reader.bodies, ['1', '2', '3'])


def settle(bodies, settle_messages):
    """What is left of `bodies` after a consumer took all, settled some and went away."""
    queue = declared(temporary_queue())
    for body in bodies:
        send(body, queue.name)
    with Reader(queue) as reader:
        settle_messages(reader.read(len(bodies)).messages)
    return drained(queue)


def ack():
    equal(settle(['settled', 'left'], lambda messages: messages[0].ack()), ['left'])


def ack_multiple():
    equal(settle(['1', '2', '3', '4'], lambda messages: messages[2].ack(multiple=True)), ['4'])


def redeliver():
    queue = declared(temporary_queue())
    for body in ('1', '2', '3'):
        send(body, queue.name)
    with Reader(queue) as first:
        first.read(3)
    with Reader(queue) as second:
        second.read(3)
        equal([(body, message.delivery_info['redelivered']) for body, message in zip(second.bodies, second.messages)],
              [('1', True), ('2', True), ('3', True)])


def get():
    queue = declared(temporary_queue())
    for body in ('1', '2', '3'):
        send(body, queue.name)
    message = queue.get()
    equal((message.payload, message.delivery_info['message_count'], message.delivery_info['routing_key']),
          ('1', 2, queue.name))
    message.ack()
    equal(drained(queue), ['2', '3'])


def get_empty():
    equal(declared(temporary_queue()).get(), None)


def reject_requeue():
    queue = declared(temporary_queue())
    send('again', queue.name)
    queue.get().requeue()
    message = queue.get()
    equal((message.payload, message.delivery_info['redelivered']), ('again', True))


def reject_dead_letter():
    queue, dead = queue_with_dead_letters()
    send('bad', queue.name)
    queue.get().reject()
    with Reader(dead) as reader:
        message = reader.read(1).messages[0]
        death = message.headers['x-death'][0]
        equal((death['reason'], death['queue'], death['count']), ('rejected', queue.name, 1))


def message_ttl():
    queue, dead = queue_with_dead_letters()
    send('late', queue.name, expiration=0.03)
    with Reader(dead) as reader:
        death = reader.read(1).messages[0].headers['x-death'][0]
        equal((death['reason'], death['queue'], death['original-expiration']), ('expired', queue.name, '30'))


def rpc():
    queue = declared(temporary_queue())
    reply_to = Queue('amq.rabbitmq.reply-to', no_declare=True)
    channel = connection.channel()
    with Reader(queue, no_ack=True) as server, Reader(reply_to, channel=channel, no_ack=True, auto_declare=False) as me:
        Producer(channel).publish('ping', routing_key=queue.name, reply_to='amq.rabbitmq.reply-to', correlation_id='42',
                                  serializer='json')
        request = server.read(1).messages[0]
        send('pong', request.properties['reply_to'], correlation_id=request.properties['correlation_id'])
        me.read(1)
        equal((me.bodies[0], me.messages[0].properties['correlation_id']), ('pong', '42'))


def simple_queue():
    name = unique_name('simple')
    with SimpleQueue(connection.channel(), name, queue_opts={'durable': False},
                     exchange_opts={'durable': False}) as queue:
        queue.put({'number': 1})
        queue.put({'number': 2})
        message = queue.get(timeout=LIMIT_SECONDS)
        equal(message.payload, {'number': 1})
        message.ack()
        equal(queue.qsize(), 0)
        equal(queue.get(timeout=LIMIT_SECONDS).payload, {'number': 2})
    connection.default_channel.queue_delete(name)
    connection.default_channel.exchange_delete(name)
