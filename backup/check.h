/* Checks: rows of a table, each a look at one thing with a verdict, what was seen and what to do
 * about it. Before a backup the same rows decide whether mysqld is touched at all. */
#ifndef VTAGENT_BACKUP_CHECK_H
#define VTAGENT_BACKUP_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"

enum check_verdict { CHECK_OK, CHECK_WARNING, CHECK_FAILED, CHECK_SKIPPED, CHECK_VERDICT_COUNT };
const char *check_verdict_name(enum check_verdict verdict); /* "ok", "warning", "failed", … */

struct check_result {
    enum check_verdict verdict;
    char *seen;          /* "" when there is nothing to say */
    char *advice;        /* "" unless there is something to do */
    struct error *error; /* of a failed one */
};
void check_result_done(struct check_result *result);
/* A row calls one of these, once. */
void check_ok(struct check_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void check_skip(struct check_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void check_warn(struct check_result *result, const char *advice, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The error's text says what to do as well; `advice` may be "". */
void check_fail(struct check_result *result, struct error *take_error, const char *advice);

struct check {
    const char *name;  /* "storage-create" */
    const char *needs; /* an earlier row of the table without which this one is skipped; NULL */
    bool is_advice;    /* worth knowing, but not before each backup */
    void (*run)(void *subject, struct cancel *cancel, struct check_result *result);
};
typedef void (*check_report)(const char *name, const struct check_result *result, void *data);
struct check_table {
    const struct check *rows;
    size_t count;
};
/* All rows in their order; a canceled token skips the rest. */
void check_run(const struct check_table *table, void *subject, bool with_advice,
               struct cancel *cancel, check_report report, void *data);

#endif
