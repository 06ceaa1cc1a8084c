/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Limen: one vCPU interface over VT-x and AMD-V.
 *
 * Objects are file descriptors: /dev/limen makes VMs, a VM makes vCPUs. Each
 * holds a reference to the one it came from; closing the last one frees it.
 * Every descriptor is close-on-exec.
 *
 * Every argument is a structure whose first member is its size, set by the
 * caller to sizeof(). A shorter (older) structure is read as if its missing
 * tail were zero; of a longer (newer) one the unknown tail must be zero.
 *
 * What an errno means, wherever it comes from:
 *   E2BIG      a member that this module does not know is not zero
 *   EINVAL     a flag, a value or a combination is not allowed; nothing changed
 *   EFAULT     a pointer can't be read or written
 *   EBADF      a descriptor in the argument is not open
 *   EBUSY      too late (the VM has run), or in use by another thread
 *   EEXIST     the range, the id, the eventfd or the match is taken
 *   ENOENT     no such range, index, class, capability or eventfd
 *   ENOSPC     the caller's buffer is too small; the needed length is stored
 *   ENOMEM     no memory; nothing changed
 *   EMFILE     a limit of this module, per VM: LIMEN_MAX_*
 *   EINTR      a signal is pending; call again after it was handled
 *   EIO        the VM is dead (an inconsistency in the module or the CPU), or
 *              the caller's address space is not the one that made the VM
 *   EOPNOTSUPP this CPU or this module can't; LIMEN_CAP says why
 *   ENOTTY     no such ioctl on this descriptor
 *
 * A call that fails changes nothing, unless its description says otherwise.
 */
#ifndef _UAPI_LINUX_LIMEN_H
#define _UAPI_LINUX_LIMEN_H

#include <linux/ioctl.h>
#include <linux/types.h>

/** LIMEN_ABI: version of this interface, see &struct limen_info.abi */
#define LIMEN_ABI		1

#define LIMEN_MAX_VCPUS		64	/* per VM; ids are 0 to 63 */
#define LIMEN_MAX_RANGES	64	/* of guest memory, per VM */
#define LIMEN_MAX_CPUID		256	/* entries of a CPUID table */
#define LIMEN_MAX_POLICY	64	/* rules per VM */
#define LIMEN_MAX_IRQFDS	1024	/* per VM */
#define LIMEN_MAX_IOEVENTFDS	1024	/* per VM */
#define LIMEN_MAX_HALT_POLL	1000000	/* ns */
#define LIMEN_MAX_LOG		(1ull << 40)	/* bytes of a range with LIMEN_MEM_LOG */
#define LIMEN_MAX_DIRTY		(1ull << 36)	/* bytes in one LIMEN_DIRTY */

#define LIMEN_IOCTL		0xb9

/* on /dev/limen */
#define LIMEN_INFO		_IO(LIMEN_IOCTL, 0x00)	/* struct limen_info */
#define LIMEN_CAP		_IO(LIMEN_IOCTL, 0x01)	/* struct limen_cap */
#define LIMEN_CPUID_GET		_IO(LIMEN_IOCTL, 0x02)	/* struct limen_cpuid */
#define LIMEN_MSR_LIST		_IO(LIMEN_IOCTL, 0x03)	/* struct limen_msr_list */
#define LIMEN_VM_CREATE		_IO(LIMEN_IOCTL, 0x04)	/* struct limen_vm_create */
/* on a VM */
#define LIMEN_MAP		_IO(LIMEN_IOCTL, 0x20)	/* struct limen_range */
#define LIMEN_UNMAP		_IO(LIMEN_IOCTL, 0x21)	/* struct limen_range */
#define LIMEN_PROTECT		_IO(LIMEN_IOCTL, 0x22)	/* struct limen_range */
#define LIMEN_VCPU_CREATE	_IO(LIMEN_IOCTL, 0x23)	/* struct limen_vcpu_create */
#define LIMEN_MSI		_IO(LIMEN_IOCTL, 0x24)	/* struct limen_msi */
#define LIMEN_EXTINT		_IO(LIMEN_IOCTL, 0x25)	/* struct limen_extint */
#define LIMEN_POLICY		_IO(LIMEN_IOCTL, 0x26)	/* struct limen_policy */
#define LIMEN_IRQFD		_IO(LIMEN_IOCTL, 0x27)	/* struct limen_irqfd */
#define LIMEN_IOEVENTFD		_IO(LIMEN_IOCTL, 0x28)	/* struct limen_ioeventfd */
#define LIMEN_HALT_POLL		_IO(LIMEN_IOCTL, 0x2d)	/* struct limen_halt_poll */
#define LIMEN_DIRTY		_IO(LIMEN_IOCTL, 0x30)	/* struct limen_dirty */
/* on a vCPU */
#define LIMEN_RUN		_IO(LIMEN_IOCTL, 0x40)	/* no argument: 0 */
#define LIMEN_KICK		_IO(LIMEN_IOCTL, 0x41)	/* no argument: 0 */
#define LIMEN_STATE_GET		_IO(LIMEN_IOCTL, 0x42)	/* struct limen_state */
#define LIMEN_STATE_SET		_IO(LIMEN_IOCTL, 0x43)	/* struct limen_state */
#define LIMEN_CPUID_SET		_IO(LIMEN_IOCTL, 0x44)	/* struct limen_cpuid */
#define LIMEN_NMI		_IO(LIMEN_IOCTL, 0x45)	/* no argument: 0 */
#define LIMEN_TRANSLATE		_IO(LIMEN_IOCTL, 0x46)	/* struct limen_translate */
#define LIMEN_APIC_ACCESS	_IO(LIMEN_IOCTL, 0x47)	/* struct limen_apic_access */
#define LIMEN_STATS		_IO(LIMEN_IOCTL, 0x48)	/* struct limen_stats */
#define LIMEN_DIRTY_RING	_IO(LIMEN_IOCTL, 0x50)	/* struct limen_dirty_ring_create */
#define LIMEN_DIRTY_TAKEN	_IO(LIMEN_IOCTL, 0x51)	/* struct limen_dirty_taken */

