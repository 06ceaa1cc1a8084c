// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls themselves: which errno for which bad input, and that a call that
 * fails has changed nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "guest.h"
#include "harness.h"

#define RWX (LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC)
#define PTR(p) ((u64)(uintptr_t)(p))

FIXTURE(uapi)
{
	struct vm vm;
	struct vcpu *c;
};

FIXTURE_SETUP(uapi)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
}

FIXTURE_TEARDOWN(uapi)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

GUEST64(spin, "1: jmp 1b\n");
GUEST64(done, G_DONE);

/* ---- all calls that take a structure ---- */

enum { DEV, VM, VCPU };

static const struct {
	int fd;
	unsigned long cmd;
	u32 size;
	const char *name;
} call[] = {
#define CALL(fd, cmd, type) { fd, cmd, sizeof(struct type), #cmd }
	CALL(DEV, LIMEN_INFO, limen_info),
	CALL(DEV, LIMEN_CAP, limen_cap),
	CALL(DEV, LIMEN_CPUID_GET, limen_cpuid),
	CALL(DEV, LIMEN_MSR_LIST, limen_msr_list),
	CALL(DEV, LIMEN_VM_CREATE, limen_vm_create),
	CALL(VM, LIMEN_MAP, limen_range),
	CALL(VM, LIMEN_UNMAP, limen_range),
	CALL(VM, LIMEN_PROTECT, limen_range),
	CALL(VM, LIMEN_VCPU_CREATE, limen_vcpu_create),
	CALL(VM, LIMEN_MSI, limen_msi),
	CALL(VM, LIMEN_EXTINT, limen_extint),
	CALL(VM, LIMEN_POLICY, limen_policy),
	CALL(VM, LIMEN_IRQFD, limen_irqfd),
	CALL(VM, LIMEN_IOEVENTFD, limen_ioeventfd),
	CALL(VM, LIMEN_HALT_POLL, limen_halt_poll),
	CALL(VM, LIMEN_DIRTY, limen_dirty),
	CALL(VCPU, LIMEN_STATE_GET, limen_state),
	CALL(VCPU, LIMEN_STATE_SET, limen_state),
	CALL(VCPU, LIMEN_CPUID_SET, limen_cpuid),
	CALL(VCPU, LIMEN_TRANSLATE, limen_translate),
	CALL(VCPU, LIMEN_APIC_ACCESS, limen_apic_access),
	CALL(VCPU, LIMEN_STATS, limen_stats),
	CALL(VCPU, LIMEN_DIRTY_RING, limen_dirty_ring_create),
	CALL(VCPU, LIMEN_DIRTY_TAKEN, limen_dirty_taken),
};

#define NR_CALLS (sizeof(call) / sizeof(call[0]))

static int fd_of(struct vm *vm, int which)
{
	return which == DEV ? vm->dev : which == VM ? vm->fd : vm->cpu[0].fd;
}

TEST_F(uapi, an_unknown_call_gives_enotty)
{
	u32 nr, which;
	size_t i;
	u8 buf[4096] = {};

	for (which = DEV; which <= VCPU; which++) {
		for (nr = 0; nr < 256; nr++) {
			bool known = false;

			for (i = 0; i < NR_CALLS; i++)
				known |= call[i].fd == (int)which &&
					 call[i].cmd == _IO(LIMEN_IOCTL, nr);
			if (which == VCPU && (_IO(LIMEN_IOCTL, nr) == LIMEN_RUN ||
					      _IO(LIMEN_IOCTL, nr) == LIMEN_KICK ||
					      _IO(LIMEN_IOCTL, nr) == LIMEN_NMI))
				known = true;
			if (known)
				continue;
			EXPECT_EQ(ENOTTY, try_ioctl(fd_of(&self->vm, which),
						    _IO(LIMEN_IOCTL, nr), buf))
				TH_LOG("descriptor %u, call %#x", which, nr);
		}
		EXPECT_EQ(ENOTTY, try_ioctl(fd_of(&self->vm, which), 0, buf));
		EXPECT_EQ(ENOTTY, try_ioctl(fd_of(&self->vm, which), ~0ul, buf));
	}
}

TEST_F(uapi, a_bad_pointer_gives_efault)
{
	u8 *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	munmap(edge + 4096, 4096);
	for (i = 0; i < NR_CALLS; i++) {
		int fd = fd_of(&self->vm, call[i].fd);
		u32 *half = (u32 *)(edge + 4096 - 4);

		EXPECT_EQ(EFAULT, try_ioctl(fd, call[i].cmd, NULL))
			TH_LOG("%s", call[i].name);
		EXPECT_EQ(EFAULT, try_ioctl(fd, call[i].cmd, edge + 4096));
		EXPECT_EQ(EFAULT, try_ioctl(fd, call[i].cmd, (void *)~0xfffull));
		EXPECT_EQ(EFAULT, try_ioctl(fd, call[i].cmd, (void *)-8ull));
		*half = call[i].size;
		EXPECT_EQ(EFAULT, try_ioctl(fd, call[i].cmd, half))
			TH_LOG("%s", call[i].name);
	}
}

