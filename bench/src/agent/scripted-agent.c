// The scripted agent of the benchmark: a conforming Agent Client Protocol agent without a model, small enough that 256
// of them cost nothing, so that what is measured is the server between it and the client.
//
// It reads one JSON-RPC message per line and answers:
//   initialize, authenticate, session/new           as the protocol asks
//   session/prompt   {updates?: n}                  n text chunks (3 without the member), then end_turn
//   bench/flood      {count, bytes, linesPerWrite?} count notifications, each a line of `bytes` bytes, then a result;
//                                                   one write(2) per line, as real agents do, without the third member
//   bench/stamp      {count, intervalMicros}        count notifications that carry the monotonic clock in "at", then a result
// Anything else gets an empty result; notifications are ignored. End of input ends it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct slice {
	const char *start;
	size_t length;
};

static void write_all(const char *data, size_t length) {
	while (length > 0) {
		ssize_t written = write(1, data, length);
		if (written < 0 && errno == EINTR) continue;
		// Nobody listens any more: there is no one left to tell.
		if (written <= 0) _exit(0);
		data += written;
		length -= (size_t)written;
	}
}

static size_t skip_string(const char *json, size_t at, size_t end) {
	for (at++; at < end && json[at] != '"'; at++)
		if (json[at] == '\\') at++;
	return at + 1;
}

/** The raw text of one member of the object `json`, looked up on its own level only; length 0 when it is absent. */
static struct slice member(struct slice json, const char *name) {
	const size_t name_length = strlen(name);
	const char *text = json.start;
	int depth = 0;
	for (size_t at = 0; at < json.length;) {
		const char c = text[at];
		if (c == '"') {
			const size_t after = skip_string(text, at, json.length);
			size_t colon = after;
			while (colon < json.length && (text[colon] == ' ' || text[colon] == '\t')) colon++;
			const int is_key = depth == 1 && colon < json.length && text[colon] == ':';
			if (is_key && after - at - 2 == name_length && memcmp(text + at + 1, name, name_length) == 0) {
				size_t start = colon + 1, end;
				while (start < json.length && (text[start] == ' ' || text[start] == '\t')) start++;
				int inner = 0;
				for (end = start; end < json.length;) {
					if (text[end] == '"') {
						end = skip_string(text, end, json.length);
						continue;
					}
					if (inner == 0 && (text[end] == ',' || text[end] == '}')) break;
					if (text[end] == '{' || text[end] == '[') inner++;
					if (text[end] == '}' || text[end] == ']') inner--;
					end++;
				}
				return (struct slice){text + start, end - start};
			}
			at = after;
			continue;
		}
		if (c == '{' || c == '[') depth++;
		if (c == '}' || c == ']') depth--;
		at++;
	}
	return (struct slice){"", 0};
}

static long number(struct slice json, const char *name, long otherwise) {
	const struct slice value = member(json, name);
	return value.length == 0 ? otherwise : strtol(value.start, NULL, 10);
}

static int is(struct slice value, const char *text) {
	return value.length == strlen(text) && memcmp(value.start, text, value.length) == 0;
}

static void reply(struct slice id, const char *result) {
	char line[1024];
	const int length =
		snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}\n", (int)id.length, id.start, result);
	write_all(line, (size_t)length);
}

#define UPDATE_HEAD                                                                                                     \
	"{\"jsonrpc\":\"2.0\",\"method\":\"session/update\",\"params\":{\"sessionId\":\"bench\",\"update\":{\"sessionUpdate\":" \
	"\"agent_message_chunk\",\"content\":{\"type\":\"text\",\"text\":\""
#define UPDATE_TAIL "\"}}}}\n"

static void prompt(struct slice id, struct slice params) {
	const long updates = number(params, "updates", 3);
	const char *line = UPDATE_HEAD "A sentence of the answer. " UPDATE_TAIL;
	for (long index = 0; index < updates; index++) write_all(line, strlen(line));
	reply(id, "{\"stopReason\":\"end_turn\"}");
}

static void flood(struct slice id, struct slice params) {
	const long count = number(params, "count", 1000);
	const long lines_per_write = number(params, "linesPerWrite", 1);
	size_t bytes = (size_t)number(params, "bytes", 200);
	const size_t head = strlen(UPDATE_HEAD), tail = strlen(UPDATE_TAIL);
	if (bytes < head + tail) bytes = head + tail;
	char *lines = malloc(bytes * (size_t)lines_per_write);
	if (lines == NULL) _exit(1);
	for (long index = 0; index < lines_per_write; index++) {
		char *line = lines + bytes * (size_t)index;
		memset(line, 'x', bytes);
		memcpy(line, UPDATE_HEAD, head);
		memcpy(line + bytes - tail, UPDATE_TAIL, tail);
	}
	for (long left = count; left > 0; left -= lines_per_write)
		write_all(lines, bytes * (size_t)(left < lines_per_write ? left : lines_per_write));
	free(lines);
	reply(id, "{}");
}

static void stamp(struct slice id, struct slice params) {
	const long count = number(params, "count", 100);
	const long interval = number(params, "intervalMicros", 1000);
	const struct timespec pause = {interval / 1000000, (interval % 1000000) * 1000};
	for (long index = 0; index < count; index++) {
		char line[160];
		struct timespec now;
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		const int length = snprintf(line, sizeof line,
			"{\"jsonrpc\":\"2.0\",\"method\":\"bench/stamp\",\"params\":{\"at\":\"%lld%09ld\"}}\n", (long long)now.tv_sec,
			now.tv_nsec);
		write_all(line, (size_t)length);
	}
	reply(id, "{}");
}

static void answer(struct slice line) {
	const struct slice id = member(line, "id"), method = member(line, "method"), params = member(line, "params");
	if (id.length == 0 || method.length == 0) return;
	if (is(method, "\"session/prompt\"")) prompt(id, params);
	else if (is(method, "\"bench/flood\"")) flood(id, params);
	else if (is(method, "\"bench/stamp\"")) stamp(id, params);
	else if (is(method, "\"initialize\""))
		reply(id, "{\"protocolVersion\":1,\"agentCapabilities\":{\"loadSession\":false},\"authMethods\":[]}");
	else if (is(method, "\"session/new\"")) reply(id, "{\"sessionId\":\"bench\"}");
	else reply(id, "{}");
}

int main(void) {
	size_t capacity = 65536, used = 0;
	char *buffer = malloc(capacity);
	if (buffer == NULL) return 1;
	for (;;) {
		const ssize_t got = read(0, buffer + used, capacity - used);
		if (got < 0 && errno == EINTR) continue;
		if (got <= 0) return 0;
		used += (size_t)got;
		char *start = buffer, *newline;
		while ((newline = memchr(start, '\n', used - (size_t)(start - buffer))) != NULL) {
			answer((struct slice){start, (size_t)(newline - start)});
			start = newline + 1;
		}
		used -= (size_t)(start - buffer);
		memmove(buffer, start, used);
		if (used == capacity) {
			capacity *= 2;
			buffer = realloc(buffer, capacity);
			if (buffer == NULL) return 1;
		}
	}
}
