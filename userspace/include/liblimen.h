/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * liblimen: a thin library over the ioctl interface of /dev/limen.
 *
 * What it adds to <linux/limen.h>: guest memory with its host addresses, a bus
 * of ports and MMIO ranges, the completion of port and MMIO exits (the kernel
 * has no instruction emulator; this library decodes with Zydis), CPUID tables
 * by feature name, and a run loop.
 *
 * Unless stated otherwise functions return 0 or a negative errno whose meaning
 * is the one at the top of <linux/limen.h>; limen_strerror() says what to do
 * about it. Addresses: gpa is guest-physical, gva guest-linear, hva in this
 * process. Lengths are in bytes.
 *
 * Threads: one thread per vCPU runs it; limen_vcpu_kick(), limen_msi(),
 * limen_extint(), limen_irqfd_*(), limen_ioeventfd_*() and limen_dirty_*() may be
 * called from any thread. Ranges of memory and of a bus
 * may be added while vCPUs run.
 */
#ifndef LIBLIMEN_H
#define LIBLIMEN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/limen.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LIMEN_DEVICE_PATH	"/dev/limen"
#define LIMEN_PAGE_SIZE		4096u

struct limen;
struct limen_vm;
struct limen_vcpu;
struct limen_bus;

/* ---- the device ---------------------------------------------------------- */

/**
 * limen_strerror() - what a negative errno of this library means, with a remedy
 * @err: as returned, negative; 0 is "no error"
 *
 * Return: a string that lives as long as the program.
 */
const char *limen_strerror(int err);

/**
 * limen_open() - open the device and read &struct limen_info
 * @path: device node, NULL for LIMEN_DEVICE_PATH
 * @out:  the handle; untouched on error
 *
 * Return: 0; -ENOENT if the module is not loaded, -EACCES without permission,
 * -EPROTO if the module speaks another LIMEN_ABI.
 */
int limen_open(const char *path, struct limen **out);
void limen_close(struct limen *l);

/** limen_get_info() - what limen_open() read; lives as long as @l */
const struct limen_info *limen_get_info(const struct limen *l);

/**
 * limen_get_cap() - one capability by index
 * @index: 0 and up
 *
 * Return: 0, or -ENOENT after the last one.
 */
int limen_get_cap(struct limen *l, uint32_t index, struct limen_cap *cap);

/* ---- CPUID --------------------------------------------------------------- */

/** struct limen_cpuid_table - a CPUID table; @count of @e are in use */
struct limen_cpuid_table {
	uint32_t count;
	struct limen_cpuid_entry e[LIMEN_MAX_CPUID];
};

/** limen_cpuid_offered() - all that a guest may be offered on this machine */
int limen_cpuid_offered(struct limen *l, struct limen_cpuid_table *t);

/** limen_cpuid_find() - the entry that a guest's CPUID would read, or NULL */
struct limen_cpuid_entry *limen_cpuid_find(struct limen_cpuid_table *t,
					   uint32_t leaf, uint32_t subleaf);

/**
 * limen_cpuid_edit() - switch features by name
 * @t:       table to change
 * @offered: what limen_cpuid_offered() gave
 * @list:    "+name,-name,..." ; names are those of Linux' /proc/cpuinfo
 * @bad:     out: the name that is wrong, at most @len bytes with NUL
 *
 * Return: 0; -EINVAL for a syntax error or an unknown name, -EOPNOTSUPP for a
 * "+name" that is not offered. On error @t may be changed in part.
 */
int limen_cpuid_edit(struct limen_cpuid_table *t,
		     const struct limen_cpuid_table *offered, const char *list,
		     char *bad, size_t len);

/** limen_cpuid_name() - the n-th known feature name, NULL after the last one;
 * @on: whether @t has it, may be NULL */
const char *limen_cpuid_name(struct limen_cpuid_table *t, uint32_t n, bool *on);

/**
 * limen_cpuid_topology() - adapt a table to one vCPU: APIC id and one package
 * of @cpus cores (SDM Vol. 2, "CPUID", leaves 1, 4, 0BH, 1FH; APM Vol. 3,
 * 8000_0008H, 8000_001DH, 8000_001EH)
 * @id:   APIC id, below @cpus
 * @cpus: 1 to LIMEN_MAX_VCPUS
 */
void limen_cpuid_topology(struct limen_cpuid_table *t, uint32_t id,
			  uint32_t cpus);

