"""The rate of this host's time-stamp counter, which QEMU's machines see as theirs.

A kernel that boots on a busy host may fail to measure it, and does without; told the
rate, it need not. Measured here against the clock, in a few instructions of machine
code, since not every kernel tells it.
"""

import ctypes
import mmap
import time

# rdtsc; shl $32,%rdx; or %rdx,%rax; ret
CODE = bytes.fromhex("0f3148c1e2204809d0c3")


def khz(seconds=0.1):
    """Measure, and return kHz."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(CODE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(address)

    def pair():
        """Return a counter and the clock, taken as close to each other as can be."""
        best = None
        for _ in range(8):
            a, ns, b = rdtsc(), time.monotonic_ns(), rdtsc()
            if best is None or b - a < best[0]:
                best = (b - a, (a + b) // 2, ns)
        return best[1], best[2]

    t0, n0 = pair()
    time.sleep(seconds)
    t1, n1 = pair()
    return (t1 - t0) * 1_000_000 // (n1 - n0)
