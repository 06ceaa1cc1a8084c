// SPDX-License-Identifier: GPL-2.0-only
/* See guest.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define CR0_PE_ET	0x11ull
#define CR0_LONG	0x80010033ull	/* PG, WP, NE, ET, MP, PE */
#define CR4_LONG	0x620ull	/* PAE, OSFXSR, OSXMMEXCPT */
#define EFER_LONG	0x500ull	/* LMA, LME */
#define PTE_RW		0x3ull
#define PTE_LEAF	0x83ull

/* vectors whose exception pushes an error code */
#define HAS_ERROR	0x227d00u

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# guest.c: ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	fflush(stdout);
	_exit(1);
}

/*
 * The handler of all vectors. Stack, from RSP: RAX, RBX, vector, error code,
 * RIP, CS, RFLAGS, RSP, SS after the two pushes. Layout of struct guest_block.
 */
GUEST64(guest_handler,
	"push %rbx\n push %rax\n"
	"mov %gs:0, %ebx\n"
	"and $63, %ebx\n"
	"imul $40, %rbx, %rbx\n"
	"mov 16(%rsp), %eax\n mov %eax, %gs:256(%rbx)\n"
	"mov 24(%rsp), %eax\n mov %eax, %gs:260(%rbx)\n"
	"mov 32(%rsp), %rax\n mov %rax, %gs:264(%rbx)\n"
	"mov %cr2, %rax\n mov %rax, %gs:272(%rbx)\n"
	"mov %dr6, %rax\n mov %rax, %gs:280(%rbx)\n"
	"mov 48(%rsp), %rax\n mov %rax, %gs:288(%rbx)\n"
	"incl %gs:0\n"
	/* interrupts end at the APIC */
	"cmpl $32, 16(%rsp)\n jb 2f\n"
	"cmpl $1, %gs:4\n jb 5f\n ja 1f\n"
	"push %rcx\n push %rdx\n mov $0x80b, %ecx\n xor %eax, %eax\n"
	"xor %edx, %edx\n wrmsr\n pop %rdx\n pop %rcx\n jmp 5f\n"
	"1: mov $0xfee000b0, %ebx\n movl $0, (%rbx)\n jmp 5f\n"
	/* exceptions: go on at R15, once; without it, traps return and faults
	 * are a bug of the guest */
	"2: test %r15, %r15\n jz 3f\n"
	"mov %r15, 32(%rsp)\n xor %r15d, %r15d\n jmp 5f\n"
	"3: mov 16(%rsp), %eax\n"
	"cmp $1, %eax\n je 5f\n cmp $2, %eax\n je 5f\n"
	"cmp $3, %eax\n je 5f\n cmp $4, %eax\n je 5f\n"
	"out %eax, $0x12\n cli\n hlt\n"
	"5: pop %rax\n pop %rbx\n add $16, %rsp\n iretq\n");

/* What a test printed shall be there when it is killed. */
__attribute__((constructor)) static void by_line(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}

int limen_open(void)
{
	return open("/dev/limen", O_RDWR | O_CLOEXEC);
}

int try_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? errno : 0;
}

void vm_create(struct vm *vm)
{
	struct limen_vm_create arg = { .size = sizeof(arg) };

	memset(vm, 0, sizeof(*vm));
	vm->dev = limen_open();
	if (vm->dev < 0)
		die("/dev/limen: %s", strerror(errno));
	vm->fd = ioctl(vm->dev, LIMEN_VM_CREATE, &arg);
	if (vm->fd < 0)
		die("LIMEN_VM_CREATE: %s", strerror(errno));
}

int vm_map(struct vm *vm, u64 gpa, void *hva, u64 len, u32 flags)
{
	struct limen_range r = {
		.size = sizeof(r), .flags = flags, .gpa = gpa, .len = len,
		.hva = (u64)(uintptr_t)hva,
	};

	return try_ioctl(vm->fd, LIMEN_MAP, &r);
}