/* ---- the device ---------------------------------------------------------- */

/**
 * struct limen_info - what the module is and how large its objects are
 * @size:       in: sizeof(struct limen_info)
 * @abi:        out: LIMEN_ABI of the module
 * @vendor:     out: LIMEN_VENDOR_VMX or LIMEN_VENDOR_SVM
 * @max_vcpus:  out: vCPUs per VM
 * @run_size:   out: bytes to mmap() from a vCPU at offset 0
 * @tsc_khz:    out: rate of the host's time-stamp counter
 * @xcr0:       out: bits a guest may set in XCR0
 * @xsave_size: out: bytes of LIMEN_CLASS_XSAVE
 * @phys_bits:  out: guest-physical address width, in bits
 */
struct limen_info {
	__u32 size;
	__u32 abi;
	__u32 vendor;
	__u32 max_vcpus;
	__u32 run_size;
	__u32 tsc_khz;
	__u64 xcr0;
	__u32 xsave_size;
	__u32 phys_bits;
};

#define LIMEN_VENDOR_VMX	1
#define LIMEN_VENDOR_SVM	2

/**
 * struct limen_cap - one capability, and why it is absent
 * @size:   in: sizeof(struct limen_cap)
 * @index:  in: 0 and up; ENOENT after the last one
 * @state:  out: LIMEN_CAP_*
 * @reserved: zero
 * @name:   out: NUL-terminated, a word such as "unrestricted-guest"
 * @reason: out: NUL-terminated; empty when the capability is in use
 */
struct limen_cap {
	__u32 size;
	__u32 index;
	__u32 state;
	__u32 reserved;
	char name[32];
	char reason[128];
};

#define LIMEN_CAP_ABSENT	0	/* the CPU or the kernel lacks it */
#define LIMEN_CAP_USED		1
#define LIMEN_CAP_UNUSED	2	/* present; not used by this module */

/**
 * struct limen_cpuid_entry - one CPUID leaf
 * @leaf:    EAX in
 * @subleaf: ECX in; counts only with LIMEN_CPUID_INDEXED
 * @flags:   LIMEN_CPUID_INDEXED or 0
 * @eax: @ebx: @ecx: @edx: what the guest reads. The module itself fills in, on
 *           each read, what depends on the vCPU's state: OSXSAVE, OSPKE, APIC
 *           enable, and the sizes in leaf 0xD.
 */
struct limen_cpuid_entry {
	__u32 leaf;
	__u32 subleaf;
	__u32 flags;
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
	__u32 reserved;
};

#define LIMEN_CPUID_INDEXED	(1u << 0)

/**
 * struct limen_cpuid - a CPUID table
 * @size:    in: sizeof(struct limen_cpuid)
 * @count:   in: entries at @entries; LIMEN_CPUID_GET stores how many there are
 *           (with ENOSPC too)
 * @entries: pointer to &struct limen_cpuid_entry
 *
 * LIMEN_CPUID_GET, on the device: all that a guest may be offered on this
 * machine; the ids of a processor, in leaves 1, 0xB, 0x1F and 0x8000001E, are the
 * VMM's to fill in. LIMEN_CPUID_SET, on a vCPU that has not run: the guest's table, at
 * most LIMEN_MAX_CPUID entries; EINVAL for a duplicate. Feature bits that were
 * not offered are cleared silently where the module acts on them.
 */
struct limen_cpuid {
	__u32 size;
	__u32 count;
	__u64 entries;
};

/**
 * struct limen_msr_list - the MSRs that make up LIMEN_CLASS_MSRS
 * @size:    in: sizeof(struct limen_msr_list)
 * @count:   in: room at @indices; out: how many there are (with ENOSPC too)
 * @indices: pointer to __u32
 */
struct limen_msr_list {
	__u32 size;
	__u32 count;
	__u64 indices;
};

/**
 * struct limen_vm_create - make a VM; the call returns its descriptor
 * @size:  in: sizeof(struct limen_vm_create)
 * @flags: 0
 *
 * The VM belongs to the caller's address space: every call on it or on its
 * vCPUs from another one gives EIO.
 */
