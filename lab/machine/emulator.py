"""The two emulators behind one face: a directory and a few choices become a command.

Both give the machine a serial console, here a pty whose slave side the emulator
opens, and the agent's voice (I/O port 0xe9), here a pipe.
"""

import os
from dataclasses import dataclass

from . import boot, tsc

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = 4096
MIB = 1 << 20

# Bochs's TSC counts instructions, IPS of them in a virtual second, whatever frequency
# CPUID claims. A kernel that believes CPUID sleeps and delays 17 times too long.
IPS = 200_000_000

BOCHS_MODELS = {"vmx": "corei7_skylake_x", "svm-bochs": "ryzen"}
CPUS = ["svm", *BOCHS_MODELS]

COMMAND_LINE = "console=ttyS0,115200 panic=-1 no_timer_check tsc=reliable nokaslr loglevel=5"


@dataclass
class Machine:
    """What the user chose, and where this run keeps its files."""

    cpu: str
    smp: int
    mem: int
    icount: bool
    directory: str
    kernel: bytes
    initrd: bytes
    append: str
    bochs: str = ""
    console: str = ""

    def path(self, name):
        """Return the path of a file of this run."""
        return os.path.join(self.directory, name)

    def write(self, name, content):
        """Write a file of this run and return its path."""
        with open(self.path(name), "wb") as f:
            f.write(content)
        return self.path(name)

    def cmdline(self):
        """Return the kernel's command line."""
        return f"{COMMAND_LINE} tsc_early_khz={self.tsc_khz()} {self.append}".strip()

    def tsc_khz(self):
        """Return the rate of the machine's TSC: a busy host can't measure it well."""
        if self.cpu in BOCHS_MODELS:
            return IPS // 1000
        return 1_000_000 if self.icount else tsc.khz()


def command(machine):
    """Prepare the machine's files and return the emulator's command line."""
    if machine.cpu == "svm":
        return _qemu(machine)
    return _bochs(machine)


def _qemu(m):
    icount = ["-icount", "shift=0,sleep=off"] if m.icount else []
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config",
        "-accel", "tcg" if m.icount else "tcg,thread=multi", *icount,
        "-machine", "pc,usb=off", "-cpu", "EPYC,+svm,+npt,+vgif,+svme-addr-chk",
        "-smp", str(m.smp), "-m", str(m.mem),
        "-kernel", m.write("kernel", m.kernel), "-initrd", m.write("initrd", m.initrd),
        "-append", m.cmdline(),
        "-display", "none", "-vga", "none", "-monitor", "none", "-no-reboot",
        "-chardev", f"serial,id=console,path={m.console}", "-serial", "chardev:console",
        # what comes in by a line of the PCI bus; nothing is at the other end
        "-netdev", "hubport,id=wire,hubid=0", "-device", "ne2k_pci,netdev=wire,romfile=",
        "-chardev", "file,id=voice,path=/dev/fd/1", "-device", "isa-debugcon,chardev=voice",
    ]


def _bochs(m):
    base, flat = boot.flatten(m.kernel)
    end = m.mem * MIB - 2 * MIB
    initrd = (end - len(m.initrd)) // PAGE * PAGE
    cmdline = initrd - PAGE
    if cmdline < boot.memory_end(m.kernel):
        raise boot.BootError("the machine has too little memory for its initramfs")

    disk, loads = boot.boot_disk([(base, flat), (initrd, m.initrd),
                                  (cmdline, m.cmdline().encode() + b"\0")])
    m.write("disk", disk)
    m.write("boot.rom", boot.boot_rom(os.path.join(HERE, "boot.S"), boot.entry(m.kernel),
                                      cmdline, initrd, len(m.initrd), loads))
    prefix = os.path.join(m.bochs, "root")
    words = {
        "MODEL": BOCHS_MODELS[m.cpu], "IPS": IPS, "SMP": m.smp, "MEM": m.mem,
        # what is above this goes to a file
        "HOSTMEM": min(m.mem, 2048), "PREFIX": prefix,
        "DIR": m.directory, "COM1": m.console,
    }
    with open(os.path.join(HERE, "bochsrc.in"), encoding="ascii") as f:
        config = f.read()
    for word, value in words.items():
        config = config.replace(f"@{word}@", str(value))
    m.write("bochsrc", config.encode())
    return [f"{prefix}/usr/bin/bochs", "-q", "-f", m.path("bochsrc")]
