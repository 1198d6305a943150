/* SPDX-License-Identifier: MIT */
#include "host/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utlist.h>

#include "util/clock.h"
#include "util/error.h"

/* How often to look where the kernel has no pidfds. */
#define LOOK_MS 100u
/* Open files of a daemon: some of its own, and for each slot. */
#define FILES_OWN 32u
#define FILES_SLOT 6u
/* So many may be on their way at once: hundreds that start and dial together
 * keep the dispatcher from letting any in. */
#define WAVE 32u
/* After the second death in a row, doubled for each more. */
#define AGAIN_MS UINT64_C(250)
#define AGAIN_MAX_MS UINT64_C(30000)

/* Exit statuses of a daemon that left as it should: told to, idletime,
 * walltime, maxtasks (see cadred(8)). */
static const int left_well[] = {0, 2, 3, 4};

static int
check_limit(const struct jobs_plan *plan, struct cadre_error *err)
{
	uint32_t slots = (plan->slots + plan->daemons - 1) / plan->daemons;
	uint64_t files = FILES_OWN + (uint64_t)FILES_SLOT * slots;
	uint64_t processes = (uint64_t)plan->slots * 2 + plan->daemons;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < files)
		return error_set(err, CADRE_ELAUNCH,
				 "a daemon with %" PRIu32 " slots opens about "
				 "%" PRIu64 " files, but the limit is %" PRIu64
				 ": ask for fewer slots or raise it (ulimit "
				 "-n)",
				 slots, files, (uint64_t)limit.rlim_max);
	if (geteuid() != 0 && getrlimit(RLIMIT_NPROC, &limit) == 0 &&
	    limit.rlim_cur < processes)
		return error_set(err, CADRE_ELAUNCH,
				 "%" PRIu32 " slots need about %" PRIu64
				 " processes, but the limit is %" PRIu64
				 ": ask for fewer slots or raise it (ulimit "
				 "-u)",
				 plan->slots, processes,
				 (uint64_t)limit.rlim_cur);
	return 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
job_forget(struct jobs *jobs, struct job *job)
{
	DL_DELETE(jobs->list, job);
	jobs->n--;
	close_fd(&job->launch.pidfd);
	close_fd(&job->launch.log_fd);
	free(job);
}

static void
fill_record(struct launch_record *record, const struct jobs_plan *plan,
	    uint32_t index, uint32_t slots)
{
	*record = (struct launch_record){
		.url = (char *)(uintptr_t)plan->url,
		.session = (char *)(uintptr_t)plan->session,
		.auth = (char *)(uintptr_t)plan->auth,
		.index = index,
		.slots = slots,
		.settings = plan->settings,
	};
}

static void
adopt_launch(struct job *job, const struct launch_job *launch,
	     uint64_t give_up_ms)
{
	job->launch = *launch;
	job->give_up_ms = give_up_ms;
	if (launch->log_fd >= 0)
		(void)fcntl(launch->log_fd, F_SETFL, O_NONBLOCK);
}

static void
adopt(struct jobs *jobs, struct job *job, const struct launch_job *launch,
      const struct launch_record *record, uint64_t give_up_ms)
{
	adopt_launch(job, launch, give_up_ms);
	job->index = record->index;
	job->slots = record->slots;
	DL_APPEND(jobs->list, job);
	jobs->n++;
	jobs->expected++;
}

/* May another one of the queue be launched? */
static bool
has_room(const struct jobs *jobs)
{
	return jobs->expected - jobs->queued < WAVE;
}

bool
jobs_wait_for_room(const struct jobs *jobs)
{
	return jobs->queued > 0 && has_room(jobs);
}

static int
start_all(struct jobs *jobs, const struct jobs_plan *plan,
	  struct launch_record *records, struct launch_job *launched,
	  struct job **made, struct cadre_error *err)
{
	uint32_t first = plan->daemons < WAVE ? plan->daemons : WAVE;
	int rc;

