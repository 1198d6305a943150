/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "cli/cli.h"
#include "cli/jsonout.h"
#include "cli/map.h"
#include "cli/shell.h"
#include "util/error.h"

#define LINE_LIMIT (128U << 20)

/* A sentence on standard error, in order with the output. */
static void warn(struct map *map, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void
warn(struct map *map, const char *format, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text) - 1, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	text[n++] = '\n';
	progress_clear(&map->progress);
	stream_put(STREAM_ERR, "cadre map: ", 11);
	stream_put(STREAM_ERR, text, (size_t)n);
}

static void
slot_take(struct map *map, struct job *job)
{
	for (uint32_t i = 0; map->number_slots && i < map->n_slots; i++)
		if (!map->slots[i]) {
			map->slots[i] = true;
			job->slot = i + 1;
			return;
		}
}

void
job_free(struct job *job)
{
	struct map *map = job->map;

	if (job->slot > 0)
		map->slots[job->slot - 1] = false;
	cadre_task_unref(&job->task);
	args_fini(&job->args);
	buf_fini(&job->line);
	for (int i = 0; i <= STREAM_ERR; i++)
		buf_fini(&job->output.partial[i]);
	free(job->tag);
	free(job);
}

/* The arguments with blanks between them, or --tagstring's text. */
static int
make_tag(struct map *map, struct job *job, struct cadre_error *err)
{
	struct buf b;

	if (map->tag == NULL)
		return 0;
	buf_init(&b, LINE_LIMIT);
	template_render(map->tag, &job->args, job->seq, job->slot, &b);
	buf_put_u8(&b, '\0');
	if (b.error != 0) {
		buf_fini(&b);
		return error_nomem(err);
	}
	job->tag = (char *)b.data;
	return 0;
}

static int
job_new(struct map *map, struct job **ret, struct cadre_error *err)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (job == NULL)
		return error_nomem(err);
	job->map = map;
	job->seq = map->seq;
	job->direct = map->direct;
	buf_init(&job->line, LINE_LIMIT);
	slot_take(map, job);
	rc = args_copy(&job->args, &map->next, err);
	if (rc == 0)
		rc = make_tag(map, job, err);
	if (rc == 0) {
		template_render(map->command, &job->args, job->seq, job->slot,
				&job->line);
		buf_put_u8(&job->line, '\0');
		if (job->line.error != 0)
			rc = error_nomem(err);
	}
	if (rc < 0) {
		job_free(job);
		return rc;
	}
	job->output.seq = job->seq;
	job->output.tag = job->tag;
	*ret = job;
	return 0;
}

static const char *
line_text(const struct job *job)
{
	return (const char *)job->line.data;
}

static void
on_done(struct cadre_task *task, void *arg)
{
	struct job *job = arg;
	struct map *map = job->map;

	(void)task;
	job->done_next = NULL;
	*map->done_last = job;
	map->done_last = &job->done_next;
}

static void
on_output(struct cadre_task *task, int which, const void *data, size_t len,
	  void *arg)
{
	struct job *job = arg;
	struct cadre_error err = CADRE_ERROR_INIT;

	(void)task;
	if (which != STREAM_OUT && which != STREAM_ERR)
		return;
	if (output_put(job->map->output, &job->output, which, data, len, &err) <
	    0)
		map_fail(job->map, &err);
}

static int
set_number(struct cadre_opts *opts, const char *name, uint64_t x,
	   struct cadre_error *err)
{
	char pair[64];

	(void)snprintf(pair, sizeof(pair), "%s=%llu", name,
		       (unsigned long long)x);
	return cadre_opts_set(opts, "env", pair, err);
}

/* The variables are those that scripts for GNU parallel read. */
static int
make_opts(const struct map *map, uint64_t seq, uint32_t slot,
	  struct cadre_opts **ret, struct cadre_error *err)
{
	struct cadre_opts *opts;
	int rc = taskopts_make(&map->o.task, &opts, err);