struct limen_vm_create {
	__u32 size;
	__u32 flags;
};

/* ---- a VM ---------------------------------------------------------------- */

/**
 * struct limen_range - a range of guest-physical memory
 * @size:  in: sizeof(struct limen_range)
 * @flags: LIMEN_MEM_READ, _WRITE, _EXEC. READ is required with WRITE; EXEC without it
 *         gives EOPNOTSUPP where there is no capability "ept-execute-only".
 *         LIMEN_MEM_LOG: keep a log of the pages that are written, see &struct
 *         limen_dirty; EINVAL if @len is above LIMEN_MAX_LOG
 * @gpa:   first guest-physical address, a multiple of 4096
 * @len:   bytes, a multiple of 4096, not 0
 * @hva:   first address in the VMM, a multiple of 4096 (MAP only, else 0)
 *
 * LIMEN_MAP adds a range; EEXIST if it overlaps another one, EINVAL if it covers
 * the page at 0xfee00000: the local APIC's registers are there, or nothing. Where
 * the guest has moved them (IA32_APIC_BASE), a range hides them. LIMEN_UNMAP takes
 * the range away and LIMEN_PROTECT changes its rights: both name a mapped range
 * exactly (ENOENT otherwise). When they return, no vCPU uses the old mapping.
 * An access that the rights do not allow, or that no range covers, is an exit
 * LIMEN_EXIT_MMIO. The CPU's walk of the guest's page tables is a write to them, where
 * the CPU has accessed and dirty bits for guest memory. Guest memory follows the VMM's
 * own mapping: munmap(), mprotect(), swap and page migration behind @hva are seen by
 * the guest.
 */
struct limen_range {
	__u32 size;
	__u32 flags;
	__u64 gpa;
	__u64 len;
	__u64 hva;
};

#define LIMEN_MEM_READ		(1u << 0)
#define LIMEN_MEM_WRITE		(1u << 1)
#define LIMEN_MEM_EXEC		(1u << 2)
#define LIMEN_MEM_LOG		(1u << 3)

/**
 * struct limen_dirty - which pages of a range with LIMEN_MEM_LOG were written
 * @size:   in: sizeof(struct limen_dirty)
 * @op:     LIMEN_DIRTY_*
 * @gpa:    first page, a multiple of 4096
 * @len:    bytes, a multiple of 4096, not 0, at most LIMEN_MAX_DIRTY, all in one range
 *          with a log (ENOENT)
 * @bitmap: pointer to a bit for each page, in 64-bit words: bit 0 of the first is the
 *          page at @gpa. 0 with _MARK
 * @count:  in: 0; out: bits that are set in @bitmap
 *
 * The log of a range begins empty when LIMEN_MAP or LIMEN_PROTECT gives it the flag,
 * and ends when LIMEN_PROTECT takes it away; LIMEN_PROTECT with other rights keeps it.
 *
 * _GET tells which pages were written since they were cleared last, and _GET_AND_CLEAR
 * makes them count as clean with that. _CLEAR does so for the pages set in @bitmap. A
 * write that was done when the call began is told; one during _GET_AND_CLEAR or
 * _CLEAR is told by it, or by the next call. Copy a page after it was cleared, not
 * before. With EFAULT nothing is forgotten.
 *
 * Written means: by a vCPU, by the CPU on the guest's behalf (a walk of the guest's
 * page tables counts as a write to them), and by the module (paravirtual clock, steal
 * time, PV EOI, instructions that it finishes). Where the VMM writes to guest memory
 * itself, with its own instructions or with read(2) and the like, nobody sees it:
 * _MARK, after the write, puts the pages in the log.
 */
struct limen_dirty {
	__u32 size;
	__u32 op;
	__u64 gpa;
	__u64 len;
	__u64 bitmap;
	__u64 count;
};

#define LIMEN_DIRTY_GET			0
#define LIMEN_DIRTY_GET_AND_CLEAR	1
#define LIMEN_DIRTY_CLEAR		2
#define LIMEN_DIRTY_MARK		3

/**
 * struct limen_vcpu_create - make a vCPU; the call returns its descriptor
 * @size:  in: sizeof(struct limen_vcpu_create)
 * @id:    its APIC id, 0 to LIMEN_MAX_VCPUS - 1; EEXIST if taken
 *
 * vCPU 0 starts as the bootstrap processor in the state after RESET (SDM
 * Vol. 3, "Processor State After Reset"); the others wait for INIT and SIPI.
 */
struct limen_vcpu_create {
	__u32 size;
	__u32 id;
};

/**
 * struct limen_msi - deliver a message-signalled interrupt
 * @size:  in: sizeof(struct limen_msi)
 * @data:  message data (SDM Vol. 3, "Message Data Register Format")
 * @addr:  message address; bits 63:40 extend the destination to 32 bits
 *
 * Return: how many vCPUs took it; 0 is not an error.
 */
struct limen_msi {
	__u32 size;
	__u32 data;
	__u64 addr;
};

