/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's test harness, with what all our programs set the same. */
#ifndef LIMEN_SELFTESTS_HARNESS_H
#define LIMEN_SELFTESTS_HARNESS_H

#include "kselftest_harness.h"

/* Seconds of the machine's own clock: an emulator may need many real ones. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 100

#define NEED_DEVICE()							\
	do {								\
		int need_fd = limen_open();				\
									\
		if (need_fd < 0)					\
			SKIP(return, "no /dev/limen");			\
		close(need_fd);						\
	} while (0)

#endif
