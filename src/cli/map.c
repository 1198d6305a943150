/* SPDX-License-Identifier: MIT */
#include "cli/map.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/quiesce.h"
#include "cli/shell.h"
#include "cli/signals.h"
#include "cli/sources.h"
#include "util/clock.h"
#include "util/error.h"

/* Tasks handed to the dispatcher beyond those that run, so that no slot waits
 * for this process; none where it has to decide before each start. */
#define AHEAD 64

static int map_main(int argc, char **argv);

const struct command map_command = {
	.name = "map",
	.synopsis = "[OPTION]... [COMMAND [ARG]...] [::: ARG...]...\n"
		    "[OPTION]... [COMMAND [ARG]...] [:::: FILE...]...\n"
		    "[OPTION]... [COMMAND [ARG]...] < ARGUMENTS",
	.summary = "Run a command once for each argument, many at a time.",
	.epilogue =
		"COMMAND may hold replacement strings: {} the argument, {.} "
		"without extension,\n{/} its last part, {//} its directory, "
		"{/.} last part without extension, {#} number\nof the task, "
		"{%} number of its slot, {1} {2} ... of several arguments.\n\n"
		"Exit status: the number of tasks that failed, 101 for more "
		"than 100, 255 if cadre\nitself failed.",
	.options = mapopts_table,
	.main = map_main,
	.failure = CLI_FAILURE_MAP,
};

void
map_fail(struct map *map, const struct cadre_error *err)
{
	if (map->fatal.code == CADRE_OK)
		map->fatal = *err;
	map->stopping = true;
}

static int
make_templates(struct map *map, const struct sources *s,
	       struct cadre_error *err)
{
	const struct mapopts *o = &map->o;
	const char *tag = o->tagstring != NULL ? o->tagstring
			  : o->tag	       ? o->replace
					       : NULL;
	int rc = template_new_command(s->words, s->n_words, o->replace,
				      o->quote, &map->command, err);

	if (rc == 0 && tag != NULL)
		rc = template_new_text(tag, o->replace, &map->tag, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < s->n_words; i++)
		map->number_slots |=
			strstr(s->words[i], "PARALLEL_JOBSLOT") != NULL;
	map->shell = shell_path();
	map->direct = template_is_simple(map->command) &&
		      shell_may_be_skipped(map->shell, s->words[0]);
	return 0;
}

static int
open_files(struct map *map, struct cadre_error *err)
{
	const struct mapopts *o = &map->o;
	bool resume = o->resume || o->resume_failed;
	int rc = output_new(o->keep_order, o->line_buffer, &map->output, err);

	if (rc == 0 && o->results != NULL)
		rc = results_new(o->results, o->replace, &map->results, err);
	if (rc == 0 && o->joblog != NULL && !o->dry_run)
		rc = joblog_open(o->joblog, resume, &map->joblog, &map->earlier,
				 err);
	return rc;
}

static int
set_up(struct map *map, int argc, char **argv, struct cadre_error *err)
{
	struct mapopts *o = &map->o;
	struct sources s;
	uint32_t slots;
	int rc = sources_parse(argc, argv, o->arg_sep, o->arg_file_sep,
			       &o->arg_files, &s, err);

	if (rc < 0)
		return rc;
	map->read_ahead = o->bar || o->shuffle || o->halt.percent;
	args_init(&map->next);
	map->done_last = &map->done;
	rc = poolopts_slots(&o->pool, &slots, err);
	if (rc == 0)
		rc = make_templates(map, &s, err);
	if (rc == 0)
		rc = job_check_opts(map, err);
	if (rc == 0)
		rc = input_open(s.items, s.n, &o->input, &map->input, err);
	if (rc == 0)
		rc = open_files(map, err);
	if (rc == 0)
		rc = signals_open(err);
	sources_fini(&s);
	return rc;
}

/* Daemons are started when there is something to run. */
static int
open_pool(struct map *map, struct cadre_error *err)
{
	const struct mapopts *o = &map->o;
	int rc = poolopts_open(&o->pool, &map->pool, err);

	if (rc < 0)
		return rc;
	map->n_slots = poolopts_open_slots(&o->pool, map->pool);
	map->number_slots =
		map->number_slots || template_uses_slot(map->command) ||
		(map->tag != NULL && template_uses_slot(map->tag)) ||
		(map->results != NULL && results_use_slot(map->results));
	map->limit = map->n_slots;
	if (!map->number_slots && o->delay_ms == 0 &&
	    o->halt.when == HALT_NEVER &&
	    (o->pool.name == NULL || o->pool.slots == NULL))
		map->limit += map->n_slots + AHEAD;
	map->slots = calloc(map->n_slots, sizeof(*map->slots));
	if (map->slots == NULL)
		return error_nomem(err);
	if (o->pool.name != NULL)
		map->hosts.pool = map->pool;
	/* The first of the spaced starts is not to be late. */
	return o->delay_ms > 0 ? cadre_pool_wait_ready(map->pool, 1, -1, err)
			       : 0;
}

