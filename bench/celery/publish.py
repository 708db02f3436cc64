"""Publishes what each line of its input asks for, and answers when it knows of the last outcome: a line of JSON each."""

import json
import sys
import threading
import time

from celery.result import ResultSet

from app import app, counts

LIMIT_S = 120
LOOK_S = 0.001


def publish(task, value, jobs, callers):
    """So many threads that call `apply_async`, each call until its confirm."""
    left = iter(range(jobs))
    lock = threading.Lock()
    results = []

    def call():
        while True:
            with lock:
                if next(left, None) is None:
                    return
            results.append(task.apply_async((value,)))

    threads = [threading.Thread(target=call) for _ in range(callers - 1)]
    for thread in threads:
        thread.start()
    call()
    for thread in threads:
        thread.join()
    if len(results) != jobs:
        raise RuntimeError(f'{len(results)} of {jobs} were published')
    return results


def await_runs(wanted):
    until = time.monotonic() + LIMIT_S
    while counts.total() < wanted:
        if time.monotonic() > until:
            raise TimeoutError(f'{counts.total()} of {wanted} have run')
        time.sleep(LOOK_S)


def measure(task, value, jobs, callers):
    before = counts.total()
    started = time.perf_counter()
    results = publish(task, value, jobs, callers)
    published = time.perf_counter()
    if task.ignore_result:
        await_runs(before + jobs)
    else:
        ResultSet(results).join_native(timeout=LIMIT_S)
    done = time.perf_counter()
    return {
        'publishMs': (published - started) * 1000,
        'doneMs': (done - started) * 1000,
        'ran': counts.total() - before,
    }


print('ready', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    task = app.tasks[asked.pop('task')]
    print(json.dumps(measure(task, **asked)), flush=True)
