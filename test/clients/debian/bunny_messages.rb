# bunny's scenarios of messages: publishing, confirming, consuming, settling.

LARGE_BODY = (0...300_000).map { |offset| (offset * 31 + (offset >> 8)) & 0xff }.pack('C*')

module MessageScenarios
  def publish_properties
    on = channel
    to = queue(on)
    headers = { 'text' => 'grüße', 'small' => 7, 'negative' => -40_000, 'large' => 2**40, 'fraction' => 1.5,
                'yes' => true, 'no' => false, 'nothing' => nil, 'list' => ['a', 1, { 'deep' => false }],
                'table' => { 'inner' => 'x' }, 'when' => Time.at(1_700_000_000) }
    properties = { content_type: 'application/json', content_encoding: 'utf-8', delivery_mode: 2, priority: 5,
                   correlation_id: 'c-1', reply_to: 'answers', expiration: '60000', message_id: 'm-1',
                   timestamp: 1_700_000_000, type: 'order', user_id: @session.user, app_id: 'proof' }
    on.default_exchange.publish('{}', properties.merge(routing_key: to.name, headers: headers))
    inbox, = consume_into(to, manual_ack: false)
    _info, received, body = take(inbox, 1).first
    equal(received.to_h.slice(*properties.keys).merge(timestamp: received.timestamp.to_i), properties)
    equal(received.headers.transform_values { |v| v.is_a?(String) ? v.dup.force_encoding('UTF-8') : v }, headers)
    equal(body, '{}')
  end

  def publish_empty_body
    to = queue
    fill(to, '', 'after')
    equal(drain(to), ['', 'after'])
  end

  def publish_large_body
    on = channel
    to = queue(on)
    inbox, = consume_into(to, manual_ack: false)
    on.default_exchange.publish(LARGE_BODY, routing_key: to.name)
    raise 'the body changed' unless take(inbox, 1).first[2].b == LARGE_BODY
  end

  def confirm
    on = channel
    to = queue(on)
    on.confirm_select
    100.times { |number| on.default_exchange.publish(number.to_s, routing_key: to.name, persistent: true) }
    equal([on.wait_for_confirms, on.unconfirmed_set.size, to.message_count], [true, 0, 100])
  end

  def confirm_nack
    on = channel
    to = queue(on, 'x-max-length' => 1, 'x-overflow' => 'reject-publish')
    on.confirm_select
    on.default_exchange.publish('fits', routing_key: to.name)
    equal(on.wait_for_confirms, true)
    on.default_exchange.publish('too many', routing_key: to.name)
    equal([on.wait_for_confirms, on.nacked_set.to_a], [false, [2]])
    equal(drain(to), ['fits'])
  end

  def return
    on = channel
    key = unique_name('nobody')
    returned = Queue.new
    direct = on.direct('amq.direct')
    direct.on_return { |*message| returned << message }
    direct.publish('back', routing_key: key, mandatory: true, message_id: 'm-2')
    info, properties, body = take(returned, 1).first
    equal([info.reply_code, info.reply_text, info.exchange, info.routing_key, properties.message_id, body],
          [312, 'NO_ROUTE', 'amq.direct', key, 'm-2', 'back'])
  end

  def consume
    on = channel
    source = exchange(on, 'direct')
    from = queue(on).bind(source, routing_key: 'key')
    inbox, = consume_into(from, consumer_tag: 'reader')
    %w[1 2 3].each { |body| source.publish(body, routing_key: 'key') }
    received = take(inbox, 3).map do |info, _properties, body|
      [body, info.consumer_tag, info.delivery_tag.to_i, info.redelivered?, info.exchange, info.routing_key]
    end
    equal(received, [1, 2, 3].map { |tag| [tag.to_s, 'reader', tag, false, source.name, 'key'] })
  end

  def consume_cancel
    from = queue
    inbox, consumer = consume_into(from, manual_ack: false)
    fill(from, 'before')
    equal(take(inbox, 1).first[2], 'before')
    consumer.cancel
    fill(from, 'after')
    equal([from.message_count, from.consumer_count, inbox.size], [1, 0, 0])
  end

  def consumer_cancelled
    from = queue
    cancelled = Queue.new
    from.subscribe(manual_ack: true, on_cancellation: ->(consumer) { cancelled << consumer }) {}
    channel.queue_delete(from.name)
    take(cancelled, 1)
  end

  def prefetch
    on = channel
    from = queue(on)
    fill(from, '1', '2', '3', '4', '5')
    on.prefetch(2)
    inbox, = consume_into(from)
    first, = take(inbox, 2)
    equal([from.message_count, inbox.size], [3, 0])
    on.ack(first[0].delivery_tag)
    equal(take(inbox, 1).first[2], '3')
    equal([from.message_count, inbox.size], [2, 0])
  end

  def ack
    on = channel
    from = queue(on)
    fill(from, 'settled', 'left')
    inbox, = consume_into(from)
    on.ack(take(inbox, 2).first[0].delivery_tag)
    on.close
    equal(drain(from), ['left'])
  end

  def ack_multiple
    on = channel
    from = queue(on)
    fill(from, '1', '2', '3', '4')
    inbox, = consume_into(from)
    on.ack(take(inbox, 4)[2][0].delivery_tag, true)
    on.close
    equal(drain(from), ['4'])
  end

  def redeliver
    on = channel
    from = queue(on)
    fill(from, '1', '2', '3')
    take(consume_into(from).first, 3)
    on.close
    inbox, = consume_into(channel.queue(from.name, exclusive: true))
    equal(take(inbox, 3).map { |info, _properties, body| [body, info.redelivered?] },
          [['1', true], ['2', true], ['3', true]])
  end

  def get
    on = channel
    from = queue(on)
    fill(from, '1', '2', '3')
    info, _properties, body = from.pop(manual_ack: true)
    equal([body, info.delivery_tag.to_i, info.redelivered?, info.exchange, info.routing_key],
          ['1', 1, false, '', from.name])
    equal(from.message_count, 2)
    on.ack(info.delivery_tag)
    equal(drain(from), %w[2 3])
  end

  def get_empty
    equal(queue.pop, [nil, nil, nil])
  end

  def reject_requeue
    on = channel
    from = queue(on)
    fill(from, '1', '2')
    on.reject(from.pop(manual_ack: true)[0].delivery_tag, true)
    info, _properties, body = from.pop(manual_ack: true)
    equal([body, info.redelivered?], ['1', true])
  end

  def queue_with_dead_letters(on)
    dead = queue(on)
    [queue(on, 'x-dead-letter-exchange' => '', 'x-dead-letter-routing-key' => dead.name), dead]
  end

  def reject_dead_letter
    on = channel
    from, dead = queue_with_dead_letters(on)
    fill(from, 'bad')
    inbox, = consume_into(dead)
    on.reject(from.pop(manual_ack: true)[0].delivery_tag, false)
    death = take(inbox, 1).first[1].headers['x-death'].first
    equal(death.slice('reason', 'queue', 'exchange', 'count', 'routing-keys'),
          { 'reason' => 'rejected', 'queue' => from.name, 'exchange' => '', 'count' => 1,
            'routing-keys' => [from.name] })
  end

  def nack_multiple
    on = channel
    from = queue(on)
    fill(from, '1', '2', '3')
    from.pop(manual_ack: true)
    on.nack(from.pop(manual_ack: true)[0].delivery_tag, true, true)
    info, = from.pop(manual_ack: true)
    equal(info.redelivered?, true)
    on.close
    equal(drain(from), %w[1 2 3])
  end

  def message_ttl
    on = channel
    from, dead = queue_with_dead_letters(on)
    inbox, = consume_into(dead)
    on.default_exchange.publish('late', routing_key: from.name, expiration: '30')
    death = take(inbox, 1).first[1].headers['x-death'].first
    equal(death.slice('reason', 'queue', 'original-expiration'),
          { 'reason' => 'expired', 'queue' => from.name, 'original-expiration' => '30' })
  end

  def tx_commit
    on = channel
    to = queue(on)
    fill(to, 'settled in it')
    on.tx_select
    info, = to.pop(manual_ack: true)
    on.default_exchange.publish('published in it', routing_key: to.name)
    on.ack(info.delivery_tag)
    equal(to.message_count, 0)
    on.tx_commit
    on.close
    equal(drain(to), ['published in it'])
  end

  def tx_rollback
    on = channel
    to = queue(on)
    on.tx_select
    on.default_exchange.publish('taken back', routing_key: to.name)
    on.tx_rollback
    on.default_exchange.publish('kept', routing_key: to.name)
    on.tx_commit
    equal(drain(to), ['kept'])
  end

  def rpc
    requests = queue
    server = channel
    server.queue(requests.name, exclusive: true).subscribe do |_info, properties, body|
      server.default_exchange.publish("re: #{body}", routing_key: properties.reply_to,
                                                     correlation_id: properties.correlation_id)
    end
    on = channel
    answers = Queue.new
    on.basic_consume('amq.rabbitmq.reply-to', 'answers', true) { |*delivery| answers << delivery }
    on.default_exchange.publish('ping', routing_key: requests.name, reply_to: 'amq.rabbitmq.reply-to',
                                        correlation_id: '42')
    _info, properties, body = take(answers, 1).first
    equal([body, properties.correlation_id], ['re: ping', '42'])
  end
end
