/* Options: one table row each drives parsing, --help, --print-config, environment and file.
 * `_` equals `-`, `-x` equals `--x`, `--no-x` negates a flag, `--x=v` and `--x v` both work.
 * Precedence: default < --config-file (lines "name = value") < environment (PREFIX_NAME) < flags.
 */
#ifndef VTAGENT_BASE_OPTION_H
#define VTAGENT_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/base/error.h"
#include "agent/base/memory.h"

enum option_type {
    OPTION_FLAG,         /* bool */
    OPTION_TEXT,         /* char *; owned by the target */
    OPTION_INTEGER,      /* int64_t */
    OPTION_DURATION,     /* int64_t, milliseconds; Go's spelling */
    OPTION_SIZE,         /* int64_t, bytes; K, M, G suffixes (1024) */
    OPTION_LIST,         /* struct strv; comma-separated or repeated */
    OPTION_IGNORED,      /* accepted with or without value, for drop-in use; target unused */
    OPTION_IGNORED_FLAG, /* accepted without a value (or =value); target unused */
};

struct option_row {
    const char *name; /* with dashes, no leading ones */
    enum option_type type;
    size_t offset;     /* of the field in the config struct */
    const char *value; /* default as text; NULL: zero */
    const char *group; /* heading in --help */
    const char *help;  /* one sentence */
    char short_name;   /* 0: none */
};

struct option_set {
    const struct option_row *rows;
    size_t row_count;
    const char *environment_prefix; /* "VTAGENT"; NULL: no environment */
};

/* Fills *config from defaults, environment and argv[1..]. Positional words go to ret_rest. Names of
 * OPTION_IGNORED rows that were given go to ret_ignored (may be NULL). Errors are INVALID_ARGUMENT
 * and name the nearest known flag. */
struct error *option_parse(const struct option_set *set, int argc, char *const *argv, void *config,
                           struct strv *ret_rest, struct strv *ret_ignored) ERROR_MUST_CHECK;
void option_print_help(const struct option_set *set, FILE *stream);
/* "name = value" lines as in the file; values of rows whose name ends in "password" are masked. */
void option_print_config(const struct option_set *set, const void *config, FILE *stream);
void option_done(const struct option_set *set, void *config);

#endif