/**
 * struct limen_extint - the wire from an 8259A to the bootstrap processor
 * @size:  in: sizeof(struct limen_extint)
 * @level: 0 or 1
 *
 * While the wire is 1 and the guest can take an external interrupt (LINT0 in
 * ExtINT mode and not masked, or the APIC off), the vCPU exits with
 * LIMEN_EXIT_INTA; the VMM fulfils it with the vector and sets the level anew.
 */
struct limen_extint {
	__u32 size;
	__u32 level;
};

/**
 * struct limen_policy - what happens on an event, set before the VM runs
 * @size:   in: sizeof(struct limen_policy)
 * @kind:   LIMEN_POLICY_MSR, _PORT or _CPUID
 * @first:  first MSR index, port or leaf
 * @last:   last one, not below @first
 * @access: LIMEN_ON_READ, LIMEN_ON_WRITE or both (CPUID: READ)
 * @action: LIMEN_DO_*
 * @value:  for LIMEN_DO_CONSTANT: what a read gives; a write is dropped
 *
 * Later rules win over earlier ones. EBUSY once a vCPU has run; EMFILE for more
 * than LIMEN_MAX_POLICY. CPUID takes DO_EXIT, DO_CONSTANT (all four registers)
 * and DO_DEFAULT.
 */
struct limen_policy {
	__u32 size;
	__u32 kind;
	__u32 first;
	__u32 last;
	__u32 access;
	__u32 action;
	__u64 value;
};

#define LIMEN_POLICY_MSR	1
#define LIMEN_POLICY_PORT	2
#define LIMEN_POLICY_CPUID	3
#define LIMEN_ON_READ		(1u << 0)
#define LIMEN_ON_WRITE		(1u << 1)
#define LIMEN_DO_DEFAULT	0	/* as if there were no rule */
#define LIMEN_DO_FAULT		1	/* #GP(0) */
#define LIMEN_DO_CONSTANT	2
#define LIMEN_DO_EXIT		3	/* to the VMM */

/**
 * struct limen_irqfd - an eventfd whose signal is an interrupt message
 * @size:  in: sizeof(struct limen_irqfd)
 * @flags: LIMEN_IRQFD_*; 0 assigns
 * @fd:    the eventfd. EBADF if it is not open, EINVAL if it is no eventfd
 * @resample_fd: with _RESAMPLE an eventfd, else 0
 * @addr:  message address, as in &struct limen_msi; EINVAL if it is not that of
 *         the APICs
 * @data:  message data
 * @reserved: 0
 *
 * From the assignment on, each signal of @fd (a write, or another part of the
 * kernel) does what LIMEN_MSI with this message does, in the signaller's context
 * and without any thread of the VMM; signals before it count as one. The signal
 * is taken out of the eventfd's counter. An interrupt that waits merges with the
 * next one of its vector: many signals may give one interrupt. A message that no
 * vCPU takes is lost.
 *
 * An eventfd is assigned at most once to a VM (EEXIST). _UPDATE gives one that is
 * assigned another message, without a gap; a signal during the call has either.
 * _DEASSIGN (@addr and @data 0) ends it: when the call returns, no signal is an
 * interrupt any more. Both give ENOENT for an eventfd that is not assigned.
 * Closing the last descriptor of the eventfd ends it too, and so does the end of
 * the VM.
 *
 * _RESAMPLE, for a level-triggered message (bit 15 of @data, else EINVAL): when a
 * vCPU ends an interrupt of the message's vector, each @resample_fd of that vector
 * is signalled; the VMM then signals @fd again if its device still needs service.
 * There is no LIMEN_EXIT_EOI for a vector that, since the VM was made, came from
 * nothing else than irqfds with _RESAMPLE; for one that also came from LIMEN_MSI,
 * from a level-triggered irqfd without _RESAMPLE or from LIMEN_STATE_SET, there are
 * both. _UPDATE to another vector signals @resample_fd, since the end of an
 * interrupt of the old one is not reported any more.
 */
struct limen_irqfd {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__s32 resample_fd;
	__u64 addr;
	__u32 data;
	__u32 reserved;
};

#define LIMEN_IRQFD_DEASSIGN	(1u << 0)
#define LIMEN_IRQFD_UPDATE	(1u << 1)
#define LIMEN_IRQFD_RESAMPLE	(1u << 2)

/**
 * struct limen_ioeventfd - a write of the guest that signals an eventfd
 * @size:  in: sizeof(struct limen_ioeventfd)
 * @flags: LIMEN_IOEVENTFD_*; 0 assigns, on guest-physical memory, for any value
 * @addr:  guest-physical address, or port
 * @match: with _MATCH the value, else 0; EINVAL if it is longer than @len
 * @len:   bytes of the write: 1, 2, 4, 8 (not for ports), or 0 for any length, not
 *         with _MATCH
 * @fd:    the eventfd. EBADF if it is not open, EINVAL if it is no eventfd
 *
 * A write that begins at @addr, has this length and, with _MATCH, this value
 * signals @fd; the instruction is then done, and there is no LIMEN_EXIT_IO or
 * _MMIO. It comes before the rules of LIMEN_POLICY. Reads, and writes by other
 * instructions than OUT and plain MOV (string and locked ones, writes across a page's
 * end), exit as if there were no ioeventfd: the VMM then signals the eventfd itself.
 * Memory that LIMEN_MAP has put at @addr takes the writes that its rights allow.
 *
 * EEXIST if a write could match this one and another. _DEASSIGN takes away the one
 * with the same @addr, @len, @match and @fd (ENOENT); when the call returns, it
 * signals no more. Closing the eventfd's descriptors does not end it; the end of
 * the VM does.
 */