int vm_unmap(struct vm *vm, u64 gpa, u64 len)
{
	struct limen_range r = { .size = sizeof(r), .gpa = gpa, .len = len };

	return try_ioctl(vm->fd, LIMEN_UNMAP, &r);
}

int vm_protect(struct vm *vm, u64 gpa, u64 len, u32 flags)
{
	struct limen_range r = {
		.size = sizeof(r), .flags = flags, .gpa = gpa, .len = len,
	};

	return try_ioctl(vm->fd, LIMEN_PROTECT, &r);
}

void vm_memory(struct vm *vm)
{
	int err;

	vm->mem = mmap(NULL, GUEST_MEM, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->mem == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	err = vm_map(vm, 0, vm->mem, GUEST_MEM,
		     LIMEN_MEM_READ | LIMEN_MEM_WRITE | LIMEN_MEM_EXEC);
	if (err)
		die("LIMEN_MAP: %s", strerror(err));
}

void guest_copy(struct vm *vm, u64 gpa, const void *from, u64 len)
{
	if (gpa + len > GUEST_MEM)
		die("no guest memory at %#llx", (unsigned long long)gpa);
	memcpy(vm->mem + gpa, from, len);
}

static struct limen_cpuid_entry *all_cpuid(u32 *n)
{
	static struct limen_cpuid_entry entry[LIMEN_MAX_CPUID];
	static struct limen_cpuid arg;
	int dev;

	if (!arg.size) {
		arg.size = sizeof(arg);
		arg.count = LIMEN_MAX_CPUID;
		arg.entries = (u64)(uintptr_t)entry;
		dev = limen_open();
		if (ioctl(dev, LIMEN_CPUID_GET, &arg))
			die("LIMEN_CPUID_GET: %s", strerror(errno));
		close(dev);
	}
	*n = arg.count;
	return entry;
}

bool offers_leaf(u32 leaf)
{
	u32 i, n;
	struct limen_cpuid_entry *e = all_cpuid(&n);

	for (i = 0; i < n; i++)
		if (e[i].leaf == leaf)
			return true;
	return false;
}

bool offered(u32 leaf, int reg, int bit)
{
	u32 i, n, val[4];
	struct limen_cpuid_entry *e = all_cpuid(&n);

	for (i = 0; i < n; i++) {
		if (e[i].leaf != leaf ||
		    ((e[i].flags & LIMEN_CPUID_INDEXED) && e[i].subleaf))
			continue;
		val[0] = e[i].eax;
		val[1] = e[i].ebx;
		val[2] = e[i].ecx;
		val[3] = e[i].edx;
		return val[reg] & (1u << bit);
	}
	return false;
}

struct vcpu *vm_vcpu(struct vm *vm, u32 id)
{
	struct limen_vcpu_create create = { .size = sizeof(create), .id = id };
	struct limen_cpuid cpuid = { .size = sizeof(cpuid) };
	struct vcpu *c = &vm->cpu[id];

	c->vm = vm;
	c->id = id;
	c->fd = ioctl(vm->fd, LIMEN_VCPU_CREATE, &create);
	if (c->fd < 0)
		die("LIMEN_VCPU_CREATE: %s", strerror(errno));
	c->run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->run == MAP_FAILED)
		die("mmap of the run page: %s", strerror(errno));
	cpuid.entries = (u64)(uintptr_t)all_cpuid(&cpuid.count);
	if (ioctl(c->fd, LIMEN_CPUID_SET, &cpuid))
		die("LIMEN_CPUID_SET: %s", strerror(errno));
	return c;
}

void vcpu_hide(struct vcpu *c, u32 leaf, int reg, u32 bits)
{
	struct limen_cpuid_entry copy[LIMEN_MAX_CPUID];
	struct limen_cpuid cpuid = { .size = sizeof(cpuid) };
	struct limen_cpuid_entry *e = all_cpuid(&cpuid.count);
	u32 i;

	memcpy(copy, e, cpuid.count * sizeof(*e));
	for (i = 0; i < cpuid.count; i++)
		if (copy[i].leaf == leaf)
			(&copy[i].eax)[reg] &= ~bits;
	cpuid.entries = (u64)(uintptr_t)copy;
	if (ioctl(c->fd, LIMEN_CPUID_SET, &cpuid))
		die("LIMEN_CPUID_SET: %s", strerror(errno));
}

