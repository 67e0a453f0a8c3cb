<?php
// php-amqplib: connections, queues, exchanges and errors; its messages are in php_messages.

declare(strict_types=1);

require __DIR__ . '/php_session.php';
require __DIR__ . '/php_messages.php';

use PhpAmqpLib\Exception\AMQPConnectionClosedException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

final class Scenarios extends ScenarioSession
{
    use MessageScenarios;

    public function connect(): void
    {
        $properties = $this->connection->getServerProperties();
        $capabilities = $properties['capabilities'][1];
        foreach (['publisher_confirms', 'basic.nack', 'consumer_cancel_notify'] as $name) {
            equal([$name, (bool) $capabilities[$name][1]], [$name, true]);
        }
    }

    private function refusal(array $change): string
    {
        try {
            $this->open($change);
        } catch (AMQPConnectionClosedException $error) {
            return $error->getMessage();
        }
        throw new Exception('the connection was accepted');
    }

    public function connect_wrong_password(): void
    {
        contains($this->refusal(['password' => 'wrong']), 'ACCESS_REFUSED - Login was refused');
    }

    public function connect_unknown_vhost(): void
    {
        contains($this->refusal(['vhost' => 'nowhere']), 'vhost nowhere not found');
    }

    public function declare_queue(): void
    {
        $channel = $this->channel();
        $name = unique_name('queue');
        $arguments = new AMQPTable(['x-message-ttl' => 60000, 'x-max-length' => 10]);
        equal($channel->queue_declare($name, exclusive: true, arguments: $arguments), [$name, 0, 0]);
        $this->fill($name, 'one', 'two');
        equal($channel->queue_declare($name, passive: true), [$name, 2, 0]);
        $this->consume_into($channel, $name);
        equal($channel->queue_declare($name, exclusive: true, arguments: $arguments)[2], 1);
    }

    public function declare_server_named(): void
    {
        [$name] = $this->channel()->queue_declare('', exclusive: true);
        equal(preg_match('/^amq\.gen-[\w-]{22}$/', $name), 1);
    }

    public function declare_exchange(): void
    {
        $channel = $this->channel();
        foreach (['direct', 'fanout', 'topic', 'headers'] as $type) {
            $name = unique_name($type);
            $channel->exchange_declare($name, $type, durable: true, auto_delete: false);
            $channel->exchange_declare($name, $type, durable: true, auto_delete: false);
            $channel->exchange_declare($name, $type, passive: true);
            $channel->exchange_delete($name);
        }
        $channel->exchange_declare('amq.topic', 'topic', passive: true);
    }

    private function routed(string $type, array $bindings, array $publications): array
    {
        $channel = $this->channel();
        $exchange = $this->exchange($channel, $type);
        $queues = [];
        foreach ($bindings as [$key, $arguments]) {
            $queues[] = $queue = $this->queue($channel);
            $channel->queue_bind($queue, $exchange, $key, arguments: new AMQPTable($arguments));
        }
        $this->publish_confirmed($exchange, ...$publications);
        return array_map(fn ($queue) => $this->drain($queue), $queues);
    }

    public function bind_direct(): void
    {
        $publications = [['red', 'r', []], ['blue', 'b', []], ['red.dark', 'none', []]];
        equal($this->routed('direct', [['red', []], ['blue', []]], $publications), [['r'], ['b']]);
    }

    public function bind_fanout(): void
    {
        $publications = [['a', 'one', []], ['b', 'two', []]];
        equal($this->routed('fanout', [['', []], ['ignored', []]], $publications), [['one', 'two'], ['one', 'two']]);
    }

    public function bind_topic(): void
    {
        $keys = ['web.error', 'web.disk.error', 'audit', 'audit.error'];
        $publications = array_map(fn ($key) => [$key, $key, []], $keys);
        equal($this->routed('topic', [['*.error', []], ['audit.#', []]], $publications),
            [['web.error', 'audit.error'], ['audit', 'audit.error']]);
    }

    public function bind_headers(): void
    {
        $wanted = ['format' => 'pdf', 'pages' => 2];
        $bindings = [['', ['x-match' => 'all'] + $wanted], ['', ['x-match' => 'any'] + $wanted]];
        $publications = [
            ['', 'both', ['format' => 'pdf', 'pages' => 2]],
            ['', 'one', ['format' => 'pdf', 'pages' => 3]],
            ['', 'neither', ['format' => 'zip']],
        ];
        equal($this->routed('headers', $bindings, $publications), [['both'], ['both', 'one']]);
    }