struct limen_ioeventfd {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 match;
	__u32 len;
	__s32 fd;
};

#define LIMEN_IOEVENTFD_DEASSIGN	(1u << 0)
#define LIMEN_IOEVENTFD_PORT		(1u << 1)
#define LIMEN_IOEVENTFD_MATCH		(1u << 2)

/**
 * struct limen_halt_poll - how long a halted vCPU's thread may poll
 * @size:   in: sizeof(struct limen_halt_poll)
 * @max_ns: nanoseconds, at most LIMEN_MAX_HALT_POLL; 0: never
 *
 * Before it sleeps in HLT, the thread of a vCPU looks for a time whether an
 * interrupt comes; how long is learnt, up to this limit, and ends as soon as
 * another thread wants the CPU. At any time; from the next HLT on. A new VM has
 * the module's parameter halt_poll_ns.
 */
struct limen_halt_poll {
	__u32 size;
	__u32 max_ns;
};

/* ---- a vCPU -------------------------------------------------------------- */

/* Order of &limen_regs.gpr: that of ModRM and REX (SDM Vol. 2, Table 2-2). */
enum limen_gpr {
	LIMEN_RAX, LIMEN_RCX, LIMEN_RDX, LIMEN_RBX,
	LIMEN_RSP, LIMEN_RBP, LIMEN_RSI, LIMEN_RDI,
	LIMEN_R8, LIMEN_R9, LIMEN_R10, LIMEN_R11,
	LIMEN_R12, LIMEN_R13, LIMEN_R14, LIMEN_R15,
	LIMEN_NR_GPR,
};

/* Order of &limen_sregs.seg: that of ModRM's sreg, then LDTR and TR. */
enum limen_sreg {
	LIMEN_ES, LIMEN_CS, LIMEN_SS, LIMEN_DS, LIMEN_FS, LIMEN_GS,
	LIMEN_LDTR, LIMEN_TR,
	LIMEN_NR_SEG,
};

/**
 * struct limen_regs - LIMEN_CLASS_REGS
 * @gpr:    see &enum limen_gpr
 * @rip:    linear-address offset in CS
 * @rflags: bit 1 reads as 1; other reserved bits must be 0
 */
struct limen_regs {
	__u64 gpr[LIMEN_NR_GPR];
	__u64 rip;
	__u64 rflags;
};

/**
 * struct limen_segment - a segment register with its hidden part
 * @base:  linear address
 * @limit: in bytes, after scaling by the granularity bit
 * @ar:    access rights: bits 3:0 type, 4 S, 6:5 DPL, 7 P, 12 AVL, 13 L,
 *         14 D/B, 15 G, 16 unusable (SDM Vol. 3, "Guest Register State")
 * @sel:   selector
 */
struct limen_segment {
	__u64 base;
	__u32 limit;
	__u32 ar;
	__u16 sel;
	__u16 reserved[3];
};

#define LIMEN_AR_UNUSABLE	(1u << 16)

/** struct limen_table - GDTR or IDTR */
struct limen_table {
	__u64 base;
	__u16 limit;
	__u16 reserved[3];
};

/**
 * struct limen_sregs - LIMEN_CLASS_SREGS
 * @seg:  see &enum limen_sreg
 * @gdt: @idt: descriptor-table registers
 * @cr0: @cr2: @cr3: @cr4: @cr8: as a MOV from CR reads them
 * @efer: IA32_EFER, LMA included
 * @xcr0: XCR0
 * @pdpte: the four PDPTE registers; used with PAE paging only
 *
 * A set is checked as a whole: fixed and reserved bits of the control registers
 * and their combinations, canonical bases. EINVAL changes nothing.
 */
struct limen_sregs {
	struct limen_segment seg[LIMEN_NR_SEG];
	struct limen_table gdt;
	struct limen_table idt;
	__u64 cr0;
	__u64 cr2;
	__u64 cr3;
	__u64 cr4;
	__u64 cr8;
	__u64 efer;
	__u64 xcr0;
	__u64 pdpte[4];
};

/** struct limen_debugregs - LIMEN_CLASS_DEBUG: DR0 to DR3, DR6, DR7 */
struct limen_debugregs {
	__u64 dr[4];
	__u64 dr6;
	__u64 dr7;
};

/** struct limen_msr - an element of LIMEN_CLASS_MSRS, an array of these.
 * On get, @index is input. An MSR that the guest does not have gives EINVAL.
 */
struct limen_msr {
	__u32 index;
	__u32 reserved;
	__u64 value;
};