/* ---- a VM ---------------------------------------------------------------- */

int limen_vm_create(struct limen *l, struct limen_vm **out);

/** limen_vm_destroy() - close the VM and unmap what limen_ram_add() mapped; all
 * its vCPUs must be destroyed */
void limen_vm_destroy(struct limen_vm *vm);

/**
 * limen_ram_add() - map zeroed anonymous memory and give it to the guest
 * @gpa:   multiple of 4096; @len: multiple of 4096, not 0
 * @flags: LIMEN_MEM_*, @hva: out, where it is; may be NULL
 */
int limen_ram_add(struct limen_vm *vm, uint64_t gpa, uint64_t len,
		  uint32_t flags, void **hva);

/**
 * struct limen_ram - what is behind guest memory
 * @fd:        a memfd or a file, shared with whoever else maps it; -1: anonymous
 *             memory. It may be closed after the call.
 * @node:      NUMA node that all pages come from, -1: any. Of a file on a disk the
 *             kernel does not keep to it.
 * @offset:    of the first byte in @fd
 * @prealloc:  allocate all of it now rather than when it is touched
 * @mergeable: the host may share equal pages (KSM); anonymous memory only
 * @why:       out: why the call failed, or ""
 */
struct limen_ram {
	int fd;
	int node;
	uint64_t offset;
	bool prealloc;
	bool mergeable;
	char why[128];
};

/**
 * limen_ram_add_backed() - as limen_ram_add(), on memory of the caller's choice
 * @gpa: @len: and @ram->offset: multiples of the page size behind them, which for
 *       huge pages is theirs
 *
 * Return: 0; -EINVAL for a wrong multiple, a node that is not there, or @mergeable
 * with a file; -ENOMEM for no memory, or no huge pages; -ENOSYS without NUMA;
 * -EOPNOTSUPP without KSM.
 */
int limen_ram_add_backed(struct limen_vm *vm, uint64_t gpa, uint64_t len,
			 uint32_t flags, struct limen_ram *ram, void **hva);

/**
 * limen_ram_memfd() - a memfd for &limen_ram.fd
 * @huge: on huge pages, of the host's default size
 *
 * Return: the descriptor; -ENOSYS if the kernel has no huge pages.
 */
int limen_ram_memfd(uint64_t len, bool huge);

/**
 * limen_gpa_discard() - give memory that limen_ram_add() mapped back to the host
 *
 * What the pages held is lost: they read as zeros. Parts of a page of the host are
 * left as they are. The guest may run.
 *
 * Return: 0; -EFAULT unless [@gpa, @gpa + @len) is in one range, -EOPNOTSUPP if the
 * caller mapped it or the file can't have holes.
 */
int limen_gpa_discard(struct limen_vm *vm, uint64_t gpa, uint64_t len);

/** limen_map() - LIMEN_MAP; @hva stays the caller's */
int limen_map(struct limen_vm *vm, uint64_t gpa, uint64_t len, uint32_t flags,
	      void *hva);
/** limen_unmap(), limen_protect() - of a range that was mapped exactly so */
int limen_unmap(struct limen_vm *vm, uint64_t gpa, uint64_t len);
int limen_protect(struct limen_vm *vm, uint64_t gpa, uint64_t len,
		  uint32_t flags);

/**
 * limen_gpa_ptr() - where guest memory is in this process
 * @len:   may be 0
 * @write: true if it will be written, refused for a range without
 *         LIMEN_MEM_WRITE
 *
 * Return: NULL unless all of [@gpa, @gpa + @len) lies in one range.
 */
void *limen_gpa_ptr(struct limen_vm *vm, uint64_t gpa, uint64_t len, bool write);
/** limen_gpa_read(), limen_gpa_write() - copy; -EFAULT if it is not all memory.
 * The VMM may write to ranges that the guest can't. */
int limen_gpa_read(struct limen_vm *vm, uint64_t gpa, void *buf, uint64_t len);
int limen_gpa_write(struct limen_vm *vm, uint64_t gpa, const void *buf,
		    uint64_t len);

/**
 * limen_dirty_get() - which pages of a range with LIMEN_MEM_LOG were written
 * @gpa: @len: all in one range with a log, multiples of 4096
 * @clear:  they count as clean from now on: copy them now
 * @bitmap: out: a bit for each page, in @len / 4096 / 64 words, rounded up
 * @count:  out: bits that are set; may be NULL
 *
 * Return: 0; -ENOENT without such a log, -ENOTTY if the module is older than this call.
 */