TEST_F(uapi, a_size_below_4_or_above_a_page_gives_einval)
{
	static const u32 bad[] = { 0, 1, 3, 4097, 0x80000000, 0xffffffff };
	size_t i, k;

	for (i = 0; i < NR_CALLS; i++) {
		for (k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
			u32 buf[1024] = { bad[k] };

			EXPECT_EQ(EINVAL, try_ioctl(fd_of(&self->vm, call[i].fd),
						    call[i].cmd, buf))
				TH_LOG("%s, size %u", call[i].name, bad[k]);
		}
	}
}

TEST_F(uapi, an_unknown_tail_gives_e2big_unless_it_is_zero)
{
	size_t i;

	for (i = 0; i < NR_CALLS; i++) {
		u8 buf[4096] = {};
		int fd = fd_of(&self->vm, call[i].fd), zero, tail;

		*(u32 *)buf = call[i].size + 8;
		zero = try_ioctl(fd, call[i].cmd, buf);
		EXPECT_NE(E2BIG, zero) TH_LOG("%s", call[i].name);
		EXPECT_NE(EFAULT, zero) TH_LOG("%s", call[i].name);
		memset(buf, 0, sizeof(buf));
		*(u32 *)buf = call[i].size + 8;
		buf[call[i].size + 7] = 1;
		tail = try_ioctl(fd, call[i].cmd, buf);
		EXPECT_EQ(E2BIG, tail) TH_LOG("%s", call[i].name);
	}
}

TEST_F(uapi, a_short_structure_reads_as_zeros_behind)
{
	struct limen_vm_create arg = { .size = 4, .flags = ~0u };
	struct limen_info info;
	int fd;

	fd = ioctl(self->vm.dev, LIMEN_VM_CREATE, &arg);
	EXPECT_LE(0, fd);
	close(fd);
	memset(&info, 0xaa, sizeof(info));
	info.size = 8;
	EXPECT_EQ(0, try_ioctl(self->vm.dev, LIMEN_INFO, &info));
	EXPECT_EQ(8, info.size);
	EXPECT_EQ(LIMEN_ABI, info.abi);
	EXPECT_EQ(0xaaaaaaaa, info.vendor);
}

TEST_F(uapi, run_kick_and_nmi_take_no_argument)
{
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_RUN, (void *)1));
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_KICK, (void *)1));
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_NMI, (void *)1));
}

/* ---- the device ---- */

TEST_F(uapi, info_is_complete)
{
	struct limen_info info;

	memset(&info, 0xaa, sizeof(info));
	info.size = sizeof(info);
	ASSERT_EQ(0, try_ioctl(self->vm.dev, LIMEN_INFO, &info));
	EXPECT_EQ(LIMEN_ABI, info.abi);
	EXPECT_TRUE(info.vendor == LIMEN_VENDOR_VMX || info.vendor == LIMEN_VENDOR_SVM);
	EXPECT_EQ(LIMEN_MAX_VCPUS, info.max_vcpus);
	EXPECT_EQ(4096, info.run_size);
	EXPECT_EQ(1, info.xcr0 & 1);
	EXPECT_LE(576, info.xsave_size);
	EXPECT_LE(36, info.phys_bits);
	EXPECT_GE(52, info.phys_bits);
	EXPECT_NE(0, info.tsc_khz);
}

TEST_F(uapi, capabilities_are_named_and_end_with_enoent)
{
	struct limen_cap cap = { .size = sizeof(cap) };
	int err, n = 0;

	for (;; n++) {
		cap.index = n;
		err = try_ioctl(self->vm.dev, LIMEN_CAP, &cap);
		if (err)
			break;
		EXPECT_NE(0, cap.name[0]);
		EXPECT_EQ(0, cap.name[31]);
		EXPECT_EQ(0, cap.reason[127]);
		EXPECT_GE(LIMEN_CAP_UNUSED, cap.state);
		if (cap.state == LIMEN_CAP_ABSENT)
			EXPECT_NE(0, cap.reason[0]) TH_LOG("%s", cap.name);
		if (cap.state == LIMEN_CAP_USED)
			EXPECT_EQ(0, cap.reason[0]) TH_LOG("%s", cap.name);
	}
	EXPECT_EQ(ENOENT, err);
	EXPECT_LT(0, n);
	cap.index = ~0u;
	EXPECT_EQ(ENOENT, try_ioctl(self->vm.dev, LIMEN_CAP, &cap));
	cap.index = 0;
	cap.reserved = 1;
	EXPECT_EQ(EINVAL, try_ioctl(self->vm.dev, LIMEN_CAP, &cap));
}

