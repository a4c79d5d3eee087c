"""Waiting for what comes by itself."""
import time


def until(condition, message="it does not come", timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.01)