static int
queue_add(struct map *map, struct cadre_error *err)
{
	struct args *queue;
	size_t cap;

	if (map->queue_n == map->queue_cap) {
		cap = map->queue_cap == 0 ? 256 : map->queue_cap * 2;
		queue = realloc(map->queue, cap * sizeof(*queue));
		if (queue == NULL)
			return error_nomem(err);
		map->queue = queue;
		map->queue_cap = cap;
	}
	args_init(&map->queue[map->queue_n]);
	return args_copy(&map->queue[map->queue_n++], &map->next, err);
}

static void
shuffle(struct map *map)
{
	for (size_t i = map->queue_n; i > 1; i--) {
		uint64_t random = 0;
		struct args tmp;
		size_t j;

		(void)!getrandom(&random, sizeof(random), 0);
		j = random % i;
		tmp = map->queue[i - 1];
		map->queue[i - 1] = map->queue[j];
		map->queue[j] = tmp;
	}
}

/* Reads everything; 0 when that is done, CADRE_EAGAIN to wait for more. */
static int
read_ahead(struct map *map, struct cadre_error *err)
{
	int rc;

	while ((rc = input_next(map->input, &map->next, err)) == 1)
		if ((rc = queue_add(map, err)) < 0)
			return rc;
	if (rc < 0)
		return rc;
	if (map->o.shuffle)
		shuffle(map);
	map->read_ahead = false;
	map->progress.total = map->queue_n;
	return 0;
}

/* As input_next, from what was read ahead if anything was. */
static int
next_args(struct map *map, struct cadre_error *err)
{
	int rc;

	if (map->read_ahead && (rc = read_ahead(map, err)) < 0)
		return rc;
	if (map->queue == NULL)
		return input_next(map->input, &map->next, err);
	if (map->queue_at == map->queue_n)
		return 0;
	args_fini(&map->next);
	map->next = map->queue[map->queue_at];
	args_init(&map->queue[map->queue_at++]);
	return 1;
}

/* True if an earlier run has done the task. */
static bool
done_earlier(const struct map *map)
{
	const struct mapopts *o = &map->o;

	if (!o->resume && !o->resume_failed)
		return false;
	if (o->joblog != NULL)
		return joblog_is_done(&map->earlier, map->seq,
				      o->resume_failed);
	return results_exist(map->results, &map->next, map->seq);
}

static int
pass_over(struct map *map, struct cadre_error *err)
{
	struct output_task none = {.seq = map->seq};

	map->progress.done++;
	return output_end(map->output, &none, err);
}

/* Starts tasks while there is room; CADRE_EAGAIN to wait for input. */
static int
start_jobs(struct map *map, uint64_t *next_start_ms, struct cadre_error *err)
{
	int rc;

	while (!map->stopping && !map->input_done) {
		if (map->pool != NULL && map->in_flight >= map->limit)
			return 0;
		if (map->o.delay_ms > 0 && clock_now_ms() < *next_start_ms)
			return 0;
		rc = next_args(map, err);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			map->input_done = true;
			map->progress.total = map->seq;
			return 0;
		}
		map->seq++;
		rc = done_earlier(map) ? pass_over(map, err) : 1;
		if (rc == 0)
			continue;
		if (rc == 1 && map->pool == NULL && !map->o.dry_run &&
		    (rc = open_pool(map, err)) < 0)
			return rc;
		rc = rc < 0 ? rc : job_start(map, err);
		if (rc < 0)
			return rc;
		if (map->o.delay_ms > 0)
			*next_start_ms =
				clock_now_ms() + (uint64_t)map->o.delay_ms;
	}
	return 0;
}

static int
poll_timeout(const struct map *map, uint64_t next_start_ms, bool may_start)
{
	uint64_t now_ms = clock_now_ms();
	int64_t timeout = map->progress.on ? PROGRESS_TICK_MS : -1;
	int64_t left = (int64_t)(next_start_ms - now_ms);

	if (!may_start || map->o.delay_ms == 0)
		return (int)timeout;
	if (left < 0)
		left = 0;
	return (int)(timeout < 0 || left < timeout ? left : timeout);
}

/* Waits for a signal, a resolved task, input if it is wanted, or time. */
static void
wait_for_event(struct map *map, uint64_t next_start_ms, bool want_input)
{
	bool may_start = !map->stopping && !map->input_done;
	struct pollfd pfds[3] = {
		{.fd = signals_fd(), .events = POLLIN},
		{.fd = map->pool != NULL ? cadre_pool_fd(map->pool) : -1,
		 .events = POLLIN},
		{.fd = want_input ? input_fd(map->input) : -1,
		 .events = POLLIN},
	};

	(void)poll(pfds, 3, poll_timeout(map, next_start_ms, may_start));
}

