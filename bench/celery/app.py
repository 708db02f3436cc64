"""The Celery application of the bench, for its publisher and its worker. What runs is counted in a file that both see."""

import mmap
import os
import struct
import time

from billiard import current_process
from celery import Celery

CELL = struct.Struct('=q')
# Threads that publish at once, with a connection each.
MOST_CALLERS = 64


class Counts:
    """One cell for each process of the pool, so that none waits for another."""

    def __init__(self, path):
        with open(path, 'r+b') as file:
            self._cells = mmap.mmap(file.fileno(), 0)

    def add(self, process):
        CELL.pack_into(self._cells, process * CELL.size, CELL.unpack_from(self._cells, process * CELL.size)[0] + 1)

    def total(self):
        return sum(count for (count,) in CELL.iter_unpack(self._cells))


counts = Counts(os.environ['BENCH_COUNTS'])

app = Celery('bench', broker=os.environ['AMQP_URL'], backend='rpc://')
app.conf.update(
    task_default_queue=os.environ['BENCH_QUEUE'],
    broker_transport_options={'confirm_publish': True},
    broker_pool_limit=MOST_CALLERS,
    task_acks_late=True,
    worker_prefetch_multiplier=int(os.environ['BENCH_PREFETCH']),
    # What would only cost it something.
    worker_enable_remote_control=False,
    worker_disable_rate_limits=True,
    worker_redirect_stdouts=False,
)


def ran():
    counts.add(current_process().index)


@app.task(name='noop', ignore_result=True)
def noop(_value):
    ran()


@app.task(name='answered')
def answered(_value):
    ran()


@app.task(name='busy', ignore_result=True)
def busy(_value):
    """Holds a processor for 1 ms."""
    until = time.perf_counter() + 0.001
    while time.perf_counter() < until:
        pass
    ran()


@app.task(name='waiting', ignore_result=True)
def waiting(_value):
    """Waits for 10 ms."""
    time.sleep(0.01)
    ran()