    public function bind_exchange(): void
    {
        $channel = $this->channel();
        [$source, $destination] = [$this->exchange($channel, 'topic'), $this->exchange($channel, 'fanout')];
        $queue = $this->queue($channel);
        $channel->queue_bind($queue, $destination);
        $channel->queue_bind($queue, $source, 'kept');
        $channel->exchange_bind($destination, $source, 'a.*');
        $this->publish_confirmed($source, ['a.b', 'through', []], ['c', 'not', []]);
        $channel->exchange_unbind($destination, $source, 'a.*');
        $this->publish_confirmed($source, ['a.b', 'unbound', []], ['kept', 'last', []]);
        equal($this->drain($queue), ['through', 'last']);
    }

    public function unbind(): void
    {
        $channel = $this->channel();
        [$exchange, $queue] = [$this->exchange($channel, 'direct'), $this->queue($channel)];
        $channel->queue_bind($queue, $exchange, 'a');
        $channel->queue_bind($queue, $exchange, 'b');
        $channel->queue_unbind($queue, $exchange, 'a');
        $this->publish_confirmed($exchange, ['a', 'gone', []], ['b', 'kept', []]);
        equal($this->drain($queue), ['kept']);
    }

    public function purge_delete(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $this->fill($queue, '1', '2', '3');
        equal($channel->queue_purge($queue), 3);
        $this->fill($queue, '4');
        equal($channel->queue_delete($queue), 1);
        $this->refused(404, "no queue '$queue'", fn () => $channel->queue_declare($queue, passive: true));
    }

    public function error_404_queue(): void
    {
        $name = unique_name('missing');
        $this->refused(404, "NOT_FOUND - no queue '$name' in vhost '/'",
            fn () => $this->channel()->queue_declare($name, passive: true));
    }

    public function error_404_exchange(): void
    {
        $channel = $this->channel();
        $name = unique_name('missing');
        $channel->basic_publish(new AMQPMessage('lost'), $name);
        $this->refused(404, "NOT_FOUND - no exchange '$name' in vhost '/'",
            fn () => $this->wait_until($channel, fn () => false));
    }

    public function error_406_redeclare(): void
    {
        $name = unique_name('queue');
        $this->channel()->queue_declare($name, durable: false, auto_delete: true);
        $this->refused(406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '$name' in vhost '/'",
            fn () => $this->channel()->queue_declare($name, durable: true, auto_delete: true));
        $this->channel()->queue_delete($name);
    }

    public function error_406_ack(): void
    {
        $channel = $this->channel();
        $channel->basic_ack(9);
        $this->refused(406, 'PRECONDITION_FAILED - unknown delivery tag 9',
            fn () => $this->wait_until($channel, fn () => false));
    }

    public function error_403(): void
    {
        $name = 'amq.' . unique_name('reserved');
        $this->refused(403, "ACCESS_REFUSED - queue name '$name' contains reserved prefix 'amq.*'",
            fn () => $this->channel()->queue_declare($name));
    }

    public function error_405(): void
    {
        $queue = $this->queue($this->channel());
        $stranger = $this->open();
        $this->refused(405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '$queue'",
            fn () => $stranger->channel()->basic_get($queue));
        $stranger->close();
    }

    public function error_survived(): void
    {
        $channel = $this->channel();
        $queue = $this->queue($channel);
        $inbox = $this->consume_into($channel, $queue, no_ack: true);
        $this->error_404_queue();
        $this->fill($queue, 'still here');
        $this->wait_for($channel, $inbox, 1);
        equal($inbox->bodies(), ['still here']);
    }

    public function close(): void
    {
        $own = $this->open();
        $queue = $this->queue($own->channel());
        $own->close();
        equal($own->isConnected(), false);
        $this->refused(404, "no queue '$queue'", fn () => $this->channel()->queue_declare($queue, passive: true));
    }
}

$scenarios = new Scenarios($argv[1] ?? getenv('BROKER_URL'));
$failed = 0;
$names = array_keys(json_decode(file_get_contents(__DIR__ . '/../scenarios.json'), true));
foreach (array_diff($names, explode(' ', getenv('LEAVE_OUT') ?: '')) as $name) {
    try {
        $scenarios->{str_replace('-', '_', $name)}();
        $scenarios->close_channels();
        echo "ok $name\n";
    } catch (Throwable $error) {
        $failed++;
        echo "not ok $name " . get_class($error) . ': ' . preg_replace('/\s+/', ' ', $error->getMessage()) . "\n";
    }
}
exit($failed > 0 ? 1 : 0);
