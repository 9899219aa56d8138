#include "agent/actions/grants.h"

#include <string.h>

#include "agent/actions/dba.h"

#define RETRY_MS 500

/* The privileges of "GRANT a, b ON x TO …" end at " ON "; the object must be all of the server. */
bool
grants_line_suffices(const char *line)
{
    const char *object = strstr(line, " ON *.* ");
    if (object == NULL || !str_starts_with(line, "GRANT "))
        return false;
    const char *all = strstr(line, "ALL PRIVILEGES");
    const char *super = strstr(line, "SUPER");
    return (all != NULL && all < object) || (super != NULL && super < object);
}

static struct error *
check_grants(struct tablet_context *context, struct cancel *cancel, bool *ret_suffice)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_query(dba.db, cancel, DB_NO_LIMIT, "SHOW GRANTS", &result));
    *ret_suffice = false;
    for (size_t i = 0; i < result->row_count && result->field_count > 0; i++) {
        const struct db_cell *cell = db_result_cell(result, i, 0);
        if (cell->data != NULL && grants_line_suffices(cell->data))
            *ret_suffice = true;
    }
    return NULL;
}

static bool
is_worth_waiting(const struct error *error, bool waits_for_server)
{
    return error->code == ERROR_PERMISSION_DENIED ||
           (waits_for_server && error->code == ERROR_UNAVAILABLE);
}

struct error *
grants_wait(struct grants_gate *gate, struct tablet_context *context, bool waits_for_server,
            struct cancel *cancel)
{
    while (!atomic_load_explicit(&gate->is_open, memory_order_acquire)) {
        bool suffice = false;
        struct error *error = check_grants(context, cancel, &suffice);
        if (error != NULL && !is_worth_waiting(error, waits_for_server))
            return error;
        error_free(error);
        if (suffice) {
            atomic_store_explicit(&gate->is_open, true, memory_order_release);
            return NULL;
        }
        TRY(error_wrap(cancel_sleep_ms(cancel, RETRY_MS),
                       "waiting for the dba account to have SUPER or ALL PRIVILEGES"));
    }
    return NULL;
}
