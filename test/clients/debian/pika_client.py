"""pika: the scenarios on its blocking connection."""

import time
from datetime import datetime

import pika
from pika.exceptions import (ChannelClosedByBroker, ChannelWrongStateError, NackError, ProbableAccessDeniedError,
                             ProbableAuthenticationError, UnroutableError)

from consumption import Consumption, Received
from message_scenarios import MessageSession, scenarios_of
from proof import LIMIT_SECONDS, Address, prove


class Channel:
    def __init__(self, connection, confirm):
        self._connection = connection
        self._channel = connection.channel()
        self.returns = []
        if confirm:
            self._channel.confirm_delivery()

    def wait_until(self, condition):
        deadline = time.monotonic() + LIMIT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError('what was waited for did not come')
            self._connection.process_data_events(time_limit=0.1)

    def await_close(self):
        # The reason is raised only to the call that is under way when the close arrives.
        self._channel.basic_qos()

    def declare_queue(self, name, durable=False, exclusive=False, auto_delete=False, args=None):
        ok = self._channel.queue_declare(name, durable=durable, exclusive=exclusive, auto_delete=auto_delete,
                                         arguments=args)
        return ok.method.queue, ok.method.message_count, ok.method.consumer_count

    def check_queue(self, name):
        ok = self._channel.queue_declare(name, passive=True)
        return ok.method.queue, ok.method.message_count, ok.method.consumer_count

    def purge_queue(self, name):
        return self._channel.queue_purge(name).method.message_count

    def delete_queue(self, name):
        return self._channel.queue_delete(name).method.message_count

    def bind_queue(self, queue, exchange, key, args=None):
        self._channel.queue_bind(queue, exchange, key, arguments=args)

    def unbind_queue(self, queue, exchange, key):
        self._channel.queue_unbind(queue, exchange, key)

    def declare_exchange(self, name, kind, durable=False, auto_delete=False):
        self._channel.exchange_declare(name, kind, durable=durable, auto_delete=auto_delete)

    def check_exchange(self, name):
        self._channel.exchange_declare(name, passive=True)

    def delete_exchange(self, name):
        self._channel.exchange_delete(name)

    def bind_exchange(self, destination, source, key):
        self._channel.exchange_bind(destination, source, key)

    def unbind_exchange(self, destination, source, key):
        self._channel.exchange_unbind(destination, source, key)

    def publish(self, exchange, key, body, mandatory=False, **properties):
        try:
            self._channel.basic_publish(exchange, key, body, pika.BasicProperties(**properties), mandatory=mandatory)
        except UnroutableError as error:
            for message in error.messages:
                method = message.method
                self.returns.append((method.reply_code, method.reply_text, method.exchange, method.routing_key,
                                     message.properties.message_id, message.body))

    def prefetch(self, count):
        self._channel.basic_qos(prefetch_count=count)

    def consume(self, queue, tag=None, no_ack=False):
        consumption = Consumption()

        def on_message(_channel, method, properties, body):
            consumption.messages.append(Received(
                body, vars(properties), method.exchange, method.routing_key, method.delivery_tag, method.redelivered,
                consumer_tag=method.consumer_tag))

        def on_cancel(_frame):
            consumption.cancelled = True

        self._channel.add_on_cancel_callback(on_cancel)
        consumption.tag = self._channel.basic_consume(queue, on_message, auto_ack=no_ack, consumer_tag=tag)
        return consumption

    def cancel(self, tag):
        self._channel.basic_cancel(tag)

    def get(self, queue, no_ack=False):
        method, properties, body = self._channel.basic_get(queue, auto_ack=no_ack)
        if method is None:
            return None
        return Received(body, vars(properties), method.exchange, method.routing_key, method.delivery_tag,
                        method.redelivered, message_count=method.message_count)

    def ack(self, tag, multiple=False):
        self._channel.basic_ack(tag, multiple=multiple)

    def nack(self, tag, multiple, requeue):
        self._channel.basic_nack(tag, multiple=multiple, requeue=requeue)

    def reject(self, tag, requeue):
        self._channel.basic_reject(tag, requeue=requeue)

    def tx_select(self):
        self._channel.tx_select()

    def tx_commit(self):
        self._channel.tx_commit()

    def tx_rollback(self):
        self._channel.tx_rollback()

    def close(self):
        try:
            self._channel.close()
        except (ChannelClosedByBroker, ChannelWrongStateError):
            pass


class Connection:
    def __init__(self, address, password=None, vhost='/'):
        credentials = pika.PlainCredentials(address.user, password or address.password)
        self._connection = pika.BlockingConnection(
            pika.ConnectionParameters(address.host, address.port, vhost, credentials))
        self.server_properties = self._connection._impl.server_properties

    def channel(self, confirm=False):
        return Channel(self._connection, confirm)

    def close(self):
        self._connection.close()


class Pika:
    channel_errors = ChannelClosedByBroker
    nacked = NackError
    own_headers = {'when': datetime(2023, 11, 14, 22, 13, 20)}
    connect = staticmethod(Connection)

    @staticmethod
    def try_url(url):
        pika.BlockingConnection(pika.URLParameters(url)).close()

    @staticmethod
    def refusal(address, **change):
        try:
            Connection(address, **change)
        except (ProbableAuthenticationError, ProbableAccessDeniedError) as error:
            return str(error)
        raise AssertionError('the connection was accepted')


session = MessageSession(Pika, Address())
prove(scenarios_of(session), {}, after_each=session.close_channels)
