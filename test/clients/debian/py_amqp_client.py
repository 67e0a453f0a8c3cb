"""py-amqp: the scenarios on the client underneath kombu."""

import time
from datetime import datetime

import amqp
from amqp.exceptions import AMQPError, ChannelError, MessageNacked

from consumption import Consumption, Received
from message_scenarios import MessageSession, scenarios_of
from proof import LIMIT_SECONDS, Address, prove

HEADERS = 'application_headers'


def body_of(message):
    return message.body if isinstance(message.body, bytes) else message.body.encode()


def received(message):
    properties = dict(message.properties)
    properties['headers'] = properties.pop(HEADERS, None)
    info = message.delivery_info
    return Received(body_of(message), properties, info['exchange'], info['routing_key'], info['delivery_tag'],
                    info['redelivered'], consumer_tag=info.get('consumer_tag'), message_count=info.get('message_count'))


class Channel:
    def __init__(self, connection, confirm):
        self._connection = connection
        self._channel = connection.channel()
        self._confirm = confirm
        self.returns = []
        self._channel.events['basic_return'].add(self._on_return)

    def _on_return(self, error, exchange, routing_key, message):
        self.returns.append((error.reply_code, error.reply_text, exchange, routing_key,
                             message.properties.get('message_id'), body_of(message)))

    def wait_until(self, condition):
        deadline = time.monotonic() + LIMIT_SECONDS
        while not condition():
            self._connection.drain_events(timeout=max(0.01, deadline - time.monotonic()))

    def await_close(self):
        self.wait_until(lambda: False)

    def declare_queue(self, name, durable=False, exclusive=False, auto_delete=False, args=None):
        return tuple(self._channel.queue_declare(name, durable=durable, exclusive=exclusive, auto_delete=auto_delete,
                                                 arguments=args))

    def check_queue(self, name):
        return tuple(self._channel.queue_declare(name, passive=True))

    def purge_queue(self, name):
        return self._channel.queue_purge(name)

    def delete_queue(self, name):
        return self._channel.queue_delete(name)

    def bind_queue(self, queue, exchange, key, args=None):
        self._channel.queue_bind(queue, exchange, key, arguments=args)

    def unbind_queue(self, queue, exchange, key):
        self._channel.queue_unbind(queue, exchange, key)

    def declare_exchange(self, name, kind, durable=False, auto_delete=False):
        self._channel.exchange_declare(name, kind, durable=durable, auto_delete=auto_delete)

    def check_exchange(self, name):
        self._channel.exchange_declare(name, '', passive=True)

    def delete_exchange(self, name):
        self._channel.exchange_delete(name)

    def bind_exchange(self, destination, source, key):
        self._channel.exchange_bind(destination, source, key)

    def unbind_exchange(self, destination, source, key):
        self._channel.exchange_unbind(destination, source, key)

    def publish(self, exchange, key, body, mandatory=False, headers=None, **properties):
        if headers is not None:
            properties[HEADERS] = headers
        publish = self._channel.basic_publish_confirm if self._confirm else self._channel.basic_publish
        publish(amqp.Message(body, **properties), exchange, key, mandatory=mandatory)

    def prefetch(self, count):
        self._channel.basic_qos(0, count, False)

    def consume(self, queue, tag='', no_ack=False):
        consumption = Consumption()

        def on_message(message):
            consumption.messages.append(received(message))

        def on_cancel(_tag):
            consumption.cancelled = True

        consumption.tag = self._channel.basic_consume(queue, tag, no_ack=no_ack, callback=on_message,
                                                      on_cancel=on_cancel)
        return consumption

    def cancel(self, tag):
        self._channel.basic_cancel(tag)

    def get(self, queue, no_ack=False):
        message = self._channel.basic_get(queue, no_ack=no_ack)
        return message and received(message)

    def ack(self, tag, multiple=False):
        self._channel.basic_ack(tag, multiple=multiple)

    def reject(self, tag, requeue):
        self._channel.basic_reject(tag, requeue=requeue)

    def tx_select(self):
        self._channel.tx_select()

    def tx_commit(self):
        self._channel.tx_commit()

    def tx_rollback(self):
        self._channel.tx_rollback()

    def close(self):
        self._channel.close()


class Connection:
    def __init__(self, address, password=None, vhost='/'):
        self._connection = amqp.Connection(f'{address.host}:{address.port}', address.user,
                                           password or address.password, virtual_host=vhost)
        self._connection.connect()
        self.server_properties = self._connection.server_properties

    def channel(self, confirm=False):
        return Channel(self._connection, confirm)

    def close(self):
        self._connection.close()


class PyAmqp:
    channel_errors = ChannelError
    nacked = MessageNacked
    own_headers = {'when': datetime(2023, 11, 14, 22, 13, 20), 'fraction': 1.5}
    connect = staticmethod(Connection)

    @staticmethod
    def try_url(_url):
        """py-amqp takes no URLs."""

    @staticmethod
    def refusal(address, **change):
        try:
            Connection(address, **change)
        except AMQPError as error:
            return error.reply_text
        raise AssertionError('the connection was accepted')


session = MessageSession(PyAmqp, Address())
scenarios = scenarios_of(session)
del scenarios['nack-multiple']
prove(scenarios, {'nack-multiple': 'py-amqp has no basic.nack'}, after_each=session.close_channels)
