/* my.cnf: rendering for the server found, and reading values back. Pure, but for reading files. */
#ifndef VTAGENT_SUPERVISOR_MYCNF_H
#define VTAGENT_SUPERVISOR_MYCNF_H

#include <stdint.h>

#include "agent/base/error.h"
#include "agent/supervisor/layout.h"
#include "agent/supervisor/server_binary.h"

struct mycnf_inputs {
    const struct layout *layout;
    const struct server_binary *server;
    uint32_t server_id;
    int64_t port;
    const char *plugin_folder; /* to check for semi-sync plugins; NULL: do not check */
    const char *template;      /* NULL: the built-in text */
    const char *extra;         /* appended, so that it wins; NULL: nothing */
};

/* The text of my.cnf; caller frees. */
struct error *mycnf_render(const struct mycnf_inputs *inputs, char **ret_text) ERROR_MUST_CHECK;
/* The contents of the files in a colon-separated list (EXTRA_MY_CNF), one after the other. */
struct error *mycnf_read_extra(const char *paths, char **ret_text) ERROR_MUST_CHECK;
/* The value that counts (the last) of a key in [mysqld]; '_' equals '-' in names. NULL when it is
 * not there; "" for a key without value. Caller frees. */
char *mycnf_value(const char *text, const char *key);
/* A server id for a new data directory: random, never 0. Not the tablet's number: a tablet that
 * was rebuilt would skip its own earlier transactions as coming from itself. */
uint32_t mycnf_random_server_id(void);

/* Fills "{{.DataDir}}"-like places; "{{if .X}}" … "{{end}}" stays when X is not empty. For
 * mycnf_render and tests. */
struct error *mycnf_fill_template(const char *template, const struct mycnf_inputs *inputs,
                                  char **ret_text) ERROR_MUST_CHECK;

#endif
