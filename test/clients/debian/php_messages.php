<?php
// php-amqplib's scenarios of messages: publishing, confirming, consuming, settling.

declare(strict_types=1);

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Exception\AMQPBasicCancelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

trait MessageScenarios
{
    public function publish_properties(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $headers = [
            'text' => 'grüße', 'small' => 7, 'negative' => -40000, 'large' => 2 ** 40, 'yes' => true,
            'no' => false, 'nothing' => null, 'list' => ['a', 1, ['deep' => false]], 'table' => ['inner' => 'x'],
        ];
        $properties = [
            'content_type' => 'application/json', 'content_encoding' => 'utf-8', 'delivery_mode' => 2, 'priority' => 5,
            'correlation_id' => 'c-1', 'reply_to' => 'answers', 'expiration' => '60000', 'message_id' => 'm-1',
            'timestamp' => 1700000000, 'type' => 'order', 'user_id' => $this->user, 'app_id' => 'proof',
        ];
        $this->send($channel, $queue, '{}', $properties + ['application_headers' => new AMQPTable($headers)]);
        $inbox = $this->consume_into($channel, $queue, no_ack: true);
        $received = $this->wait_for($channel, $inbox, 1)[0]->get_properties();
        equal($received['application_headers']->getNativeData(), $headers);
        foreach ($properties as $name => $value) {
            equal([$name, $received[$name]], [$name, $value]);
        }
    }

    public function publish_empty_body(): void
    {
        $queue = $this->queue($this->channel());
        $this->fill($queue, '', 'after');
        equal($this->drain($queue), ['', 'after']);
    }

    public function publish_large_body(): void
    {
        $body = '';
        for ($offset = 0; $offset < 300_000; $offset++) {
            $body .= chr(($offset * 31 + ($offset >> 8)) & 0xff);
        }
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $inbox = $this->consume_into($channel, $queue, no_ack: true);
        $this->send($channel, $queue, $body);
        equal(md5($this->wait_for($channel, $inbox, 1)[0]->getBody()), md5($body));
    }

    public function confirm(): void
    {
        $channel = $this->channel(confirm: true);
        $queue = $this->queue($channel);
        $acked = [];
        $channel->set_ack_handler(function (AMQPMessage $message) use (&$acked) {
            $acked[] = (int) $message->getBody();
        });
        for ($number = 0; $number < 100; $number++) {
            $this->send($channel, $queue, (string) $number, ['delivery_mode' => 2]);
        }
        $channel->wait_for_pending_acks(LIMIT_SECONDS);
        sort($acked);
        equal($acked, range(0, 99));
        equal($this->counts($channel, $queue), [100, 0]);
    }

    public function confirm_nack(): void
    {
        $channel = $this->channel(confirm: true);
        $queue = $this->queue($channel, ['x-max-length' => 1, 'x-overflow' => 'reject-publish']);
        $nacked = [];
        $channel->set_nack_handler(function (AMQPMessage $message) use (&$nacked) {
            $nacked[] = $message->getBody();
        });
        $this->send($channel, $queue, 'fits');
        $channel->wait_for_pending_acks(LIMIT_SECONDS);
        $this->send($channel, $queue, 'too many');
        $channel->wait_for_pending_acks(LIMIT_SECONDS);
        equal($nacked, ['too many']);
        equal($this->drain($queue), ['fits']);
    }

    public function return(): void
    {
        $channel = $this->channel(confirm: true);
        $key = unique_name('nobody');
        $returned = [];
        $channel->set_return_listener(function (...$message) use (&$returned) {
            [$code, $text, $exchange, $key, $content] = $message;
            $returned[] = [$code, $text, $exchange, $key, $content->get('message_id'), $content->getBody()];
        });
        $channel->basic_publish(new AMQPMessage('back', ['message_id' => 'm-2']), 'amq.direct', $key, mandatory: true);
        $channel->wait_for_pending_acks_returns(LIMIT_SECONDS);
        equal($returned, [[312, 'NO_ROUTE', 'amq.direct', $key, 'm-2', 'back']]);
    }

    public function consume(): void
    {
        $channel = $this->channel();
        [$exchange, $queue] = [$this->exchange($channel, 'direct'), $this->queue($channel)];
        $channel->queue_bind($queue, $exchange, 'key');
        $inbox = $this->consume_into($channel, $queue, tag: 'reader');
        foreach (['1', '2', '3'] as $body) {
            $channel->basic_publish(new AMQPMessage($body), $exchange, 'key');
        }
        $received = array_map(
            fn ($m) => [$m->getBody(), $m->getConsumerTag(), $m->getDeliveryTag(), $m->isRedelivered(),
                $m->getExchange(), $m->getRoutingKey()],
            $this->wait_for($channel, $inbox, 3),
        );
        equal($received, array_map(fn ($tag) => ["$tag", 'reader', $tag, false, $exchange, 'key'], [1, 2, 3]));
    }

    public function consume_cancel(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $inbox = $this->consume_into($channel, $queue, no_ack: true);
        $this->fill($queue, 'before');
        $this->wait_for($channel, $inbox, 1);
        $channel->basic_cancel($inbox->tag);
        $this->fill($queue, 'after');
        equal($this->counts($channel, $queue), [1, 0]);
        equal($inbox->bodies(), ['before']);
    }

    public function consumer_cancelled(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $inbox = $this->consume_into($channel, $queue);
        $this->channel()->queue_delete($queue);
        try {
            $this->wait_for($channel, $inbox, 1);
        } catch (AMQPBasicCancelException $cancelled) {
            equal($cancelled->consumerTag, $inbox->tag);
            return;
        }
        throw new Exception('the cancel did not come');
    }

