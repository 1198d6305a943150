/* SPDX-License-Identifier: MIT */
#include "host/result.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/codec.h"

static struct task_result *
result_alloc(const struct dispatch_outcome *o, size_t size)
{
	struct task_result *r = malloc(sizeof(*r) + size);

	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->attempts = o->attempts;
	r->incarnation = o->incarnation;
	r->slot = o->slot;
	return r;
}

/* An outcome that no frame brought: its message becomes the only field. */
static struct task_result *
result_of_message(const struct dispatch_outcome *o)
{
	struct task_result *r;
	struct buf b;

	buf_init(&b, 1u << 20);
	if (o->message != NULL)
		wire_put_str(&b, WIRE_TAG_MESSAGE, o->message);
	r = result_alloc(o, b.len);
	if (r != NULL && b.len > 0) {
		memcpy(r->bytes, b.data, b.len);
		r->fields_len = (uint32_t)b.len;
	}
	buf_fini(&b);
	return r;
}

struct task_result *
result_new(const struct dispatch_outcome *o, bool keep_payload)
{
	const struct wire_frame *f = o->result;
	struct task_result *r;
	bool inline_payload;

	if (f == NULL)
		return result_of_message(o);
	keep_payload = keep_payload && f->payload_len > 0;
	inline_payload = keep_payload && f->owner == NULL;
	r = result_alloc(o,
			 f->fields_len + (inline_payload ? f->payload_len : 0));
	if (r == NULL)
		return NULL;
	r->fields_len = (uint32_t)f->fields_len;
	if (f->fields_len > 0)
		memcpy(r->bytes, f->fields, f->fields_len);
	if (!keep_payload)
		return r;
	r->payload_len = f->payload_len;
	r->payload = f->payload;
	if (inline_payload) {
		uint8_t *to = (uint8_t *)r->bytes + f->fields_len;

		memcpy(to, f->payload, f->payload_len);
		r->payload = to;
	} else {
		r->owner = blob_ref(f->owner);
	}
	return r;
}

void
result_free(struct task_result *r)
{
	struct cadre_value *value, *condition;

	if (r == NULL)
		return;
	value = r->value;
	condition = r->condition;
	cadre_value_free(&value);
	cadre_value_free(&condition);
	free(r->sentence);
	free(r->out_file);
	free(r->err_file);
	blob_unref(&r->owner);
	free(r);
}

static struct wire_frame
result_frame(const struct task_result *r)
{
	return (struct wire_frame){
		.fields = (const uint8_t *)r->bytes,
		.fields_len = r->fields_len,
		.payload = r->payload,
		.payload_len = r->payload_len,
	};
}

/* The result of a resolved task; NULL while it is open. */
static struct task_result *
result_of(const struct cadre_task *t)
{
	return t == NULL || !task_resolved(t) ? NULL : t->result;
}

/* Several threads may ask at once: the first to have made it wins. */
static struct cadre_value *
publish_value(_Atomic(struct cadre_value *) *place, struct cadre_value *v)
{
	struct cadre_value *found = NULL;

	if (v == NULL || atomic_compare_exchange_strong(place, &found, v))
		return v;
	cadre_value_free(&v);
	return found;
}

static const char *
publish_text(_Atomic(char *) *place, char *text)
{
	char *found = NULL;

	if (text == NULL || atomic_compare_exchange_strong(place, &found, text))
		return text;
	free(text);
	return found;
}

/* Bytes of the payload that are standard output. */
static size_t
out_len(const struct task_result *r)
{
	struct wire_frame f = result_frame(r);
	uint64_t n = wire_u64(&f, WIRE_TAG_OUT_LEN, r->payload_len);

	return n > r->payload_len ? r->payload_len : (size_t)n;
}

static struct cadre_value *
make_value(const struct cadre_task *t, const struct task_result *r)
{
	struct cadre_value *v = NULL;

	if (t->kind == TASK_EVERYWHERE)
		return cadre_value_of_int64(r->attempts);
	if (t->kind == TASK_COMMAND)
		return cadre_value_raw(r->payload, out_len(r));
	if (r->payload_len == 0)
		return cadre_value_null();
	if (value_decode(r->payload, r->payload_len, r->owner, &v) < 0)
		return NULL;
	return v;
}

const struct cadre_value *
cadre_task_value(const struct cadre_task *t)
{
	struct task_result *r = result_of(t);
	struct cadre_value *v;

	if (r == NULL || t->outcome != CADRE_OUTCOME_VALUE)
		return NULL;
	v = atomic_load(&r->value);
	return v != NULL ? v : publish_value(&r->value, make_value(t, r));
}

const struct cadre_value *
cadre_task_condition(const struct cadre_task *t)
{
	struct task_result *r = result_of(t);
	struct cadre_value *v = NULL;
	struct wire_field field;
	struct wire_frame f;

	if (r == NULL)
		return NULL;
	v = atomic_load(&r->condition);
	if (v != NULL)
		return v;
	f = result_frame(r);
	if (!wire_find(&f, WIRE_TAG_CONDITION, &field) ||
	    value_decode(field.data, field.len, NULL, &v) < 0)
		return NULL;
	return publish_value(&r->condition, v);
}

