// SPDX-License-Identifier: GPL-2.0-only
/* Instructions: what a guest can run, what exits, what it gets back. */
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "guest.h"

FIXTURE(exec)
{
	struct vm vm;
	struct vcpu *c;
	struct guest_block *b;
};

FIXTURE_SETUP(exec)
{
	int dev = limen_open();

	if (dev < 0)
		SKIP(return, "no /dev/limen");
	close(dev);
	self->c = vm_simple(&self->vm);
	self->b = vcpu_block(self->c);
}

FIXTURE_TEARDOWN(exec)
{
	if (self->vm.mem)
		vm_close(&self->vm);
}

GUEST16(hello16, "mov $0x1234, %ax; out %ax, $0x10" G_DONE);

TEST_F(exec, real_mode_reaches_a_port)
{
	guest_load(&self->vm, hello16);
	vcpu_real(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	ASSERT_EQ(1, self->c->nr_reports);
	EXPECT_EQ(0x1234, self->c->report[0]);
	EXPECT_EQ(16, self->c->run->mode);
	EXPECT_EQ(0, self->c->run->cpl);
}

GUEST32(hello32, "mov $0x12345678, %eax" G_REPORT G_DONE);

TEST_F(exec, protected_mode_reaches_a_port)
{
	guest_load(&self->vm, hello32);
	vcpu_protected(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(0x12345678, self->c->report[0]);
	EXPECT_EQ(32, self->c->run->mode);
}

GUEST64(hello64, "movabs $0x123456789abcdef0, %rbx; mov %rbx, %gs:8;"
	"mov $7, %eax" G_REPORT G_DONE);

TEST_F(exec, long_mode_reaches_a_port)
{
	guest_load(&self->vm, hello64);
	vcpu_long(self->c, GUEST_CODE);
	ASSERT_EQ(GUEST_DONE, vcpu_go(self->c));
	EXPECT_EQ(7, self->c->report[0]);
	EXPECT_EQ(0x123456789abcdef0ull, self->b->value[0]);
	EXPECT_EQ(64, self->c->run->mode);
}

TEST_HARNESS_MAIN
