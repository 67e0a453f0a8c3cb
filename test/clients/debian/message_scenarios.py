"""The scenarios of messages, for the same Python clients as channel_scenarios."""

from channel_scenarios import DEAD_LETTERS, LARGE_BODY, Session
from proof import contains, equal, holds, unique_name


class MessageSession(Session):
    def queue_with_dead_letters(self, channel):
        dead = self.queue(channel)
        queue = self.queue(channel, **{DEAD_LETTERS: '', 'x-dead-letter-routing-key': dead})
        return queue, dead

    # Publishing

    def publish_properties(self):
        channel = self.channel()
        queue = self.queue(channel)
        headers = {
            'text': 'grüße', 'small': 7, 'negative': -40000, 'large': 2 ** 40, 'yes': True, 'no': False,
            'nothing': None, 'list': ['a', 1, {'deep': False}], 'table': {'inner': 'x'}, **self.client.own_headers,
        }
        properties = {
            'content_type': 'application/json', 'content_encoding': 'utf-8', 'delivery_mode': 2, 'priority': 5,
            'correlation_id': 'c-1', 'reply_to': 'answers', 'expiration': '60000', 'message_id': 'm-1',
            'timestamp': 1700000000, 'type': 'order', 'user_id': self.address.user, 'app_id': 'proof',
        }
        channel.publish('', queue, b'{}', headers=headers, **properties)
        consumer = channel.consume(queue, no_ack=True)
        channel.wait_until(lambda: consumer.messages)
        received = consumer.messages[0].properties
        equal({name: received.get(name) for name in properties}, properties)
        equal(received['headers'], headers)

    def publish_empty_body(self):
        queue = self.queue(self.channel())
        self.fill(queue, b'', b'after')
        equal(self.drain(queue), [b'', b'after'])

    def publish_large_body(self):
        channel = self.channel()
        queue = self.queue(channel)
        consumer = channel.consume(queue, no_ack=True)
        channel.publish('', queue, LARGE_BODY)
        channel.wait_until(lambda: consumer.messages)
        holds(consumer.messages[0].body == LARGE_BODY, 'the body changed')

    def confirm(self):
        channel = self.channel(confirm=True)
        queue = self.queue(channel)
        for number in range(100):
            channel.publish('', queue, b'%d' % number, delivery_mode=2)
        equal(channel.check_queue(queue), (queue, 100, 0))

    def confirm_nack(self):
        channel = self.channel(confirm=True)
        queue = self.queue(channel, **{'x-max-length': 1, 'x-overflow': 'reject-publish'})
        channel.publish('', queue, b'fits')
        try:
            channel.publish('', queue, b'too many')
        except self.client.nacked:
            equal(self.drain(queue), [b'fits'])
            return
        raise AssertionError('the second publish was not nacked')

    def returned(self):
        channel = self.channel(confirm=True)
        key = unique_name('nobody')
        channel.publish('amq.direct', key, b'back', mandatory=True, message_id='m-2')
        channel.wait_until(lambda: channel.returns)
        equal(channel.returns, [(312, 'NO_ROUTE', 'amq.direct', key, 'm-2', b'back')])

    # Consuming

    def consume(self):
        channel = self.channel()
        exchange, queue = self.exchange(channel, 'direct'), self.queue(channel)
        channel.bind_queue(queue, exchange, 'key')
        consumer = channel.consume(queue, tag='reader')
        equal(consumer.tag, 'reader')
        for body in (b'1', b'2', b'3'):
            channel.publish(exchange, 'key', body)
        channel.wait_until(lambda: len(consumer.messages) == 3)
        received = [(m.body, m.consumer_tag, m.delivery_tag, m.redelivered, m.exchange, m.routing_key)
                    for m in consumer.messages]
        equal(received, [(b'%d' % n, 'reader', n, False, exchange, 'key') for n in (1, 2, 3)])

    def consume_cancel(self):
        channel = self.channel()
        queue = self.queue(channel)
        consumer = channel.consume(queue, no_ack=True)
        self.fill(queue, b'before')
        channel.wait_until(lambda: consumer.messages)
        channel.cancel(consumer.tag)
        self.fill(queue, b'after')
        equal(channel.check_queue(queue), (queue, 1, 0))
        equal(consumer.bodies(), [b'before'])

    def consumer_cancelled(self):
        channel = self.channel()
        queue = self.queue(channel)
        consumer = channel.consume(queue)
        self.channel().delete_queue(queue)
        channel.wait_until(lambda: consumer.cancelled)

    def prefetch(self):
        channel = self.channel()
        queue = self.queue(channel)
        self.fill(queue, b'1', b'2', b'3', b'4', b'5')
        channel.prefetch(2)
        consumer = channel.consume(queue)
        channel.wait_until(lambda: len(consumer.messages) == 2)
        equal(channel.check_queue(queue), (queue, 3, 1))
        equal(len(consumer.messages), 2)
        channel.ack(1)
        channel.wait_until(lambda: len(consumer.messages) == 3)
        equal(channel.check_queue(queue), (queue, 2, 1))
        equal(consumer.bodies(), [b'1', b'2', b'3'])

    def ack(self):
        channel = self.channel()
        queue = self.queue(channel)
        self.fill(queue, b'settled', b'left')
        consumer = channel.consume(queue)
        channel.wait_until(lambda: len(consumer.messages) == 2)
        channel.ack(1)
        channel.close()
        equal(self.drain(queue), [b'left'])

    def ack_multiple(self):
        channel = self.channel()
        queue = self.queue(channel)
        self.fill(queue, b'1', b'2', b'3', b'4')
        consumer = channel.consume(queue)
        channel.wait_until(lambda: len(consumer.messages) == 4)
        channel.ack(3, multiple=True)
        channel.close()
        equal(self.drain(queue), [b'4'])

    def redeliver(self):
        channel = self.channel()
        queue = self.queue(channel)
        self.fill(queue, b'1', b'2', b'3')
        first = channel.consume(queue)
        channel.wait_until(lambda: len(first.messages) == 3)
        channel.close()
        other = self.channel()
        second = other.consume(queue)
        other.wait_until(lambda: len(second.messages) == 3)
        equal([(m.body, m.redelivered) for m in second.messages], [(b'1', True), (b'2', True), (b'3', True)])

    def get(self):
        channel = self.channel()
        queue = self.queue(channel)
        self.fill(queue, b'1', b'2', b'3')
        m = channel.get(queue)
        equal((m.body, m.delivery_tag, m.redelivered, m.exchange, m.routing_key, m.message_count),
              (b'1', 1, False, '', queue, 2))
        channel.ack(m.delivery_tag)
        equal(self.drain(queue), [b'2', b'3'])

    def get_empty(self):
        channel = self.channel()
        equal(channel.get(self.queue(channel)), None)

    # Settling

    def reject_requeue(self):
        channel = self.channel()
        queue = self.queue(channel)
        self.fill(queue, b'1', b'2')
        channel.reject(channel.get(queue).delivery_tag, requeue=True)
        again = channel.get(queue)
        equal((again.body, again.redelivered), (b'1', True))

    def reject_dead_letter(self):
        channel = self.channel()
        queue, dead = self.queue_with_dead_letters(channel)
        self.fill(queue, b'bad')
        consumer = channel.consume(dead)
        channel.reject(channel.get(queue).delivery_tag, requeue=False)
        channel.wait_until(lambda: consumer.messages)
        death = consumer.messages[0].properties['headers']['x-death'][0]
        equal([death[key] for key in ('reason', 'queue', 'exchange', 'count', 'routing-keys')],
              ['rejected', queue, '', 1, [queue]])

    def nack_multiple(self):
        channel = self.channel()
        queue = self.queue(channel)
        self.fill(queue, b'1', b'2', b'3')
        channel.get(queue)
        channel.nack(channel.get(queue).delivery_tag, multiple=True, requeue=True)
        equal(channel.get(queue).message_count, 2)
        channel.close()
        equal(self.drain(queue), [b'1', b'2', b'3'])

    def message_ttl(self):
        channel = self.channel()
        queue, dead = self.queue_with_dead_letters(channel)
        consumer = channel.consume(dead)
        channel.publish('', queue, b'late', expiration='30')
        channel.wait_until(lambda: consumer.messages)
        death = consumer.messages[0].properties['headers']['x-death'][0]
        equal((death['reason'], death['queue'], death['original-expiration']), ('expired', queue, '30'))

    def tx_commit(self):
        channel = self.channel()
        queue = self.queue(channel)
        self.fill(queue, b'settled in it')
        channel.tx_select()
        message = channel.get(queue)
        channel.publish('', queue, b'published in it')
        channel.ack(message.delivery_tag)
        equal(channel.check_queue(queue), (queue, 0, 0))
        channel.tx_commit()
        channel.close()
        equal(self.drain(queue), [b'published in it'])

    def tx_rollback(self):
        channel = self.channel()
        queue = self.queue(channel)
        channel.tx_select()
        channel.publish('', queue, b'taken back')
        channel.tx_rollback()
        channel.publish('', queue, b'kept')
        channel.tx_commit()
        equal(self.drain(queue), [b'kept'])

    def rpc(self):
        server, channel = self.channel(), self.channel()
        requests = self.queue(server)
        questions = server.consume(requests, no_ack=True)
        answers = channel.consume('amq.rabbitmq.reply-to', no_ack=True)
        channel.publish('', requests, b'ping', reply_to='amq.rabbitmq.reply-to', correlation_id='42')
        server.wait_until(lambda: questions.messages)
        reply_to = questions.messages[0].properties['reply_to']
        contains(reply_to, 'amq.rabbitmq.reply-to.')
        server.publish('', reply_to, b'pong', correlation_id='42')
        channel.wait_until(lambda: answers.messages)
        answer = answers.messages[0]
        equal((answer.body, answer.properties['correlation_id']), (b'pong', '42'))


def scenarios_of(session):
    """`return` is a keyword in Python; every other scenario is the method of its name."""
    from proof import named_scenarios

    methods = {name: 'returned' if name == 'return' else name.replace('-', '_') for name in named_scenarios()}
    return {name: getattr(session, method) for name, method in methods.items() if hasattr(session, method)}
