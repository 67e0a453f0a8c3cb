"""kombu's connection and the small steps its scenarios are made of."""

import time

from kombu import Connection, Consumer, Exchange, Producer, Queue

from proof import LIMIT_SECONDS, Address, unique_name

ACCEPTED = ['json', 'application/data']
DEFAULT = Exchange('')

address = Address()
connection = Connection(address.url, transport_options={'confirm_publish': True})
connection.connect()


temporary = []


def temporary_queue(**options):
    """Deleted after the scenario. An exclusive queue would not do: kombu makes those auto-delete as well."""
    temporary.append(Queue(unique_name('queue'), durable=False, **options))
    return temporary[-1]


def delete_temporary_queues():
    for queue in temporary:
        queue(connection.default_channel).delete()
    temporary.clear()


def declared(queue, channel=None):
    bound = queue(channel or connection.default_channel)
    bound.declare()
    return bound


def temporary_exchange(kind):
    return Exchange(unique_name(kind), type=kind, durable=False, auto_delete=True)


def send(body, key, exchange=DEFAULT, **options):
    if isinstance(body, bytes):
        options.update(content_type='application/data', content_encoding='binary')
    else:
        options['serializer'] = 'json'
    with connection.channel() as channel:
        Producer(channel, exchange, auto_declare=False).publish(body, routing_key=key, **options)


def drain_until(condition, on=connection):
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        on.drain_events(timeout=max(0.01, deadline - time.monotonic()))


class Reader:
    """A consumer that keeps what it is given."""

    def __init__(self, *queues, channel=None, **options):
        self.bodies, self.messages = [], []
        self.consumer = Consumer(channel or connection.channel(), queues, callbacks=[self.receive],
                                 accept=ACCEPTED, **options)

    def receive(self, body, message):
        self.bodies.append(body)
        self.messages.append(message)

    def read(self, count):
        drain_until(lambda: len(self.messages) >= count)
        return self

    def __enter__(self):
        self.consumer.consume()
        return self

    def __exit__(self, *_error):
        if self.consumer.channel.connection is not None:
            self.consumer.channel.close()


def drained(queue):
    bodies = []
    while (message := queue.get(no_ack=True, accept=ACCEPTED)) is not None:
        bodies.append(message.payload)
    return bodies


def queue_with_dead_letters():
    dead = declared(temporary_queue())
    arguments = {'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead.name}
    return declared(temporary_queue(queue_arguments=arguments)), dead
