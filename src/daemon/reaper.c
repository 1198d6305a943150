/* SPDX-License-Identifier: MIT */
#include "daemon/reaper.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cadre/task.h>

#include "daemon/tree.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"
#include "util/parse.h"

#define CONTROL_FD 3
#define READ_SIZE 65536u
#define KEEP_SIZE (16 * READ_SIZE)
/* Descriptors that arrive are moved out of the way of a worker's own. */
#define FIRST_PASSED_FD 32
/* With so much unsent, output is no longer read. */
#define CONGESTED_BYTES (4 * READ_SIZE)
/* After the daemon's end: what cannot be killed by then is left alone. */
#define LEAVE_MS 5000

struct options {
	uint32_t slot;
	int64_t grace_ms;
	const char *scratch;
	uint64_t memory_limit;
	const char *mark;
};

static void
write_out(struct reaper *r, const uint8_t *data, size_t len, size_t *ret_done)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(r->control, data + done, len - done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			r->leaving = true;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	*ret_done = done;
}

static void
flush_out(struct reaper *r)
{
	size_t done;

	if (r->out.len == 0)
		return;
	write_out(r, r->out.data, r->out.len, &done);
	buf_consume(&r->out, done);
	if (r->out.len == 0 && r->out.cap > KEEP_SIZE) {
		buf_fini(&r->out);
		reaper_reset_peak();
	}
}

void
reaper_send(struct reaper *r, const struct wire_frame *frame)
{
	bool waiting = r->out.len > 0;

	wire_encode(&r->out, frame);
	if (r->out.error != 0) {
		log_err("out of memory for a %s frame",
			wire_type_name(frame->type));
		r->leaving = true;
		return;
	}
	if (!waiting)
		flush_out(r);
}

bool
reaper_congested(const struct reaper *r)
{
	return r->out.len > CONGESTED_BYTES;
}

void
reaper_reset_peak(void)
{
	FILE *f = fopen("/proc/self/clear_refs", "we");

	if (f == NULL)
		return;
	(void)fputs("5\n", f);
	(void)fclose(f);
}

bool
reaper_has_others(const struct reaper *r)
{
	if (r->alone)
		return false;
	if (r->worker.pid == 0 || r->worker.ended)
		return true;
	return tree_has_children(r->worker.pid);
}

static void
handle(struct reaper *r, const struct wire_frame *frame)
{
	struct reaper_task *t = &r->task;

	switch (frame->type) {
	case WIRE_TASK:
		reaper_task_start(r, frame);
		break;
	case WIRE_CANCEL:
		if (frame->task == t->head.task &&
		    frame->attempt == t->head.attempt)
			reaper_task_cancel(r,
					   frame->code == WIRE_CANCEL_TIMEOUT
						   ? CADRE_OUTCOME_TIMEOUT
						   : CADRE_OUTCOME_CANCELLED);
		break;
	case WIRE_SPAWN:
		reaper_worker_spawn(r, frame);
		break;
	case WIRE_KILL:
		reaper_worker_signal(r, frame->code);
		if (frame->code == SIGKILL)
			reaper_task_kill(r);
		break;
	default:
		log_warn("unexpected %s frame", wire_type_name(frame->type));
		break;
	}
}

static void
handle_frames(struct reaper *r)
{
	size_t pos = 0;

	while (!r->leaving) {
		struct cadre_error err = CADRE_ERROR_INIT;
		struct wire_frame frame;
		uint64_t size;
		int rc = wire_peek(r->in.data + pos, r->in.len - pos,
				   WIRE_MAX_FRAME, &size);

		if (rc == CADRE_EAGAIN || (rc == 0 && size > r->in.len - pos))
			break;
		if (rc == 0)
			rc = wire_decode(r->in.data + pos, (size_t)size, &frame,
					 &err);
		if (rc < 0) {
			log_err("bad frame from the daemon: %s",
				err.code != 0 ? err.text : cadre_strerror(rc));
			r->leaving = true;
			return;
		}
		handle(r, &frame);
		pos += (size_t)size;
	}
	buf_consume(&r->in, pos);
	if (r->in.len == 0 && r->in.cap > KEEP_SIZE) {
		buf_fini(&r->in);
		reaper_reset_peak();
	}
}