TEST_F(uapi, too_little_room_gives_enospc_and_the_count)
{
	static struct limen_cpuid_entry entry[LIMEN_MAX_CPUID];
	struct limen_cpuid cpuid = { .size = sizeof(cpuid), .entries = PTR(entry) };
	struct limen_msr_list list = { .size = sizeof(list) };
	struct limen_stats stats = { .size = sizeof(stats) };
	struct limen_stat stat[128];
	u32 index[256];

	EXPECT_EQ(ENOSPC, try_ioctl(self->vm.dev, LIMEN_CPUID_GET, &cpuid));
	EXPECT_LT(8, cpuid.count);
	cpuid.count--;
	EXPECT_EQ(ENOSPC, try_ioctl(self->vm.dev, LIMEN_CPUID_GET, &cpuid));
	EXPECT_EQ(0, try_ioctl(self->vm.dev, LIMEN_CPUID_GET, &cpuid));
	cpuid.entries = 0;
	EXPECT_EQ(EFAULT, try_ioctl(self->vm.dev, LIMEN_CPUID_GET, &cpuid));

	list.indices = PTR(index);
	EXPECT_EQ(ENOSPC, try_ioctl(self->vm.dev, LIMEN_MSR_LIST, &list));
	EXPECT_LT(8, list.count);
	ASSERT_GE(256, list.count);
	EXPECT_EQ(0, try_ioctl(self->vm.dev, LIMEN_MSR_LIST, &list));
	list.indices = 0;
	EXPECT_EQ(EFAULT, try_ioctl(self->vm.dev, LIMEN_MSR_LIST, &list));

	stats.stats = PTR(stat);
	EXPECT_EQ(ENOSPC, try_ioctl(self->c->fd, LIMEN_STATS, &stats));
	ASSERT_GE(128, stats.count);
	EXPECT_EQ(0, try_ioctl(self->c->fd, LIMEN_STATS, &stats));
	EXPECT_NE(0, stat[0].name[0]);
}

TEST_F(uapi, vm_create_refuses_flags)
{
	struct limen_vm_create arg = { .size = sizeof(arg), .flags = 1 };

	EXPECT_EQ(EINVAL, try_ioctl(self->vm.dev, LIMEN_VM_CREATE, &arg));
}

TEST_F(uapi, descriptors_are_close_on_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->vm.fd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->c->fd, F_GETFD));
}

/* ---- memory ---- */

TEST_F(uapi, map_refuses_bad_ranges)
{
	struct limen_info info = { .size = sizeof(info) };
	u8 *m = self->vm.mem;
	struct vm *vm = &self->vm;
	u64 end;

	ASSERT_EQ(0, try_ioctl(vm->dev, LIMEN_INFO, &info));
	end = 1ull << info.phys_bits;
	EXPECT_EQ(EINVAL, vm_map(vm, 1ull << 30, m, 0, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, (1ull << 30) + 1, m, 4096, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, 1ull << 30, m + 1, 4096, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, 1ull << 30, m, 4095, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, -4096ull, m, 8192, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, 4096, m, -4096ull, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, end, m, 4096, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, end - 4096, m, 8192, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, 1ull << 30, (void *)-4096ull, 4096, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, 1ull << 30, (void *)0xffff888000000000ull, 4096, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, 1ull << 30, m, 4096, 0));
	EXPECT_EQ(EINVAL, vm_map(vm, 1ull << 30, m, 4096, LIMEN_MEM_WRITE));
	EXPECT_EQ(EINVAL, vm_map(vm, 1ull << 30, m, 4096, LIMEN_MEM_LOG));
	EXPECT_EQ(EINVAL, vm_map(vm, 1ull << 30, m, 4096, 16 | RWX));
	EXPECT_EQ(0, vm_map(vm, end - 4096, m, 4096, RWX));
	EXPECT_EQ(0, vm_unmap(vm, end - 4096, 4096));
}

TEST_F(uapi, map_refuses_overlap_with_eexist)
{
	struct vm *vm = &self->vm;
	u64 base = 1ull << 30;

	ASSERT_EQ(0, vm_map(vm, base, vm->mem, 0x4000, RWX));
	EXPECT_EQ(EEXIST, vm_map(vm, base, vm->mem, 0x4000, RWX));
	EXPECT_EQ(EEXIST, vm_map(vm, base + 0x1000, vm->mem, 0x1000, RWX));
	EXPECT_EQ(EEXIST, vm_map(vm, base - 0x1000, vm->mem, 0x2000, RWX));
	EXPECT_EQ(EEXIST, vm_map(vm, base + 0x3000, vm->mem, 0x2000, RWX));
	EXPECT_EQ(EEXIST, vm_map(vm, base - 0x1000, vm->mem, 0x6000, RWX));
	EXPECT_EQ(0, vm_map(vm, base - 0x1000, vm->mem, 0x1000, RWX));
	EXPECT_EQ(0, vm_map(vm, base + 0x4000, vm->mem, 0x1000, RWX));
}

TEST_F(uapi, map_refuses_the_page_of_the_local_apic)
{
	struct vm *vm = &self->vm;

	EXPECT_EQ(EINVAL, vm_map(vm, APIC_BASE, vm->mem, 0x1000, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, APIC_BASE - 0x1000, vm->mem, 0x2000, RWX));
	EXPECT_EQ(EINVAL, vm_map(vm, APIC_BASE, vm->mem, 0x200000, RWX));
	EXPECT_EQ(0, vm_map(vm, APIC_BASE - 0x1000, vm->mem, 0x1000, RWX));
	EXPECT_EQ(0, vm_map(vm, APIC_BASE + 0x1000, vm->mem, 0x1000, RWX));
}

