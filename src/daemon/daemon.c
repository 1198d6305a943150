/* SPDX-License-Identifier: MIT */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cadre/task.h>

#include "daemon/inproc.h"
#include "daemon/leave.h"
#include "daemon/limits.h"
#include "daemon/scratch.h"
#include "daemon/slot.h"
#include "daemon/sweep.h"
#include "launch/launch.h"
#include "util/error.h"
#include "util/log.h"

/* Bytes that the dispatcher has not taken: beyond HIGH nothing more is read
 * from tasks, until they are below LOW. */
#define PENDING_HIGH (4u * 1024u * 1024u)
#define PENDING_LOW (1024u * 1024u)
/* Native tasks that run longer than one to two of these are reported. */
#define TICK_MS 60
#define SWEEP_MS 100

/* --- what the modules of the daemon need of it --- */

void
daemon_send(struct daemon *d, struct wire_frame *frame)
{
	frame->incarnation = d->incarnation;
	uplink_send(&d->uplink, frame);
}

void
daemon_touch(struct daemon *d, struct slot *slot)
{
	if (slot->is_dirty)
		return;
	slot->is_dirty = true;
	slot->next_dirty = d->dirty;
	d->dirty = slot;
}

void
daemon_count(struct daemon *d)
{
	d->finished++;
	d->active_ms = uv_now(&d->loop);
	leave_counted(d);
}

void
daemon_retired(struct daemon *d)
{
	for (uint32_t i = 0; i < d->slots_n; i++)
		if (!d->slots[i].retired)
			return;
	leave_begin(d, DAEMON_EXIT_MAXTASKS, LEAVE_PATIENT,
		    "every slot has done its share of tasks");
}

static void
on_tick(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	bool watching = false;

	for (uint32_t i = 0; i < d->slots_n; i++) {
		worker_tick(&d->slots[i]);
		watching |= d->slots[i].worker.inflight > 0;
	}
	if (!watching)
		(void)uv_timer_stop(timer);
}

void
daemon_watch(struct daemon *d)
{
	if (!uv_is_active((uv_handle_t *)&d->tick))
		(void)uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
}

static bool
is_reaper(void *arg, pid_t pid)
{
	struct daemon *d = arg;

	for (uint32_t i = 0; i < d->slots_n; i++)
		if (d->slots[i].control.pid == pid)
			return true;
	return false;
}

void
daemon_orphans(struct daemon *d)
{
	(void)sweep_orphans(is_reaper, d);
}

/* --- the connection --- */

static void
on_task(struct daemon *d, const struct wire_frame *frame)
{
	slot_task(&d->slots[frame->slot], frame);
}

static void
on_cancel(struct daemon *d, const struct wire_frame *frame)
{
	cancel_task(&d->slots[frame->slot], frame->task, frame->attempt,
		    frame->code == WIRE_CANCEL_TIMEOUT
			    ? CADRE_OUTCOME_TIMEOUT
			    : CADRE_OUTCOME_CANCELLED);
}

static void
on_recall(struct daemon *d, const struct wire_frame *frame)
{
	slot_recall(&d->slots[frame->slot]);
}

static void
on_everywhere(struct daemon *d, const struct wire_frame *frame)
{
	if (epochs_add(&d->epochs, frame) < 0) {
		uplink_close(&d->uplink, "out of memory", false);
		return;
	}
	for (uint32_t i = 0; i < d->slots_n; i++)
		daemon_touch(d, &d->slots[i]);
}

static void
on_reset(struct daemon *d, const struct wire_frame *frame)
{
	(void)frame;
	epochs_reset(&d->epochs);
	for (uint32_t i = 0; i < d->slots_n; i++)
		slot_reset(&d->slots[i]);
}

static void
on_leave(struct daemon *d, const struct wire_frame *frame)
{
	(void)frame;
	leave_begin(d, DAEMON_EXIT_OK, LEAVE_PATIENT,
		    "the dispatcher does not need this daemon any more");
}

static void
on_exit_frame(struct daemon *d, const struct wire_frame *frame)
{
	(void)frame;
	leave_begin(d, DAEMON_EXIT_OK, LEAVE_AT_ONCE,
		    "the dispatcher ended this daemon");
}

