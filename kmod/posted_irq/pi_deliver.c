// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages between APICs: an MSI from the VMM, or an IPI that a guest sends by
 * its ICR. Who is addressed, which of them takes it, and what it does to them.
 *
 * Runs in the sender's context and reads the targets' registers as they are at
 * that moment, like the bus would.
 */
#include <linux/bitfield.h>

#include "../limen.h"
#include "pi_local.h"

#define EVERYONE	0xffffffffu	/* x2APIC's broadcast; xAPIC's is 0xff */

/* SDM Vol. 3, "Message Address Register Format" and "Message Data ..." */
#define MSI_ADDR_BASE		0xfee00000u
#define MSI_ADDR_BASE_MASK	0xfff00000u
#define MSI_ADDR_DEST		GENMASK(19, 12)
#define MSI_ADDR_REDIRECT	BIT(3)
#define MSI_ADDR_LOGICAL	BIT(2)
#define MSI_DATA_LEVEL		BIT(15)

/* SDM Vol. 3, "Interrupt Command Register (ICR)"; vector and mode as in an MSI */
#define ICR_MODE	GENMASK(10, 8)
#define ICR_LOGICAL	BIT(11)
#define ICR_ASSERT	BIT(14)
#define ICR_LEVEL	BIT(15)
#define ICR_SHORTHAND	GENMASK(19, 18)

enum shorthand {
	TO_DEST,
	TO_SELF,
	TO_ALL,
	TO_OTHERS,
};

struct message {
	u32 dest;
	bool logical;
	bool level;
	u8 shorthand;
	u8 mode;
	u8 vector;
};

/* SDM Vol. 3, "Logical Destination Mode" */
static bool is_in_xapic_set(const u8 *page, u32 dest)
{
	u32 ldr = pi_vapic_get(page, PI_REG_LDR) >> 24;

	switch (pi_vapic_get(page, PI_REG_DFR) >> 28) {
	case 0xf:	/* flat */
		return dest & ldr;
	case 0:		/* cluster */
		return (dest ^ ldr) < 0x10 && (dest & ldr & 0xf);
	}
	return false;
}

/* SDM Vol. 3, "Logical Destination Mode in x2APIC Mode" */
static bool is_in_x2apic_set(const u8 *page, u32 dest)
{
	u32 ldr = pi_vapic_get(page, PI_REG_LDR);

	return (dest ^ ldr) < 0x10000 && (dest & ldr & 0xffff);
}

/**
 * pi_is_addressed() - does this destination name this vCPU?
 * @vcpu: the vCPU
 * @dest: 32 bits; an xAPIC broadcast is widened to 0xffffffff
 * @logical: destination mode
 *
 * Context: any; a snapshot when it is not the vCPU thread.
 * Return: true if its APIC is on and the destination matches.
 */
bool pi_is_addressed(const struct limen_vcpu *vcpu, u32 dest, bool logical)
{
	const u8 *page = vcpu->pi.page;
	u64 base = READ_ONCE(vcpu->pi.base);

	if (!(base & PI_BASE_EN))
		return false;
	if (dest == EVERYONE)
		return true;
	if (!logical)
		return dest == vcpu->id;
	if (base & PI_BASE_EXTD)
		return is_in_x2apic_set(page, dest);
	return dest <= 0xff && is_in_xapic_set(page, dest);
}

static bool is_target(const struct limen_vcpu *vcpu, const struct message *msg,
		      const struct limen_vcpu *src)
{
	switch (msg->shorthand) {
	case TO_DEST:
		return pi_is_addressed(vcpu, msg->dest, msg->logical);
	case TO_SELF:
		return vcpu == src;
	case TO_OTHERS:
		if (vcpu == src)
			return false;
		fallthrough;
	case TO_ALL:
		return pi_is_addressed(vcpu, EVERYONE, false);
	}
	return false;
}

static bool is_enabled(const struct limen_vcpu *vcpu)
{
	return pi_vapic_get(vcpu->pi.page, PI_REG_SVR) & PI_SVR_ENABLED;
}