	for (uint32_t i = 0; i < plan->daemons; i++) {
		fill_record(&records[i], plan, jobs->next_index + i,
			    plan->slots / plan->daemons +
				    (i < plan->slots % plan->daemons));
		made[i] = calloc(1, sizeof(*made[i]));
		if (made[i] == NULL)
			return error_nomem(err);
	}
	rc = launch_local.start(records, first, launched, err);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < plan->daemons; i++) {
		made[i]->queued = i >= first;
		if (made[i]->queued) {
			launched[i] =
				(struct launch_job){.pidfd = -1, .log_fd = -1};
			made[i]->again_ms = 1;
			jobs->queued++;
		}
		adopt(jobs, made[i], &launched[i], &records[i],
		      plan->give_up_ms);
		made[i] = NULL;
	}
	jobs->next_index += plan->daemons;
	return 0;
}

int
jobs_start(struct jobs *jobs, const struct jobs_plan *plan,
	   struct cadre_error *err)
{
	struct launch_record *records;
	struct launch_job *launched;
	struct job **made;
	int rc = check_limit(plan, err);

	if (rc < 0)
		return rc;
	records = calloc(plan->daemons, sizeof(*records));
	launched = calloc(plan->daemons, sizeof(*launched));
	made = calloc(plan->daemons, sizeof(struct job *));
	if (records == NULL || launched == NULL || made == NULL)
		rc = error_nomem(err);
	else
		rc = start_all(jobs, plan, records, launched, made, err);
	for (uint32_t i = 0; made != NULL && i < plan->daemons; i++)
		free(made[i]);
	free(made);
	free(launched);
	free(records);
	return rc;
}

bool
jobs_connected(struct jobs *jobs, uint32_t index, int64_t pid)
{
	struct job *job;

	DL_FOREACH (jobs->list, job) {
		if (job->index != index || job->launch.pid != (pid_t)pid)
			continue;
		if (!job->connected && !job->given_up)
			jobs->expected--;
		job->connected = true;
		job->lasting = true;
		jobs->met = true;
		return true;
	}
	return false;
}

static struct job *
find(struct jobs *jobs, int64_t pid)
{
	struct job *job;

	DL_SEARCH_SCALAR(jobs->list, job, launch.pid, (pid_t)pid);
	return pid > 0 ? job : NULL;
}

void
jobs_proved(struct jobs *jobs, int64_t pid)
{
	struct job *job = find(jobs, pid);

	if (job != NULL)
		job->deaths = 0;
}

void
jobs_retiring(struct jobs *jobs, int64_t pid)
{
	struct job *job = find(jobs, pid);

	if (job != NULL)
		job->retiring = true;
}

uint64_t
jobs_slots(const struct jobs *jobs)
{
	const struct job *job;
	uint64_t slots = 0;

	DL_FOREACH (jobs->list, job) {
		if (!job->given_up)
			slots += job->slots;
	}
	return slots;
}

static void
keep_tail(struct job *job, const char *text, size_t n)
{
	size_t room = sizeof(job->tail);

	if (n >= room) {
		memcpy(job->tail, text + n - room, room);
		job->tail_len = room;
		return;
	}
	if (job->tail_len + n > room) {
		size_t excess = job->tail_len + n - room;

		memmove(job->tail, job->tail + excess, job->tail_len - excess);
		job->tail_len -= excess;
	}
	memcpy(job->tail + job->tail_len, text, n);
	job->tail_len += n;
}

static void
read_log(struct jobs *jobs, struct job *job)
{
	char text[4096];
	ssize_t n;

	while (job->launch.log_fd >= 0) {
		n = read(job->launch.log_fd, text, sizeof(text));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			close_fd(&job->launch.log_fd);
			return;
		}
		keep_tail(job, text, (size_t)n);
		if (jobs->show)
			(void)!write(STDERR_FILENO, text, (size_t)n);
	}
}

