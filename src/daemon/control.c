/* SPDX-License-Identifier: MIT */
#include "daemon/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/error.h"
#include "util/log.h"

#define CONTROL_FD 3
/* A reaper that lived shorter than this counts as failing. */
#define EARLY_MS 1000
#define EARLY_MAX 3

static void
forward(struct slot *slot, const struct wire_frame *frame)
{
	struct wire_frame out = *frame;

	if (slot->command.forgotten || slot->command.epoch)
		return;
	out.slot = slot->index;
	daemon_send(slot->daemon, &out);
}

static void
on_frame(void *arg, const struct wire_frame *frame)
{
	struct slot *slot = arg;

	switch (frame->type) {
	case WIRE_OUTPUT:
		forward(slot, frame);
		break;
	case WIRE_RESULT:
		command_result(slot, frame);
		break;
	case WIRE_SPAWNED:
		worker_spawned(slot, frame);
		break;
	case WIRE_EXITED:
		worker_exited(slot, frame);
		break;
	default:
		log_warn("a reaper sent an unexpected %s frame",
			 wire_type_name(frame->type));
		break;
	}
}

/* Results that a worker had sent before its end still count. */
static void
drain_worker(struct slot *slot)
{
	if (channel_is_open(&slot->worker.channel))
		channel_drain(&slot->worker.channel);
}

static void
on_batch(void *arg)
{
	struct slot *slot = arg;

	if (!slot->worker.exited)
		return;
	drain_worker(slot);
	worker_dead(slot, slot->worker.death);
}

static void
on_ended(void *arg, const char *reason)
{
	struct slot *slot = arg;

	log_debug("reaper of slot %u: %s", slot->index + 1, reason);
	/* SIGCHLD will tell that it is gone. */
	if (slot->control.pid > 0)
		(void)kill(slot->control.pid, SIGKILL);
}

static const struct channel_ops control_ops = {
	.frame = on_frame,
	.batch = on_batch,
	.ended = on_ended,
};

void
control_init(struct slot *slot)
{
	channel_init(&slot->control.channel, &control_ops, slot);
}

/* Environment of a reaper: ours, and how many cores its tasks have. */
static char **
make_env(const struct settings *s)
{
	static const char *const names[] = {
		"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
		"BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS"};
	const size_t names_n = sizeof(names) / sizeof(names[0]);
	static char texts[sizeof(names) / sizeof(names[0])][48];
	size_t n = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = calloc(n + names_n + 1, sizeof(*env));
	if (env == NULL)
		return NULL;
	n = 0;
	for (char **e = environ; *e != NULL; e++) {
		size_t len = strcspn(*e, "="), i;

		for (i = 0; s->cores > 0 && i < names_n; i++)
			if (strlen(names[i]) == len &&
			    strncmp(*e, names[i], len) == 0)
				break;
		if (s->cores == 0 || i == names_n)
			env[n++] = *e;
	}
	for (size_t i = 0; s->cores > 0 && i < names_n; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "%s=%u", names[i],
			       s->cores);
		env[n++] = texts[i];
	}
	return env;
}

static int
spawn(struct slot *slot, int fd, pid_t *ret_pid)
{
	struct daemon *d = slot->daemon;
	char number[16], grace[24], memory[24];
	char *argv[] = {d->reaper_path, "--slot",	  number,     "--grace",
			grace,		"--scratch",	  d->scratch, "--mark",
			d->mark,	"--memory-limit", memory,     NULL};
	char **env = make_env(d->settings);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int rc;

	if (env == NULL)
		return ENOMEM;
	(void)snprintf(number, sizeof(number), "%u", slot->index);
	(void)snprintf(grace, sizeof(grace), "%lld",
		       (long long)d->settings->grace_ms);
	(void)snprintf(memory, sizeof(memory), "%llu",
		       (unsigned long long)d->settings->memory_limit);
	if (d->settings->memory_limit == 0)
		argv[9] = NULL;
	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null",
					       O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, d->worker_output, 1);
	(void)posix_spawn_file_actions_adddup2(&actions, fd, CONTROL_FD);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	(void)posix_spawnattr_setpgroup(&attr, 0);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	rc = posix_spawn(ret_pid, d->reaper_path, &actions, &attr, argv, env);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	free(env);
	return rc;
}

/* A descriptor out of the way of those that a child gets. */
static int
move_up(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 16);

	close(fd);
	return high;
}

int
control_spawn(struct slot *slot, struct cadre_error *err)
{
	struct control *c = &slot->control;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, errno,
				 "cannot make a socket for slot %u (raise "
				 "ulimit -n, or use fewer slots)",
				 slot->index + 1);
	pair[1] = move_up(pair[1]);
	if (pair[1] < 0) {
		rc = errno;
		close(pair[0]);
		return error_sys(err, rc,
				 "cannot make a socket for slot %u (raise "
				 "ulimit -n, or use fewer slots)",
				 slot->index + 1);
	}
	rc = spawn(slot, pair[1], &c->pid);
	close(pair[1]);
	if (rc != 0) {
		c->pid = 0;
		close(pair[0]);
		return error_sys(err, rc, "cannot start %s for slot %u%s",
				 slot->daemon->reaper_path, slot->index + 1,
				 rc == EAGAIN ? " (raise ulimit -u, or use "
						"fewer slots)"
					      : "");
	}
	c->began_ms = uv_now(&slot->daemon->loop);
	rc = channel_open(&c->channel, &slot->daemon->loop, pair[0], err);
	if (rc < 0) {
		close(pair[0]);
		return rc;
	}
	if (slot->daemon->congested)
		channel_pause(&c->channel, true);
	daemon_touch(slot->daemon, slot);
	if (uplink_is_up(&slot->daemon->uplink) && !slot->announced)
		slot_announce(slot);
	return 0;
}

static void
respawn(struct slot *slot)
{
	struct control *c = &slot->control;
	struct cadre_error err = CADRE_ERROR_INIT;
	uint64_t now = uv_now(&slot->daemon->loop);

	c->early = now - c->began_ms < EARLY_MS ? c->early + 1 : 0;
	if (c->early < EARLY_MAX && control_spawn(slot, &err) == 0)
		return;
	if (err.code != CADRE_OK)
		log_err("%s", err.text);
	slot->respawn_at = now + EARLY_MS;
	slot_arm(slot);
}

void
control_reaped(struct slot *slot)
{
	struct control *c = &slot->control;

	c->pid = 0;
	if (channel_is_open(&c->channel))
		channel_drain(&c->channel);
	channel_close(&c->channel);
	if (slot->daemon->state == DAEMON_FINISHING) {
		daemon_progress(slot->daemon);
		return;
	}
	log_err("the reaper of slot %u died; what it ran is lost",
		slot->index + 1);
	daemon_orphans(slot->daemon);
	command_lost(slot, "connection reset: the slot's reaper died");
	if (slot->worker.state != WORKER_NONE) {
		slot->worker.exited = true;
		drain_worker(slot);
		worker_dead(slot, "connection reset: the slot's reaper died");
	}
	respawn(slot);
}

void
control_stop(struct slot *slot)
{
	channel_close(&slot->worker.channel);
	channel_close(&slot->control.channel);
}
