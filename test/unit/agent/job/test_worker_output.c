#include <criterion/criterion.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"
#include "agent/job/worker_output.h"

/* Everything that came, as one text. */
static struct buffer seen;

static void
on_progress(uint64_t done, uint64_t total, const char *text, void *data)
{
    (void)data;
    buffer_appendf(&seen, "P%llu/%llu:%s;", (unsigned long long)done, (unsigned long long)total,
                   text);
}

static void
on_log(int level, const char *text, void *data)
{
    (void)data;
    buffer_appendf(&seen, "L%d:%s;", level, text);
}

static void
on_result(const char *key, const char *value, void *data)
{
    (void)data;
    buffer_appendf(&seen, "R%s=%s;", key, value);
}

static const struct worker_events events = {
    .on_progress = on_progress, .on_log = on_log, .on_result = on_result};

static void
read_lines(char *text, struct error **error)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        worker_output_read(line, &events, error);
}

Test(worker_output, what_the_worker_says_the_agent_hears)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    struct worker_output output = {.descriptor = ends[1]};
    worker_output_progress(&output, 5, 18446744073709551615u, "2 of 3 files");
    worker_output_log(&output, 1, "two\nlines");
    worker_output_result(&output, "name", "2026-11-23.055542.zone1-0000000102");
    worker_output_result(&output, "version", "");
    struct error *sent = error_new(ERROR_RESOURCE_EXHAUSTED, "full: 'x'"), *error = NULL;
    worker_output_error(&output, sent);
    error_free(sent);
    char text[1024];
    ssize_t length = read(ends[0], text, sizeof(text) - 1);
    cr_assert_gt(length, 0);
    text[length] = '\0';
    read_lines(text, &error);
    cr_assert_str_eq(buffer_text(&seen), "P5/18446744073709551615:2 of 3 files;L1:two lines;"
                                         "Rname=2026-11-23.055542.zone1-0000000102;Rversion=;");
    cr_assert(error_is(error, ERROR_RESOURCE_EXHAUSTED));
    cr_assert_str_eq(error->message, "full: 'x'");
    error_free(error);
    buffer_done(&seen);
    close(ends[0]);
    close(ends[1]);
}

Test(worker_output, lines_that_make_no_sense_are_dropped)
{
    char text[] = "progress\nprogress 1\nprogress -1 2 x\nprogress 1 2\nlog x y\nlog 9 text\n"
                  "result\nresult alone\nerror\nerror 0 ok\nerror 99 much\nerror x y\nhello\n"
                  "progress 1 99999999999999999999999 x\nlog 0 last";
    struct error *error = NULL;
    read_lines(text, &error);
    cr_assert_null(error);
    /* The number beyond 64 bits is read as the largest. */
    cr_assert_str_eq(buffer_text(&seen), "P1/18446744073709551615:x;L0:last;");
    buffer_done(&seen);
}

Test(worker_output, an_agent_that_is_gone_ends_the_worker)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    struct cancel *cancel = cancel_new(INT64_MAX);
    struct worker_output output = {.descriptor = ends[1], .cancel = cancel};
    signal(SIGPIPE, SIG_IGN);
    worker_output_log(&output, 0, "x");
    signal(SIGPIPE, SIG_DFL);
    cr_assert(cancel_is_requested(cancel));
    cancel_unref(cancel);
    close(ends[1]);
}
