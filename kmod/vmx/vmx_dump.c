// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print a VMCS, for a guest that the CPU refuses or that left it for a reason
 * nobody knows. Called through the operations table, with or without a window.
 */
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "vmx.h"
#include "vmcs_io.h"

struct dump_field {
	const char *name;
	u16 field;
};

static const struct dump_field dump_fields[] = {
	{ "pin", VMCS_PIN_CTL },
	{ "proc", VMCS_PROC_CTL },
	{ "proc2", VMCS_PROC2_CTL },
	{ "exit", VMCS_EXIT_CTL },
	{ "entry", VMCS_ENTRY_CTL },
	{ "exceptions", VMCS_EXC_BITMAP },
	{ "eptp", VMCS_EPTP },
	{ "msr-bitmap", VMCS_MSR_BITMAP },
	{ "tsc-offset", VMCS_TSC_OFFSET },
	{ "entry-event", VMCS_ENTRY_INTR_INFO },
	{ "entry-error", VMCS_ENTRY_INTR_ERROR },
	{ "entry-insn-len", VMCS_ENTRY_INSN_LEN },
	{ "insn-error", VMCS_INSN_ERROR },
	{ "reason", VMCS_EXIT_REASON },
	{ "qualification", VMCS_EXIT_QUAL },
	{ "gla", VMCS_GLA },
	{ "gpa", VMCS_GPA },
	{ "exit-event", VMCS_EXIT_INTR_INFO },
	{ "exit-error", VMCS_EXIT_INTR_ERROR },
	{ "idt-event", VMCS_IDT_INFO },
	{ "insn-len", VMCS_EXIT_INSN_LEN },
	{ "rip", VMCS_GUEST_RIP },
	{ "rsp", VMCS_GUEST_RSP },
	{ "rflags", VMCS_GUEST_RFLAGS },
	{ "cr0", VMCS_GUEST_CR0 },
	{ "cr0-shadow", VMCS_CR0_SHADOW },
	{ "cr3", VMCS_GUEST_CR3 },
	{ "cr4", VMCS_GUEST_CR4 },
	{ "cr4-shadow", VMCS_CR4_SHADOW },
	{ "efer", VMCS_GUEST_EFER },
	{ "pat", VMCS_GUEST_PAT },
	{ "dr7", VMCS_GUEST_DR7 },
	{ "debugctl", VMCS_GUEST_DEBUGCTL },
	{ "interruptibility", VMCS_GUEST_INTR_STATE },
	{ "activity", VMCS_GUEST_ACTIVITY },
	{ "pending-dbg", VMCS_GUEST_PENDING_DBG },
	{ "gdt-base", VMCS_GUEST_GDTR_BASE },
	{ "gdt-limit", VMCS_GUEST_GDTR_LIMIT },
	{ "idt-base", VMCS_GUEST_IDTR_BASE },
	{ "idt-limit", VMCS_GUEST_IDTR_LIMIT },
	{ "link", VMCS_LINK },
	{ "host-cr0", VMCS_HOST_CR0 },
	{ "host-cr3", VMCS_HOST_CR3 },
	{ "host-cr4", VMCS_HOST_CR4 },
	{ "host-efer", VMCS_HOST_EFER },
	{ "host-pat", VMCS_HOST_PAT },
	{ "host-rsp", VMCS_HOST_RSP },
	{ "host-rip", VMCS_HOST_RIP },
};

static const char * const seg_names[LIMEN_NR_SEG] = {
	"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr",
};

/* What is read while the VMCS is current, and printed later */
struct dump {
	u64 val[ARRAY_SIZE(dump_fields)];
	struct limen_segment seg[LIMEN_NR_SEG];
};

static void dump_read(struct dump *dump)
{
	struct limen_segment *seg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dump_fields); i++)
		dump->val[i] = vmcs_read(dump_fields[i].field);
	for (i = 0; i < LIMEN_NR_SEG; i++) {
		seg = &dump->seg[i];
		seg->sel = vmcs_read16(VMCS_GUEST_SEL + 2 * i);
		seg->limit = vmcs_read32(VMCS_GUEST_LIMIT + 2 * i);
		seg->ar = vmcs_read32(VMCS_GUEST_AR + 2 * i);
		seg->base = vmcs_read_natural(VMCS_GUEST_BASE + 2 * i);
	}
}

static void dump_print(const struct limen_vcpu *vcpu, const struct dump *dump)
{
	const struct limen_segment *seg;
	size_t i;

	pr_info("limen: vCPU %u, VMCS:\n", vcpu->id);
	for (i = 0; i < ARRAY_SIZE(dump_fields); i++)
		pr_info("limen:  %-16s %016llx\n", dump_fields[i].name,
			dump->val[i]);
	for (i = 0; i < LIMEN_NR_SEG; i++) {
		seg = &dump->seg[i];
		pr_info("limen:  %-4s sel %04x base %016llx limit %08x ar %05x\n",
			seg_names[i], seg->sel, seg->base, seg->limit, seg->ar);
	}
}

/**
 * vmx_dump() - print the VMCS to the kernel log
 * @vcpu: the vCPU
 *
 * Context: vcpu->lock; in a window or not.
 */
void vmx_dump(struct limen_vcpu *vcpu)
{
	struct dump *dump = kzalloc(sizeof(*dump), GFP_ATOMIC);
	unsigned long flags;
	int err = 0;

	if (!dump)
		return;
	if (vcpu->window) {
		dump_read(dump);
	} else {
		local_irq_save(flags);
		err = vmx_open(vcpu);
		if (!err) {
			dump_read(dump);
			vmx_close(vcpu);
		}
		local_irq_restore(flags);
	}
	if (!err)
		dump_print(vcpu, dump);
	kfree(dump);
}