/**
 * struct limen_apic - LIMEN_CLASS_APIC
 * @base:     IA32_APIC_BASE
 * @deadline: IA32_TSC_DEADLINE, in guest TSC units; 0 is disarmed
 * @period_left: nanoseconds until the one-shot or periodic timer fires; 0 is
 *            disarmed
 * @regs:     the register page in xAPIC layout, registers 16 bytes apart (SDM
 *            Vol. 3, "Local APIC Register Address Map"); in x2APIC mode, ID and
 *            LDR hold their x2APIC values and ICR2 the destination. 0x290 holds
 *            errors that a write to ESR has not yet latched.
 */
struct limen_apic {
	__u64 base;
	__u64 deadline;
	__u64 period_left;
	__u8 regs[1024];
};

/**
 * struct limen_events - LIMEN_CLASS_EVENTS: what is pending or in service
 * @injected:  event whose delivery was started and must be finished, in the
 *             format of the VM-entry interruption-information field (SDM
 *             Vol. 3): bits 7:0 vector, 10:8 type, 11 error code, 31 valid
 * @injected_error: its error code
 * @exception: an exception to deliver before the next instruction, same format;
 *             @injected is dropped then: the exception counts as raised by its
 *             delivery, and an interrupt or NMI is lost as on a CPU
 * @exception_error: its error code
 * @exception_payload: CR2 for #PF, DR6 bits to set for #DB, else 0
 * @nmi_pending: NMIs that wait, 0 to 2
 * @nmi_blocked: 1 from an NMI's delivery to IRET
 * @shadow:    LIMEN_SHADOW_*: interrupts held for one instruction
 * @mp_state:  LIMEN_MP_*
 * @sipi_vector: valid with LIMEN_MP_SIPI
 * @insn_len:  length of the INT instruction for an @injected software event
 * @unhalted:  1: another vCPU has kicked this one (KVM_HC_KICK_CPU); its present
 *             or next HLT ends at once and clears it
 */
struct limen_events {
	__u32 injected;
	__u32 injected_error;
	__u32 exception;
	__u32 exception_error;
	__u64 exception_payload;
	__u8 nmi_pending;
	__u8 nmi_blocked;
	__u8 shadow;
	__u8 mp_state;
	__u8 sipi_vector;
	__u8 insn_len;
	__u8 unhalted;
	__u8 reserved;
};

#define LIMEN_SHADOW_STI	1
#define LIMEN_SHADOW_MOV_SS	2

#define LIMEN_MP_RUNNING	0
#define LIMEN_MP_HALTED		1
#define LIMEN_MP_WAIT_SIPI	2	/* INIT was taken */
#define LIMEN_MP_SIPI		3	/* SIPI was taken, not yet begun */

#define LIMEN_EVENT_VALID	(1u << 31)
#define LIMEN_EVENT_ERROR	(1u << 11)
#define LIMEN_EVENT_TYPE(e)	(((e) >> 8) & 7)
#define LIMEN_TYPE_EXTINT	0
#define LIMEN_TYPE_NMI		2
#define LIMEN_TYPE_EXCEPTION	3
#define LIMEN_TYPE_SOFTINT	4
#define LIMEN_TYPE_ICEBP	5
#define LIMEN_TYPE_SOFTEXC	6

/**
 * struct limen_time - LIMEN_CLASS_TIME
 * @tsc_offset: guest TSC = host TSC + @tsc_offset, modulo 2^64
 * @tsc_adjust: IA32_TSC_ADJUST
 * @clock_offset: paravirtual clock = host boot time + @clock_offset, in ns; one
 *             per VM
 */
struct limen_time {
	__u64 tsc_offset;
	__u64 tsc_adjust;
	__s64 clock_offset;
};

/*
 * State classes. XSAVE is the standard (not compacted) XSAVE image (SDM Vol. 1,
 * "XSAVE Area"), &limen_info.xsave_size bytes.
 */
#define LIMEN_CLASS_REGS	1
#define LIMEN_CLASS_SREGS	2
#define LIMEN_CLASS_DEBUG	3
#define LIMEN_CLASS_MSRS	4
#define LIMEN_CLASS_XSAVE	5
#define LIMEN_CLASS_APIC	6
#define LIMEN_CLASS_EVENTS	7
#define LIMEN_CLASS_TIME	8
#define LIMEN_NR_CLASS		9

/**
 * struct limen_state_item - one class of a transfer
 * @cls:  LIMEN_CLASS_*; each at most once
 * @len:  in: bytes at @data; get stores the class's length. Set takes the exact
 *        length only.
 * @data: pointer to the class's structure
 */
struct limen_state_item {
	__u32 cls;
	__u32 len;
	__u64 data;
};

/**
 * struct limen_state - move state in or out of a vCPU
 * @size:  in: sizeof(struct limen_state)
 * @count: items, 1 to LIMEN_NR_CLASS - 1
 * @items: pointer to &struct limen_state_item
 *
 * Set is atomic: all is checked before anything is changed; the order of the
 * items means nothing. EBUSY while the vCPU is in LIMEN_RUN in another thread.
 * State set while an exit waits for its completion discards that exit.
 */
struct limen_state {
	__u32 size;
	__u32 count;
	__u64 items;
};

