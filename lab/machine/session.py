"""One run of a machine: start the emulator, listen, and come to a result.

Two streams come out. The voice (port 0xe9) carries the command's output and marks
such as "exit 3", set off by a word nobody else knows; the console carries what the
kernel prints. Only the kernel's side is searched for signs of trouble.
"""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
import tty

from . import emulator, verdict

MACHINE_FAILED = 125
TIMED_OUT = 124

# How long an emulator may go on after an oops, and after it has said all.
OOPS_GRACE = 20
PANIC_GRACE = 1
LAST_WORDS = 0.2
READ_PAUSE = 0.003


class Voice:
    """Splits the voice stream into plain bytes and marks."""

    def __init__(self, mark):
        self._start = b"\x01" + mark.encode() + b" "
        self._held = b""

    def feed(self, data):
        """Return a list of bytes objects (output) and lists of words (marks)."""
        buf, out = self._held + data, []
        while True:
            at = buf.find(self._start)
            if at < 0:
                keep = self._partial(buf)
                if len(buf) > keep:
                    out.append(buf[:len(buf) - keep])
                self._held = buf[len(buf) - keep:]
                return out
            end = buf.find(b"\n", at)
            if at:
                out.append(buf[:at])
            if end < 0:
                self._held = buf[at:]
                return out
            words = buf[at + len(self._start):end].decode(errors="replace")
            out.append(words.split(" "))
            buf = buf[end + 1:]

    def _partial(self, buf):
        for n in range(min(len(self._start) - 1, len(buf)), 0, -1):
            if buf.endswith(self._start[:n]):
                return n
        return 0


class Session:
    """Runs one machine. After run(), result and reasons tell how it went."""

    def __init__(self, machine, mark, log, timeout, interactive=False):
        self.machine = machine
        self.log = log
        self.timeout = timeout
        self.interactive = interactive
        self.voice = Voice(mark)
        self.status = None
        self.done = False
        self.section = None
        self.sections = {"dmesg": b"", "kmemleak": b""}
        self.reasons = []
        self.console_rest = b""
        self.deadline = None
        self.began = self.ended = None

    # What arrives

    def _on_voice(self, data):
        for item in self.voice.feed(data):
            if isinstance(item, list):
                self._on_mark(item)
            elif self.section in self.sections:
                self.sections[self.section] += item
            elif self.section == "output":
                self._show(item)
            else:
                self.log.write(item)

    def _show(self, data):
        self.log.write(data)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def _on_mark(self, words):
        kind, rest = words[0], words[1:]
        if kind == "begin":
            self.section = "output"
            self.began = time.monotonic()
        elif kind == "exit":
            self.section = None
            self.status = int(rest[0])
            self.ended = time.monotonic()
        elif kind == "failed":
            self.reasons.append(" ".join(rest))
        elif kind in self.sections:
            self.section = kind
        elif kind == "kmemleak-end":
            self.section = None
        elif kind == "done":
            self.section = None
            self.done = True
            self._not_after(LAST_WORDS)

    def _on_console(self, data):
        if self.interactive:
            os.write(1, data)
        *lines, self.console_rest = (self.console_rest + data).split(b"\n")
        for line in lines:
            self._on_console_line(line.decode(errors="replace").rstrip("\r"))

    def _on_console_line(self, line):
        self.log.write(line.encode() + b"\n")
        if self.section == "output" and not self.interactive:
            sys.stderr.write(line + "\n")
        if verdict.bad_line(line):
            self.reasons.append(f"the kernel log says: {line}")
            if verdict.is_oops(line):
                self._not_after(OOPS_GRACE)
        if verdict.is_end(line):
            self._not_after(PANIC_GRACE)

    def _not_after(self, seconds):
        self.deadline = min(self.deadline, time.monotonic() + seconds)

    # The run

    def run(self):
        """Run the machine to its end and return the exit status for lab/run."""
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.machine.console = os.ttyname(slave)
        saved = None
        self.deadline = time.monotonic() + self.timeout
        with open(self.machine.path("emulator.err"), "wb") as err:
            child = subprocess.Popen(  # pylint: disable=consider-using-with
                # An emulator must not live on when we are killed.
                ["setpriv", "--pdeathsig", "KILL", *emulator.command(self.machine)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
                cwd=self.machine.directory, start_new_session=True)
        try:
            if self.interactive:
                saved = termios.tcgetattr(0)
                tty.setraw(0)
            timed_out = self._listen(child, master)
        finally:
            if saved:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
            child.wait()
            os.close(master)
            os.close(slave)
        self._on_console(b"\n")
        self._read_sections()
        return self._result(timed_out, child.returncode)

    def _listen(self, child, master):
        poll = select.poll()
        voice = child.stdout.fileno()
        poll.register(voice, select.POLLIN)
        poll.register(master, select.POLLIN)
        if self.interactive:
            poll.register(0, select.POLLIN)
        while True:
            left = self.deadline - time.monotonic()
            if left <= 0:
                return not self.done
            for fd, _ in poll.poll(min(left, 1) * 1000):
                data = os.read(fd, 65536)
                if fd == voice and not data:
                    self._drain(master)
                    return False
                if fd == voice:
                    self._on_voice(data)
                elif fd == master:
                    self._on_console(data)
                elif data:
                    os.write(master, data)
                else:
                    poll.unregister(0)
            # Bochs writes single bytes: let some gather.
            time.sleep(READ_PAUSE)

    def _drain(self, master):
        while select.select([master], [], [], 0.05)[0]:
            self._on_console(os.read(master, 65536))

    # The result

    def _read_sections(self):
        dmesg = self.sections["dmesg"].decode(errors="replace")
        leaks = self.sections["kmemleak"].decode(errors="replace")
        if dmesg:
            self.log.write(b"---- dmesg ----\n" + dmesg.encode())
        if leaks:
            self.log.write(b"---- kmemleak ----\n" + leaks.encode())
        seen = set(self.reasons)
        for line in dmesg.splitlines():
            reason = f"the kernel log says: {line}"
            if verdict.bad_line(line) and reason not in seen:
                seen.add(reason)
                self.reasons.append(reason)
        for leak in verdict.leaks(leaks):
            self.reasons.append("leaked by the module: " + leak.splitlines()[0])

    def _result(self, timed_out, emulator_status):
        if self.reasons:
            return MACHINE_FAILED
        if timed_out:
            self.reasons.append(f"no end after {self.timeout} s")
            return TIMED_OUT
        if self.status is None or not self.done:
            self.reasons.append("the machine ended without an end mark "
                                f"(emulator status {emulator_status})")
            return MACHINE_FAILED
        return self.status
