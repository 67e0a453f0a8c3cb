#!/bin/bash
# amqp-tools, the command line of librabbitmq. Each tool is a connection of its own and prints bodies only, so that
# anything of channels, properties and confirms is out of its reach.

set -u
url=${1:-$BROKER_URL}
here=$(dirname "$0")
limit=10
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tool() { timeout "$limit" "amqp-$1" --url="$url" "${@:2}" 2>"$work/stderr"; }

unique_name() { echo "clients.$1.$RANDOM$RANDOM"; }

equal() {
  [ "$1" = "$2" ] && return 0
  echo "expected '$2', got '$1' $(tr '\n' ' ' <"$work/stderr")"
  return 1
}

# refused TEXT TOOL ARGUMENTS: the tool must fail, saying TEXT.
refused() {
  if tool "${@:2}" >/dev/null; then
    echo "amqp-$2 succeeded"
    return 1
  fi
  grep -qF "$1" "$work/stderr" || { echo "no '$1' in: $(cat "$work/stderr")"; return 1; }
}

publish() { tool publish --routing-key="$1" --body="$2"; }

consume() { tool consume --queue="$1" --count="$2" "${@:3}"; }

# Runs the scenario's commands with a queue of its own.
with_queue() {
  local queue result
  queue=$(unique_name queue)
  tool declare-queue --queue="$queue" >/dev/null || { equal failed declared; return 1; }
  "$1" "$queue"
  result=$?
  tool delete-queue --queue="$queue" >/dev/null
  return $result
}

connect() { with_queue true; }