/* The last line that it wrote, for a sentence. */
static void
last_line(const struct job *job, char *text, size_t size)
{
	size_t end = job->tail_len, start;

	while (end > 0 &&
	       (job->tail[end - 1] == '\n' || job->tail[end - 1] == '\0'))
		end--;
	start = end;
	while (start > 0 && job->tail[start - 1] != '\n')
		start--;
	(void)snprintf(text, size, "%s%.*s", end > start ? ": " : "",
		       (int)(end - start), job->tail + start);
}

static void
explain_end(struct jobs *jobs, const struct job *job, int status)
{
	char line[256], how[64];

	last_line(job, line, sizeof(line));
	if (WIFSIGNALED(status))
		(void)snprintf(how, sizeof(how), "was ended by signal %d",
			       WTERMSIG(status));
	else
		(void)snprintf(how, sizeof(how), "ended with status %d",
			       WEXITSTATUS(status));
	(void)snprintf(jobs->why, sizeof(jobs->why),
		       "cadred (process %d) %s%s%s", (int)job->launch.pid, how,
		       job->connected ? "" : " before it dialled back", line);
}

static bool
is_well(int status)
{
	for (size_t i = 0; i < sizeof(left_well) / sizeof(left_well[0]); i++)
		if (WIFEXITED(status) && WEXITSTATUS(status) == left_well[i])
			return true;
	return false;
}

/* A daemon died, or could not be launched: in its place comes another one, in
 * a while, or none any more. */
static void
replace(struct jobs *jobs, struct job *job, uint64_t now_ms)
{
	uint64_t delay = 0;

	if (!job->connected)
		jobs->expected--;
	if (++job->deaths > jobs->relaunch) {
		size_t used = strlen(jobs->why);

		if (job->deaths > 1)
			(void)snprintf(jobs->why + used,
				       sizeof(jobs->why) - used,
				       "; it died %" PRIu32 " times in a row "
				       "without finishing a task",
				       job->deaths);
		job_forget(jobs, job);
		return;
	}
	if (job->deaths > 1)
		delay = AGAIN_MS << (job->deaths < 10 ? job->deaths - 2 : 8);
	job->again_ms =
		now_ms + (delay < AGAIN_MAX_MS ? delay : AGAIN_MAX_MS) + 1;
	close_fd(&job->launch.pidfd);
	close_fd(&job->launch.log_fd);
	job->launch.pid = 0;
	job->tail_len = 0;
	job->connected = false;
	jobs->expected++;
}

/* True if the job has ended; it is forgotten then, or waits for a launch. */
static bool
reap(struct jobs *jobs, struct job *job, uint64_t now_ms)
{
	int status = 0;
	pid_t pid = waitpid(job->launch.pid, &status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return false;
	read_log(jobs, job);
	if (!job->given_up && (!job->connected || !is_well(status)))
		explain_end(jobs, job, status);
	if (job->lasting && !job->retiring && !job->given_up &&
	    !is_well(status)) {
		replace(jobs, job, now_ms);
		return true;
	}
	if (!job->connected && !job->given_up)
		jobs->expected--;
	job_forget(jobs, job);
	return true;
}

static void
launch_again(struct jobs *jobs, struct job *job, const struct jobs_plan *plan,
	     uint64_t now_ms)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct launch_record record;
	struct launch_job launched;

	job->again_ms = 0;
	jobs->queued -= job->queued;
	job->queued = false;
	fill_record(&record, plan, job->index, job->slots);
	if (launch_local.start(&record, 1, &launched, &err) == 0) {
		adopt_launch(job, &launched, plan->give_up_ms);
		return;
	}
	(void)snprintf(jobs->why, sizeof(jobs->why), "%.320s", err.text);
	replace(jobs, job, now_ms);
}

bool
jobs_again(struct jobs *jobs, const struct jobs_plan *plan, uint64_t now_ms)
{
	struct job *job, *after;
	bool any = false;

	DL_FOREACH_SAFE (jobs->list, job, after) {
		if (job->again_ms == 0 || now_ms < job->again_ms ||
		    (job->queued && !has_room(jobs)))
			continue;
		any = true;
		launch_again(jobs, job, plan, now_ms);
	}
	return any;
}

