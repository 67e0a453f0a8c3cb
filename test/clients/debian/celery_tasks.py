"""The tasks the celery worker runs; both the worker and celery_client import the application from here."""

import os

from celery import Celery

NAME = os.environ['CELERY_PROOF_NAME']

app = Celery('proof', broker=os.environ['BROKER_URL'], backend='rpc://')
app.conf.update(
    task_default_queue=NAME,
    control_exchange=NAME,
    event_exchange=f'{NAME}.events',
    task_queue_max_priority=5,
    task_acks_late=True,
    worker_prefetch_multiplier=2,
    worker_send_task_events=True,
    task_send_sent_event=True,
    broker_connection_retry_on_startup=False,
)


@app.task
def add(left, right):
    return left + right


@app.task
def fail(reason):
    raise ValueError(reason)


@app.task(bind=True, max_retries=3)
def succeed_on_third_attempt(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task(bind=True)
def delivery_of_itself(self):
    return dict(self.request.delivery_info, redelivered=bool(self.request.delivery_info['redelivered']))