static void
take_passed(struct reaper *r, struct msghdr *msg)
{
	int n = (int)(sizeof(r->passed) / sizeof(*r->passed));

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR(msg, c)) {
		int *fds = (int *)(void *)CMSG_DATA(c);
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd =
				fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_PASSED_FD);

			close(fds[i]);
			if (fd >= 0 && r->passed_len < n)
				r->passed[r->passed_len++] = fd;
			else if (fd >= 0)
				close(fd);
		}
	}
}

static void
read_control(struct reaper *r)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t n;

	iov.iov_base = buf_reserve(&r->in, READ_SIZE);
	iov.iov_len = r->in.cap - r->in.len;
	if (iov.iov_base == NULL) {
		log_err("out of memory for a frame from the daemon");
		r->leaving = true;
		return;
	}
	n = recvmsg(r->control, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		r->leaving = true;
		return;
	}
	take_passed(r, &msg);
	buf_commit(&r->in, (size_t)n);
	handle_frames(r);
}

/* Collects whoever has ended, and learns whether anybody is left. */
static void
reap(struct reaper *r)
{
	struct rusage usage;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		if (r->task.phase == REAPER_RUNNING && pid == r->task.pid)
			reaper_task_ended(r, status, &usage);
		else if (pid == r->worker.pid && !r->worker.ended)
			reaper_worker_ended(r, status, &usage);
	}
	r->alone = pid < 0 && errno == ECHILD;
}

static void
read_signals(struct reaper *r)
{
	struct signalfd_siginfo info[4];
	ssize_t n = read(r->signals, info, sizeof(info));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(*info); i++) {
		if (info[i].ssi_signo == SIGTERM)
			r->leaving = true;
	}
	reap(r);
}

static int
poll_timeout(const struct reaper *r)
{
	uint64_t next = reaper_task_next_ms(r);
	uint64_t worker = reaper_worker_next_ms(r);
	uint64_t now;

	if (worker < next)
		next = worker;
	if (next == REAPER_NEVER)
		return -1;
	now = clock_now_ms();
	if (next <= now)
		return 0;
	return next - now > 60000 ? 60000 : (int)(next - now);
}

static void
read_output(struct reaper_output *o, const struct pollfd *p)
{
	/* Hung up, and nothing left to read. */
	if (p->revents == POLLHUP)
		reaper_output_close(o);
	else if (p->revents != 0)
		reaper_output_read(o);
}

static void
loop(struct reaper *r)
{
	struct reaper_task *t = &r->task;

	while (!r->leaving) {
		bool paused = reaper_congested(r);
		struct pollfd p[] = {
			{.fd = r->control, .events = POLLIN},
			{.fd = r->signals, .events = POLLIN},
			{.fd = paused ? -1 : t->out.fd, .events = POLLIN},
			{.fd = paused ? -1 : t->err.fd, .events = POLLIN},
		};

		if (r->out.len > 0)
			p[0].events |= POLLOUT;
		if (poll(p, sizeof(p) / sizeof(*p), poll_timeout(r)) < 0) {
			if (errno == EINTR)
				continue;
			log_err("poll: %s", strerror(errno));
			return;
		}
		read_output(&t->out, &p[2]);
		read_output(&t->err, &p[3]);
		if (p[1].revents != 0)
			read_signals(r);
		if (p[0].revents & POLLOUT)
			flush_out(r);
		if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
			read_control(r);
		reaper_task_step(r);
		reaper_worker_step(r);
	}
}

/* The daemon is gone: so is all that it started. */
static void
kill_all(struct reaper *r)
{
	uint64_t until = clock_now_ms() + LEAVE_MS;
	struct timespec pause = {.tv_nsec = 5000000};
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	for (reap(r); !r->alone && clock_now_ms() < until; reap(r)) {
		(void)tree_signal(getpid(), 0, SIGKILL);
		(void)sigtimedwait(&set, NULL, &pause);
	}
}

static int
usage(void)
{
	(void)fputs("usage: cadre-reaper --slot N --grace MS --scratch DIR "
		    "[--memory-limit BYTES] [--mark TEXT]\n"
		    "Started by cadred; the control socket is descriptor 3.\n",
		    stderr);
	return 2;
}