TEST_F(uapi, unmap_and_protect_want_the_exact_range)
{
	struct vm *vm = &self->vm;
	u64 base = 1ull << 30;
	struct limen_range r = { .size = sizeof(r), .gpa = base, .len = 0x4000 };

	ASSERT_EQ(0, vm_map(vm, base, vm->mem, 0x4000, RWX));
	EXPECT_EQ(ENOENT, vm_unmap(vm, base, 0x3000));
	EXPECT_EQ(ENOENT, vm_unmap(vm, base + 0x1000, 0x3000));
	EXPECT_EQ(ENOENT, vm_unmap(vm, base, 0x5000));
	EXPECT_EQ(ENOENT, vm_unmap(vm, base << 1, 0x4000));
	EXPECT_EQ(ENOENT, vm_protect(vm, base, 0x3000, LIMEN_MEM_READ));
	EXPECT_EQ(EINVAL, vm_protect(vm, base, 0x4000, LIMEN_MEM_WRITE));
	EXPECT_EQ(EINVAL, vm_protect(vm, base, 0x4000, 0));
	r.flags = LIMEN_MEM_READ;
	EXPECT_EQ(EINVAL, try_ioctl(vm->fd, LIMEN_UNMAP, &r));
	r.flags = 0;
	r.hva = 4096;
	EXPECT_EQ(EINVAL, try_ioctl(vm->fd, LIMEN_UNMAP, &r));
	r.flags = LIMEN_MEM_READ;
	EXPECT_EQ(EINVAL, try_ioctl(vm->fd, LIMEN_PROTECT, &r));
	EXPECT_EQ(0, vm_protect(vm, base, 0x4000, LIMEN_MEM_READ));
	EXPECT_EQ(0, vm_unmap(vm, base, 0x4000));
	EXPECT_EQ(ENOENT, vm_unmap(vm, base, 0x4000));
}

TEST_F(uapi, the_65th_range_gives_emfile)
{
	struct vm *vm = &self->vm;
	u64 base = 1ull << 30;
	int i;

	/* one is there already */
	for (i = 1; i < LIMEN_MAX_RANGES; i++)
		ASSERT_EQ(0, vm_map(vm, base + i * 0x2000, vm->mem, 0x1000, RWX));
	EXPECT_EQ(EMFILE, vm_map(vm, base, vm->mem, 0x1000, RWX));
	EXPECT_EQ(0, vm_unmap(vm, base + 0x2000, 0x1000));
	EXPECT_EQ(0, vm_map(vm, base, vm->mem, 0x1000, RWX));
}

/* ---- vCPUs ---- */

TEST_F(uapi, vcpu_ids_are_0_to_63_and_taken_once)
{
	struct limen_vcpu_create arg = { .size = sizeof(arg) };
	static const u32 bad[] = { 64, 65, 0x80000000, 0xffffffff };
	size_t i;
	int fd;

	EXPECT_EQ(EEXIST, try_ioctl(self->vm.fd, LIMEN_VCPU_CREATE, &arg));
	for (i = 0; i < 4; i++) {
		arg.id = bad[i];
		EXPECT_EQ(EINVAL, try_ioctl(self->vm.fd, LIMEN_VCPU_CREATE, &arg));
	}
	for (i = 1; i < 64; i++) {
		arg.id = i;
		fd = ioctl(self->vm.fd, LIMEN_VCPU_CREATE, &arg);
		ASSERT_LE(0, fd);
		close(fd);
		/* the id stays taken: the vCPU lives as long as its VM */
		EXPECT_EQ(EEXIST, try_ioctl(self->vm.fd, LIMEN_VCPU_CREATE, &arg));
	}
}

TEST_F(uapi, topology_leaves_are_offered_with_their_bit)
{
	bool topoext = offered(0x80000001, 2, 22);

	EXPECT_EQ(topoext, offers_leaf(0x8000001d));
	EXPECT_EQ(topoext, offers_leaf(0x8000001e));
}

