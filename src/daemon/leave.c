/* SPDX-License-Identifier: MIT */
#include "daemon/leave.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "daemon/slot.h"
#include "util/log.h"

/* After the interrupt, before what runs is killed. */
#define INTERRUPT_MS 1000
/* For the reapers to kill what is below them. */
#define REAPERS_MS 700
/* Leaving before the job's end takes so much longer than the grace. */
#define MARGIN_MS 5000

static void on_limit(uv_timer_t *timer);

static bool
is_busy(const struct daemon *d)
{
	for (uint32_t i = 0; i < d->slots_n; i++)
		if (slot_is_busy(&d->slots[i]))
			return true;
	return false;
}

static void
on_step(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	if (d->interrupting) {
		for (uint32_t i = 0; i < d->slots_n; i++)
			cancel_kill(&d->slots[i]);
		return;
	}
	d->interrupting = true;
	for (uint32_t i = 0; i < d->slots_n; i++)
		cancel_running(&d->slots[i]);
	(void)uv_timer_start(timer, on_step, INTERRUPT_MS, 0);
}

void
leave_announce(struct daemon *d, const char *reason)
{
	uint8_t memory[640];
	struct wire_frame frame = {.type = WIRE_LEAVING};
	struct buf fields = {
		.data = memory, .cap = sizeof(memory), .max = sizeof(memory)};

	wire_put_str(&fields, WIRE_TAG_REASON, reason);
	frame.fields = fields.data;
	frame.fields_len = fields.error == 0 ? fields.len : 0;
	daemon_send(d, &frame);
}

void
leave_begin(struct daemon *d, int exit_code, enum leave_how how,
	    const char *reason)
{
	uint64_t wait = how == LEAVE_SOON ? (uint64_t)d->settings->grace_ms : 0;

	if (d->state == DAEMON_LEAVING && how != LEAVE_PATIENT)
		leave_hurry(d);
	if (d->state != DAEMON_SERVING)
		return;
	log_info("leaving: %s", reason);
	d->state = DAEMON_LEAVING;
	d->exit_code = exit_code;
	(void)uv_timer_stop(&d->limit);
	leave_announce(d, reason);
	for (uint32_t i = 0; i < d->slots_n; i++)
		slot_recall(&d->slots[i]);
	if (how == LEAVE_AT_ONCE)
		leave_hurry(d);
	else if (how == LEAVE_SOON)
		(void)uv_timer_start(&d->leave, on_step, wait, 0);
}

void
leave_hurry(struct daemon *d)
{
	if (d->state != DAEMON_LEAVING)
		return;
	if (!d->interrupting)
		on_step(&d->leave);
	on_step(&d->leave);
}

static bool
have_reapers(const struct daemon *d)
{
	for (uint32_t i = 0; i < d->slots_n; i++)
		if (d->slots[i].control.pid > 0)
			return true;
	return false;
}

void
leave_progress(struct daemon *d)
{
	if (d->state == DAEMON_LEAVING && !is_busy(d))
		leave_finish(d, d->exit_code);
	if (d->state != DAEMON_FINISHING || d->uplink.conn != NULL ||
	    have_reapers(d))
		return;
	d->stopped = true;
	uv_stop(&d->loop);
}

/* The reapers had their time. */
static void
on_finish(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	for (uint32_t i = 0; i < d->slots_n; i++)
		if (d->slots[i].control.pid > 0)
			(void)kill(d->slots[i].control.pid, SIGKILL);
	daemon_orphans(d);
}

void
leave_finish(struct daemon *d, int exit_code)
{
	if (d->state == DAEMON_FINISHING) {
		leave_progress(d);
		return;
	}
	d->state = DAEMON_FINISHING;
	d->exit_code = exit_code;
	(void)uv_timer_stop(&d->limit);
	(void)uv_timer_stop(&d->leave);
	(void)uv_timer_stop(&d->heartbeat);
	uplink_flush(&d->uplink);
	uplink_close(&d->uplink, "the daemon leaves", true);
	for (uint32_t i = 0; i < d->slots_n; i++)
		control_stop(&d->slots[i]);
	(void)uv_timer_start(&d->finish, on_finish, REAPERS_MS, 100);
	leave_progress(d);
}

/* --- limits of time --- */

static int64_t
job_left_ms(const struct daemon *d)
{
	const struct settings *s = d->settings;

	if (s->end_unix == 0)
		return SETTINGS_FOREVER;
	return (s->end_unix - (int64_t)time(NULL)) * 1000 - s->grace_ms -
	       MARGIN_MS;
}

static int64_t
idle_left_ms(const struct daemon *d, uint64_t now)
{
	const struct settings *s = d->settings;

	if (s->idletime_ms == SETTINGS_FOREVER)
		return SETTINGS_FOREVER;
	if (is_busy(d))
		return s->idletime_ms;
	return s->idletime_ms - (int64_t)(now - d->active_ms);
}

static int64_t
wall_left_ms(const struct daemon *d, uint64_t now)
{
	const struct settings *s = d->settings;

	if (s->walltime_ms == SETTINGS_FOREVER)
		return SETTINGS_FOREVER;
	return s->walltime_ms - (int64_t)(now - d->began_ms);
}

static void
wait_for_limit(struct daemon *d)
{
	uint64_t now = uv_now(&d->loop);
	int64_t left[] = {job_left_ms(d), SETTINGS_FOREVER, SETTINGS_FOREVER};
	int64_t least = SETTINGS_FOREVER;

	if (d->counting) {
		left[1] = wall_left_ms(d, now);
		left[2] = idle_left_ms(d, now);
	}
	for (int i = 0; i < 3; i++)
		if (left[i] < least)
			least = left[i];
	if (least == SETTINGS_FOREVER)
		return;
	(void)uv_timer_start(&d->limit, on_limit,
			     least > 0 ? (uint64_t)least : 0, 0);
}

static void
on_limit(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	uint64_t now = uv_now(timer->loop);

	if (job_left_ms(d) <= 0)
		leave_begin(d, DAEMON_EXIT_OK, LEAVE_SOON, "its job ends soon");
	else if (d->counting && wall_left_ms(d, now) <= 0)
		leave_begin(d, DAEMON_EXIT_WALLTIME, LEAVE_PATIENT,
			    "its walltime is over");
	else if (d->counting && idle_left_ms(d, now) <= 0)
		leave_begin(d, DAEMON_EXIT_IDLETIME, LEAVE_PATIENT,
			    "it was idle for its idletime");
	else
		wait_for_limit(d);
}

void
leave_init(struct daemon *d)
{
	d->counting = d->settings->timerstart == 0;
	d->began_ms = d->active_ms = uv_now(&d->loop);
	wait_for_limit(d);
}

void
leave_counted(struct daemon *d)
{
	if (d->counting || d->finished < d->settings->timerstart)
		return;
	d->counting = true;
	d->began_ms = uv_now(&d->loop);
	if (d->state == DAEMON_SERVING)
		wait_for_limit(d);
}