static void
on_restart(struct daemon *d, const struct wire_frame *frame)
{
	(void)frame;
	d->restart = true;
	uplink_close(&d->uplink, "the dispatcher had given this daemon up",
		     false);
}

static const struct {
	void (*handle)(struct daemon *d, const struct wire_frame *frame);
	bool of_slot;
} handlers[] = {
	[WIRE_TASK] = {on_task, true},
	[WIRE_CANCEL] = {on_cancel, true},
	[WIRE_RECALL] = {on_recall, true},
	[WIRE_EVERYWHERE] = {on_everywhere, false},
	[WIRE_RESET] = {on_reset, false},
	[WIRE_LEAVE] = {on_leave, false},
	[WIRE_EXIT] = {on_exit_frame, false},
	[WIRE_RESTART] = {on_restart, false},
};

static void
on_frame(void *arg, const struct wire_frame *frame)
{
	struct daemon *d = arg;

	if (frame->type == WIRE_HEARTBEAT ||
	    (frame->incarnation != 0 && frame->incarnation != d->incarnation))
		return;
	if (frame->type >= sizeof(handlers) / sizeof(handlers[0]) ||
	    handlers[frame->type].handle == NULL) {
		log_warn("the dispatcher sent an unexpected %s frame",
			 wire_type_name(frame->type));
		return;
	}
	if (handlers[frame->type].of_slot &&
	    frame->slot >= d->settings->slots) {
		uplink_close(&d->uplink, "a frame for a slot that is not here",
			     false);
		return;
	}
	handlers[frame->type].handle(d, frame);
}

static void
on_heartbeat(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	struct wire_frame frame = {.type = WIRE_HEARTBEAT};
	uint64_t silent = uv_now(timer->loop) - d->uplink.heard_ms;

	if (d->settings->autoexit == SETTINGS_AUTOEXIT_NO &&
	    silent > (uint64_t)d->heartbeat_ms * d->settings->silence) {
		log_warn("nothing was heard of the dispatcher for %llu ms: "
			 "dialling again",
			 (unsigned long long)silent);
		uplink_close(&d->uplink, "the dispatcher is silent", false);
		return;
	}
	daemon_send(d, &frame);
}

static void
on_up(void *arg, const struct wire_frame *welcome)
{
	struct daemon *d = arg;

	d->incarnation = welcome->incarnation;
	d->heartbeat_ms = (uint32_t)wire_u64(welcome, WIRE_TAG_HEARTBEAT_MS, 0);
	log_info("connected to %s as incarnation %u", d->settings->url,
		 d->incarnation);
	d->active_ms = uv_now(&d->loop);
	if (d->inproc != NULL)
		inproc_up(d->inproc, d->heartbeat_ms);
	if (d->heartbeat_ms > 0)
		(void)uv_timer_start(&d->heartbeat, on_heartbeat,
				     d->heartbeat_ms, d->heartbeat_ms);
	if (d->state != DAEMON_SERVING) {
		leave_announce(d, "it was told to end before it was connected");
		return;
	}
	for (uint32_t i = 0; i < d->slots_n; i++)
		slot_announce(&d->slots[i]);
}

static void
set_congested(struct daemon *d, bool congested)
{
	d->congested = congested;
	for (uint32_t i = 0; i < d->slots_n; i++) {
		channel_pause(&d->slots[i].control.channel, congested);
		channel_pause(&d->slots[i].worker.channel, congested);
	}
}

static void
redial(struct daemon *d)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	d->restart = false;
	epochs_reset(&d->epochs);
	for (uint32_t i = 0; i < d->slots_n; i++)
		slot_forget(&d->slots[i]);
	set_congested(d, false);
	if (uplink_dial(&d->uplink, d->incarnation, true, &err) < 0) {
		log_err("%s", err.text);
		leave_finish(d, DAEMON_EXIT_FAILED);
	}
}