static void
finish_jobs(struct map *map)
{
	while (map->done != NULL) {
		struct cadre_error err = CADRE_ERROR_INIT;
		struct job *job = map->done;

		map->done = job->done_next;
		if (map->done == NULL)
			map->done_last = &map->done;
		if (job_finish(job, &err) < 0) {
			map_fail(map, &err);
			job_cancel_all(map, false);
		}
	}
}

/* What has been printed is on its way before the log says so. */
static void
flush(struct map *map)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	if (stream_pending())
		progress_clear(&map->progress);
	stream_flush();
	if (stream_error() != 0) {
		(void)error_sys(&err, stream_error(),
				"cannot write to standard output");
		map_fail(map, &err);
		job_cancel_all(map, true);
	} else if (map->joblog != NULL && joblog_flush(map->joblog, &err) < 0) {
		map_fail(map, &err);
	}
}

static void
loop(struct map *map)
{
	uint64_t next_start_ms = 0;
	bool interrupted = false;

	for (;;) {
		struct cadre_error err = CADRE_ERROR_INIT;
		int rc = 0;

		if (signals_caught() != 0 && !interrupted) {
			interrupted = map->stopping = true;
			job_cancel_all(map, true);
		}
		rc = start_jobs(map, &next_start_ms, &err);
		if (rc < 0 && rc != CADRE_EAGAIN)
			map_fail(map, &err);
		flush(map);
		map->progress.running = map->in_flight < map->n_slots
						? map->in_flight
						: map->n_slots;
		progress_tick(&map->progress);
		if (map->in_flight == 0 && (map->stopping || map->input_done))
			return;
		if (map->done == NULL)
			wait_for_event(map, next_start_ms, rc == CADRE_EAGAIN);
		if (map->pool != NULL)
			(void)cadre_pool_process(map->pool);
		finish_jobs(map);
	}
}

static void
report_interrupt(const struct map *map)
{
	const struct progress *p = &map->progress;
	char total[40] = "";

	if (map->input_done || p->total > 0)
		(void)snprintf(total, sizeof(total), " of %llu",
			       (unsigned long long)p->total);
	cli_warn(&map_command,
		 "interrupted by signal %d: %llu%s done, %llu "
		 "failed; the rest was not run to its end",
		 signals_caught(), (unsigned long long)p->done, total,
		 (unsigned long long)p->failed);
}

/* Ends as a program does that a closed pipe stops. */
static void
end_by_sigpipe(void)
{
	(void)signal(SIGPIPE, SIG_DFL);
	(void)raise(SIGPIPE);
}

static int
exit_status(const struct map *map)
{
	if (signals_caught() != 0) {
		report_interrupt(map);
		return 128 + signals_caught();
	}
	if (map->fatal.code == CADRE_OK)
		return halt_exit_status(&map->o.halt);
	if (stream_error() == EPIPE) {
		end_by_sigpipe();
		return CLI_FAILURE_MAP;
	}
	return cli_fail(&map_command, &map->fatal);
}

static void
tear_down(struct map *map)
{
	struct cadre_error err = CADRE_ERROR_INIT;

	if (map->output != NULL && output_drain(map->output, &err) < 0)
		map_fail(map, &err);
	if (map->output != NULL)
		flush(map);
	progress_finish(&map->progress);
	if (map->pool != NULL && map->stopping && map->o.pool.name == NULL)
		quiesce(map->pool);
	cadre_pool_close(&map->pool);
	if (joblog_close(&map->joblog, &err) < 0)
		map_fail(map, &err);
}

static void
map_fini(struct map *map)
{
	input_close(&map->input);
	template_free(&map->command);
	template_free(&map->tag);
	hosts_fini(&map->hosts);
	output_free(&map->output);
	results_free(&map->results);
	joblog_done_fini(&map->earlier);
	for (size_t i = 0; i < map->queue_n; i++)
		args_fini(&map->queue[i]);
	free(map->queue);
	args_fini(&map->next);
	free(map->slots);
	mapopts_fini(&map->o);
}

static int
map_main(int argc, char **argv)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct map map = {.fatal = CADRE_ERROR_INIT};
	int first, status;

	mapopts_init(&map.o);
	if (!cli_options(&map_command, argc, argv, &map.o, &first, &status)) {
		mapopts_fini(&map.o);
		return status;
	}
	if (mapopts_check(&map.o, &err) < 0 ||
	    set_up(&map, argc - first, argv + first, &err) < 0) {
		status = cli_fail(&map_command, &err);
		(void)joblog_close(&map.joblog, NULL);
		map_fini(&map);
		return status;
	}
	progress_init(&map.progress, map.o.progress, map.o.bar);
	loop(&map);
	tear_down(&map);
	status = exit_status(&map);
	map_fini(&map);
	return status;
}