static bool take_fixed(struct limen_vcpu *vcpu, const struct message *msg)
{
	if (!is_enabled(vcpu))
		return false;
	if (msg->vector < PI_FIRST_VECTOR) {
		pi_error(vcpu, PI_ESR_RECV_ILLEGAL);
		return false;
	}
	pi_post(vcpu, msg->vector, msg->level);
	return true;
}

/*
 * A software-disabled APIC takes all but fixed interrupts: SDM Vol. 3, "Local
 * APIC State After It Has Been Software Disabled". SMI and the reserved mode
 * have no effect. ExtINT asks the vCPU to look at the 8259A's wire.
 */
static bool take(struct limen_vcpu *vcpu, const struct message *msg)
{
	switch (msg->mode) {
	case PI_MODE_FIXED:
	case PI_MODE_LOWEST:
		return take_fixed(vcpu, msg);
	case PI_MODE_NMI:
		limen_vcpu_nmi(vcpu);
		return true;
	case PI_MODE_INIT:
		limen_vcpu_request(vcpu, LIMEN_REQ_INIT);
		return true;
	case PI_MODE_SIPI:
		WRITE_ONCE(vcpu->sipi_vector, msg->vector);
		/* vector before request; pairs with the request's test_and_clear */
		smp_mb__before_atomic();
		limen_vcpu_request(vcpu, LIMEN_REQ_SIPI);
		return true;
	case PI_MODE_EXTINT:
		limen_vcpu_request(vcpu, LIMEN_REQ_EXTINT);
		return true;
	}
	return false;
}

/* Lowest processor priority wins; ties go by vector, so that sources spread. */
static int send_lowest(struct limen_vm *vm, const struct message *msg,
		       const struct limen_vcpu *src)
{
	u32 start = msg->vector % max(READ_ONCE(vm->nr_vcpus), 1u);
	struct limen_vcpu *best = NULL;
	u8 best_ppr = 0;
	u32 i;

	for (i = 0; i < LIMEN_MAX_VCPUS; i++) {
		struct limen_vcpu *vcpu;
		u8 ppr;

		vcpu = limen_vcpu_of(vm, (start + i) % LIMEN_MAX_VCPUS);
		if (!vcpu || !is_target(vcpu, msg, src) || !is_enabled(vcpu))
			continue;
		ppr = pi_vapic_ppr(vcpu->pi.page);
		if (best && ppr >= best_ppr)
			continue;
		best = vcpu;
		best_ppr = ppr;
	}
	return best && take(best, msg);
}

static int send_all(struct limen_vm *vm, const struct message *msg,
		    const struct limen_vcpu *src)
{
	int taken = 0;
	u32 id;

	for (id = 0; id < LIMEN_MAX_VCPUS; id++) {
		struct limen_vcpu *vcpu = limen_vcpu_of(vm, id);

		if (vcpu && is_target(vcpu, msg, src))
			taken += take(vcpu, msg);
	}
	return taken;
}

static int send(struct limen_vm *vm, const struct message *msg,
		const struct limen_vcpu *src)
{
	struct limen_vcpu *vcpu;

	if (msg->mode == PI_MODE_LOWEST)
		return send_lowest(vm, msg, src);
	if (msg->shorthand != TO_DEST || msg->logical || msg->dest == EVERYONE)
		return send_all(vm, msg, src);
	vcpu = limen_vcpu_of(vm, msg->dest);
	return vcpu && is_target(vcpu, msg, src) && take(vcpu, msg);
}

static u32 widen(u32 dest)
{
	return dest == 0xff ? EVERYONE : dest;
}

static bool decode_msi(u64 addr, u32 data, struct message *msg)
{
	u32 lo = lower_32_bits(addr);
	u32 hi = upper_32_bits(addr);

	if ((lo & MSI_ADDR_BASE_MASK) != MSI_ADDR_BASE || (hi & 0xff))
		return false;
	*msg = (struct message){
		.dest = widen(hi | FIELD_GET(MSI_ADDR_DEST, lo)),
		.logical = lo & MSI_ADDR_LOGICAL,
		.level = data & MSI_DATA_LEVEL,
		.mode = FIELD_GET(ICR_MODE, data),
		.vector = data,
	};
	/* a hint to redirect, in logical mode, is lowest priority */
	if (msg->mode == PI_MODE_FIXED && msg->logical && (lo & MSI_ADDR_REDIRECT))
		msg->mode = PI_MODE_LOWEST;
	return true;
}

