"""Building an initramfs: a cpio archive in memory, no root and no temporary tree.

Every dynamic ELF file that goes in brings its shared libraries and its loader
along, and kernel modules bring the modules they depend on.
"""

import os
import re
import stat
import subprocess


class ImageError(Exception):
    """Something that was asked for can't be put in."""


class Image:
    """A root file system; later files replace earlier ones of the same name."""

    def __init__(self, library_dirs=()):
        self.entries = {}
        self.library_dirs = [d for d in library_dirs if os.path.isdir(d)]
        self._scanned = set()

    def mkdir(self, dest):
        """Add a directory and its parents."""
        dest = dest.strip("/")
        if not dest or dest in self.entries:
            return
        self.mkdir(os.path.dirname(dest))
        self.entries[dest] = (stat.S_IFDIR | 0o755, b"", 0)

    def _put(self, dest, entry):
        dest = os.path.normpath(dest).strip("/")
        self.mkdir(os.path.dirname(dest))
        self.entries[dest] = entry

    def data(self, dest, content, mode=0o644):
        """Add a file with the given content."""
        if isinstance(content, str):
            content = content.encode()
        self._put(dest, (stat.S_IFREG | mode, content, 0))

    def symlink(self, dest, target):
        """Add a symbolic link."""
        self._put(dest, (stat.S_IFLNK | 0o777, target.encode(), 0))

    def node(self, dest, major, minor, mode=0o600):
        """Add a character device."""
        self._put(dest, (stat.S_IFCHR | mode, b"", (major << 8) | minor))

    def file(self, dest, source):
        """Add a file of the host's, with its libraries when it is an ELF file."""
        with open(source, "rb") as f:
            content = f.read()
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self.data(dest, content, mode)
        if content.startswith(b"\x7fELF") and not dest.endswith((".ko", ".o")):
            self._libraries(source)

    def tree(self, dest, source):
        """Add a file or a directory with everything in it, links followed."""
        if not os.path.isdir(source):
            self.file(dest, source)
            return
        self.mkdir(dest)
        for name in sorted(os.listdir(source)):
            self.tree(os.path.join(dest, name), os.path.join(source, name))

    def _libraries(self, source):
        source = os.path.realpath(source)
        if source in self._scanned:
            return
        self._scanned.add(source)
        env = dict(os.environ, LC_ALL="C")
        if self.library_dirs:
            env["LD_LIBRARY_PATH"] = ":".join(self.library_dirs)
        out = subprocess.run(["ldd", source], env=env, capture_output=True,
                             text=True, check=False).stdout
        for line in out.splitlines():
            missing = re.match(r"\s*(\S+) => not found", line)
            if missing:
                raise ImageError(f"{source} needs {missing[1]}, which isn't on this host")
            found = re.match(r"\s*(?:\S+ => )?(/\S+) \(0x", line)
            if not found:
                continue
            lib = found[1]
            own = any(lib.startswith(d + "/") for d in self.library_dirs)
            dest = "/usr/lib/" + os.path.basename(lib) if own else lib
            if os.path.normpath(dest).strip("/") not in self.entries:
                with open(lib, "rb") as f:
                    self.data(dest, f.read(), 0o755)

    def busybox(self, binary):
        """Add a static busybox and a link for each of its applets."""
        self.file("/bin/busybox", binary)
        applets = subprocess.run([binary, "--list-full"], capture_output=True,
                                 text=True, check=True).stdout.split()
        for applet in applets:
            if applet.strip("/") != "bin/busybox":
                self.symlink(applet, "/bin/busybox")
        self.symlink("/linuxrc", "/bin/busybox")
        self.entries.pop("linuxrc")

    def modules(self, root, release, names, extra=()):
        """Add the named modules and what they need, with a modules.dep for them.

        @extra: files of further modules, put into /lib/modules/RELEASE/extra.
        Names the kernel has no module for are built in: they are passed over.
        """
        base = f"/lib/modules/{release}"
        deps = _read_dep(f"{root}{base}/modules.dep")
        wanted, queue = {}, list(names)
        while queue:
            path = deps["names"].get(_module_name(queue.pop()))
            if path and path not in wanted:
                wanted[path] = deps["needs"][path]
                queue += [os.path.basename(p) for p in wanted[path]]
        lines = []
        for path, needs in sorted(wanted.items()):
            self.file(f"{base}/{path}", f"{root}{base}/{path}")
            lines.append(f"{path}: {' '.join(needs)}".rstrip())
        for source in extra:
            path = f"extra/{os.path.basename(source)}"
            self.file(f"{base}/{path}", source)
            needs = [deps["names"].get(_module_name(n)) for n in _depends(source)]
            lines.append(f"{path}: {' '.join(n for n in needs if n in wanted)}".rstrip())
        self.data(f"{base}/modules.dep", "\n".join(lines) + "\n")
        self.data(f"{base}/modules.alias", "")
        self.data(f"{base}/modules.symbols", "")

    def cpio(self):
        """Return the archive in the kernel's format (newc)."""
        out = bytearray()
        for ino, (name, (mode, content, rdev)) in enumerate(sorted(self.entries.items()), 1):
            out += _cpio_record(name, ino, mode, content, rdev)
        out += _cpio_record("TRAILER!!!", 0, 0, b"", 0)
        return bytes(out)


def _cpio_record(name, ino, mode, content, rdev):
    raw = name.encode() + b"\0"
    fields = (ino, mode, 0, 0, 1, 0, len(content), 0, 0, rdev >> 8, rdev & 0xFF, len(raw), 0)
    record = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
    record += bytes(-len(record) % 4)
    return record + content + bytes(-len(content) % 4)


def _module_name(name):
    return re.sub(r"\.ko$", "", os.path.basename(name)).replace("-", "_")


def _read_dep(path):
    names, needs = {}, {}
    try:
        with open(path, encoding="ascii") as f:
            for line in f:
                module, _, rest = line.partition(":")
                names[_module_name(module)] = module
                needs[module] = rest.split()
    except FileNotFoundError:
        pass
    return {"names": names, "needs": needs}


def _depends(module):
    with open(module, "rb") as f:
        found = re.search(rb"\0depends=([^\0]*)\0", f.read())
    return found[1].decode().split(",") if found and found[1] else []
