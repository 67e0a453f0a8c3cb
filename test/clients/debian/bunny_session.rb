# One bunny session and the small steps the scenarios are made of.

require 'bunny'
require 'securerandom'
require 'timeout'
require 'uri'

LIMIT_SECONDS = 15
ADDRESS = URI.parse(ARGV[0] || ENV.fetch('BROKER_URL'))

def unique_name(purpose)
  "clients.#{purpose}.#{SecureRandom.hex(4)}"
end

def open_session(change = {})
  session = Bunny.new({ host: ADDRESS.host, port: ADDRESS.port || 5672, user: ADDRESS.user || 'guest',
                        password: ADDRESS.password || 'guest', vhost: '/', automatically_recover: false,
                        continuation_timeout: 10_000, logger: Logger.new(IO::NULL) }.merge(change))
  session.start
end

def equal(actual, expected)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless actual == expected
end

def includes(text, part)
  raise "expected #{part.inspect} in #{text.inspect}" unless text.include?(part)
end

def refused(error_class, text)
  yield
rescue error_class => error
  includes(error.message, text)
else
  raise "#{error_class} was not raised"
end

# Channels are closed after each scenario; queues are exclusive to the session.
class ScenarioSession
  def initialize
    @session = open_session
    @channels = []
  end

  def channel
    @channels << @session.create_channel
    @channels.last
  end

  def close_channels
    @channels.each { |channel| channel.close if channel.open? }
    @channels.clear
  end

  def queue(on = channel, arguments = {})
    on.queue(unique_name('queue'), exclusive: true, arguments: arguments)
  end

  def exchange(on, type)
    on.exchange(unique_name(type), type: type, auto_delete: true)
  end

  def publish_confirmed(exchange_name, *publications)
    confirming = channel
    confirming.confirm_select
    publications.each do |key, body, options|
      confirming.basic_publish(body, exchange_name, key, options || {})
    end
    raise 'a publish was nacked' unless confirming.wait_for_confirms
  end

  def fill(queue, *bodies)
    publish_confirmed('', *bodies.map { |body| [queue.name, body] })
  end

  def drain(queue)
    reader = channel
    bodies = []
    loop do
      _info, _properties, body = reader.basic_get(queue.name)
      return bodies if body.nil?

      bodies << body
    end
  end

  # A consumer that leaves what it gets in a Ruby Queue; take waits for `count` of them.
  def consume_into(queue, manual_ack: true, **options)
    inbox = Queue.new
    consumer = queue.subscribe(manual_ack: manual_ack, **options) { |*delivery| inbox << delivery }
    [inbox, consumer]
  end

  def take(inbox, count)
    Timeout.timeout(LIMIT_SECONDS) { Array.new(count) { inbox.pop } }
  end

  # bunny calls on_error only for a failed ack, nack or reject.
  def await_settlement_error(on)
    reason = Queue.new
    on.on_error { |_channel, close| reason << [close.reply_code, close.reply_text] }
    yield
    take(reason, 1).first
  end

  # After a failed publish bunny keeps the reason for the call that is waiting. Nothing is: it has to be looked up.
  def await_publish_error(on)
    yield
    Timeout.timeout(LIMIT_SECONDS) { Thread.pass while on.open? }
    error = on.instance_variable_get(:@last_channel_error)
    [error.channel_close.reply_code, error.channel_close.reply_text]
  end

  def routed(type, bindings, publications)
    on = channel
    source = exchange(on, type)
    queues = bindings.map { |options| queue(on).bind(source, options) }
    publish_confirmed(source.name, *publications)
    queues.map { |bound| drain(bound) }
  end
end