/**
 * pi_is_msi() - is this the address of an interrupt message?
 * @addr: message address
 *
 * Context: any.
 * Return: false if pi_msi() would refuse it.
 */
bool pi_is_msi(u64 addr)
{
	struct message msg;

	return decode_msi(addr, 0, &msg);
}

/**
 * pi_msi() - deliver a message-signalled interrupt
 * @vm: the VM
 * @addr: message address; bits 63:40 are bits 31:8 of the destination
 * @data: message data; its level bit is not looked at, as nothing de-asserts
 *
 * Context: any.
 * Return: how many vCPUs took it, or -EINVAL if the address is not that of the
 * APICs.
 */
int pi_msi(struct limen_vm *vm, u64 addr, u32 data)
{
	struct message msg;

	if (!decode_msi(addr, data, &msg))
		return -EINVAL;
	return send(vm, &msg, NULL);
}

static bool decode_icr(u32 lo, u32 hi, bool x2apic, struct message *msg)
{
	*msg = (struct message){
		.dest = x2apic ? hi : widen(hi >> 24),
		.logical = lo & ICR_LOGICAL,
		.shorthand = FIELD_GET(ICR_SHORTHAND, lo),
		.mode = FIELD_GET(ICR_MODE, lo),
		.vector = lo,
	};
	/* INIT level de-assert: nothing since the Pentium 4 */
	return msg->mode != PI_MODE_INIT || !(lo & ICR_LEVEL) ||
	       (lo & ICR_ASSERT);
}

static bool needs_vector(const struct message *msg)
{
	return msg->mode == PI_MODE_FIXED || msg->mode == PI_MODE_LOWEST;
}

/**
 * pi_send_icr() - a guest has written its ICR
 * @vcpu: the sender
 * @lo: bits 31:0
 * @hi: bits 63:32, the destination in the format of the sender's mode
 *
 * IPIs are edge-triggered.
 *
 * Context: vCPU thread of the sender, also with IRQs off.
 */
void pi_send_icr(struct limen_vcpu *vcpu, u32 lo, u32 hi)
{
	struct message msg;

	if (!decode_icr(lo, hi, pi_is_x2apic(vcpu), &msg))
		return;
	if (needs_vector(&msg) && msg.vector < PI_FIRST_VECTOR)
		pi_error(vcpu, PI_ESR_SEND_ILLEGAL);
	else
		send(vcpu->vm, &msg, vcpu);
}

/**
 * pi_send_self() - a guest has written SELF IPI
 * @vcpu: the vCPU
 * @vector: what it wrote
 *
 * Context: vCPU thread, also with IRQs off.
 */
void pi_send_self(struct limen_vcpu *vcpu, u8 vector)
{
	pi_send_icr(vcpu, FIELD_PREP(ICR_SHORTHAND, TO_SELF) | vector, 0);
}

/**
 * pi_send_set() - one fixed interrupt or NMI to many vCPUs
 * @vm: the VM
 * @first: APIC id of the set's bit 0
 * @set: whom
 * @nr: bits in @set
 * @icr: vector and delivery mode as in ICR; other modes reach nobody
 *
 * Context: any.
 * Return: how many took it.
 */
int pi_send_set(struct limen_vm *vm, u64 first, const unsigned long *set, u32 nr,
		u32 icr)
{
	struct message msg = { .mode = FIELD_GET(ICR_MODE, icr), .vector = icr };
	struct limen_vcpu *vcpu;
	int taken = 0;
	u32 bit;

	if (first >= LIMEN_MAX_VCPUS)
		return 0;
	if (msg.mode != PI_MODE_FIXED && msg.mode != PI_MODE_NMI)
		return 0;
	for_each_set_bit(bit, set, nr) {
		vcpu = limen_vcpu_of(vm, first + bit);
		if (vcpu && pi_is_addressed(vcpu, vcpu->id, false))
			taken += take(vcpu, &msg);
	}
	return taken;
}