int limen_dirty_get(struct limen_vm *vm, uint64_t gpa, uint64_t len, bool clear,
		    uint64_t *bitmap, uint64_t *count);
/** limen_dirty_clear() - the pages set in @bitmap count as clean */
int limen_dirty_clear(struct limen_vm *vm, uint64_t gpa, uint64_t len,
		      const uint64_t *bitmap);
/**
 * limen_dirty_mark() - this process has written to guest memory itself
 * @gpa: any address; @len: bytes, 0 for none
 *
 * To be called after every write through limen_gpa_ptr() or another mapping of guest
 * memory, read(2) into it included: the module does not see these. limen_gpa_write()
 * and the completion of exits do it themselves. Where no log is, nothing happens.
 */
int limen_dirty_mark(struct limen_vm *vm, uint64_t gpa, uint64_t len);

/** limen_msi() - deliver an interrupt message; returns how many vCPUs took it */
int limen_msi(struct limen_vm *vm, uint64_t addr, uint32_t data);
/** limen_extint() - level, 0 or 1, of the wire from the 8259A */
int limen_extint(struct limen_vm *vm, uint32_t level);
/** limen_halt_poll() - ns that a halted vCPU may poll, 0: never; the guest's
 * wake-ups cost less, the host's CPU more
 */
int limen_halt_poll(struct limen_vm *vm, uint32_t max_ns);
/** limen_policy() - add a rule; @p->size is set here */
int limen_policy(struct limen_vm *vm, struct limen_policy *p);

/**
 * limen_irqfd_assign() - from now on a signal of an eventfd is an interrupt message
 * @fd:       the eventfd; closing its last descriptor ends it
 * @resample: eventfd that is signalled at the end of a level-triggered one, -1: none
 * @addr:     message address and @data, as for limen_msi()
 *
 * Return: 0; -EEXIST if the eventfd is assigned already, -EMFILE for more than
 * LIMEN_MAX_IRQFDS, -ENOTTY if the module is older than this call.
 */
int limen_irqfd_assign(struct limen_vm *vm, int fd, int resample, uint64_t addr,
		       uint32_t data);
/** limen_irqfd_update() - another message, without a gap; -ENOENT */
int limen_irqfd_update(struct limen_vm *vm, int fd, uint64_t addr, uint32_t data);
/** limen_irqfd_deassign() - no signal is an interrupt when it returns; -ENOENT */
int limen_irqfd_deassign(struct limen_vm *vm, int fd);

/**
 * limen_ioeventfd_assign() - a write of the guest signals an eventfd
 * @space: LIMEN_BUS_PORT or LIMEN_BUS_MMIO
 * @addr:  port or gpa
 * @len:   bytes of the write, 0 for any
 * @match: the value, NULL for any
 * @fd:    the eventfd
 *
 * Such a write is no exit. The module leaves some to the VMM (string port writes,
 * stores by other instructions than MOV): they come to the region of the bus that
 * holds @addr, whose handler must signal @fd itself.
 *
 * Return: 0; -EEXIST if a write could match two, -EMFILE for more than
 * LIMEN_MAX_IOEVENTFDS, -ENOTTY if the module is older than this call.
 */
int limen_ioeventfd_assign(struct limen_vm *vm, int space, uint64_t addr,
			   uint32_t len, const uint64_t *match, int fd);
/** limen_ioeventfd_deassign() - all as it was assigned, else -ENOENT */
int limen_ioeventfd_deassign(struct limen_vm *vm, int space, uint64_t addr,
			     uint32_t len, const uint64_t *match, int fd);

/* ---- a vCPU -------------------------------------------------------------- */

/** limen_vcpu_create() - @id is the APIC id, below LIMEN_MAX_VCPUS */
int limen_vcpu_create(struct limen_vm *vm, uint32_t id, struct limen_vcpu **out);
void limen_vcpu_destroy(struct limen_vcpu *vcpu);
uint32_t limen_vcpu_id(const struct limen_vcpu *vcpu);
/** limen_vcpu_page() - the run page; owned by the thread that runs the vCPU */
struct limen_run *limen_vcpu_page(struct limen_vcpu *vcpu);
int limen_vcpu_run(struct limen_vcpu *vcpu);
int limen_vcpu_kick(struct limen_vcpu *vcpu);
int limen_vcpu_nmi(struct limen_vcpu *vcpu);
int limen_vcpu_set_cpuid(struct limen_vcpu *vcpu,
			 const struct limen_cpuid_table *t);