TEST_F(uapi, cpuid_set_checks_its_table)
{
	static struct limen_cpuid_entry e[LIMEN_MAX_CPUID + 1];
	struct limen_cpuid arg = { .size = sizeof(arg), .entries = PTR(e) };
	int i;

	memset(e, 0, sizeof(e));
	for (i = 0; i <= LIMEN_MAX_CPUID; i++)
		e[i].leaf = i;
	arg.count = LIMEN_MAX_CPUID + 1;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	arg.count = ~0u;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	arg.count = LIMEN_MAX_CPUID;
	EXPECT_EQ(0, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	arg.count = 2;
	e[1].leaf = 0;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	e[0].flags = e[1].flags = LIMEN_CPUID_INDEXED;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	e[1].subleaf = 1;
	EXPECT_EQ(0, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	e[1].flags = 0;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	e[1].flags = 2;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	e[1].flags = LIMEN_CPUID_INDEXED;
	e[1].reserved = 1;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	arg.count = 0;
	EXPECT_EQ(0, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
	arg.count = 1;
	arg.entries = 0;
	EXPECT_EQ(EFAULT, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &arg));
}

TEST_F(uapi, cpuid_and_policy_are_fixed_once_it_ran)
{
	struct limen_cpuid cpuid = { .size = sizeof(cpuid) };
	struct limen_policy p = {
		.size = sizeof(p), .kind = LIMEN_POLICY_PORT, .access = 3,
		.action = LIMEN_DO_CONSTANT,
	};

	guest_load(&self->vm, done);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(EBUSY, try_ioctl(self->c->fd, LIMEN_CPUID_SET, &cpuid));
	EXPECT_EQ(EBUSY, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
}

TEST_F(uapi, policy_checks_its_rule)
{
	static const struct limen_policy bad[] = {
		{ .kind = 0, .access = 3 }, { .kind = 4, .access = 3 },
		{ .kind = LIMEN_POLICY_MSR, .access = 0 },
		{ .kind = LIMEN_POLICY_MSR, .access = 4 },
		{ .kind = LIMEN_POLICY_MSR, .access = 3, .action = 4 },
		{ .kind = LIMEN_POLICY_MSR, .access = 3, .first = 2, .last = 1 },
		{ .kind = LIMEN_POLICY_MSR, .access = 3, .action = LIMEN_DO_EXIT, .value = 1 },
		{ .kind = LIMEN_POLICY_PORT, .access = 3, .last = 0x10000 },
		{ .kind = LIMEN_POLICY_CPUID, .access = 3, .action = LIMEN_DO_EXIT },
		{ .kind = LIMEN_POLICY_CPUID, .access = 1, .action = LIMEN_DO_FAULT },
		{ .kind = LIMEN_POLICY_CPUID, .access = 1, .action = LIMEN_DO_CONSTANT,
		  .value = 1ull << 32 },
	};
	struct limen_policy p;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		p = bad[i];
		p.size = sizeof(p);
		EXPECT_EQ(EINVAL, try_ioctl(self->vm.fd, LIMEN_POLICY, &p))
			TH_LOG("rule %zu", i);
	}
	p = (struct limen_policy){ .size = sizeof(p), .kind = LIMEN_POLICY_MSR,
				   .last = ~0u, .access = 3, .action = LIMEN_DO_EXIT };
	for (i = 0; i < LIMEN_MAX_POLICY; i++)
		EXPECT_EQ(0, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
	EXPECT_EQ(EMFILE, try_ioctl(self->vm.fd, LIMEN_POLICY, &p));
}

TEST_F(uapi, extint_and_apic_access_check_their_values)
{
	struct limen_extint e = { .size = sizeof(e), .level = 2 };
	struct limen_apic_access a = { .size = sizeof(a), .offset = 0x30 };

	EXPECT_EQ(EINVAL, try_ioctl(self->vm.fd, LIMEN_EXTINT, &e));
	EXPECT_EQ(0, try_ioctl(self->c->fd, LIMEN_APIC_ACCESS, &a));
	EXPECT_NE(0, a.value & 0xff);
	a.offset = 0x31;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_APIC_ACCESS, &a));
	a.offset = 0x1000;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_APIC_ACCESS, &a));
	a.offset = 0x80;
	a.write = 2;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_APIC_ACCESS, &a));
}

TEST_F(uapi, translate_walks_the_guests_tables)
{
	struct limen_translate t = { .size = sizeof(t), .access = LIMEN_ACCESS_READ };
	u64 *pd = (u64 *)(self->vm.mem + GUEST_PML4 + 0x2000);

	vcpu_long(self->c, GUEST_CODE);
	t.gva = 0x212345;
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_TRANSLATE, &t));
	EXPECT_EQ(0x212345, t.gpa);
	EXPECT_EQ(0, t.fault);
	EXPECT_EQ(0x20, pd[1] & 0x60);		/* accessed, not dirty */
	t.access = LIMEN_ACCESS_WRITE;
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_TRANSLATE, &t));
	EXPECT_EQ(0x60, pd[1] & 0x60);
	t.access = LIMEN_ACCESS_READ | LIMEN_ACCESS_USER;
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_TRANSLATE, &t));
	EXPECT_EQ(LIMEN_EVENT_VALID | LIMEN_EVENT_ERROR | LIMEN_TYPE_EXCEPTION << 8 | 14,
		  t.fault);
	EXPECT_EQ(5, t.error);
	t.access = LIMEN_ACCESS_WRITE;
	t.gva = 5ull << 30;
	ASSERT_EQ(0, try_ioctl(self->c->fd, LIMEN_TRANSLATE, &t));
	EXPECT_EQ(14, t.fault & 0xff);
	EXPECT_EQ(2, t.error);
	t.access = 0;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_TRANSLATE, &t));
	t.access = LIMEN_ACCESS_READ | LIMEN_ACCESS_WRITE;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_TRANSLATE, &t));
	t.access = 0x10 | LIMEN_ACCESS_READ;
	EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_TRANSLATE, &t));
}

/* ---- state ---- */

static int set_items(struct vcpu *c, struct limen_state_item *item, u32 n)
{
	struct limen_state arg = { .size = sizeof(arg), .count = n, .items = PTR(item) };

	return try_ioctl(c->fd, LIMEN_STATE_SET, &arg);
}

