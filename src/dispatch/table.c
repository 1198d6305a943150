/* SPDX-License-Identifier: MIT */

/* Pages are numbered in a row, so their numbers fill the buckets evenly. */
#define HASH_FUNCTION(key, len, hashv) \
	do { \
		uint64_t hash_number; \
		memcpy(&hash_number, (key), (len)); \
		(hashv) = (unsigned int)hash_number; \
	} while (0)

#include "dispatch/state.h"

#include <stdlib.h>
#include <string.h>

/*
 * Task ids are given out in order and never again, so the table is an array in
 * pages: a page appears with its first id and goes with its last open task.
 * That costs 8 bytes for a queued task where a hash handle would cost 56.
 *
 * What failed is remembered as bits, a page of them for each page of ids in
 * which a task failed.  The oldest page is forgotten when there are
 * FAILED_PAGES, so that at least the last FAILED_PAGES failures are known.
 */

#define PAGE_IDS 512u
#define FAILED_PAGES 4096u

struct table_page {
	uint64_t number;
	uint32_t used;
	UT_hash_handle hh;
	struct task *at[PAGE_IDS];
};

struct table_failed {
	uint64_t number;
	UT_hash_handle hh;
	uint64_t bits[PAGE_IDS / 64];
};

static struct table_page *
page_find(const struct dispatch *d, uint64_t number)
{
	struct table_page *page = d->page;

	if (page != NULL && page->number == number)
		return page;
	HASH_FIND(hh, d->pages, &number, sizeof(number), page);
	return page;
}

static void
page_free(struct dispatch *d, struct table_page *page)
{
	HASH_DEL(d->pages, page);
	if (d->page == page)
		d->page = NULL;
	free(page);
}

static struct table_page *
page_new(struct dispatch *d, uint64_t number)
{
	struct table_page *page = calloc(1, sizeof(*page));
	struct table_page *last;

	if (page == NULL)
		return NULL;
	page->number = number;
	HASH_ADD(hh, d->pages, number, sizeof(page->number), page);
	if (page->hh.tbl == NULL) {
		free(page);
		return NULL;
	}
	/* The page of the newest ids stays while it is the newest. */
	last = page_find(d, number - 1);
	if (last != NULL && last->used == 0)
		page_free(d, last);
	return page;
}

int
table_add(struct dispatch *d, struct task *task)
{
	uint64_t number = d->next_id / PAGE_IDS;
	struct table_page *page = page_find(d, number);

	if (page == NULL)
		page = page_new(d, number);
	if (page == NULL)
		return CADRE_ENOMEM;
	d->page = page;
	task->id = d->next_id++;
	page->at[task->id % PAGE_IDS] = task;
	page->used++;
	return 0;
}

void
table_remove(struct dispatch *d, const struct task *task)
{
	struct table_page *page = page_find(d, task->id / PAGE_IDS);

	page->at[task->id % PAGE_IDS] = NULL;
	page->used--;
	if (page->used == 0 && page->number != d->next_id / PAGE_IDS)
		page_free(d, page);
}

struct task *
table_find(const struct dispatch *d, uint64_t id)
{
	const struct table_page *page = page_find(d, id / PAGE_IDS);

	return page == NULL ? NULL : page->at[id % PAGE_IDS];
}

void
table_each(struct dispatch *d,
	   void (*fn)(struct dispatch *d, struct task *task))
{
	struct table_page *page, *next;

	HASH_ITER (hh, d->pages, page, next) {
		uint32_t left = page->used;

		/* The page may go with its last task. */
		for (size_t i = 0; left > 0; i++) {
			if (page->at[i] == NULL)
				continue;
			left--;
			fn(d, page->at[i]);
		}
	}
}

void
table_note_failed(struct dispatch *d, uint64_t id)
{
	uint64_t number = id / PAGE_IDS;
	struct table_failed *f;

	HASH_FIND(hh, d->failed, &number, sizeof(number), f);
	if (f == NULL) {
		/* uthash keeps the order of insertion. */
		if (HASH_COUNT(d->failed) >= FAILED_PAGES) {
			struct table_failed *oldest = d->failed;

			HASH_DEL(d->failed, oldest);
			free(oldest);
		}
		f = calloc(1, sizeof(*f));
		if (f == NULL)
			return;
		f->number = number;
		HASH_ADD(hh, d->failed, number, sizeof(f->number), f);
		if (f->hh.tbl == NULL) {
			free(f);
			return;
		}
	}
	f->bits[id % PAGE_IDS / 64] |= UINT64_C(1) << id % 64;
}

bool
table_has_failed(const struct dispatch *d, uint64_t id)
{
	uint64_t number = id / PAGE_IDS;
	const struct table_failed *f;

	HASH_FIND(hh, d->failed, &number, sizeof(number), f);
	return f != NULL && (f->bits[id % PAGE_IDS / 64] >> id % 64 & 1) != 0;
}

void
table_fini(struct dispatch *d)
{
	struct table_page *page, *next;
	struct table_failed *f, *next_failed;

	HASH_ITER (hh, d->pages, page, next) {
		page_free(d, page);
	}
	HASH_ITER (hh, d->failed, f, next_failed) {
		HASH_DEL(d->failed, f);
		free(f);
	}
}

size_t
table_overhead(void)
{
	return (sizeof(struct table_page) + PAGE_IDS - 1) / PAGE_IDS;
}