/** limen_state_get(), limen_state_set() - one class; @len as the class has it */
int limen_state_get(struct limen_vcpu *vcpu, uint32_t cls, void *data,
		    uint32_t len);
int limen_state_set(struct limen_vcpu *vcpu, uint32_t cls, const void *data,
		    uint32_t len);
/** limen_state_set_many() - several classes, atomically */
int limen_state_set_many(struct limen_vcpu *vcpu,
			 const struct limen_state_item *items, uint32_t count);

/**
 * limen_msr_list() - the MSRs of LIMEN_CLASS_MSRS; a guest may lack some
 * @index: room for *@count; @count: in: room, out: how many there are
 *
 * Return: 0; -ENOSPC if there are more than there is room for.
 */
int limen_msr_list(struct limen *l, uint32_t *index, uint32_t *count);

#define LIMEN_STATE_FUNCS(name, type, cls)				\
static inline int limen_get_##name(struct limen_vcpu *v, type *s)	\
{									\
	return limen_state_get(v, cls, s, sizeof(*s));			\
}									\
static inline int limen_set_##name(struct limen_vcpu *v, const type *s)	\
{									\
	return limen_state_set(v, cls, s, sizeof(*s));			\
}

LIMEN_STATE_FUNCS(regs, struct limen_regs, LIMEN_CLASS_REGS)
LIMEN_STATE_FUNCS(sregs, struct limen_sregs, LIMEN_CLASS_SREGS)
LIMEN_STATE_FUNCS(debugregs, struct limen_debugregs, LIMEN_CLASS_DEBUG)
LIMEN_STATE_FUNCS(apic, struct limen_apic, LIMEN_CLASS_APIC)
LIMEN_STATE_FUNCS(events, struct limen_events, LIMEN_CLASS_EVENTS)
LIMEN_STATE_FUNCS(time, struct limen_time, LIMEN_CLASS_TIME)

/**
 * limen_translate() - guest-linear to guest-physical
 * @access: LIMEN_ACCESS_*
 * @t:      out: @t->gpa, or @t->fault and @t->error
 *
 * Return: 0 with a fault too.
 */
int limen_translate(struct limen_vcpu *vcpu, uint64_t gva, uint32_t access,
		    struct limen_translate *t);

struct limen_ring;
/**
 * limen_ring_create() - a ring of the pages that a vCPU writes, see &struct
 * limen_dirty_ring
 * @entries: a power of two, LIMEN_RING_MIN to LIMEN_RING_MAX
 *
 * Return: 0; -EEXIST if it has one, -EOPNOTSUPP with dirty_log=ad, -ENOTTY if the
 * module is older than this call.
 */
int limen_ring_create(struct limen_vcpu *vcpu, uint32_t entries, struct limen_ring **out);
/** limen_ring_destroy() - before the vCPU; the module's half ends with the vCPU */
void limen_ring_destroy(struct limen_ring *ring);
/** limen_ring_read() - addresses of pages, at most @max, each once; how many. One
 * thread reads a ring, also while the vCPU runs.
 */
uint32_t limen_ring_read(struct limen_ring *ring, uint64_t *gpa, uint32_t max);
/** limen_ring_taken() - what was read counts as clean: copy these pages now */
int limen_ring_taken(struct limen_ring *ring);
/** limen_ring_missed() - pages that found no room, and that limen_dirty_get() tells */
uint32_t limen_ring_missed(const struct limen_ring *ring);

/**
 * limen_inject() - make an exception pending; an exit that waits is discarded
 * @event:   as &limen_events.exception
 * @error:   error code
 * @payload: CR2 for #PF, else 0
 */
int limen_inject(struct limen_vcpu *vcpu, uint32_t event, uint32_t error,
		 uint64_t payload);

/**
 * limen_get_stats() - counters of a vCPU
 * @stats: room for *@count; @count: in: room, out: how many there are
 */
int limen_get_stats(struct limen_vcpu *vcpu, struct limen_stat *stats,
		    uint32_t *count);

/* ---- the bus ------------------------------------------------------------- */

