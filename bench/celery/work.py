"""A worker with two processes. Says when it is ready, and ends warmly when its input does."""

import os
import signal
import sys
import threading

from celery.signals import worker_ready

from app import app


def follow_input():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


@worker_ready.connect
def say_ready(**_):
    threading.Thread(target=follow_input, daemon=True).start()
    print('ready', flush=True)


app.worker_main(
    [
        'worker',
        '--pool=prefork',
        '--concurrency=2',
        '--loglevel=WARNING',
        '--without-gossip',
        '--without-mingle',
        '--without-heartbeat',
    ]
)
