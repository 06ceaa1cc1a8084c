// SPDX-License-Identifier: GPL-2.0-only
/* A little of everything, in a moment: what lifecycle.sh runs in each cycle. */
#include <pthread.h>
#include <sys/mman.h>

#include "guest.h"
#include "harness.h"

FIXTURE(smoke)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
};

FIXTURE_SETUP(smoke)
{
	NEED_DEVICE();
	self->c = vm_simple(&self->vm);
	self->b = vcpu_block(self->c);
}

FIXTURE_TEARDOWN(smoke)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

GUEST16(hello16, "mov $0x16, %ax; out %ax, $0x10" G_DONE);
GUEST32(hello32, "mov $0x32, %eax" G_REPORT G_DONE);
GUEST64(hello64, "mov $0x64, %eax" G_REPORT "xor %eax, %eax; cpuid; ud2" G_DONE);

TEST_F(smoke, all_three_modes)
{
	guest_load(&self->vm, hello16);
	vcpu_real(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	guest_load(&self->vm, hello32);
	vcpu_protected(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	guest_load(&self->vm, hello64);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_BUG, vcpu_go(self->c));		/* the #UD was seen */
	EXPECT_EQ(0x16, self->c->report[0]);
	EXPECT_EQ(0x32, self->c->report[1]);
	EXPECT_EQ(0x64, self->c->report[2]);
}

/* Two vCPUs, a timer and an IPI each way */
GUEST64(ping, "mov $0x1b, %ecx; rdmsr; or $0xc00, %eax; wrmsr;"
	"mov $0x80f, %ecx; mov $0x1ff, %eax; xor %edx, %edx; wrmsr; movl $1, %gs:4;"
	"movl $1, %gs:8; mov $0x83e, %ecx; mov $0xb, %eax; wrmsr; mov $0x832, %ecx;"
	"mov $0x50, %eax; wrmsr; mov $0x838, %ecx; mov $300000, %eax; wrmsr\n"
	"1: cli; cmpl $1, %gs:0; jae 2f; sti; hlt; jmp 1b\n2:" G_DONE);

TEST_F(smoke, two_vcpus_and_their_timers)
{
	struct vcpu *ap = vm_vcpu(&self->vm, 1);
	pthread_t t;
	void *ret;

	guest_load(&self->vm, ping);
	vcpu_long(self->c, GUEST_CODE);
	vcpu_long(ap, GUEST_CODE);
	pthread_create(&t, NULL, vcpu_thread, ap);
	EXPECT_EQ(GUEST_DONE, vcpu_go(self->c));
	pthread_join(t, &ret);
	EXPECT_EQ(GUEST_DONE, (long)ret);
	EXPECT_EQ(0x50, self->b->event[0].vector);
	EXPECT_EQ(0x50, vcpu_block(ap)->event[0].vector);
}

GUEST64(touch, "mov $0x100000, %ebx; mov $256, %ecx\n1: incq (%rbx); add $4096, %rbx;"
	"dec %ecx; jnz 1b" G_DONE);

TEST_F(smoke, memory_that_comes_and_goes)
{
	int i;

	guest_load(&self->vm, touch);
	for (i = 0; i < 4; i++) {
		vcpu_long(self->c, GUEST_CODE);
		ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
		EXPECT_EQ(1, *(u64 *)(self->vm.mem + GUEST_DATA));
		madvise(self->vm.mem + GUEST_DATA, 256 << 12, MADV_DONTNEED);
	}
}

TEST_HARNESS_MAIN