struct vcpu *vm_simple(struct vm *vm)
{
	vm_create(vm);
	vm_memory(vm);
	return vm_vcpu(vm, 0);
}

void vm_close(struct vm *vm)
{
	int i;

	for (i = 0; i < GUEST_VCPUS; i++) {
		if (!vm->cpu[i].run)
			continue;
		munmap(vm->cpu[i].run, 4096);
		close(vm->cpu[i].fd);
	}
	close(vm->fd);
	close(vm->dev);
	if (vm->mem)
		munmap(vm->mem, GUEST_MEM);
	memset(vm, 0, sizeof(*vm));
}

int vcpu_get(struct vcpu *c, u32 cls, void *data, u32 len)
{
	struct limen_state_item item = {
		.cls = cls, .len = len, .data = (u64)(uintptr_t)data,
	};
	struct limen_state arg = {
		.size = sizeof(arg), .count = 1, .items = (u64)(uintptr_t)&item,
	};

	return try_ioctl(c->fd, LIMEN_STATE_GET, &arg);
}

int vcpu_set(struct vcpu *c, u32 cls, const void *data, u32 len)
{
	struct limen_state_item item = {
		.cls = cls, .len = len, .data = (u64)(uintptr_t)data,
	};
	struct limen_state arg = {
		.size = sizeof(arg), .count = 1, .items = (u64)(uintptr_t)&item,
	};

	return try_ioctl(c->fd, LIMEN_STATE_SET, &arg);
}

struct limen_regs vcpu_regs(struct vcpu *c)
{
	struct limen_regs regs;
	int err = vcpu_get(c, LIMEN_CLASS_REGS, &regs, sizeof(regs));

	if (err)
		die("get REGS: %s", strerror(err));
	return regs;
}

struct limen_sregs vcpu_sregs(struct vcpu *c)
{
	struct limen_sregs sregs;
	int err = vcpu_get(c, LIMEN_CLASS_SREGS, &sregs, sizeof(sregs));

	if (err)
		die("get SREGS: %s", strerror(err));
	return sregs;
}

static void set_both(struct vcpu *c, const struct limen_regs *regs,
		     const struct limen_sregs *sregs)
{
	int err = vcpu_set(c, LIMEN_CLASS_SREGS, sregs, sizeof(*sregs));

	err = err ?: vcpu_set(c, LIMEN_CLASS_REGS, regs, sizeof(*regs));
	if (err)
		die("set REGS and SREGS: %s", strerror(err));
}

static u64 stack_of(const struct vcpu *c)
{
	return GUEST_STACKS - c->id * 0x400ull;
}

struct guest_block *vcpu_block(struct vcpu *c)
{
	return (void *)(c->vm->mem + GUEST_BLOCKS + c->id * 4096ull);
}

/* Neither halted nor waiting for SIPI, and nothing left of what it did before */
static void run_now(struct vcpu *c)
{
	struct limen_events ev = { .mp_state = LIMEN_MP_RUNNING };
	int err = vcpu_set(c, LIMEN_CLASS_EVENTS, &ev, sizeof(ev));

	if (err)
		die("set EVENTS: %s", strerror(err));
}

void vcpu_real(struct vcpu *c, u32 rip)
{
	struct limen_sregs s = vcpu_sregs(c);
	struct limen_regs regs = { .rip = rip & 0xffff, .rflags = 2 };

	s.seg[LIMEN_CS].base = rip & ~0xffffu;
	s.seg[LIMEN_CS].sel = (rip & ~0xffffu) >> 4;
	s.idt.base = 0;
	s.idt.limit = 0x3ff;
	s.cr0 = 0x10;
	s.cr4 = 0;
	s.efer = 0;
	regs.gpr[LIMEN_RSP] = 0x8000 - c->id * 0x400;
	set_both(c, &regs, &s);
	run_now(c);
}