static void
on_down(void *arg, const char *reason)
{
	struct daemon *d = arg;

	(void)uv_timer_stop(&d->heartbeat);
	if (d->inproc != NULL)
		inproc_down(d->inproc);
	if (d->state == DAEMON_FINISHING) {
		daemon_progress(d);
		return;
	}
	log_info("the connection to %s ended: %s", d->settings->url, reason);
	if (d->state == DAEMON_SERVING &&
	    (d->restart || d->settings->autoexit == SETTINGS_AUTOEXIT_NO)) {
		redial(d);
		return;
	}
	if (d->settings->autoexit > 0)
		d->raise_signal = d->settings->autoexit;
	leave_finish(d, d->exit_code);
}

static void
on_failed(void *arg, const char *reason)
{
	struct daemon *d = arg;

	if (d->state != DAEMON_FINISHING)
		log_err("%s", reason);
	leave_finish(d, DAEMON_EXIT_FAILED);
}

static void
step_dirty(struct daemon *d)
{
	while (d->dirty != NULL) {
		struct slot *slot = d->dirty;

		d->dirty = slot->next_dirty;
		slot->is_dirty = false;
		slot_step(slot);
	}
}

static void
on_sent(void *arg)
{
	struct daemon *d = arg;

	bool waiting = false;

	for (uint32_t i = 0; i < d->slots_n; i++)
		waiting |= !command_release(&d->slots[i]);
	if (d->congested && uplink_pending(&d->uplink) < PENDING_LOW)
		set_congested(d, false);
	uplink_await_sent(&d->uplink, waiting || d->congested);
}

static void
on_notice(void *arg, const struct wire_frame *frame)
{
	struct daemon *d = arg;

	if (d->inproc != NULL)
		inproc_notice(d->inproc, frame);
}

static const struct uplink_ops uplink_ops = {
	.notice = on_notice,
	.up = on_up,
	.frame = on_frame,
	.down = on_down,
	.failed = on_failed,
	.sent = on_sent,
};

/* At the end of a turn: what has become possible is done, and all that it
 * produced is sent in one go. */
static void
settle(void *arg)
{
	struct daemon *d = arg;

	step_dirty(d);
	if (!d->congested && uplink_pending(&d->uplink) > PENDING_HIGH) {
		uplink_await_sent(&d->uplink, true);
		set_congested(d, true);
	}
	uplink_flush(&d->uplink);
}

/* --- processes --- */

static void
reaped(struct daemon *d, pid_t pid)
{
	for (uint32_t i = 0; i < d->slots_n; i++) {
		if (d->slots[i].control.pid != pid)
			continue;
		control_reaped(&d->slots[i]);
		return;
	}
	/* One that came to us when its reaper died; it may have left others. */
	daemon_orphans(d);
}

/* With native tasks in this process their children are not ours to collect. */
static void
reap_reapers(struct daemon *d)
{
	for (uint32_t i = 0; i < d->slots_n; i++) {
		pid_t pid = d->slots[i].control.pid;

		if (pid > 0 && waitpid(pid, NULL, WNOHANG) == pid)
			reaped(d, pid);
	}
}

static void
on_child(struct daemon *d)
{
	pid_t pid;

	if (d->settings->in_process) {
		reap_reapers(d);
		return;
	}
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		reaped(d, pid);
}

static void
on_signal(uv_signal_t *handle, int sig)
{
	struct daemon *d = handle->data;

	if (sig == SIGCHLD)
		on_child(d);
	else if (d->state == DAEMON_SERVING)
		leave_begin(d, DAEMON_EXIT_OK, LEAVE_SOON, strsignal(sig));
	else
		leave_hurry(d);
}

static void
on_sweep(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	int n;

	if (d->swept)
		return;
	d->swept = true;
	n = sweep_leftovers();
	if (n > 0)
		log_warn("killed %d processes that a dead daemon had left", n);
	scratch_sweep(d->settings->scratch);
}

void
daemon_progress(struct daemon *d)
{
	leave_progress(d);
}

/* --- start and end --- */

static int
open_output(struct daemon *d, struct cadre_error *err)
{
	const struct settings *s = d->settings;
	const char *path = "/dev/null";

	if (s->output)
		path = s->log;
	d->worker_output =
		path == NULL
			? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 16)
			: open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
			       0600);
	if (d->worker_output < 0)
		return error_sys(err, errno, "cannot open %s",
				 path == NULL ? "standard error" : path);
	return 0;
}