static bool
give_up_late(struct jobs *jobs, struct job *job, uint64_t now_ms)
{
	char line[256];

	if (job->connected || job->given_up || now_ms < job->give_up_ms)
		return false;
	job->given_up = true;
	jobs->expected--;
	last_line(job, line, sizeof(line));
	(void)snprintf(jobs->why, sizeof(jobs->why),
		       "cadred (process %d) did not dial back in time (see the "
		       "setting start-limit)%s",
		       (int)job->launch.pid, line);
	launch_local.cancel(&job->launch, 1);
	return true;
}

bool
jobs_look(struct jobs *jobs, uint64_t now_ms)
{
	struct job *job, *after;
	bool changed = false;

	DL_FOREACH_SAFE (jobs->list, job, after) {
		if (job->again_ms != 0)
			continue;
		read_log(jobs, job);
		changed = give_up_late(jobs, job, now_ms) || changed;
		changed = reap(jobs, job, now_ms) || changed;
	}
	return changed;
}

size_t
jobs_pollfds(const struct jobs *jobs, struct pollfd *fds)
{
	const struct job *job;
	size_t n = 0;

	DL_FOREACH (jobs->list, job) {
		if (job->launch.pidfd >= 0)
			fds[n++] = (struct pollfd){.fd = job->launch.pidfd,
						   .events = POLLIN};
		if (job->launch.log_fd >= 0)
			fds[n++] = (struct pollfd){.fd = job->launch.log_fd,
						   .events = POLLIN};
	}
	return n;
}

uint64_t
jobs_deadline(const struct jobs *jobs, uint64_t now_ms)
{
	uint64_t deadline = UINT64_MAX;
	const struct job *job;

	DL_FOREACH (jobs->list, job) {
		if (job->again_ms != 0) {
			if (job->again_ms < deadline &&
			    (!job->queued || has_room(jobs)))
				deadline = job->again_ms;
			continue;
		}
		if (!job->connected && !job->given_up &&
		    job->give_up_ms < deadline)
			deadline = job->give_up_ms;
		if (job->launch.pidfd < 0 && now_ms + LOOK_MS < deadline)
			deadline = now_ms + LOOK_MS;
	}
	return deadline;
}

static void
cancel_all(struct jobs *jobs, int kill)
{
	struct job *job;

	DL_FOREACH (jobs->list, job) {
		launch_local.cancel(&job->launch, kill);
	}
}

/* Sleeps until one of them has something to say, at most until until_ms. */
static void
poll_jobs(struct jobs *jobs, uint64_t until_ms)
{
	struct pollfd *fds = calloc(2 * jobs->n + 1, sizeof(*fds));
	size_t n = fds == NULL ? 0 : jobs_pollfds(jobs, fds);
	uint64_t now = clock_now_ms();
	uint64_t due = jobs_deadline(jobs, now);

	if (until_ms < due)
		due = until_ms;
	if (fds == NULL && now + LOOK_MS < due)
		due = now + LOOK_MS;
	(void)poll(fds, (nfds_t)n, due <= now ? 0 : (int)(due - now));
	free(fds);
}

void
jobs_end(struct jobs *jobs, uint64_t patience_ms)
{
	uint64_t due = clock_now_ms() + patience_ms;
	struct job *job, *after;
	int kill = 0;

	DL_FOREACH_SAFE (jobs->list, job, after) {
		job->retiring = true;
		if (job->again_ms != 0)
			job_forget(jobs, job);
	}
	jobs->queued = 0;
	while (jobs->list != NULL) {
		uint64_t now = clock_now_ms();

		if (now >= due) {
			cancel_all(jobs, kill);
			kill = 1;
			due = now + patience_ms + 1;
		}
		poll_jobs(jobs, due);
		(void)jobs_look(jobs, now);
	}
}
