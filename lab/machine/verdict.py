"""Reading a kernel log for what no run may leave in it."""

import re

# What a message of the kernel's begins with when something is wrong, after the
# time stamp. Anchored, because words like WARNING stand in harmless messages too
# ("Spectre V2 : WARNING: ...").
_BAD_START = re.compile(
    r"(WARNING:|BUG:|BUG |kernel BUG at|Oops|INFO: possible|INFO: trying to register"
    r"|INFO: task .* blocked|INFO: rcu|INFO: lockdep|UBSAN:|ODEBUG:|general protection fault"
    r"|divide error|invalid opcode|stack segment|double fault|int3:|traps: PANIC"
    r"|Kernel panic|refcount_t:|list_(add|del) corruption|watchdog: BUG|rcu: INFO:"
    r"|unchecked MSR access|Bad page|DEBUG_LOCKS_WARN_ON|kobject.*is not initialized"
    r"|x86/fpu: (Bad|Wrong)|NMI watchdog: Watchdog detected)")
_BAD_ANYWHERE = re.compile(r"detected stalls? on CPU|self-detected stall|soft lockup|hung task")
_MODULES = range(0xFFFFFFFFA0000000, 0xFFFFFFFFFF000000)
_STAMP = re.compile(r"^(<\d+>)?(\[ *\d+\.\d+\] ?)?(\[ *[TC]\d+\] ?)?")


def bad_line(line):
    """Say whether a line of a kernel log means that the run has failed."""
    text = _STAMP.sub("", line.strip("\r\n"), count=1).lstrip()
    return bool(_BAD_START.match(text) or _BAD_ANYWHERE.search(text))


def is_end(line):
    """Say whether the kernel has died with this line."""
    return "Kernel panic - not syncing" in line or "end Kernel panic" in line


def leaks(report):
    """Return the leaks in a kmemleak report that the module had a part in.

    The report is made after the module has gone, so its functions have no names any
    more: an address in the modules' area without a name is one of them. (Or one of
    another module's init code, which had better be looked at too.)
    """
    found = []
    for block in re.split(r"(?m)^(?=unreferenced object)", report):
        frames = [int(a, 16) for a in re.findall(r"\] 0x([0-9a-f]{16})", block)]
        if "[limen]" in block or any(a in _MODULES for a in frames):
            found.append(block.strip())
    return found


def is_oops(line):
    """Say whether the kernel may not get to the end of the command after this line."""
    text = _STAMP.sub("", line, count=1)
    return bool(re.match(r"Oops|BUG: (unable|kernel)|kernel BUG|general protection|watchdog: BUG",
                         text))
