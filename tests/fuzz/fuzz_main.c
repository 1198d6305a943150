/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/*
 * Runs a fuzz target over the kept inputs, and over every prefix of each:
 *
 *   fuzz_NAME [FILE]...
 *
 * Without files, those of $CADRE_SRCDIR/tests/fuzz/corpus/NAME.
 */

/* A copy of exactly len bytes, so that sanitizers see overruns. */
static void
run(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	if (copy == NULL)
		exit(1);
	if (len > 0)
		memcpy(copy, data, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static int
replay(const char *path)
{
	static uint8_t data[65536];
	FILE *f = fopen(path, "rbe");
	size_t len;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	len = fread(data, 1, sizeof(data), f);
	(void)fclose(f);
	if (len == sizeof(data)) {
		(void)fprintf(stderr, "%s: too long\n", path);
		return -1;
	}
	for (size_t n = 0; n <= len; n++)
		run(data, n);
	return 0;
}

static int
replay_corpus(const char *name)
{
	const char *top = getenv("CADRE_SRCDIR");
	char dir[4096], path[4096 + 300];
	struct dirent *entry;
	int failed = 0;
	int n = 0;
	DIR *d;

	(void)snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s",
		       top == NULL ? "." : top, name);
	d = opendir(dir);
	if (d == NULL) {
		perror(dir);
		return 1;
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		failed += replay(path) < 0;
		n++;
	}
	(void)closedir(d);
	(void)printf("%s: %d inputs\n", name, n);
	return n == 0 || failed > 0;
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	int failed = 0;

	if (argc < 2)
		return replay_corpus(name == NULL ? argv[0] : name + 1);
	for (int i = 1; i < argc; i++)
		failed += replay(argv[i]) < 0;
	return failed > 0;
}