#define LIMEN_BUS_PORT	0
#define LIMEN_BUS_MMIO	1

/**
 * struct limen_access - one access to a device
 * @addr:  offset into the device's region
 * @data:  zero-extended; a read handler sets it (bits above @size are dropped)
 * @size:  1, 2, 4 or 8, never above the region's @max_size
 * @write: true for a store or OUT
 */
struct limen_access {
	uint64_t addr;
	uint64_t data;
	uint8_t size;
	bool write;
};

/**
 * struct limen_region - a range that a device answers
 * @base:     first port or gpa; @len: how many
 * @max_size: widest access that @fn takes; wider ones are split, low part
 *            first. 0 means 4 for ports, 8 for MMIO
 * @fn:       called with @lock held, from the thread of the vCPU
 * @lock:     may be NULL
 */
struct limen_region {
	uint64_t base;
	uint64_t len;
	uint8_t max_size;
	void (*fn)(void *opaque, struct limen_access *a);
	void *opaque;
	pthread_mutex_t *lock;
	const char *name;
};

int limen_bus_create(struct limen_bus **out);
void limen_bus_destroy(struct limen_bus *bus);
/** limen_bus_add() - -EEXIST if it overlaps another region, -EINVAL if it is
 * empty or wraps. @r is copied. */
int limen_bus_add(struct limen_bus *bus, int space, const struct limen_region *r);
/**
 * limen_bus_access() - route an access
 * @size: 1, 2, 4 or 8
 * @data: in or out; reads that no device answers give all ones
 *
 * Return: true if a device took at least a part of it.
 */
bool limen_bus_access(struct limen_bus *bus, int space, uint64_t addr,
		      uint32_t size, bool write, uint64_t *data);

/* ---- completion of exits ------------------------------------------------- */

/** limen_complete_io() - finish a LIMEN_EXIT_IO, string forms too */
int limen_complete_io(struct limen_vcpu *vcpu, struct limen_bus *bus);
/**
 * limen_complete_mmio() - decode and finish a LIMEN_EXIT_MMIO
 *
 * Return: 0; -ENOTSUP if the instruction can't be emulated: limen_vcpu_why()
 * then names it. The exit is left as it was.
 */
int limen_complete_mmio(struct limen_vcpu *vcpu, struct limen_bus *bus);

/** limen_vcpu_why() - text on why the last loop or completion failed, or "" */
const char *limen_vcpu_why(const struct limen_vcpu *vcpu);

/**
 * struct limen_handlers - what a VMM adds to limen_vcpu_loop(); all optional
 * @kicked: after a kick; non-zero leaves the loop. Without it a kick leaves
 * @eoi:    the vCPU ended a level-triggered interrupt
 * @inta:   the 8259A's vector, 256 and up for none
 * @other:  any other exit: 0 if it was completed, non-zero leaves the loop
 */
struct limen_handlers {
	void *opaque;
	int (*kicked)(void *opaque, struct limen_vcpu *vcpu);
	void (*eoi)(void *opaque, uint32_t vector);
	uint32_t (*inta)(void *opaque);
	int (*other)(void *opaque, struct limen_vcpu *vcpu);
};

/**
 * limen_vcpu_loop() - run a vCPU until it is kicked out or can't go on
 *
 * Return: 0 when it was kicked out; a positive enum limen_user_exit that nobody
 * handled (LIMEN_EXIT_SHUTDOWN is a triple fault), limen_vcpu_why() explains;
 * a negative errno from the module.
 */
int limen_vcpu_loop(struct limen_vcpu *vcpu, struct limen_bus *bus,
		    const struct limen_handlers *h);

/**
 * limen_vcpu_settle() - bring a vCPU to where its state classes are whole
 *
 * Called in the vCPU's thread, outside of limen_vcpu_loop() or from its @kicked handler.
 * What waits is completed: exits by @h and @bus, and what other vCPUs have asked of this
 * one (INIT, SIPI). The guest does not run. For a whole VM: let all its vCPUs settle, wait
 * until all have, and let all settle once more, since the first may have been
 * asked for something by the last.
 *
 * Return: as limen_vcpu_loop(); 0 is success.
 */
int limen_vcpu_settle(struct limen_vcpu *vcpu, struct limen_bus *bus,
		      const struct limen_handlers *h);

#ifdef __cplusplus
}
#endif
#endif /* LIBLIMEN_H */
