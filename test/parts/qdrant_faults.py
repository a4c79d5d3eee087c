"""Stands for the bad days of a Qdrant server: the faults that were asked for, and a count of what it was asked."""
import threading


class Statistics:
    def __init__(self):
        self.lock = threading.Lock()
        self.requests = {}
        self.operations = {}

    def note(self, counters, name, number=1):
        with self.lock:
            counters[name] = counters.get(name, 0) + number


STATISTICS = Statistics()
FAULT = {}
FAULT_LOCK = threading.Lock()


def fault_for(path):
    """The fault that meets this request, once less often from now on."""
    with FAULT_LOCK:
        if FAULT.get("count", 0) <= 0 or FAULT.get("match", "") not in path:
            return None
        FAULT["count"] -= 1
        return dict(FAULT)