static int
parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option long_options[] = {
		{"slot", required_argument, NULL, 's'},
		{"grace", required_argument, NULL, 'g'},
		{"scratch", required_argument, NULL, 'd'},
		{"memory-limit", required_argument, NULL, 'm'},
		{"mark", required_argument, NULL, 'k'},
		{NULL, 0, NULL, 0},
	};
	int c, rc = 0;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			rc |= parse_uint32(optarg, 0, UINT32_MAX - 1,
					   &ret->slot);
			break;
		case 'g':
			rc |= parse_int64(optarg, 0, INT64_MAX / 2,
					  &ret->grace_ms);
			break;
		case 'd':
			ret->scratch = optarg;
			break;
		case 'm':
			rc |= parse_size(optarg, &ret->memory_limit);
			break;
		case 'k':
			ret->mark = optarg;
			break;
		default:
			return CADRE_EINVAL;
		}
	}
	return rc != 0 || optind != argc || ret->scratch == NULL ? CADRE_EINVAL
								 : 0;
}

/* Whatever else a launcher left open is not for the tasks. */
static void
close_others(void)
{
#ifdef SYS_close_range
	(void)syscall(SYS_close_range, CONTROL_FD + 1, UINT_MAX, 0);
#endif
}

/* Standard input is /dev/null, writable too: discarded output goes there. */
static int
open_null(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		return -1;
	if (fd > STDERR_FILENO)
		close(fd);
	return 0;
}

/* The C library keeps two signals of its own from sigaction, and its
 * posix_spawn may have left them ignored.  An empty kernel sigaction is the
 * default action. */
static void
reset_reserved(void)
{
	static const unsigned long none[8];

	for (int sig = SIGSYS + 1; sig < SIGRTMIN; sig++)
		(void)syscall(SYS_rt_sigaction, sig, none, NULL,
			      sizeof(none[0]));
}

static int
block_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL,
				   .sa_flags = SA_NOCLDSTOP};
	sigset_t set;

	/* What we start inherits these, and unblocks. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &action, NULL);
	reset_reserved();
	(void)sigfillset(&set);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
prepare_env(struct reaper *r, const struct options *o, struct cadre_error *err)
{
	static char slot[32], scratch[4200], mark[1024];
	static char *fixed[] = {slot, scratch, mark, NULL};

	(void)snprintf(slot, sizeof(slot), "CADRE_SLOT=%u", o->slot + 1);
	(void)snprintf(scratch, sizeof(scratch), "CADRE_SCRATCH=%s",
		       r->scratch.path);
	(void)snprintf(mark, sizeof(mark), "CADRE_MARK=%s",
		       o->mark == NULL ? "" : o->mark);
	return reaper_env_init(&r->env, environ, fixed, err);
}

static int
prepare(struct reaper *r, const struct options *o, struct cadre_error *err)
{
	int rc;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	r->control = CONTROL_FD;
	r->grace_ms = (uint64_t)o->grace_ms;
	r->memory_limit = o->memory_limit;
	if (fcntl(r->control, F_SETFD, FD_CLOEXEC) < 0)
		return error_sys(err, errno, "descriptor 3 is no socket");
	close_others();
	if (open_null() < 0)
		return error_sys(err, errno, "cannot open /dev/null");
	r->signals = block_signals();
	if (r->signals < 0)
		return error_sys(err, errno, "cannot watch signals");
	buf_init(&r->in, SIZE_MAX);
	buf_init(&r->out, SIZE_MAX);
	buf_init(&r->fields, 1 << 20);
	reaper_task_init(r);
	rc = reaper_scratch_open(&r->scratch, o->scratch, o->slot, err);
	return rc < 0 ? rc : prepare_env(r, o, err);
}

int
main(int argc, char **argv)
{
	static struct reaper r;
	struct cadre_error err = CADRE_ERROR_INIT;
	struct options options = {.grace_ms = 2000};
	int rc;

	log_open("reaper", LOG_LEVEL_WARN);
	if (parse_options(argc, argv, &options) < 0)
		return usage();
	r.scratch.fd = -1;
	rc = prepare(&r, &options, &err);
	if (rc < 0)
		log_err("%s", err.text);
	else
		loop(&r);
	kill_all(&r);
	reaper_scratch_close(&r.scratch);
	reaper_task_fini(&r);
	reaper_env_fini(&r.env);
	buf_fini(&r.in);
	buf_fini(&r.out);
	buf_fini(&r.fields);
	return rc < 0 ? 1 : 0;
}
