"""A process that forks a trainer for every line of JSON on its stdin, and says how that one ended.

Libraries are imported once, and no thread runs when it forks. A trainer is killed by SIGKILL: before the
`kill_at`-th call that changes what is on the disk, or after `kill_after` seconds.
"""

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

CHANGES = ("write", "fsync", "ftruncate")  # of os; the audit hook hears of the others
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod")


class Countdown:
    """Counts calls that change the disk below one folder, and kills this process before one of them."""

    def __init__(self, folder: str, kill_at: int) -> None:
        self.calls, self._folder, self._kill_at = 0, folder, kill_at
        for name in CHANGES:
            setattr(os, name, self._counted(getattr(os, name)))
        sys.addaudithook(self._hear)

    def count(self) -> None:
        self.calls += 1
        if self.calls == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _counted(self, function):
        def call(*arguments):
            self.count()
            return function(*arguments)

        return call

    def _hear(self, event, arguments):
        if event in EVENTS and str(arguments[0]).startswith(self._folder):
            reading = event == "open" and arguments[1] in ("r", "rb", None) and not arguments[2] & os.O_CREAT
            if not reading:
                self.count()


def train(order):
    """Run or resume as ordered; return how many calls changed the disk."""
    from jactrain.runs.resume import resume
    from jactrain.runs.run import run

    countdown = Countdown(order["runs"], order.get("kill_at", 0))
    if order["action"] == "run":
        result = run(Path(order["config"]), order["runs"])
    else:
        result = resume(order["folder"], order.get("set", ()))
    return {"calls": countdown.calls, "folder": str(result.folder)}


def forked(order):
    """Return what became of a forked trainer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            said = train(order)
        except BaseException as error:
            said = {"error": type(error).__name__, "message": str(error), "trace": traceback.format_exc()}
        with contextlib.suppress(OSError), os.fdopen(writing, "w") as pipe:
            pipe.write(json.dumps(said))
        os._exit(0)
    os.close(writing)
    start = time.perf_counter()
    if "kill_after" in order:
        time.sleep(order["kill_after"])
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    return {"killed": killed, "seconds": time.perf_counter() - start} | (json.loads(said) if said else {})


def main():
    # Forked trainers need not import them again; JAX starts no thread before it is asked for a device.
    import jactrain.config.build
    import jactrain.runs.resume
    import jactrain.runs.run
    import jactrain.training.compiled.execution  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(forked(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
