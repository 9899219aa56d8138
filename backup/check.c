#include "backup/check.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"

const char *
check_verdict_name(enum check_verdict verdict)
{
    static const char *const names[CHECK_VERDICT_COUNT] = {"ok", "warning", "failed", "skipped"};
    return names[verdict];
}

void
check_result_done(struct check_result *result)
{
    freep(&result->seen);
    freep(&result->advice);
    error_free(result->error);
    result->error = NULL;
}

static void
set(struct check_result *result, enum check_verdict verdict, const char *advice, char *take_seen)
{
    check_result_done(result);
    result->verdict = verdict;
    result->advice = xstrdup(advice);
    result->seen = take_seen;
}

void
check_ok(struct check_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(result, CHECK_OK, "", xvasprintf(format, arguments));
    va_end(arguments);
}

void
check_skip(struct check_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(result, CHECK_SKIPPED, "", xvasprintf(format, arguments));
    va_end(arguments);
}

void
check_warn(struct check_result *result, const char *advice, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(result, CHECK_WARNING, advice, xvasprintf(format, arguments));
    va_end(arguments);
}

void
check_fail(struct check_result *result, struct error *take_error, const char *advice)
{
    set(result, CHECK_FAILED, advice, xstrdup(take_error->message));
    result->error = take_error;
}

/* The verdict of an earlier row; one that is not there stands in nobody's way. */
static enum check_verdict
verdict_of(const struct check_table *table, const enum check_verdict *verdicts, size_t before,
           const char *name)
{
    for (size_t i = 0; i < before; i++) {
        if (strcmp(table->rows[i].name, name) == 0)
            return verdicts[i];
    }
    return CHECK_OK;
}

static void
run_row(const struct check *row, bool may_run, void *subject, struct cancel *cancel,
        struct check_result *result)
{
    struct error *error = cancel_check(cancel);
    if (error != NULL)
        check_skip(result, "%s", error->message);
    else if (!may_run)
        check_skip(result, "'%s' did not go well", row->needs);
    else
        row->run(subject, cancel, result);
    error_free(error);
}

void
check_run(const struct check_table *table, void *subject, bool with_advice, struct cancel *cancel,
          check_report report, void *data)
{
    enum check_verdict *verdicts = xcalloc(table->count + 1, sizeof(*verdicts));
    for (size_t i = 0; i < table->count; i++) {
        const struct check *row = &table->rows[i];
        struct check_result result = {.verdict = CHECK_SKIPPED};
        if (row->is_advice && !with_advice)
            continue;
        enum check_verdict needed =
            row->needs == NULL ? CHECK_OK : verdict_of(table, verdicts, i, row->needs);
        run_row(row, needed == CHECK_OK || needed == CHECK_WARNING, subject, cancel, &result);
        verdicts[i] = result.verdict;
        report(row->name, &result, data);
        check_result_done(&result);
    }
    free(verdicts);
}