	if (rc < 0)
		return rc;
	if (map->o.line_buffer || map->o.ungroup)
		rc = cadre_opts_set(opts, "output", "stream", err);
	if (rc == 0)
		rc = set_number(opts, "PARALLEL_SEQ", seq, err);
	if (rc == 0 && slot > 0)
		rc = set_number(opts, "PARALLEL_JOBSLOT", slot, err);
	if (rc < 0) {
		cadre_opts_free(&opts);
		return rc;
	}
	*ret = opts;
	return 0;
}

int
job_check_opts(const struct map *map, struct cadre_error *err)
{
	struct cadre_opts *opts = NULL;
	int rc = make_opts(map, 1, 1, &opts, err);

	cadre_opts_free(&opts);
	return rc;
}

static int
submit_direct(struct job *job, const struct cadre_opts *opts,
	      struct cadre_error *err)
{
	struct map *map = job->map;
	struct args words;
	const char **argv = NULL;
	int rc;

	args_init(&words);
	rc = template_render_words(map->command, &job->args, job->seq,
				   job->slot, &words, err);
	if (rc == 0) {
		argv = calloc(words.n + 1, sizeof(*argv));
		rc = argv == NULL ? error_nomem(err) : 0;
	}
	for (size_t i = 0; i < words.n && rc == 0; i++)
		argv[i] = args_at(&words, i);
	if (rc == 0)
		rc = cadre_submit_command(map->pool, argv, opts, &job->task,
					  err);
	free(argv);
	args_fini(&words);
	return rc;
}

static int
submit(struct job *job, struct cadre_error *err)
{
	struct map *map = job->map;
	const char *argv[] = {map->shell, "-c", line_text(job), NULL};
	struct cadre_opts *opts = NULL;
	int rc = make_opts(map, job->seq, job->slot, &opts, err);

	if (rc == 0)
		rc = job->direct ? submit_direct(job, opts, err)
				 : cadre_submit_command(map->pool, argv, opts,
							&job->task, err);
	cadre_opts_free(&opts);
	if (rc < 0)
		return rc;
	if (map->o.line_buffer || map->o.ungroup)
		(void)cadre_task_on_output(job->task, on_output, job);
	(void)cadre_task_on_done(job->task, on_done, job);
	return 0;
}

static int
print_line(struct map *map, struct job *job)
{
	stream_put(STREAM_OUT, line_text(job), job->line.len - 1);
	stream_put(STREAM_OUT, "\n", 1);
	job_free(job);
	map->progress.done++;
	return 0;
}

int
job_start(struct map *map, struct cadre_error *err)
{
	struct job *job = NULL;
	int rc = job_new(map, &job, err);

	if (rc < 0)
		return rc;
	if (map->o.dry_run)
		return print_line(map, job);
	rc = submit(job, err);
	if (rc < 0) {
		job_free(job);
		return rc;
	}
	DL_APPEND(map->running, job);
	map->in_flight++;
	return 0;
}

void
job_cancel_all(struct map *map, bool started)
{
	struct cadre_task **tasks = calloc(map->in_flight + 1, sizeof(*tasks));
	struct job *job;
	size_t n = 0;

	DL_FOREACH (map->running, job) {
		if (!started && cadre_task_state(job->task) >= CADRE_ASSIGNED)
			continue;
		if (!cadre_task_unresolved(job->task))
			continue;
		job->dropped = true;
		if (tasks != NULL)
			tasks[n++] = job->task;
		else
			(void)cadre_task_cancel(job->task, NULL);
	}
	if (tasks != NULL)
		(void)cadre_task_cancel_all(tasks, n, NULL);
	free(tasks);
}

static int
put_json(struct job *job, const struct record *r, struct cadre_error *err)
{
	char *text;
	size_t len;
	int rc = jsonout_record(r, &text, &len, err);

	if (rc < 0)
		return rc;
	rc = output_put(job->map->output, &job->output, STREAM_OUT, text, len,
			err);
	free(text);
	return rc;
}