static void flat_segments(struct limen_sregs *s, bool long_mode)
{
	int i;

	for (i = LIMEN_ES; i <= LIMEN_GS; i++)
		s->seg[i] = (struct limen_segment){
			.limit = ~0u, .ar = 0xc093, .sel = SEL_DATA,
		};
	s->seg[LIMEN_CS].ar = long_mode ? 0xa09b : 0xc09b;
	s->seg[LIMEN_CS].sel = long_mode ? SEL_CODE64 : SEL_CODE32;
	s->seg[LIMEN_TR] = (struct limen_segment){
		.base = GUEST_TSS, .limit = 0x67, .ar = 0x8b, .sel = SEL_TSS,
	};
	s->seg[LIMEN_LDTR] = (struct limen_segment){ .ar = LIMEN_AR_UNUSABLE };
	s->gdt = (struct limen_table){ .base = GUEST_GDT, .limit = 0x2f };
	s->idt = (struct limen_table){ .base = GUEST_IDT, .limit = 0xfff };
}

static void write_gdt(struct vm *vm)
{
	const u64 gdt[] = {
		0, 0x00cf9b000000ffffull, 0x00cf93000000ffffull,
		0x00af9b000000ffffull, 0x00008b0000000067ull | GUEST_TSS << 16, 0,
	};

	guest_copy(vm, GUEST_GDT, gdt, sizeof(gdt));
}

void vcpu_protected(struct vcpu *c, u32 rip)
{
	struct limen_sregs s = vcpu_sregs(c);
	struct limen_regs regs = { .rip = rip, .rflags = 2 };

	write_gdt(c->vm);
	flat_segments(&s, false);
	s.idt.limit = 0;
	s.cr0 = CR0_PE_ET;
	s.cr4 = 0;
	s.efer = 0;
	regs.gpr[LIMEN_RSP] = stack_of(c);
	set_both(c, &regs, &s);
	run_now(c);
}

static void write_page_tables(struct vm *vm)
{
	u64 *pml4 = (u64 *)(vm->mem + GUEST_PML4);
	u64 *pdpt = pml4 + 512;
	u64 i;

	pml4[0] = (GUEST_PML4 + 0x1000) | PTE_RW;
	for (i = 0; i < 4; i++)
		pdpt[i] = (GUEST_PML4 + 0x2000 + i * 0x1000) | PTE_RW;
	for (i = 0; i < 2048; i++)
		pdpt[512 + i] = i << 21 | PTE_LEAF;
}

static void write_idt(struct vm *vm)
{
	u32 i;

	for (i = 0; i < 256; i++) {
		u64 to = GUEST_STUBS + i * 16;
		u8 *stub = vm->mem + to;
		u64 *gate = (u64 *)(vm->mem + GUEST_IDT + i * 16);
		u32 rel;

		gate[0] = (to & 0xffff) | (u64)SEL_CODE64 << 16 | 0x8e00ull << 32;
		gate[1] = 0;
		if (i < 32 && HAS_ERROR >> i & 1) {
			*stub++ = 0x66;		/* two-byte NOP */
			*stub++ = 0x90;
		} else {
			*stub++ = 0x6a;		/* PUSH 0 */
			*stub++ = 0;
		}
		*stub++ = 0x68;			/* PUSH vector */
		memcpy(stub, &i, 4);
		stub += 4;
		*stub++ = 0xe9;			/* JMP handler */
		rel = GUEST_HANDLER - (u32)(stub + 4 - vm->mem);
		memcpy(stub, &rel, 4);
	}
	guest_copy(vm, GUEST_HANDLER, guest_handler,
		   (u64)(guest_handler_end - guest_handler));
}

void guest_tables(struct vm *vm)
{
	write_gdt(vm);
	write_page_tables(vm);
	write_idt(vm);
}