/**
 * struct limen_translate - guest-linear to guest-physical, by the vCPU's tables
 * @size:   in: sizeof(struct limen_translate)
 * @access: LIMEN_ACCESS_READ, _WRITE or _EXEC, with _USER for CPL 3
 * @gva:    linear address
 * @gpa:    out: guest-physical address
 * @fault:  out: 0, or LIMEN_EVENT_VALID with the exception that the access
 *          would raise, ready for &limen_events.exception
 * @error:  out: its error code
 *
 * Accessed and dirty flags are set as the CPU would. Return: 0 with a fault too.
 */
struct limen_translate {
	__u32 size;
	__u32 access;
	__u64 gva;
	__u64 gpa;
	__u32 fault;
	__u32 error;
};

#define LIMEN_ACCESS_READ	(1u << 0)
#define LIMEN_ACCESS_WRITE	(1u << 1)
#define LIMEN_ACCESS_EXEC	(1u << 2)
#define LIMEN_ACCESS_USER	(1u << 3)

/**
 * struct limen_apic_access - one access to the register page of the local APIC
 * @size:   in: sizeof(struct limen_apic_access)
 * @offset: into the page, 0 to 0xff0, a multiple of 16
 * @write:  0 or 1
 * @value:  in or out
 *
 * For an LIMEN_EXIT_MMIO inside the APIC page: the kernel itself completes plain
 * MOVs only, the library decodes the rest and ends it here.
 */
struct limen_apic_access {
	__u32 size;
	__u32 offset;
	__u32 write;
	__u32 value;
};

/**
 * struct limen_stat - one counter
 * @name:  NUL-terminated
 * @value: events since the vCPU was made, or nanoseconds if the name ends in _ns
 */
struct limen_stat {
	char name[24];
	__u64 value;
};

/**
 * struct limen_stats - all counters of a vCPU
 * @size:  in: sizeof(struct limen_stats)
 * @count: in: room at @stats; out: how many there are (with ENOSPC too)
 * @stats: pointer to &struct limen_stat
 */
struct limen_stats {
	__u32 size;
	__u32 count;
	__u64 stats;
};

/**
 * struct limen_dirty_ring_create - give a vCPU a ring of written pages
 * @size:    in: sizeof(struct limen_dirty_ring_create)
 * @entries: a power of two, LIMEN_RING_MIN to LIMEN_RING_MAX
 *
 * From now on each page that gets into the log of a range (LIMEN_MEM_LOG) gets an
 * entry in the ring of the vCPU that has written it, or for which the module has; one
 * that LIMEN_DIRTY_MARK names, in any. Pages that were in the log before get none.
 * EEXIST if the vCPU has a ring; EOPNOTSUPP where writes are seen by dirty bits (module
 * parameter dirty_log=ad). The ring ends with the vCPU.
 */
struct limen_dirty_ring_create {
	__u32 size;
	__u32 entries;
};

#define LIMEN_RING_MIN		1024
#define LIMEN_RING_MAX		65536
#define LIMEN_RING_OFFSET	0x10000	/* for mmap() of a vCPU: PROT_READ, MAP_SHARED */
#define LIMEN_RING_ENTRIES	0x1000	/* in the mapping: __u64 entries, each a gpa */

/**
 * struct limen_dirty_ring - how the mapping begins; all of it is written by the module
 * @head:    entries written, modulo 2^32. Read it with acquire semantics, then the
 *           entries from @tail on, each at its number modulo @entries
 * @tail:    entries taken
 * @entries: size of the ring
 * @missed:  pages in the log that found no room; LIMEN_DIRTY_GET tells them. The
 *           vCPU's own writes are never among them: before there is no room for
 *           them, LIMEN_RUN gives LIMEN_EXIT_DIRTY_FULL, again and again until
 *           LIMEN_DIRTY_TAKEN has made some
 */
struct limen_dirty_ring {
	__u32 head;
	__u32 tail;
	__u32 entries;
	__u32 missed;
};

/**
 * struct limen_dirty_taken - the oldest entries of a vCPU's ring were read
 * @size:  in: sizeof(struct limen_dirty_taken)
 * @count: how many; EINVAL if there are not so many
 *
 * Their pages count as clean, as with LIMEN_DIRTY_CLEAR; copy them afterwards. From any
 * thread, one at a time, also while the vCPU runs. ENOENT without a ring.
 */
struct limen_dirty_taken {
	__u32 size;
	__u32 count;
};

/* ---- the run page -------------------------------------------------------- */