TEST_F(uapi, state_set_changes_all_or_nothing)
{
	struct limen_regs regs = vcpu_regs(self->c), after;
	struct limen_debugregs dr, dr_after;
	struct limen_sregs sregs = vcpu_sregs(self->c), sregs_after;
	struct limen_state_item item[] = {
		{ LIMEN_CLASS_REGS, sizeof(regs), PTR(&regs) },
		{ LIMEN_CLASS_DEBUG, sizeof(dr), PTR(&dr) },
		{ LIMEN_CLASS_SREGS, sizeof(sregs), PTR(&sregs) },
	};
	struct limen_regs old = regs;
	struct limen_sregs old_sregs = sregs;
	struct limen_debugregs old_dr;
	u32 bad;

	ASSERT_EQ(0, vcpu_get(self->c, LIMEN_CLASS_DEBUG, &dr, sizeof(dr)));
	old_dr = dr;
	for (bad = 0; bad < 3; bad++) {
		regs = old;
		sregs = old_sregs;
		dr = old_dr;
		regs.gpr[LIMEN_RBX] = 0x1234;
		dr.dr[0] = 0x5678;
		sregs.cr2 = 0x9abc;
		if (bad == 0)
			regs.rflags = 0;
		else if (bad == 1)
			dr.dr7 = 1ull << 40;
		else
			sregs.cr0 = 1ull << 31;
		EXPECT_EQ(EINVAL, set_items(self->c, item, 3)) TH_LOG("item %u", bad);
		after = vcpu_regs(self->c);
		sregs_after = vcpu_sregs(self->c);
		ASSERT_EQ(0, vcpu_get(self->c, LIMEN_CLASS_DEBUG, &dr_after,
				      sizeof(dr_after)));
		EXPECT_EQ(0, memcmp(&after, &old, sizeof(old)));
		EXPECT_EQ(0, memcmp(&sregs_after, &old_sregs, sizeof(old_sregs)));
		EXPECT_EQ(0, memcmp(&dr_after, &old_dr, sizeof(old_dr)));
	}
	regs.rflags = 2;
	dr.dr7 = 0x400;
	sregs.cr0 = old_sregs.cr0;
	EXPECT_EQ(0, set_items(self->c, item, 3));
	EXPECT_EQ(0x1234, vcpu_regs(self->c).gpr[LIMEN_RBX]);
	EXPECT_EQ(0x9abc, vcpu_sregs(self->c).cr2);
}

TEST_F(uapi, state_items_are_checked)
{
	struct limen_regs regs = vcpu_regs(self->c);
	struct limen_state_item item[9] = {
		{ LIMEN_CLASS_REGS, sizeof(regs), PTR(&regs) },
		{ LIMEN_CLASS_REGS, sizeof(regs), PTR(&regs) },
	};
	struct limen_state arg = { .size = sizeof(arg), .count = 1, .items = 0 };
	static const u32 bad[] = { 0, LIMEN_NR_CLASS, 0x80000000, ~0u };
	size_t i;

	EXPECT_EQ(EINVAL, set_items(self->c, item, 2));		/* twice */
	EXPECT_EQ(EINVAL, set_items(self->c, item, 0));
	EXPECT_EQ(EINVAL, set_items(self->c, item, LIMEN_NR_CLASS));
	EXPECT_EQ(EINVAL, set_items(self->c, item, ~0u));
	EXPECT_EQ(EFAULT, try_ioctl(self->c->fd, LIMEN_STATE_SET, &arg));
	EXPECT_EQ(EFAULT, try_ioctl(self->c->fd, LIMEN_STATE_GET, &arg));
	for (i = 0; i < 4; i++) {
		item[0].cls = bad[i];
		EXPECT_EQ(EINVAL, set_items(self->c, item, 1));
	}
	item[0].cls = LIMEN_CLASS_REGS;
	item[0].len--;
	EXPECT_EQ(EINVAL, set_items(self->c, item, 1));
	item[0].len += 2;
	EXPECT_EQ(EINVAL, set_items(self->c, item, 1));
	item[0].len--;
	item[0].data = 0;
	EXPECT_EQ(EFAULT, set_items(self->c, item, 1));
}

TEST_F(uapi, state_get_stores_the_length)
{
	u8 buf[8192];
	struct limen_state_item item;
	struct limen_state arg = { .size = sizeof(arg), .count = 1, .items = PTR(&item) };
	u32 cls, need;

	for (cls = 1; cls < LIMEN_NR_CLASS; cls++) {
		if (cls == LIMEN_CLASS_MSRS)
			continue;
		item = (struct limen_state_item){ cls, 0, PTR(buf) };
		EXPECT_EQ(ENOSPC, try_ioctl(self->c->fd, LIMEN_STATE_GET, &arg));
		need = item.len;
		ASSERT_GE(sizeof(buf), need);
		item.len = need - 1;
		EXPECT_EQ(ENOSPC, try_ioctl(self->c->fd, LIMEN_STATE_GET, &arg));
		item.len = sizeof(buf);
		EXPECT_EQ(0, try_ioctl(self->c->fd, LIMEN_STATE_GET, &arg));
		EXPECT_EQ(need, item.len);
		/* and what was read can be set */
		EXPECT_EQ(0, vcpu_set(self->c, cls, buf, need)) TH_LOG("class %u", cls);
	}
}

TEST_F(uapi, every_listed_msr_can_be_read_and_set)
{
	struct limen_msr_list list = { .size = sizeof(list), .count = 256 };
	struct limen_msr msr[256] = {};
	u32 index[256], i;

	list.indices = PTR(index);
	ASSERT_EQ(0, try_ioctl(self->vm.dev, LIMEN_MSR_LIST, &list));
	for (i = 0; i < list.count; i++)
		msr[i].index = index[i];
	ASSERT_EQ(0, vcpu_get(self->c, LIMEN_CLASS_MSRS, msr, list.count * sizeof(msr[0])));
	EXPECT_EQ(0, vcpu_set(self->c, LIMEN_CLASS_MSRS, msr, list.count * sizeof(msr[0])));
	msr[1].reserved = 1;
	EXPECT_EQ(EINVAL, vcpu_set(self->c, LIMEN_CLASS_MSRS, msr, 2 * sizeof(msr[0])));
	msr[1].reserved = 0;
	msr[1].index = 0x1fff;
	EXPECT_EQ(EINVAL, vcpu_set(self->c, LIMEN_CLASS_MSRS, msr, 2 * sizeof(msr[0])));
	EXPECT_EQ(EINVAL, vcpu_get(self->c, LIMEN_CLASS_MSRS, msr, 2 * sizeof(msr[0])));
	EXPECT_EQ(EINVAL, vcpu_get(self->c, LIMEN_CLASS_MSRS, msr, 7));
}