connect-wrong-password() {
  local url=${url/:\/\/*@/:\/\/guest:wrong@}
  refused 'ACCESS_REFUSED' get --queue=any
}

connect-unknown-vhost() {
  local url=${url%/}/nowhere
  refused 'vhost nowhere not found' get --queue=any
}

declare-queue() {
  local queue
  queue=$(unique_name queue)
  equal "$(tool declare-queue --queue="$queue")" "$queue" &&
    equal "$(tool declare-queue --queue="$queue")" "$queue" &&
    equal "$(tool delete-queue --queue="$queue")" 0
}

declare-server-named() {
  local queue
  queue=$(tool declare-queue --queue='')
  tool delete-queue --queue="$queue" >/dev/null
  [[ $queue =~ ^amq\.gen-[A-Za-z0-9_-]{22}$ ]] || equal "$queue" 'amq.gen-…'
}

# routed EXCHANGE BINDING KEY...: a consumer bound with BINDING gets the first message of the last key and none of the
# keys before it. The tool does not say when it is bound: publishing goes on until it has consumed.
routed() {
  local exchange=$1 binding=$2 consumer key deadline=$((SECONDS + limit))
  timeout "$limit" amqp-consume --url="$url" --exchange="$exchange" --routing-key="$binding" --count=1 cat \
    >"$work/consumed" 2>"$work/stderr" &
  consumer=$!
  while kill -0 "$consumer" 2>/dev/null && [ $SECONDS -lt $deadline ]; do
    for key in "${@:3}"; do
      tool publish --exchange="$exchange" --routing-key="$key" --body="$key"
    done
  done
  wait "$consumer"
  equal "$(cat "$work/consumed")" "${*: -1}"
}

bind-direct() { local id=$RANDOM; routed amq.direct "red.$id" "blue.$id" "red.$id"; }

bind-topic() { local id=$RANDOM; routed amq.topic "*.error.$id" "web.disk.error.$id" "web.error.$id"; }

bind-fanout() { routed amq.fanout ignored "any$RANDOM"; }

publish-empty-body() { with_queue publish_empty; }
publish_empty() {
  publish "$1" '' && publish "$1" after &&
    equal "$(tool get --queue="$1")" '' && equal "$(tool get --queue="$1")" after
}

publish-large-body() { with_queue publish_large; }
publish_large() {
  head -c 300000 /dev/urandom >"$work/sent"
  tool publish --routing-key="$1" <"$work/sent" && tool get --queue="$1" >"$work/got" && cmp "$work/sent" "$work/got"
}

publish-properties() { with_queue publish_with_properties; }
publish_with_properties() {
  tool publish --routing-key="$1" --persistent --content-type=text/plain --content-encoding=utf-8 --reply-to=answers \
    --header='key: value' --body=body && equal "$(tool get --queue="$1")" body
}

scenario-consume() { with_queue consume_in_order; }
consume_in_order() {
  printf '1\n2\n3\n' | tool publish --line-buffered --routing-key="$1"
  equal "$(consume "$1" 3 cat)" "$(printf '1\n2\n3')"
}

prefetch() { with_queue consume_one_by_one; }
consume_one_by_one() {
  printf '1\n2\n3\n' | tool publish --line-buffered --routing-key="$1"
  equal "$(consume "$1" 2 --prefetch-count=1 cat)" "$(printf '1\n2')" && equal "$(tool get --queue="$1")" 3
}

ack() { with_queue acknowledge; }
acknowledge() {
  publish "$1" settled && publish "$1" left
  equal "$(consume "$1" 1 --prefetch-count=1 cat)" settled && equal "$(tool get --queue="$1")" left
}

# A command that fails is the tool's way of not acknowledging.
redeliver() { with_queue return_unacknowledged; }
return_unacknowledged() {
  publish "$1" again
  consume "$1" 1 false
  equal "$(consume "$1" 1 cat)" again
}

get() { with_queue get_in_order; }
get_in_order() {
  publish "$1" 1 && publish "$1" 2
  equal "$(tool get --queue="$1")" 1 && equal "$(tool get --queue="$1")" 2
}

get-empty() { with_queue get_from_empty; }
get_from_empty() {
  tool get --queue="$1"
  equal $? 2
}

purge-delete() {
  local queue
  queue=$(unique_name queue)
  tool declare-queue --queue="$queue" >/dev/null && publish "$queue" 1 && publish "$queue" 2 &&
    equal "$(tool delete-queue --queue="$queue")" 2 && refused "no queue '$queue'" get --queue="$queue"
}

error-404-queue() {
  local queue
  queue=$(unique_name missing)
  refused "NOT_FOUND - no queue '$queue' in vhost '/'" get --queue="$queue"
}

error-404-exchange() {
  local exchange
  exchange=$(unique_name missing)
  refused "NOT_FOUND - no exchange '$exchange' in vhost '/'" consume --exchange="$exchange" --routing-key=any cat
}

error-406-redeclare() { with_queue redeclare; }
redeclare() {
  refused "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '$1' in vhost '/'" \
    declare-queue --queue="$1" --durable
}

error-403() {
  refused "contains reserved prefix 'amq.*'" declare-queue --queue="amq.$(unique_name reserved)"
}

# The name is missing until the other tool has declared it, then locked.
error-405() {
  local queue owner deadline=$((SECONDS + limit)) result
  queue=$(unique_name queue)
  timeout "$limit" amqp-consume --url="$url" --queue="$queue" --exclusive cat >/dev/null 2>&1 &
  owner=$!
  until refused 'RESOURCE_LOCKED - cannot obtain exclusive access' get --queue="$queue" >"$work/reason"; do
    [ $SECONDS -lt $deadline ] || break
  done
  refused 'RESOURCE_LOCKED - cannot obtain exclusive access' get --queue="$queue"
  result=$?
  kill "$owner" 2>/dev/null
  wait "$owner"
  return $result
}

unsupported_reason() {
  case $1 in
    unbind | declare-exchange | bind-exchange | bind-headers) echo 'no tool for it' ;;
    error-survived | close | consume-cancel | consumer-cancelled) echo 'each tool ends with its connection' ;;
    *) echo 'the tools have no option for it' ;;
  esac
}

failed=0
while IFS= read -r name; do
  [[ " ${LEAVE_OUT:-} " == *" $name "* ]] && continue
  run=$name
  [ "$name" = consume ] && run=scenario-consume
  if ! declare -F "$run" >/dev/null; then
    echo "unsupported $name $(unsupported_reason "$name")"
    continue
  fi
  if reason=$("$run"); then
    echo "ok $name"
  else
    failed=1
    echo "not ok $name $reason"
  fi
done < <(sed -n 's/^  "\([^"]*\)":.*/\1/p' "$here/../scenarios.json")
exit $failed