    public function prefetch(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $this->fill($queue, '1', '2', '3', '4', '5');
        $channel->basic_qos(0, 2, false);
        $inbox = $this->consume_into($channel, $queue);
        $first = $this->wait_for($channel, $inbox, 2)[0];
        equal($this->counts($channel, $queue), [3, 1]);
        equal(count($inbox->messages), 2);
        $first->ack();
        $this->wait_for($channel, $inbox, 3);
        equal($this->counts($channel, $queue), [2, 1]);
        equal($inbox->bodies(), ['1', '2', '3']);
    }

    public function ack(): void
    {
        $this->settle_and_drain(['settled', 'left'], fn ($messages) => $messages[0]->ack(), ['left']);
    }

    public function ack_multiple(): void
    {
        $this->settle_and_drain(['1', '2', '3', '4'], fn ($messages) => $messages[2]->ack(true), ['4']);
    }

    private function settle_and_drain(array $bodies, callable $settle, array $left): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $this->fill($queue, ...$bodies);
        $settle($this->wait_for($channel, $this->consume_into($channel, $queue), count($bodies)));
        $channel->close();
        equal($this->drain($queue), $left);
    }

    public function redeliver(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $this->fill($queue, '1', '2', '3');
        $this->wait_for($channel, $this->consume_into($channel, $queue), 3);
        $channel->close();
        $other = $this->channel();
        $again = $this->wait_for($other, $this->consume_into($other, $queue), 3);
        equal(array_map(fn ($m) => [$m->getBody(), $m->isRedelivered()], $again),
            [['1', true], ['2', true], ['3', true]]);
    }

    public function get(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $this->fill($queue, '1', '2', '3');
        $m = $channel->basic_get($queue);
        equal([$m->getBody(), $m->getDeliveryTag(), $m->isRedelivered(), $m->getExchange(), $m->getRoutingKey(),
            $m->getMessageCount()], ['1', 1, false, '', $queue, 2]);
        $m->ack();
        $channel->close();
        equal($this->drain($queue), ['2', '3']);
    }

    public function get_empty(): void
    {
        $channel = $this->channel();
        equal($channel->basic_get($this->queue($channel)), null);
    }

    public function reject_requeue(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $this->fill($queue, '1', '2');
        $channel->basic_get($queue)->reject(true);
        $again = $channel->basic_get($queue);
        equal([$again->getBody(), $again->isRedelivered()], ['1', true]);
    }

    private function queue_with_dead_letters(AMQPChannel $channel): array
    {
        $dead = $this->queue($channel);
        $arguments = ['x-dead-letter-exchange' => '', 'x-dead-letter-routing-key' => $dead];
        return [$this->queue($channel, $arguments), $dead];
    }

    private function first_death(AMQPMessage $message, string ...$keys): array
    {
        $death = $message->get('application_headers')->getNativeData()['x-death'][0];
        return array_map(fn ($key) => $death[$key], $keys);
    }

    public function reject_dead_letter(): void
    {
        $channel = $this->channel();
        [$queue, $dead] = $this->queue_with_dead_letters($channel);
        $this->fill($queue, 'bad');
        $inbox = $this->consume_into($channel, $dead);
        $channel->basic_get($queue)->reject(false);
        $message = $this->wait_for($channel, $inbox, 1)[0];
        equal($this->first_death($message, 'reason', 'queue', 'exchange', 'count', 'routing-keys'),
            ['rejected', $queue, '', 1, [$queue]]);
    }

    public function nack_multiple(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $this->fill($queue, '1', '2', '3');
        $channel->basic_get($queue);
        $channel->basic_nack($channel->basic_get($queue)->getDeliveryTag(), true, true);
        equal($channel->basic_get($queue)->getMessageCount(), 2);
        $channel->close();
        equal($this->drain($queue), ['1', '2', '3']);
    }

    public function message_ttl(): void
    {
        $channel = $this->channel();
        [$queue, $dead] = $this->queue_with_dead_letters($channel);
        $inbox = $this->consume_into($channel, $dead);
        $this->send($channel, $queue, 'late', ['expiration' => '30']);
        $message = $this->wait_for($channel, $inbox, 1)[0];
        equal($this->first_death($message, 'reason', 'queue', 'original-expiration'), ['expired', $queue, '30']);
    }

    public function tx_commit(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $this->fill($queue, 'settled in it');
        $channel->tx_select();
        $message = $channel->basic_get($queue);
        $this->send($channel, $queue, 'published in it');
        $message->ack();
        equal($this->counts($channel, $queue), [0, 0]);
        $channel->tx_commit();
        $channel->close();
        equal($this->drain($queue), ['published in it']);
    }

    public function tx_rollback(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $channel->tx_select();
        $this->send($channel, $queue, 'taken back');
        $channel->tx_rollback();
        $this->send($channel, $queue, 'kept');
        $channel->tx_commit();
        equal($this->drain($queue), ['kept']);
    }

    public function rpc(): void
    {
        [$server, $channel] = [$this->channel(), $this->channel()];
        $requests = $this->queue($server);
        $questions = $this->consume_into($server, $requests, no_ack: true);
        $answers = $this->consume_into($channel, 'amq.rabbitmq.reply-to', no_ack: true);
        $ask = ['reply_to' => 'amq.rabbitmq.reply-to', 'correlation_id' => '42'];
        $this->send($channel, $requests, 'ping', $ask);
        $reply_to = $this->wait_for($server, $questions, 1)[0]->get('reply_to');
        $this->send($server, $reply_to, 'pong', ['correlation_id' => '42']);
        $answer = $this->wait_for($channel, $answers, 1)[0];
        equal([$answer->getBody(), $answer->get('correlation_id')], ['pong', '42']);
    }
}