void vcpu_long(struct vcpu *c, u64 rip)
{
	struct limen_sregs s = vcpu_sregs(c);
	struct limen_regs regs = { .rip = rip, .rflags = 2 };

	_Static_assert(offsetof(struct guest_block, event) == 256, "handler");
	_Static_assert(sizeof(struct guest_event) == 40, "handler");
	guest_tables(c->vm);
	flat_segments(&s, true);
	s.seg[LIMEN_GS].base = GUEST_BLOCKS + c->id * 4096ull;
	s.cr0 = CR0_LONG;
	s.cr3 = GUEST_PML4;
	s.cr4 = CR4_LONG;
	s.efer = EFER_LONG;
	regs.gpr[LIMEN_RSP] = stack_of(c);
	set_both(c, &regs, &s);
	run_now(c);
}

int vcpu_run(struct vcpu *c)
{
	c->run->complete = LIMEN_FULFIL;
	return ioctl(c->fd, LIMEN_RUN, 0) < 0 ? -errno : (int)c->run->exit;
}

int vcpu_go(struct vcpu *c)
{
	int ret;

	for (;;) {
		ret = vcpu_run(c);
		if (ret != LIMEN_EXIT_IO || c->run->io.in || c->run->io.string)
			return ret;
		switch (c->run->io.port) {
		case PORT_REPORT:
			if (c->nr_reports < GUEST_REPORTS)
				c->report[c->nr_reports++] = c->run->io.data;
			continue;
		case PORT_DONE:
			return GUEST_DONE;
		case PORT_BUG:
			printf("# the guest took exception %u, error %#x, at %#llx\n",
			       c->run->io.data,
			       vcpu_block(c)->event[(vcpu_block(c)->nr_events - 1) &
						    (GUEST_LOG - 1)].error,
			       (unsigned long long)
			       vcpu_block(c)->event[(vcpu_block(c)->nr_events - 1) &
						    (GUEST_LOG - 1)].rip);
			fflush(stdout);
			return GUEST_BUG;
		default:
			return ret;
		}
	}
}

u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

int guest_start(struct vcpu *c, const u8 *code, const u8 *end)
{
	guest_copy(c->vm, GUEST_CODE, code, (u64)(end - code));
	vcpu_block(c)->nr_events = 0;
	c->nr_reports = 0;
	vcpu_long(c, GUEST_CODE);
	return vcpu_go(c);
}

void *vcpu_thread(void *c)
{
	return (void *)(long)vcpu_go(c);
}

struct guest_stats vcpu_stats(struct vcpu *c)
{
	struct guest_stats n = { };
	struct limen_stats arg = {
		.size = sizeof(arg), .count = 128, .stats = (u64)(uintptr_t)n.stat,
	};

	if (try_ioctl(c->fd, LIMEN_STATS, &arg)) {
		printf("# LIMEN_STATS failed\n");
		abort();
	}
	n.nr = arg.count;
	return n;
}

u64 vcpu_stat(struct vcpu *c, const char *name)
{
	struct guest_stats n = vcpu_stats(c);
	u32 i;

	for (i = 0; i < n.nr; i++)
		if (!strcmp(n.stat[i].name, name))
			return n.stat[i].value;
	printf("# there is no counter %s\n", name);
	abort();
}

bool cap_used(int dev, const char *name)
{
	struct limen_cap cap = { .size = sizeof(cap) };

	for (; !ioctl(dev, LIMEN_CAP, &cap); cap.index++)
		if (!strcmp((char *)cap.name, name))
			return cap.state == LIMEN_CAP_USED;
	return false;
}

bool is_vmx(void)
{
	struct limen_info info = { .size = sizeof(info) };
	int dev = limen_open();

	if (ioctl(dev, LIMEN_INFO, &info))
		die("LIMEN_INFO: %s", strerror(errno));
	close(dev);
	return info.vendor == LIMEN_VENDOR_VMX;
}

bool is_qemu(void)
{
	u32 a, b, c, d;

	asm volatile("cpuid" : "=a" (a), "=b" (b), "=c" (c), "=d" (d)
		     : "a" (0x40000000), "c" (0));
	return b == 0x54474354;		/* TCGTCGTCGTCG */
}

u64 next_random(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}
