/* SPDX-License-Identifier: MIT */
/*
 * A trace as text, in the Chrome trace event format: one event a line, so that the file of a
 * program that crashed needs only a last line. Times are in us since the trace began, with three
 * decimals that viewers round away unless the file asks for ns. Arrows are flows of spans (bind_id,
 * flow_in, flow_out).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "trace_json.h"

#define LINE_ROOM 8192 /* more than any event takes */

void tern__json_flush(struct tern__json *j)
{
	for (size_t done = 0; done < j->used && !j->failed;) {
		ssize_t n = write(j->fd, j->text + done, j->used - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			j->failed = true;
	}
	j->used = 0;
}

__attribute__((format(printf, 2, 3))) static void put(struct tern__json *j, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(j->text + j->used, sizeof(j->text) - j->used, format, args);
	va_end(args);
	if (n > 0)
		j->used += (size_t)n;
}

/* The next event; all but the first follow a comma. */
static void begin_line(struct tern__json *j, const char *before)
{
	if (sizeof(j->text) - j->used < LINE_ROOM)
		tern__json_flush(j);
	put(j, "%s", before);
}

static void put_string(struct tern__json *j, const char *s)
{
	put(j, "\"");
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			put(j, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || (unsigned char)*s > '~')
			put(j, "\\u%04x", (unsigned char)*s);
		else
			j->text[j->used++] = *s;
	put(j, "\"");
}

static void put_us(struct tern__json *j, uint64_t ns)
{
	put(j, "%llu.%03u", (unsigned long long)(ns / TERN__US), (unsigned)(ns % TERN__US));
}

static void put_head(struct tern__json *j, const char *name, const char *phase, int tid)
{
	begin_line(j, ",\n");
	put(j, "{\"name\":");
	put_string(j, name);
	put(j, ",\"ph\":\"%s\",\"pid\":%d,\"tid\":%d", phase, j->pid, tid);
}

static void put_time(struct tern__json *j, uint64_t ns)
{
	put(j, ",\"ts\":");
	put_us(j, ns > j->zero_ns ? ns - j->zero_ns : 0);
}

void tern__json_begin(struct tern__json *j)
{
	begin_line(j, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
	put(j, "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":",
	    j->pid, j->pid);
	put_string(j, program_invocation_short_name);
	put(j, "}}");
}

void tern__json_name_thread(struct tern__json *j, int tid, const char *name)
{
	put_head(j, "thread_name", "M", tid);
	put(j, ",\"args\":{\"name\":");
	put_string(j, name);
	put(j, "}}");
}

static const char *function_name(struct tern__json *j, uint64_t address)
{
	return tern__symbols_find(&j->symbols, (const void *)(uintptr_t)address);
}

static void put_arg(struct tern__json *j, enum tern__trace_as as, uint64_t value)
{
	switch (as) {
	case TERN__TRACE_POINTER:
		put(j, "\"0x%llx\"", (unsigned long long)value);
		break;
	case TERN__TRACE_NUMBER:
		put(j, "%lld", (long long)value);
		break;
	case TERN__TRACE_NS:
		put_us(j, value);
		break;
	case TERN__TRACE_FUNCTION:
		put_string(j, function_name(j, value));
		break;
	}
}

static void put_args(struct tern__json *j, const struct tern__trace_event *event)
{
	const struct tern__trace_form *form = event->form;

	put(j, ",\"args\":{");
	for (int i = 0; i < TERN__TRACE_ARGS && form->args[i].key; i++) {
		put(j, "%s\"%s\":", i ? "," : "", form->args[i].key);
		put_arg(j, form->args[i].as, event->args[i]);
	}
	put(j, "}}");
}

static void put_counter(struct tern__json *j, int tid, const struct tern__trace_event *event)
{
	int last = TERN__TRACE_ARGS - 1;

	while (!event->form->args[last].key)
		last--;
	put_head(j, event->form->args[last].key, "C", tid);
	put_time(j, event->start_ns);
	put(j, ",\"id\":\"0x%llx\",\"args\":{\"items\":%lld}}", (unsigned long long)event->args[0],
	    (long long)event->args[last]);
}

void tern__json_event(struct tern__json *j, int tid, const struct tern__trace_event *event)
{
	const struct tern__trace_form *form = event->form;
	const char *name = form->name ? form->name : function_name(j, event->what);

	put_head(j, name, event->end_ns ? "X" : "i", tid);
	put_time(j, event->start_ns);
	if (event->end_ns) {
		put(j, ",\"dur\":");
		put_us(j, event->end_ns - event->start_ns);
	} else {
		put(j, ",\"s\":\"t\"");
	}
	if (event->flow)
		put(j, ",\"bind_id\":\"0x%llx\"%s%s", (unsigned long long)event->flow,
		    form->flow_in ? ",\"flow_in\":true" : "",
		    form->flow_out ? ",\"flow_out\":true" : "");
	put_args(j, event);
	if (form->counts)
		put_counter(j, tid, event);
}

void tern__json_lost(struct tern__json *j, uint64_t now_ns, uint64_t events)
{
	put_head(j, "events lost", "C", j->pid);
	put_time(j, now_ns);
	put(j, ",\"args\":{\"events\":%llu}}", (unsigned long long)events);
}

void tern__json_end(struct tern__json *j)
{
	put(j, "\n]}\n");
	tern__json_flush(j);
}