static int
prepare_place(struct daemon *d, struct cadre_error *err)
{
	int rc;

	rc = limits_files(d->settings->slots, err);
	if (rc == 0)
		rc = launch_find_program("cadre-reaper", &d->reaper_path, err);
	if (rc == 0)
		rc = launch_find_program("cadre-native", &d->native_path, err);
	if (rc == 0 && !mark_self(d->mark, sizeof(d->mark)))
		rc = error_set(err, CADRE_ESYS,
			       "cannot read /proc: is it mounted?");
	if (rc == 0)
		rc = scratch_make(d->settings->scratch, d->mark, &d->scratch,
				  err);
	if (rc == 0)
		rc = open_output(d, err);
	return rc;
}

static void
init_handles(struct daemon *d)
{
	static const int numbers[DAEMON_SIGNALS] = {
		SIGTERM, SIGINT, SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2, SIGCHLD};
	uv_timer_t *timers[] = {&d->tick,  &d->heartbeat, &d->limit,
				&d->leave, &d->sweep,	  &d->finish};

	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		(void)uv_timer_init(&d->loop, timers[i]);
		timers[i]->data = d;
	}
	for (int i = 0; i < DAEMON_SIGNALS; i++) {
		(void)uv_signal_init(&d->loop, &d->signals[i]);
		d->signals[i].data = d;
		(void)uv_signal_start(&d->signals[i], on_signal, numbers[i]);
	}
	(void)uv_timer_start(&d->sweep, on_sweep, SWEEP_MS, 0);
}

static int
start(struct daemon *d, struct cadre_error *err)
{
	const struct settings *s = d->settings;
	int rc;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	init_handles(d);
	rc = prepare_place(d, err);
	if (rc < 0)
		return rc;
	d->slots = calloc(s->slots, sizeof(*d->slots));
	if (d->slots == NULL)
		return error_nomem(err);
	/* The reapers come before the transport starts its threads. */
	for (d->slots_n = 0; d->slots_n < s->slots; d->slots_n++) {
		rc = slot_init(&d->slots[d->slots_n], d, d->slots_n, err);
		if (rc < 0)
			return rc;
	}
	if (s->in_process && inproc_new(&d->slots[0], &d->inproc) < 0)
		return error_nomem(err);
	leave_init(d);
	return uplink_dial(&d->uplink, 0,
			   s->asyncdial || s->autoexit == SETTINGS_AUTOEXIT_NO,
			   err);
}

static void
close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void
stop(struct daemon *d)
{
	link_drain();
	inproc_free(&d->inproc);
	for (uint32_t i = 0; i < d->slots_n; i++)
		slot_fini(&d->slots[i]);
	uv_walk(&d->loop, close_handle, NULL);
	/* An earlier uv_stop may still be due: then the first run is none. */
	do
		(void)uv_run(&d->loop, UV_RUN_DEFAULT);
	while (uv_loop_close(&d->loop) == UV_EBUSY);
	uplink_fini(&d->uplink);
	epochs_reset(&d->epochs);
	if (d->scratch != NULL)
		scratch_remove(d->scratch);
	if (d->worker_output >= 0)
		close(d->worker_output);
	free(d->slots);
	free(d->scratch);
	free(d->reaper_path);
	free(d->native_path);
}

int
daemon_run(const struct settings *settings)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct daemon d = {.settings = settings, .worker_output = -1};

	(void)signal(SIGPIPE, SIG_IGN);
	if (uv_loop_init(&d.loop) < 0 ||
	    turn_init(&d.turn, &d.loop, settle, &d) < 0 ||
	    uplink_init(&d.uplink, &d.turn, settings, &uplink_ops, &d, &err) <
		    0) {
		log_err("cannot start an event loop");
		return DAEMON_EXIT_FAILED;
	}
	if (start(&d, &err) < 0) {
		log_err("%s", err.text);
		leave_finish(&d, DAEMON_EXIT_FAILED);
	}
	while (!d.stopped)
		turn_run(&d.turn);
	on_sweep(&d.sweep);
	stop(&d);
	if (d.raise_signal > 0) {
		(void)signal(d.raise_signal, SIG_DFL);
		(void)raise(d.raise_signal);
	}
	return d.exit_code;
}
