/* SPDX-License-Identifier: MIT */
#include "engine/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct call_state {
	char *name;
	void *state;
	void (*destroy)(void *state);
	UT_hash_handle hh;
};

/* The return value of a function that failed. */
#define FAILED (-1)

const struct cadre_value *
cadre_call_args(const struct cadre_call *call)
{
	return call == NULL ? NULL : call->args;
}

const struct cadre_value *
cadre_call_arg(const struct cadre_call *call, const char *name)
{
	if (call == NULL || name == NULL)
		return NULL;
	return cadre_value_get(call->args, name);
}

const struct cadre_value *
cadre_call_arg_at(const struct cadre_call *call, size_t i)
{
	return call == NULL ? NULL : cadre_value_at(call->args, i);
}

static void
forget_outcome(struct cadre_call *call)
{
	if (call->owned != NULL)
		cadre_value_free(&call->owned);
	if (call->message != NULL) {
		free(call->message);
		call->message = NULL;
	}
	call->result = NULL;
	call->failed = false;
}

int
cadre_call_return(struct cadre_call *call, struct cadre_value *v)
{
	if (call == NULL) {
		cadre_value_free(&v);
		return FAILED;
	}
	if (v == NULL)
		return cadre_call_fail(call, "out of memory for the result");
	forget_outcome(call);
	call->owned = v;
	call->result = v;
	return 0;
}

int
cadre_call_return_borrowed(struct cadre_call *call, const struct cadre_value *v)
{
	if (call == NULL)
		return FAILED;
	forget_outcome(call);
	call->result = v;
	return 0;
}

int
cadre_call_fail(struct cadre_call *call, const char *format, ...)
{
	va_list args;
	char *message;

	if (call == NULL)
		return FAILED;
	/* Formatted first: the arguments may point into the result. */
	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	va_end(args);
	forget_outcome(call);
	call->failed = true;
	call->message = message;
	return FAILED;
}

void
cadre_call_progress(struct cadre_call *call, const char *message)
{
	if (call == NULL || message == NULL || call->context->progress == NULL)
		return;
	call->context->progress(call->context->arg, message);
}

bool
cadre_call_cancelled(const struct cadre_call *call)
{
	const struct call_context *c = call == NULL ? NULL : call->context;

	return c != NULL && c->cancelled != NULL && c->cancelled(c->arg);
}

unsigned long long
cadre_call_task_id(const struct cadre_call *call)
{
	return call == NULL ? 0 : call->task;
}

unsigned int
cadre_call_attempt(const struct cadre_call *call)
{
	return call == NULL ? 0 : call->attempt;
}

static struct call_state *
find_state(const struct cadre_call *call, const char *name)
{
	struct call_state *s = NULL;

	if (call != NULL && name != NULL)
		HASH_FIND_STR(call->context->states, name, s);
	return s;
}

void *
cadre_call_state(const struct cadre_call *call, const char *name)
{
	const struct call_state *s = find_state(call, name);

	return s == NULL ? NULL : s->state;
}

static struct call_state *
add_state(struct call_context *context, const char *name)
{
	struct call_state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->name = strdup(name);
	if (s->name == NULL) {
		free(s);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, context->states, s->name, strlen(s->name), s);
	return s;
}

int
cadre_call_set_state(struct cadre_call *call, const char *name, void *state,
		     void (*destroy)(void *state))
{
	struct call_state *s;
	struct call_state old;

	if (call == NULL || name == NULL)
		return CADRE_EINVAL;
	s = find_state(call, name);
	if (s == NULL)
		s = add_state(call->context, name);
	if (s == NULL)
		return CADRE_ENOMEM;
	/* The new one is in place when the old one is told. */
	old = *s;
	s->state = state;
	s->destroy = destroy;
	if (old.destroy != NULL && old.state != state)
		old.destroy(old.state);
	return 0;
}

void
call_context_fini(struct call_context *context)
{
	struct call_state *s, *next;

	HASH_ITER (hh, context->states, s, next) {
		HASH_DEL(context->states, s);
		if (s->destroy != NULL)
			s->destroy(s->state);
		free(s->name);
		free(s);
	}
}

void
call_fini(struct cadre_call *call)
{
	forget_outcome(call);
}
