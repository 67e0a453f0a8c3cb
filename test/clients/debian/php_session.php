<?php
// One php-amqplib connection (it logs in with AMQPLAIN) and the small steps the scenarios are made of.

declare(strict_types=1);

require_once 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const LIMIT_SECONDS = 10;

function unique_name(string $purpose): string
{
    return "clients.$purpose." . bin2hex(random_bytes(4));
}

function equal($actual, $expected): void
{
    if ($actual !== $expected) {
        throw new Exception('expected ' . json_encode($expected) . ', got ' . json_encode($actual));
    }
}

function contains(string $text, string $part): void
{
    if (!str_contains($text, $part)) {
        throw new Exception("expected '$part' in '$text'");
    }
}

class Inbox
{
    /** @var AMQPMessage[] */
    public array $messages = [];
    public string $tag = '';

    public function bodies(): array
    {
        return array_map(fn ($message) => $message->getBody(), $this->messages);
    }
}

class ScenarioSession
{
    protected AMQPStreamConnection $connection;
    protected string $user;
    private array $address;
    /** @var AMQPChannel[] */
    private array $channels = [];

    public function __construct(string $url)
    {
        $this->address = parse_url($url);
        $this->user = $this->address['user'] ?? 'guest';
        $this->connection = $this->open();
    }

    protected function open(array $change = []): AMQPStreamConnection
    {
        $password = $change['password'] ?? $this->address['pass'] ?? 'guest';
        $port = $this->address['port'] ?? 5672;
        return new AMQPStreamConnection(
            $this->address['host'], $port, $this->user, $password, $change['vhost'] ?? '/',
            read_write_timeout: LIMIT_SECONDS, channel_rpc_timeout: LIMIT_SECONDS,
        );
    }

    protected function channel(bool $confirm = false): AMQPChannel
    {
        $channel = $this->connection->channel();
        if ($confirm) {
            $channel->confirm_select();
        }
        return $this->channels[] = $channel;
    }

    public function close_channels(): void
    {
        foreach ($this->channels as $channel) {
            if ($channel->is_open()) {
                $channel->close();
            }
        }
        $this->channels = [];
    }

    protected function queue(AMQPChannel $channel, array $arguments = []): string
    {
        $name = unique_name('queue');
        $table = new AMQPTable($arguments);
        $channel->queue_declare($name, exclusive: true, auto_delete: false, arguments: $table);
        return $name;
    }

    protected function exchange(AMQPChannel $channel, string $type): string
    {
        $name = unique_name($type);
        $channel->exchange_declare($name, $type);
        return $name;
    }

    /** The queue's ready messages and consumers. */
    protected function counts(AMQPChannel $channel, string $queue): array
    {
        return array_slice($channel->queue_declare($queue, passive: true), 1);
    }

    protected function send(AMQPChannel $channel, string $queue, string $body, array $properties = []): void
    {
        $channel->basic_publish(new AMQPMessage($body, $properties), '', $queue);
    }

    /** @param array $publications each one routing key, body and headers */
    protected function publish_confirmed(string $exchange, array ...$publications): void
    {
        $channel = $this->channel(confirm: true);
        foreach ($publications as [$key, $body, $headers]) {
            $message = new AMQPMessage($body, $headers ? ['application_headers' => new AMQPTable($headers)] : []);
            $channel->basic_publish($message, $exchange, $key);
        }
        $channel->wait_for_pending_acks(LIMIT_SECONDS);
    }

    protected function fill(string $queue, string ...$bodies): void
    {
        $this->publish_confirmed('', ...array_map(fn ($body) => [$queue, $body, []], $bodies));
    }

    protected function drain(string $queue): array
    {
        $channel = $this->channel();
        $bodies = [];
        while ($message = $channel->basic_get($queue, no_ack: true)) {
            $bodies[] = $message->getBody();
        }
        return $bodies;
    }

    protected function consume_into(AMQPChannel $channel, string $queue, bool $no_ack = false, string $tag = ''): Inbox
    {
        $inbox = new Inbox();
        $keep = function (AMQPMessage $message) use ($inbox) {
            $inbox->messages[] = $message;
        };
        $inbox->tag = $channel->basic_consume($queue, $tag, no_ack: $no_ack, callback: $keep);
        return $inbox;
    }

    /** wait() throws when nothing comes within the limit, and when the server closes the channel. */
    protected function wait_until(AMQPChannel $channel, callable $condition): void
    {
        while (!$condition()) {
            $channel->wait(timeout: LIMIT_SECONDS);
        }
    }

    protected function wait_for(AMQPChannel $channel, Inbox $inbox, int $count): array
    {
        $this->wait_until($channel, fn () => count($inbox->messages) >= $count);
        return $inbox->messages;
    }

    protected function refused(int $code, string $text, callable $operation): void
    {
        try {
            $operation();
        } catch (AMQPProtocolException $error) {
            equal($error->amqp_reply_code, $code);
            contains($error->amqp_reply_text, $text);
            return;
        }
        throw new Exception("$code did not come");
    }
}
