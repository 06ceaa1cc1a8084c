// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the CPU uses: per-CPU areas, the port map, and a new vCPU's VMCB
 * with its constant part.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>

#include "svm.h"

#define PAUSE_COUNT	3000
#define PAUSE_THRESHOLD	128

static DEFINE_PER_CPU(struct svm_cpu, svm_cpu);
u8 *svm_iopm;

struct svm_cpu *svm_this_cpu(void)
{
	return this_cpu_ptr(&svm_cpu);
}

static void *page_near(int cpu)
{
	struct page *page = alloc_pages_node(cpu_to_node(cpu),
					     GFP_KERNEL | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

/* A guest whose first fetch faults: nothing is mapped. Interrupts stay off. */
static void purge_init(struct vmcb *vmcb, void *empty_table)
{
	vmcb->misc1 = SVM_I_INTR | SVM_I_NMI | SVM_I_SHUTDOWN;
	vmcb->misc2 = SVM_I_VMRUN;
	vmcb->iopm = __pa(svm_iopm);
	vmcb->msrpm = __pa(svm_iopm);	/* never used: nothing executes */
	vmcb->asid = svm_caps.asid;
	vmcb->tlb_control = svm_caps.features & SVM_CPUID_FLUSH_ASID ?
			    SVM_TLB_ASID : SVM_TLB_ALL;
	vmcb->int_ctl = SVM_V_INTR_MASKING;
	vmcb->np_enable = 1;
	vmcb->ncr3 = __pa(empty_table);
	vmcb->efer = MSR_EFER_SVME;
	vmcb->cr0 = 0x10;
	vmcb->rflags = 2;
	vmcb->dr6 = 0xffff0ff0;
	vmcb->dr7 = 0x400;
	vmcb->cs.attr = 0x9b;
	vmcb->cs.limit = 0xffff;
	vmcb->ss.attr = 0x93;
	vmcb->g_pat = 0x0007040600070406ull;
}

static void *purge_table;

static int setup_cpu(struct svm_cpu *c, int cpu)
{
	void *hsave = page_near(cpu);
	void *host = page_near(cpu);

	c->purge = page_near(cpu);
	c->hsave = hsave ? virt_to_page(hsave) : NULL;
	c->host = host ? virt_to_page(host) : NULL;
	if (!c->hsave || !c->host || !c->purge)
		return -ENOMEM;
	purge_init(c->purge, purge_table);
	return 0;
}

/** svm_setup_cpus() - for every possible CPU. Context: load. Return: errno. */
int svm_setup_cpus(void)
{
	int cpu, err = 0;

	purge_table = (void *)get_zeroed_page(GFP_KERNEL);
	svm_iopm = alloc_pages_exact(SVM_IOPM_SIZE, GFP_KERNEL);
	if (!purge_table || !svm_iopm) {
		svm_teardown_cpus();
		return -ENOMEM;
	}
	memset(svm_iopm, 0xff, SVM_IOPM_SIZE);
	for_each_possible_cpu(cpu) {
		err = setup_cpu(per_cpu_ptr(&svm_cpu, cpu), cpu);
		if (err)
			break;
	}
	if (err)
		svm_teardown_cpus();
	return err;
}

/** svm_teardown_cpus() - undo svm_setup_cpus(), also a partial one */
void svm_teardown_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *c = per_cpu_ptr(&svm_cpu, cpu);

		if (c->hsave)
			__free_page(c->hsave);
		if (c->host)
			__free_page(c->host);
		free_page((unsigned long)c->purge);
		memset(c, 0, sizeof(*c));
	}
	if (svm_iopm)
		free_pages_exact(svm_iopm, SVM_IOPM_SIZE);
	svm_iopm = NULL;
	free_page((unsigned long)purge_table);
	purge_table = NULL;
}

static void set_intercepts(struct vmcb *vmcb)
{
	vmcb->cr_read = svm_cr_reads(0);
	vmcb->cr_write = svm_cr_writes(false);
	vmcb->dr_read = 0xffff;
	vmcb->dr_write = 0xffff;
	/* #DB and #AC always: a guest can make them recur without end */
	vmcb->exceptions = BIT(1) | BIT(17) | BIT(18);
	vmcb->misc1 = SVM_I_INTR | SVM_I_NMI | SVM_I_INIT | SVM_I_RDPMC |
		      SVM_I_CPUID | SVM_I_INVD | SVM_I_HLT | SVM_I_INVLPGA |
		      SVM_I_IOIO | SVM_I_MSR | SVM_I_SHUTDOWN;
	vmcb->misc2 = SVM_I_VMRUN | SVM_I_VMMCALL | SVM_I_VMLOAD | SVM_I_VMSAVE |
		      SVM_I_STGI | SVM_I_CLGI | SVM_I_SKINIT | SVM_I_WBINVD |
		      SVM_I_MONITOR | SVM_I_MWAIT | SVM_I_XSETBV | SVM_I_RDPRU;
	vmcb->misc3 = SVM_I_INVLPGB | SVM_I_MCOMMIT;
	if (!(svm_caps.features & SVM_CPUID_PAUSE))
		return;
	vmcb->misc1 |= SVM_I_PAUSE;
	vmcb->pause_count = PAUSE_COUNT;
	if (svm_caps.features & SVM_CPUID_PAUSE_THRESH)
		vmcb->pause_threshold = PAUSE_THRESHOLD;
}

/**
 * svm_vmcb_alloc() - a VMCB with its constant part
 * @vcpu: whose; its APIC is there
 *
 * Return: NULL: no memory.
 */
struct vmcb *svm_vmcb_alloc(struct limen_vcpu *vcpu)
{
	const struct svm_vm *vm = vcpu->vm->svm;
	struct vmcb *vmcb = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (!vmcb)
		return NULL;
	set_intercepts(vmcb);
	vmcb->iopm = __pa(svm_iopm);
	vmcb->msrpm = __pa(vm->msrpm);
	vmcb->asid = svm_caps.asid;
	vmcb->int_ctl = SVM_V_INTR_MASKING;
	vmcb->np_enable = 1;
	vmcb->ncr3 = vm->ncr3;
	svm_avic_vmcb(vcpu, vmcb);
	return vmcb;
}
