/* SPDX-License-Identifier: MIT */
#ifndef TEST_DISPATCH_RIG_H
#define TEST_DISPATCH_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dispatch/dispatch.h"

/* A dispatcher whose peers are played by the test: what it sends is kept until
 * it is looked at, what it resolves is written into the task. */

struct rig_peer {
	struct dispatch_peer *peer;
	uint32_t incarnation;
	bool dropped;
	char reason[128];
};

struct rig_task {
	uint64_t id;
	unsigned int resolved; /* how often */
	unsigned int order;    /* the how many'th of the rig it was */
	enum cadre_outcome outcome;
	uint32_t attempts, incarnation, slot;
	bool with_result;
	char message[256];
	char output[64];
	int which;
};

struct rig_sent {
	const struct rig_peer *to;
	struct wire_frame frame;
	bool taken;
};

struct rig {
	struct dispatch_config cfg;
	struct dispatch *d;
	uint64_t now;
	unsigned int resolved;
	bool over; /* the tasks of the test are gone */
	struct rig_sent *sent;
	size_t sent_n, sent_cap;
	const void *task_fields; /* where those of the last TASK were */
	int request_rc;
	uint16_t requested;
};

enum {
	RIG_COMMAND = 1 << WIRE_ENGINE_COMMAND,
	RIG_NATIVE = 1 << WIRE_ENGINE_NATIVE,
	RIG_R = 1 << WIRE_ENGINE_R,
	RIG_ANY = RIG_COMMAND | RIG_NATIVE
};

/* For cmocka: *state is a struct rig with the default settings. */
int rig_setup(void **state);
int rig_teardown(void **state);
#define RIG_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
/* A new dispatcher with what rig->cfg says now. */
void rig_restart(struct rig *rig);

/* A daemon whose slots are all up. */
void rig_daemon(struct rig *rig, struct rig_peer *peer, uint64_t engines,
		uint32_t slots);
/* The same before its slots are up. */
int rig_connect(struct rig *rig, struct rig_peer *peer, enum wire_role role,
		uint64_t engines, uint64_t slots, uint64_t previous);
void rig_lost(struct rig *rig, struct rig_peer *peer);
/* Any frame of that peer; its incarnation is filled in if it is 0. */
int rig_frame(struct rig *rig, struct rig_peer *peer, struct wire_frame frame);
void rig_slot(struct rig *rig, struct rig_peer *peer, uint16_t type,
	      uint32_t slot);

struct dispatch_spec rig_spec(enum wire_engine engine, uint8_t flags);
void rig_submit(struct rig *rig, const struct dispatch_spec *spec,
		struct rig_task *task);
/* A command, or a native task that takes windows. */
void rig_command(struct rig *rig, struct rig_task *task);
void rig_native(struct rig *rig, struct rig_task *task);

/* The next frame of that type to that peer that was not taken yet; NULL. */
const struct wire_frame *rig_take(struct rig *rig, const struct rig_peer *peer,
				  uint16_t type);
size_t rig_untaken(const struct rig *rig, const struct rig_peer *peer,
		   uint16_t type);
/* Takes the next TASK, which must be that one. */
struct wire_frame rig_expect_task(struct rig *rig, const struct rig_peer *peer,
				  const struct rig_task *task);
/* Speaks for the attempt that the TASK frame began. */
void rig_started(struct rig *rig, struct rig_peer *peer,
		 const struct wire_frame *task);
void rig_result(struct rig *rig, struct rig_peer *peer,
		const struct wire_frame *task, enum cadre_outcome code);
void rig_result_ns(struct rig *rig, struct rig_peer *peer,
		   const struct wire_frame *task, enum cadre_outcome code,
		   uint64_t wall_ns);
void rig_returned(struct rig *rig, struct rig_peer *peer,
		  const struct wire_frame *task, enum wire_returned code);
void rig_cancel(struct rig *rig, struct rig_task *task);
void rig_tick(struct rig *rig, uint64_t ms);

struct cadre_info rig_info(const struct rig *rig);
/* Fails unless the task resolved once, to that outcome. */
void rig_assert(const struct rig_task *task, enum cadre_outcome outcome);

#endif
