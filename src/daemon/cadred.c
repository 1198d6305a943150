/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cadre/version.h>

#include "daemon/daemon.h"
#include "daemon/settings.h"
#include "place/place.h"
#include "util/buf.h"
#include "util/error.h"
#include "util/log.h"

#define RECORD_MAX (1024u * 1024u)

/* All of standard input. */
static int
read_input(struct buf *b, struct cadre_error *err)
{
	ssize_t n = 1;

	while (n > 0) {
		uint8_t *to = buf_reserve(b, 4096);

		if (to == NULL)
			return error_set(err, CADRE_EINVAL,
					 "the launch record on standard input "
					 "is too long");
		n = read(STDIN_FILENO, to, 4096);
		if (n < 0)
			return error_set(err, CADRE_ESYS,
					 "cannot read the launch record from "
					 "standard input");
		buf_commit(b, (size_t)n);
	}
	return 0;
}

static int
read_record(struct settings *s, struct cadre_error *err)
{
	struct launch_record record = {0};
	struct buf text;
	int rc;

	buf_init(&text, RECORD_MAX);
	rc = read_input(&text, err);
	if (rc == 0)
		rc = launch_record_parse((const char *)text.data, text.len,
					 &record, err);
	if (rc == 0)
		rc = settings_record(s, &record, err);
	launch_record_fini(&record);
	buf_fini(&text);
	return rc;
}

static int
configure(struct settings *s, int argc, char **argv, int *ret_stop,
	  struct cadre_error *err)
{
	int rc;

	rc = settings_args(s, argc - 1, argv + 1, ret_stop, err);
	if (rc < 0 || *ret_stop != 0)
		return rc;
	if (s->record) {
		/* What the command line says goes before the record. */
		rc = read_record(s, err);
		if (rc == 0)
			rc = settings_args(s, argc - 1, argv + 1, ret_stop,
					   err);
	}
	if (rc < 0)
		return rc;
	if (s->slots == 0)
		s->slots = s->in_process ? 1 : place_default_slots();
	return settings_check(s, err);
}

static int
usage_error(const struct cadre_error *err)
{
	(void)fprintf(stderr, "cadred: %s\n", err->text);
	return err->code == CADRE_EINVAL ? DAEMON_EXIT_USAGE
					 : DAEMON_EXIT_FAILED;
}

static int
open_log(const struct settings *s, struct cadre_error *err)
{
	const char *component = s->id != NULL ? s->id : "cadred";
	int rc;

	log_open(component, (enum log_level)s->log_level);
	rc = s->log == NULL ? 0 : log_to_file(s->log);
	if (rc < 0)
		return error_sys(err, -rc, "cannot open the log %s", s->log);
	return 0;
}

int
main(int argc, char **argv)
{
	struct cadre_error err = CADRE_ERROR_INIT;
	struct settings s;
	int stop = 0, rc;

	rc = settings_init(&s, &err);
	if (rc == 0)
		rc = configure(&s, argc, argv, &stop, &err);
	if (rc == 0 && stop == 0)
		rc = open_log(&s, &err);
	if (rc < 0)
		rc = usage_error(&err);
	else if (stop == 'h')
		settings_help(stdout);
	else if (stop == 'V')
		(void)printf("cadred (cadre) %s\n", CADRE_VERSION);
	else
		rc = daemon_run(&s);
	settings_fini(&s);
	return rc;
}