enum limen_user_exit {
	LIMEN_EXIT_NONE,
	LIMEN_EXIT_KICKED,	/* LIMEN_KICK */
	LIMEN_EXIT_CONSISTENT,	/* LIMEN_RUN_STOP: state is whole */
	LIMEN_EXIT_IO,		/* port access: @io */
	LIMEN_EXIT_MMIO,	/* no memory there: @mmio, @insn */
	LIMEN_EXIT_MSR,		/* by policy: @msr */
	LIMEN_EXIT_CPUID,	/* by policy */
	LIMEN_EXIT_HYPERCALL,	/* number and arguments in the GPRs, result in RAX */
	LIMEN_EXIT_EOI,		/* end of a level-triggered interrupt: @eoi */
	LIMEN_EXIT_INTA,	/* the 8259A's vector is wanted: @inta */
	LIMEN_EXIT_SHUTDOWN,	/* triple fault */
	LIMEN_EXIT_BAD_STATE,	/* the CPU refuses to enter this state: @hw */
	LIMEN_EXIT_TASK_SWITCH,	/* VMX only; not emulated: @hw */
	LIMEN_EXIT_UNKNOWN,	/* not explained, or its instruction not readable: @hw */
	LIMEN_EXIT_FAULT,	/* the VMM has no page behind @mmio.gpa: @mmio */
	LIMEN_EXIT_DIRTY_FULL,	/* no room in &struct limen_dirty_ring */
	LIMEN_NR_USER_EXIT,
};

/**
 * struct limen_run - the page that a vCPU and its VMM share
 *
 * mmap() of &limen_info.run_size bytes at offset 0 of the vCPU. The kernel
 * writes it at each return of LIMEN_RUN with 0, and reads the members marked
 * "in" once at the next call.
 *
 * @exit:       out: enum limen_user_exit
 * @flags:      in: LIMEN_RUN_STOP: complete what is pending, then return with
 *              LIMEN_EXIT_CONSISTENT before entering the guest
 * @complete:   in: LIMEN_DISCARD or LIMEN_FULFIL; see below. Cleared.
 * @dirty:      in: LIMEN_DIRTY_REGS: take @regs from this page. Cleared.
 * @mode:       out: 16, 32 or 64, the code segment's size
 * @cpl:        out: current privilege level
 * @insn_len:   out: length of the exiting instruction, 0 if not known. In, when
 *              an MMIO exit is fulfilled: how far RIP moves, 0 to 15
 * @insn_bytes: out: valid bytes at @insn (MMIO, and string I/O)
 * @insn:       out: bytes at RIP
 * @regs:       out, and in with LIMEN_DIRTY_REGS
 * @cr0: @cr3: @cr4: @efer: @cs_base: @ss_base: @ds_base: @es_base: @fs_base:
 * @gs_base:    out: what address arithmetic needs
 *
 * An exit is completed on the next LIMEN_RUN. DISCARD does nothing: the guest
 * repeats the instruction unless @regs moved RIP. FULFIL finishes it:
 *   IO        IN takes @io.data; RIP moves. String forms: the VMM has moved the
 *             data and set RCX, RSI, RDI in @regs; RIP moves if @io.last is 1.
 *   MMIO      RIP moves by @insn_len; @regs hold the result
 *   MSR       a read takes @msr.value; RIP moves. @msr.fault 1: #GP(0) instead
 *   CPUID     @regs hold the result; RIP moves
 *   HYPERCALL RAX from @regs; RIP moves
 *   INTA      @inta.vector is delivered; 256 and up: spurious, nothing is
 *   others    nothing
 */
struct limen_run {
	__u32 exit;
	__u32 flags;
	__u32 complete;
	__u32 dirty;
	__u8 mode;
	__u8 cpl;
	__u8 insn_len;
	__u8 insn_bytes;
	__u8 insn[16];
	__u32 reserved;
	struct limen_regs regs;
	__u64 cr0;
	__u64 cr3;
	__u64 cr4;
	__u64 efer;
	__u64 cs_base;
	__u64 ss_base;
	__u64 ds_base;
	__u64 es_base;
	__u64 fs_base;
	__u64 gs_base;
	union {
		struct {
			__u16 port;
			__u8 size;	/* 1, 2 or 4 */
			__u8 in;	/* 1: IN, INS */
			__u8 string;	/* 1: INS, OUTS */
			__u8 rep;
			__u8 addr_size;	/* string forms: 2, 4 or 8, always; else 0 */
			__u8 seg;	/* enum limen_sreg, OUTS */
			__u32 data;	/* OUT: out; IN: in */
			__u8 last;	/* in: string form is done */
			__u8 reserved[3];
		} io;
		struct {
			__u64 gpa;
			__u64 gva;	/* valid if has_gva */
			__u8 access;	/* LIMEN_ACCESS_* */
			__u8 has_gva;
			__u8 apic;	/* 1: in the APIC page */
			__u8 vectoring;	/* 1: while delivering an event */
			__u32 reserved;
		} mmio;
		struct {
			__u32 index;
			__u8 write;
			__u8 fault;	/* in */
			__u16 reserved;
			__u64 value;
		} msr;
		struct {
			__u32 vector;
		} eoi;
		struct {
			__u32 vector;	/* in */
		} inta;
		struct {
			__u64 reason;	/* VMX exit reason, SVM exit code */
			__u64 info1;	/* qualification, EXITINFO1 */
			__u64 info2;	/* instruction error, EXITINFO2 */
		} hw;
		__u64 pad[32];
	};
};

#define LIMEN_RUN_STOP		(1u << 0)
#define LIMEN_DISCARD		0
#define LIMEN_FULFIL		1
#define LIMEN_DIRTY_REGS	(1u << 0)

#endif /* _UAPI_LINUX_LIMEN_H */