TEST_F(uapi, illegal_states_give_einval)
{
	struct limen_sregs s;
	struct limen_events ev = {}, old;
	struct limen_regs r = { .rflags = 2 };
	int i;

	vcpu_long(self->c, GUEST_CODE);
	for (i = 0; i < 12; i++) {
		s = vcpu_sregs(self->c);
		switch (i) {
		case 0: s.cr0 &= ~1ull; break;		/* PG without PE */
		case 1: s.cr0 |= 1ull << 29; break;	/* NW without CD */
		case 2: s.cr0 |= 1ull << 32; break;
		case 3: s.cr4 |= 1ull << 13; break;	/* VMXE */
		case 4: s.cr4 &= ~0x20ull; break;	/* LMA without PAE */
		case 5: s.efer &= ~0x400ull; break;	/* LMA */
		case 6: s.efer |= 1 << 12; break;	/* SVME */
		case 7: s.cr3 = 1ull << 62; break;
		case 8: s.xcr0 = 2; break;
		case 9: s.cr8 = 16; break;
		case 10: s.seg[LIMEN_DS].base = 1ull << 55; break;
		case 11: s.seg[LIMEN_DS].ar |= 0x200; break;
		}
		EXPECT_EQ(EINVAL, vcpu_set(self->c, LIMEN_CLASS_SREGS, &s, sizeof(s)))
			TH_LOG("case %d", i);
	}
	r.rflags = 2 | 1 << 15;
	EXPECT_EQ(EINVAL, vcpu_set(self->c, LIMEN_CLASS_REGS, &r, sizeof(r)));
	r.rflags = 2 | 1ull << 40;
	EXPECT_EQ(EINVAL, vcpu_set(self->c, LIMEN_CLASS_REGS, &r, sizeof(r)));
	ASSERT_EQ(0, vcpu_get(self->c, LIMEN_CLASS_EVENTS, &old, sizeof(old)));
	for (i = 0; i < 12; i++) {
		ev = old;
		switch (i) {
		case 0: ev.nmi_pending = 3; break;
		case 1: ev.nmi_blocked = 2; break;
		case 2: ev.shadow = 3; break;
		case 3: ev.mp_state = 4; break;
		case 4: ev.insn_len = 16; break;
		case 5: ev.reserved = 1; break;
		case 6: ev.exception = 13; break;	/* not valid, not 0 */
		case 7: ev.exception = 1u << 31 | 3 << 8 | 32; break;
		case 8: ev.exception = 1u << 31 | 3 << 8 | 2; break;
		case 9: ev.exception = 1u << 31 | 0 << 8 | 32; break;
		case 10: ev.injected = 1u << 31 | 1 << 8 | 32; break;
		case 11: ev.injected = 1u << 31 | 1 << 20 | 32; break;
		}
		EXPECT_EQ(EINVAL, vcpu_set(self->c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev)))
			TH_LOG("case %d", i);
	}
}

/* ---- the run page ---- */

TEST_F(uapi, the_run_page_is_one_shared_page_without_exec)
{
	int fd = self->c->fd;

#define TRY(len, prot, flags, off)					\
	(mmap(NULL, len, prot, flags, fd, off) == MAP_FAILED ? errno : 0)
	EXPECT_EQ(EINVAL, TRY(4096, PROT_READ, MAP_PRIVATE, 0));
	EXPECT_EQ(EINVAL, TRY(8192, PROT_READ, MAP_SHARED, 0));
	EXPECT_EQ(EINVAL, TRY(4096, PROT_READ, MAP_SHARED, 4096));
	EXPECT_EQ(EINVAL, TRY(4096, PROT_READ | PROT_EXEC, MAP_SHARED, 0));
	EXPECT_EQ(0, TRY(4096, PROT_READ, MAP_SHARED, 0));
	EXPECT_EQ(0, TRY(4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0));
	fd = self->vm.fd;
	EXPECT_EQ(ENODEV, TRY(4096, PROT_READ, MAP_SHARED, 0));
}