static int
put_part(struct job *job, int which, const char *data, size_t len,
	 const char *file, struct cadre_error *err)
{
	struct output *o = job->map->output;

	return file != NULL
		       ? output_put_file(o, &job->output, which, file, err)
		       : output_put(o, &job->output, which, data, len, err);
}

static int
put_output(struct job *job, const struct record *r, struct cadre_error *err)
{
	const struct cadre_command_result *c = &r->result;
	int rc;

	if (job->map->o.json)
		return put_json(job, r, err);
	if (job->map->o.line_buffer || job->map->o.ungroup)
		return 0;
	rc = put_part(job, STREAM_OUT, c->out, c->out_len, c->out_file, err);
	if (rc == 0)
		rc = put_part(job, STREAM_ERR, c->err, c->err_len, c->err_file,
			      err);
	return rc;
}

/* The files of what was over the limit have been copied to where they belong;
 * only --json names them. */
static void
remove_files(const struct map *map, const struct record *r)
{
	if (map->o.json)
		return;
	if (r->result.out_file != NULL)
		(void)unlink(r->result.out_file);
	if (r->result.err_file != NULL)
		(void)unlink(r->result.err_file);
}

/* What the command itself did not say on its standard error. */
static void
explain(struct map *map, const struct record *r)
{
	if (r->outcome == CADRE_OUTCOME_VALUE ||
	    r->outcome == CADRE_OUTCOME_EXIT)
		return;
	warn(map, "task %llu: %s: %.200s", (unsigned long long)r->seq,
	     r->error != NULL ? r->error : cadre_outcome_name(r->outcome),
	     r->line);
}

static void
count(struct map *map, const struct record *r)
{
	int status = record_status(r);

	map->progress.done++;
	map->progress.failed += record_failed(r);
	if (!halt_count(&map->o.halt, record_failed(r), status,
			map->progress.total))
		return;
	warn(map, "stopping as --halt asks: task %llu %s: %.200s",
	     (unsigned long long)r->seq,
	     record_failed(r) ? "failed" : "succeeded", r->line);
	map->stopping = true;
	job_cancel_all(map, map->o.halt.when == HALT_NOW);
}

static int
report(struct job *job, struct cadre_error *err)
{
	struct map *map = job->map;
	struct record r = {
		.seq = job->seq, .args = &job->args, .line = line_text(job)};
	int rc = 0;

	record_fill(&r, job->task);
	r.host = hosts_name(&map->hosts, r.stats.daemon);
	if (map->results != NULL)
		rc = results_write(map->results, &r, job->slot, err);
	if (rc == 0)
		rc = put_output(job, &r, err);
	if (rc == 0 && map->joblog != NULL)
		rc = joblog_write(map->joblog, &r, err);
	explain(map, &r);
	remove_files(map, &r);
	count(map, &r);
	return rc;
}

/* The shell knows what to do, or to say, when a program cannot be executed: a
 * script without "#!", a name that is not found. */
static bool
needs_shell(const struct job *job)
{
	return job->direct && !job->map->stopping &&
	       cadre_task_outcome(job->task) == CADRE_OUTCOME_ERROR;
}

int
job_finish(struct job *job, struct cadre_error *err)
{
	struct map *map = job->map;
	int rc = 0, rc2;

	if (needs_shell(job)) {
		cadre_task_unref(&job->task);
		job->direct = false;
		rc = submit(job, err);
		if (rc == 0)
			return 0;
	} else if (!job->dropped ||
		   cadre_task_outcome(job->task) != CADRE_OUTCOME_CANCELLED) {
		rc = report(job, err);
	}
	DL_DELETE(map->running, job);
	map->in_flight--;
	rc2 = output_end(map->output, &job->output, err);
	job_free(job);
	return rc < 0 ? rc : rc2;
}
