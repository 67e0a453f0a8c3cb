"""The scenarios for Python clients that work on channels. A client supplies `connect` and channels with the methods
used here; every wait goes through `channel.wait_until`, which reads from the connection and has a time limit."""

from proof import contains, equal, holds, unique_name

LARGE_BODY = bytes((offset * 31 + (offset >> 8)) & 0xFF for offset in range(300_000))
DEAD_LETTERS = 'x-dead-letter-exchange'


class Session:
    """A connection for all scenarios, a channel or more for each."""

    def __init__(self, client, address):
        self.client = client
        self.address = address
        self.connection = client.connect(address)
        self.channels = []

    def channel(self, confirm=False):
        channel = self.connection.channel(confirm)
        self.channels.append(channel)
        return channel

    def close_channels(self):
        for channel in self.channels:
            channel.close()
        self.channels.clear()

    def queue(self, channel, **args):
        name, _, _ = channel.declare_queue(unique_name('queue'), exclusive=True, args=args)
        return name

    def exchange(self, channel, kind):
        name = unique_name(kind)
        channel.declare_exchange(name, kind, auto_delete=True)
        return name

    def fill(self, queue, *bodies):
        publisher = self.channel(confirm=True)
        for body in bodies:
            publisher.publish('', queue, body)

    def drain(self, queue):
        channel = self.channel()
        bodies = []
        while (message := channel.get(queue, no_ack=True)) is not None:
            bodies.append(message.body)
        return bodies

    def refused(self, code, text, channel, operation):
        try:
            operation()
            channel.await_close()
        except self.client.channel_errors as error:
            equal((error.reply_code, text in error.reply_text), (code, True))
            return
        raise AssertionError(f'{code} did not come')

    def routed(self, kind, bindings, publications):
        channel = self.channel()
        exchange = self.exchange(channel, kind)
        queues = []
        for key, args in bindings:
            queues.append(self.queue(channel))
            channel.bind_queue(queues[-1], exchange, key, args)
        publisher = self.channel(confirm=True)
        for key, body, properties in publications:
            publisher.publish(exchange, key, body, **properties)
        return [self.drain(queue) for queue in queues]

    # Connecting

    def connect(self):
        self.client.try_url(self.address.given)
        properties = self.connection.server_properties
        holds(properties['version'].count('.') >= 2, f'version {properties["version"]}')
        for capability in ('publisher_confirms', 'basic.nack', 'consumer_cancel_notify'):
            holds(properties['capabilities'][capability], f'no {capability}')

    def connect_wrong_password(self):
        contains(self.client.refusal(self.address, password='wrong'), 'ACCESS_REFUSED - Login was refused')

    def connect_unknown_vhost(self):
        contains(self.client.refusal(self.address, vhost='nowhere'), 'vhost nowhere not found')

    def close(self):
        own = self.client.connect(self.address)
        queue = self.queue(own.channel())
        own.close()
        while True:
            probe = self.channel()
            try:
                probe.check_queue(queue)
            except self.client.channel_errors as error:
                if error.reply_code == 404:
                    return
                equal(error.reply_code, 405)

    # Topology

    def declare_queue(self):
        channel = self.channel()
        name = unique_name('queue')
        options = {'exclusive': True, 'args': {'x-message-ttl': 60000, 'x-max-length': 10}}
        equal(channel.declare_queue(name, **options), (name, 0, 0))
        self.fill(name, b'one', b'two')
        equal(channel.check_queue(name), (name, 2, 0))
        channel.consume(name)
        equal(channel.declare_queue(name, **options)[2], 1)

    def declare_server_named(self):
        channel = self.channel()
        name, _, _ = channel.declare_queue('', exclusive=True)
        holds(name.startswith('amq.gen-') and len(name) == 30, name)
        equal(channel.check_queue(name)[0], name)

    def declare_exchange(self):
        channel = self.channel()
        for kind in ('direct', 'fanout', 'topic', 'headers'):
            name = unique_name(kind)
            channel.declare_exchange(name, kind, durable=True)
            channel.declare_exchange(name, kind, durable=True)
            channel.check_exchange(name)
            channel.delete_exchange(name)
        channel.check_exchange('amq.topic')

    def bind_direct(self):
        publications = [('red', b'r', {}), ('blue', b'b', {}), ('red.dark', b'none', {})]
        equal(self.routed('direct', [('red', None), ('blue', None)], publications), [[b'r'], [b'b']])

    def bind_fanout(self):
        routed = self.routed('fanout', [('', None), ('ignored', None)], [('a', b'one', {}), ('b', b'two', {})])
        equal(routed, [[b'one', b'two'], [b'one', b'two']])

    def bind_topic(self):
        keys = ['web.error', 'web.disk.error', 'audit', 'audit.error']
        publications = [(key, key.encode(), {}) for key in keys]
        routed = self.routed('topic', [('*.error', None), ('audit.#', None)], publications)
        equal(routed, [[b'web.error', b'audit.error'], [b'audit', b'audit.error']])

    def bind_headers(self):
        wanted = {'format': 'pdf', 'pages': 2}
        bindings = [('', {'x-match': match, **wanted}) for match in ('all', 'any')]
        publications = [
            ('', b'both', {'headers': {'format': 'pdf', 'pages': 2}}),
            ('', b'one', {'headers': {'format': 'pdf', 'pages': 3}}),
            ('', b'neither', {'headers': {'format': 'zip'}}),
        ]
        equal(self.routed('headers', bindings, publications), [[b'both'], [b'both', b'one']])

    def bind_exchange(self):
        channel = self.channel()
        source, destination = self.exchange(channel, 'topic'), self.exchange(channel, 'fanout')
        queue = self.queue(channel)
        channel.bind_queue(queue, destination, '')
        channel.bind_queue(queue, source, 'kept')
        channel.bind_exchange(destination, source, 'a.*')
        publisher = self.channel(confirm=True)
        publisher.publish(source, 'a.b', b'through')
        publisher.publish(source, 'c', b'not')
        channel.unbind_exchange(destination, source, 'a.*')
        publisher.publish(source, 'a.b', b'unbound')
        publisher.publish(source, 'kept', b'last')
        equal(self.drain(queue), [b'through', b'last'])

    def unbind(self):
        channel = self.channel()
        exchange, queue = self.exchange(channel, 'direct'), self.queue(channel)
        for key in ('a', 'b'):
            channel.bind_queue(queue, exchange, key)
        channel.unbind_queue(queue, exchange, 'a')
        publisher = self.channel(confirm=True)
        publisher.publish(exchange, 'a', b'gone')
        publisher.publish(exchange, 'b', b'kept')
        equal(self.drain(queue), [b'kept'])

    def purge_delete(self):
        channel = self.channel()
        queue = self.queue(channel)
        self.fill(queue, b'1', b'2', b'3')
        equal(channel.purge_queue(queue), 3)
        self.fill(queue, b'4')
        equal(channel.delete_queue(queue), 1)
        self.refused(404, 'no queue', channel, lambda: channel.check_queue(queue))

    # Errors

    def error_404_queue(self):
        channel, name = self.channel(), unique_name('missing')
        text = f"NOT_FOUND - no queue '{name}' in vhost '/'"
        self.refused(404, text, channel, lambda: channel.check_queue(name))

    def error_404_exchange(self):
        channel, name = self.channel(), unique_name('missing')
        text = f"NOT_FOUND - no exchange '{name}' in vhost '/'"
        self.refused(404, text, channel, lambda: channel.publish(name, '', b'lost'))

    def error_406_redeclare(self):
        channel, name = self.channel(), unique_name('queue')
        channel.declare_queue(name, auto_delete=True)
        text = (f"PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{name}' in vhost '/': "
                "received 'true' but current is 'false'")
        self.refused(406, text, channel, lambda: channel.declare_queue(name, durable=True, auto_delete=True))
        equal(self.channel().delete_queue(name), 0)

    def error_406_ack(self):
        channel = self.channel()
        self.refused(406, 'PRECONDITION_FAILED - unknown delivery tag 9', channel, lambda: channel.ack(9))

    def error_403(self):
        channel, name = self.channel(), f'amq.{unique_name("reserved")}'
        text = f"ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'"
        self.refused(403, text, channel, lambda: channel.declare_queue(name))

    def error_405(self):
        queue = self.queue(self.channel())
        stranger = self.client.connect(self.address)
        channel = stranger.channel()
        text = f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '/'."
        self.refused(405, text, channel, lambda: channel.consume(queue))
        stranger.close()

    def error_survived(self):
        channel = self.channel()
        queue = self.queue(channel)
        consumer = channel.consume(queue, no_ack=True)
        broken = self.channel()
        self.refused(404, 'no exchange', broken, lambda: broken.check_exchange(unique_name('missing')))
        self.fill(queue, b'still here')
        channel.wait_until(lambda: consumer.messages)
        equal(consumer.bodies(), [b'still here'])
