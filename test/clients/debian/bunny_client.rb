# bunny: connections, queues, exchanges and errors; its messages are in bunny_messages.

require 'json'
require_relative 'bunny_messages'
require_relative 'bunny_session'

class Scenarios < ScenarioSession
  include MessageScenarios

  def connect
    Bunny.new(ADDRESS.to_s).start.close
    capabilities = @session.server_capabilities
    %w[publisher_confirms exchange_exchange_bindings basic.nack consumer_cancel_notify].each do |name|
      equal([name, capabilities[name]], [name, true])
    end
  end

  def connect_wrong_password
    refused(Bunny::AuthenticationFailureError, 'Authentication with RabbitMQ failed') { open_session(password: 'wrong') }
  end

  def connect_unknown_vhost
    refused(Bunny::NotAllowedError, 'vhost nowhere not found') { open_session(vhost: 'nowhere') }
  end

  def declare_queue
    on = channel
    declared = queue(on, 'x-message-ttl' => 60_000, 'x-max-length' => 10)
    fill(declared, 'one', 'two')
    equal([declared.message_count, declared.consumer_count], [2, 0])
    declared.subscribe(manual_ack: true) {}
    equal(declared.consumer_count, 1)
    equal(@session.queue_exists?(declared.name), true)
  end

  def declare_server_named
    named = channel.queue('', exclusive: true)
    raise named.name unless named.name.match?(/\Aamq\.gen-[\w-]{22}\z/)
  end

  def declare_exchange
    on = channel
    %w[direct fanout topic headers].each do |type|
      name = unique_name(type)
      2.times { on.exchange_declare(name, type, durable: true) }
      equal(@session.exchange_exists?(name), true)
      on.exchange_delete(name)
      equal(@session.exchange_exists?(name), false)
    end
  end

  def bind_direct
    publications = [%w[red r], %w[blue b], %w[red.dark none]]
    equal(routed('direct', [{ routing_key: 'red' }, { routing_key: 'blue' }], publications), [['r'], ['b']])
  end

  def bind_fanout
    equal(routed('fanout', [{}, {}], [%w[a one], %w[b two]]), [%w[one two], %w[one two]])
  end

  def bind_topic
    publications = %w[web.error web.disk.error audit audit.error].map { |key| [key, key] }
    equal(routed('topic', [{ routing_key: '*.error' }, { routing_key: 'audit.#' }], publications),
          [%w[web.error audit.error], %w[audit audit.error]])
  end

  def bind_headers
    bindings = %w[all any].map { |match| { arguments: { 'x-match' => match, 'format' => 'pdf', 'pages' => 2 } } }
    publications = [['', 'both', { headers: { 'format' => 'pdf', 'pages' => 2 } }],
                    ['', 'one', { headers: { 'format' => 'pdf', 'pages' => 3 } }],
                    ['', 'neither', { headers: { 'format' => 'zip' } }]]
    equal(routed('headers', bindings, publications), [['both'], %w[both one]])
  end

  def bind_exchange
    on = channel
    source, destination = exchange(on, 'topic'), exchange(on, 'fanout')
    bound = queue(on).bind(destination).bind(source, routing_key: 'kept')
    destination.bind(source, routing_key: 'a.*')
    publish_confirmed(source.name, %w[a.b through], %w[c not])
    destination.unbind(source, routing_key: 'a.*')
    publish_confirmed(source.name, %w[a.b unbound], %w[kept last])
    equal(drain(bound), %w[through last])
  end

  def unbind
    on = channel
    source = exchange(on, 'direct')
    bound = queue(on).bind(source, routing_key: 'a').bind(source, routing_key: 'b')
    bound.unbind(source, routing_key: 'a')
    publish_confirmed(source.name, %w[a gone], %w[b kept])
    equal(drain(bound), ['kept'])
  end

  def purge_delete
    on = channel
    from = queue(on)
    fill(from, '1', '2', '3')
    equal(on.queue_purge(from.name).message_count, 3)
    fill(from, '4')
    equal(on.queue_delete(from.name).message_count, 1)
    equal(@session.queue_exists?(from.name), false)
  end

  def error_404_queue
    name = unique_name('missing')
    refused(Bunny::NotFound, "NOT_FOUND - no queue '#{name}' in vhost '/'") { channel.queue(name, passive: true) }
  end

  def error_404_exchange
    on = channel
    name = unique_name('missing')
    reason = await_publish_error(on) { on.basic_publish('lost', name, '') }
    equal(reason, [404, "NOT_FOUND - no exchange '#{name}' in vhost '/'"])
  end

  def error_406_redeclare
    name = unique_name('queue')
    channel.queue(name, durable: false, auto_delete: true)
    refused(Bunny::PreconditionFailed, "received 'true' but current is 'false'") do
      channel.queue(name, durable: true, auto_delete: true)
    end
    channel.queue_delete(name)
  end

  def error_406_ack
    on = channel
    reason = await_settlement_error(on) { on.basic_ack(9) }
    equal(reason, [406, 'PRECONDITION_FAILED - unknown delivery tag 9'])
  end

  def error_403
    name = "amq.#{unique_name('reserved')}"
    refused(Bunny::AccessRefused, "queue name '#{name}' contains reserved prefix 'amq.*'") { channel.queue(name) }
  end

  def error_405
    mine = queue
    stranger = open_session
    refused(Bunny::ResourceLocked, "cannot obtain exclusive access to locked queue '#{mine.name}'") do
      stranger.create_channel.queue(mine.name, passive: true)
    end
    stranger.close
  end

  def error_survived
    mine = queue
    inbox, = consume_into(mine)
    error_404_queue
    fill(mine, 'still here')
    equal(take(inbox, 1).first[2], 'still here')
  end

  def close
    own = open_session
    name = own.create_channel.queue(unique_name('queue'), exclusive: true).name
    own.close
    equal([own.closed?, @session.queue_exists?(name)], [true, false])
  end
end

scenarios = Scenarios.new
failed = 0
names = JSON.parse(File.read(File.join(__dir__, '..', 'scenarios.json'))).keys
(names - ENV.fetch('LEAVE_OUT', '').split).each do |name|
  Timeout.timeout(2 * LIMIT_SECONDS) do
    scenarios.public_send(name.tr('-', '_'))
    scenarios.close_channels
  end
  puts "ok #{name}"
rescue StandardError, NoMethodError => error
  failed += 1
  puts "not ok #{name} #{error.class}: #{error.message.gsub(/\s+/, ' ')}"
ensure
  $stdout.flush
end
exit(failed.zero? ? 0 : 1)
