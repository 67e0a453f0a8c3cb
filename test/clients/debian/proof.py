"""Runs a client's scenarios and reports them line by line: ok NAME, not ok NAME reason, unsupported NAME reason."""

import json
import os
import signal
import sys
import uuid
from urllib.parse import unquote, urlsplit

LIMIT_SECONDS = 15


def named_scenarios():
    path = os.path.join(os.path.dirname(__file__), '..', 'scenarios.json')
    with open(path, encoding='utf-8') as file:
        return list(json.load(file))


class Address:
    """The broker's URL, from the command line or from BROKER_URL."""

    def __init__(self):
        given = sys.argv[1] if len(sys.argv) > 1 else os.environ['BROKER_URL']
        self.given = given
        parts = urlsplit(given)
        self.host = parts.hostname
        self.port = parts.port or 5672
        self.user = unquote(parts.username or 'guest')
        self.password = unquote(parts.password or 'guest')
        self.url = f'amqp://{self.user}:{self.password}@{self.host}:{self.port}//'


def unique_name(purpose):
    return f'clients.{purpose}.{uuid.uuid4().hex[:8]}'


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f'expected {expected!r}, got {actual!r}')


def contains(text, part):
    if part not in text:
        raise AssertionError(f'expected {part!r} in {text!r}')


def holds(condition, otherwise):
    if not condition:
        raise AssertionError(otherwise)


class TimeLimit(Exception):
    pass


def _expire(_signal, _frame):
    raise TimeLimit(f'not done within {LIMIT_SECONDS} s')


def prove(scenarios, unsupported, after_each=lambda: None):
    """`scenarios` and `unsupported` together must name every scenario; further ones are the client's own."""
    silent = [name for name in named_scenarios() if name not in scenarios and name not in unsupported]
    failed = len(silent)
    left_out = os.environ.get('LEAVE_OUT', '').split()
    for name in silent:
        print(f'not ok {name} the program neither runs it nor says why not', flush=True)
    for name, reason in unsupported.items():
        print(f'unsupported {name} {reason}', flush=True)
    signal.signal(signal.SIGALRM, _expire)
    for name, run in scenarios.items():
        if name in left_out:
            continue
        signal.alarm(LIMIT_SECONDS)
        try:
            run()
            print(f'ok {name}', flush=True)
        except Exception as error:
            failed += 1
            reason = ' '.join(f'{type(error).__name__}: {error}'.split())
            print(f'not ok {name} {reason}', flush=True)
        finally:
            signal.alarm(LIMIT_SECONDS)
            after_each()
            signal.alarm(0)
    sys.exit(1 if failed else 0)