static char *
exit_sentence(const struct wire_frame *f)
{
	int sig = (int)wire_u64(f, WIRE_TAG_SIGNAL, 0);
	const char *name;
	char *text;
	int n;

	if (sig == 0) {
		n = asprintf(&text, "exited with status %" PRIu64,
			     wire_u64(f, WIRE_TAG_STATUS, 0));
		return n < 0 ? NULL : text;
	}
	name = sigdescr_np(sig);
	n = asprintf(&text, "was ended by signal %d (%s)%s", sig,
		     name == NULL ? "unknown" : name,
		     wire_u64(f, WIRE_TAG_CORE, 0) != 0 ? ", core dumped" : "");
	return n < 0 ? NULL : text;
}

static char *
timeout_sentence(const struct wire_frame *f)
{
	uint64_t wall = wire_u64(f, WIRE_TAG_WALL_NS, 0);
	char *text;

	if (wall == 0)
		return strdup("timed out");
	if (asprintf(&text, "timed out after %.3g s", (double)wall / 1e9) < 0)
		return NULL;
	return text;
}

static char *
make_sentence(const struct cadre_task *t, const struct task_result *r)
{
	struct wire_frame f = result_frame(r);
	char *text = wire_str(&f, WIRE_TAG_MESSAGE);

	if (text != NULL && text[0] != '\0')
		return text;
	free(text);
	switch (t->outcome) {
	case CADRE_OUTCOME_EXIT:
		return exit_sentence(&f);
	case CADRE_OUTCOME_TIMEOUT:
		return timeout_sentence(&f);
	case CADRE_OUTCOME_CLOSED:
		return strdup("the pool was closed before the task was done");
	case CADRE_OUTCOME_LOST:
		return strdup("connection reset: its worker or daemon died "
			      "while it ran");
	default:
		return strdup(
			cadre_outcome_name((enum cadre_outcome)t->outcome));
	}
}

const char *
cadre_task_error(const struct cadre_task *t)
{
	struct task_result *r = result_of(t);
	const char *text;

	if (t == NULL || !task_resolved(t) || t->outcome == CADRE_OUTCOME_VALUE)
		return NULL;
	if (r == NULL)
		return cadre_outcome_name((enum cadre_outcome)t->outcome);
	text = atomic_load(&r->sentence);
	if (text == NULL)
		text = publish_text(&r->sentence, make_sentence(t, r));
	if (text == NULL)
		text = cadre_outcome_name((enum cadre_outcome)t->outcome);
	return text;
}

int
cadre_task_stats(const struct cadre_task *t, struct cadre_task_stats *ret)
{
	struct task_result *r = result_of(t);
	struct wire_frame f;

	if (t == NULL || ret == NULL)
		return CADRE_EINVAL;
	if (!task_resolved(t))
		return CADRE_EAGAIN;
	*ret = (struct cadre_task_stats){.submitted_unix_ns =
						 t->submitted_unix_ns};
	if (r == NULL)
		return 0;
	f = result_frame(r);
	ret->attempts = r->attempts;
	ret->daemon = r->incarnation;
	ret->slot = r->slot;
	ret->wall_ns = wire_u64(&f, WIRE_TAG_WALL_NS, 0);
	ret->user_ns = wire_u64(&f, WIRE_TAG_USER_NS, 0);
	ret->sys_ns = wire_u64(&f, WIRE_TAG_SYS_NS, 0);
	ret->peak_bytes = wire_u64(&f, WIRE_TAG_PEAK, 0);
	ret->started_unix_ns = (int64_t)wire_u64(&f, WIRE_TAG_STARTED_UNIX, 0);
	if (t->kind == TASK_COMMAND)
		ret->pid = (uint32_t)wire_u64(&f, WIRE_TAG_PID, 0);
	return 0;
}

static const char *
file_name(struct task_result *r, _Atomic(char *) *place, uint16_t tag)
{
	struct wire_frame f = result_frame(r);
	const char *text = atomic_load(place);

	return text != NULL ? text : publish_text(place, wire_str(&f, tag));
}

int
cadre_task_command_result(const struct cadre_task *t,
			  struct cadre_command_result *ret)
{
	struct task_result *r = result_of(t);
	struct wire_frame f;
	struct wire_field field;
	size_t n;

	if (t == NULL || ret == NULL || t->kind != TASK_COMMAND)
		return CADRE_EINVAL;
	if (!task_resolved(t))
		return CADRE_EAGAIN;
	*ret = (struct cadre_command_result){
		.exit_status = -1, .out = "", .err = ""};
	if (r == NULL)
		return 0;
	f = result_frame(r);
	n = out_len(r);
	ret->signal = (int)wire_u64(&f, WIRE_TAG_SIGNAL, 0);
	if (ret->signal == 0 && wire_find(&f, WIRE_TAG_STATUS, &field))
		ret->exit_status = (int)wire_field_u64(&field);
	else if (t->outcome == CADRE_OUTCOME_VALUE)
		ret->exit_status = 0;
	ret->core_dumped = wire_u64(&f, WIRE_TAG_CORE, 0) != 0;
	if (n > 0)
		ret->out = (const char *)r->payload;
	ret->out_len = n;
	ret->out_total = wire_u64(&f, WIRE_TAG_OUT_TOTAL, n);
	ret->out_file = file_name(r, &r->out_file, WIRE_TAG_OUT_FILE);
	if (r->payload_len > n)
		ret->err = (const char *)r->payload + n;
	ret->err_len = r->payload_len - n;
	ret->err_total =
		wire_u64(&f, WIRE_TAG_ERR_TOTAL, (uint64_t)ret->err_len);
	ret->err_file = file_name(r, &r->err_file, WIRE_TAG_ERR_FILE);
	return 0;
}