TEST_F(uapi, the_run_page_cannot_become_executable)
{
	EXPECT_EQ(-1, mprotect(self->c->run, 4096, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(uapi, the_run_page_outlives_its_descriptors)
{
	struct limen_run *run = self->c->run;

	close(self->c->fd);
	close(self->vm.fd);
	close(self->vm.dev);
	run->flags = 0x55;
	EXPECT_EQ(0x55, run->flags);
}

TEST_F(uapi, garbage_in_the_run_page_gives_einval_and_changes_nothing)
{
	struct limen_run *run = self->c->run;
	struct limen_regs before, after;
	int i;

	guest_load(&self->vm, done);
	vcpu_long(self->c, GUEST_CODE);
	before = vcpu_regs(self->c);
	for (i = 0; i < 6; i++) {
		run->flags = i == 0 ? 2 : i == 1 ? ~0u : 0;
		run->complete = i == 2 ? 2 : i == 3 ? ~0u : 0;
		run->dirty = i == 4 ? 2 : i == 5 ? LIMEN_DIRTY_REGS : 0;
		run->regs.rflags = 0;
		EXPECT_EQ(EINVAL, try_ioctl(self->c->fd, LIMEN_RUN, NULL)) TH_LOG("case %d", i);
		after = vcpu_regs(self->c);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	}
	run->flags = run->complete = run->dirty = 0;
	EXPECT_EQ(GUEST_DONE, vcpu_go(self->c));
}

GUEST64(mmio, "mov $0x50000000, %eax; mov %ecx, (%rax)" G_DONE);

TEST_F(uapi, a_bad_length_for_mmio_gives_einval_and_the_exit_waits)
{
	struct limen_run *run = self->c->run;

	guest_load(&self->vm, mmio);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(LIMEN_EXIT_MMIO, vcpu_go(self->c));
	run->insn_len = 16;
	EXPECT_EQ(-EINVAL, vcpu_run(self->c));
	run->insn_len = 2;
	EXPECT_EQ(GUEST_DONE, vcpu_go(self->c));
}

/* ---- descriptors ---- */

TEST_F(uapi, another_process_gets_eio)
{
	struct limen_state arg = { .size = sizeof(arg) };
	int status;
	pid_t pid = fork();

	if (!pid) {
		int bad = 0;

		bad |= try_ioctl(self->c->fd, LIMEN_RUN, NULL) != EIO;
		bad |= try_ioctl(self->c->fd, LIMEN_KICK, NULL) != EIO;
		bad |= try_ioctl(self->c->fd, LIMEN_STATE_GET, &arg) != EIO;
		bad |= vm_unmap(&self->vm, 0, GUEST_MEM) != EIO;
		bad |= try_ioctl(self->vm.fd, 0, NULL) != EIO;
		_exit(bad);
	}
	ASSERT_LT(0, pid);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	guest_load(&self->vm, done);
	vcpu_long(self->c, GUEST_CODE);
	EXPECT_EQ(GUEST_DONE, vcpu_go(self->c));
}

TEST_F(uapi, a_vcpu_outlives_its_vm_and_device_descriptors)
{
	guest_load(&self->vm, done);
	vcpu_long(self->c, GUEST_CODE);
	close(self->vm.fd);
	close(self->vm.dev);
	EXPECT_EQ(GUEST_DONE, vcpu_go(self->c));
}

TEST_F(uapi, descriptors_close_in_any_order)
{
	int order, fd[3], copy;

	for (order = 0; order < 6; order++) {
		static const u8 perm[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					       { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
		struct vm vm;

		vm_simple(&vm);
		fd[0] = vm.dev;
		fd[1] = vm.fd;
		fd[2] = vm.cpu[0].fd;
		copy = dup(vm.cpu[0].fd);
		munmap(vm.cpu[0].run, 4096);
		close(fd[perm[order][0]]);
		close(fd[perm[order][1]]);
		close(fd[perm[order][2]]);
		EXPECT_EQ(0, try_ioctl(copy, LIMEN_KICK, NULL));
		close(copy);
		munmap(vm.mem, GUEST_MEM);
	}
}

static void *run_thread(void *arg)
{
	int ret;

	/* the main thread looks in every millisecond, and may be just there */
	do {
		ret = vcpu_run(arg);
	} while (ret == -EBUSY);
	return (void *)(long)ret;
}

TEST_F(uapi, a_vcpu_in_use_gives_ebusy_and_can_be_kicked)
{
	struct limen_regs regs;
	struct timespec ms = { .tv_nsec = 1000000 };
	pthread_t t;
	void *ret;
	int i;

	guest_load(&self->vm, spin);
	vcpu_long(self->c, GUEST_CODE);
	pthread_create(&t, NULL, run_thread, self->c);
	for (i = 0; i < 5000; i++) {
		if (vcpu_get(self->c, LIMEN_CLASS_REGS, &regs, sizeof(regs)) == EBUSY)
			break;
		nanosleep(&ms, NULL);
	}
	EXPECT_EQ(EBUSY, try_ioctl(self->c->fd, LIMEN_RUN, NULL));
	EXPECT_EQ(EBUSY, vcpu_get(self->c, LIMEN_CLASS_REGS, &regs, sizeof(regs)));
	EXPECT_EQ(EBUSY, vcpu_set(self->c, LIMEN_CLASS_REGS, &regs, sizeof(regs)));
	EXPECT_EQ(0, try_ioctl(self->c->fd, LIMEN_KICK, NULL));
	pthread_join(t, &ret);
	EXPECT_EQ(LIMEN_EXIT_KICKED, (long)ret);
}

TEST_F(uapi, the_module_cannot_go_while_a_descriptor_is_open)
{
	if (access("/sys/module/limen", F_OK))
		SKIP(return, "limen is not a loaded module here");
	EXPECT_EQ(-1, syscall(SYS_delete_module, "limen", O_NONBLOCK));
	EXPECT_TRUE(errno == EWOULDBLOCK || errno == EBUSY);
	EXPECT_EQ(0, access("/sys/module/limen", F_OK));
}

TEST_HARNESS_MAIN
