// SPDX-License-Identifier: LGPL-2.1-or-later
/* One vCPU: its descriptor, its run page, its state by class. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

int limen_vcpu_create(struct limen_vm *vm, uint32_t id, struct limen_vcpu **out)
{
	struct limen_vcpu_create arg = { .size = sizeof(arg), .id = id };
	struct limen_vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int err;

	if (!vcpu)
		return -ENOMEM;
	vcpu->id = id;
	vcpu->vm = vm;
	vcpu->run_size = vm->dev->info.run_size;
	vcpu->fd = limen_call(vm->fd, LIMEN_VCPU_CREATE, &arg);
	if (vcpu->fd < 0) {
		err = vcpu->fd;
		goto err_free;
	}
	vcpu->run = limen_sys.map(vcpu->fd, vcpu->run_size);
	if (vcpu->run == MAP_FAILED) {
		err = -errno;
		goto err_close;
	}
	*out = vcpu;
	return 0;

err_close:
	limen_sys.close(vcpu->fd);
err_free:
	free(vcpu);
	return err;
}

void limen_vcpu_destroy(struct limen_vcpu *vcpu)
{
	if (!vcpu)
		return;
	munmap(vcpu->run, vcpu->run_size);
	limen_sys.close(vcpu->fd);
	free(vcpu);
}

uint32_t limen_vcpu_id(const struct limen_vcpu *vcpu)
{
	return vcpu->id;
}

struct limen_run *limen_vcpu_page(struct limen_vcpu *vcpu)
{
	return vcpu->run;
}

const char *limen_vcpu_why(const struct limen_vcpu *vcpu)
{
	return vcpu->why;
}

int limen_vcpu_run(struct limen_vcpu *vcpu)
{
	return limen_call(vcpu->fd, LIMEN_RUN, NULL);
}

int limen_vcpu_kick(struct limen_vcpu *vcpu)
{
	return limen_call(vcpu->fd, LIMEN_KICK, NULL);
}

int limen_vcpu_nmi(struct limen_vcpu *vcpu)
{
	return limen_call(vcpu->fd, LIMEN_NMI, NULL);
}

static int state_call(struct limen_vcpu *vcpu, unsigned long request,
		      const struct limen_state_item *items, uint32_t count)
{
	struct limen_state arg = {
		.size = sizeof(arg), .count = count, .items = (uintptr_t)items,
	};

	return limen_call(vcpu->fd, request, &arg);
}

int limen_state_get(struct limen_vcpu *vcpu, uint32_t cls, void *data,
		    uint32_t len)
{
	struct limen_state_item item = {
		.cls = cls, .len = len, .data = (uintptr_t)data,
	};

	return state_call(vcpu, LIMEN_STATE_GET, &item, 1);
}

int limen_state_set(struct limen_vcpu *vcpu, uint32_t cls, const void *data,
		    uint32_t len)
{
	struct limen_state_item item = {
		.cls = cls, .len = len, .data = (uintptr_t)data,
	};

	return state_call(vcpu, LIMEN_STATE_SET, &item, 1);
}

int limen_state_set_many(struct limen_vcpu *vcpu,
			 const struct limen_state_item *items, uint32_t count)
{
	return state_call(vcpu, LIMEN_STATE_SET, items, count);
}

int limen_msr_list(struct limen *l, uint32_t *index, uint32_t *count)
{
	struct limen_msr_list arg = {
		.size = sizeof(arg), .count = *count, .indices = (uintptr_t)index,
	};
	int err = limen_call(l->fd, LIMEN_MSR_LIST, &arg);

	*count = arg.count;
	return err;
}

int limen_translate(struct limen_vcpu *vcpu, uint64_t gva, uint32_t access,
		    struct limen_translate *t)
{
	*t = (struct limen_translate){
		.size = sizeof(*t), .access = access, .gva = gva,
	};
	return limen_call(vcpu->fd, LIMEN_TRANSLATE, t);
}

int limen_inject(struct limen_vcpu *vcpu, uint32_t event, uint32_t error,
		 uint64_t payload)
{
	struct limen_events ev;
	int err = limen_get_events(vcpu, &ev);

	if (err)
		return err;
	ev.exception = event | LIMEN_EVENT_VALID;
	ev.exception_error = event & LIMEN_EVENT_ERROR ? error : 0;
	ev.exception_payload = payload;
	return limen_set_events(vcpu, &ev);
}

int limen_get_stats(struct limen_vcpu *vcpu, struct limen_stat *stats,
		    uint32_t *count)
{
	struct limen_stats arg = {
		.size = sizeof(arg), .count = *count, .stats = (uintptr_t)stats,
	};
	int err = limen_call(vcpu->fd, LIMEN_STATS, &arg);

	*count = arg.count;
	return err;
}
