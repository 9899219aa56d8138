/* SIGHUP: passwords again. Other threads read the parameters without a lock, so a changed password
 * is a new string behind an atomically exchanged pointer; the old one stays, once per change. */
#include "agent/base/log.h"
#include "agent/daemon_private.h"

#define COMPONENT "secrets"

static bool
exchange(struct db_params *shown, const struct db_params *read)
{
    if (str_equal(shown->password, read->password))
        return false;
    __atomic_store_n(&shown->password, xstrdup(read->password), __ATOMIC_RELEASE);
    return true;
}

static struct error *
read_secrets(struct daemon *daemon)
{
    struct tablet_context *context = &daemon->context;
    struct db_params fresh[4] = {{.socket = NULL}};
    db_params_copy(&fresh[0], &context->dba_params);
    db_params_copy(&fresh[1], &context->app_params);
    db_params_copy(&fresh[2], &context->allprivs_params);
    db_params_copy(&fresh[3], &context->repl_params);
    struct error *error =
        config_read_credentials(daemon->config, &fresh[0], &fresh[1], &fresh[2], &fresh[3]);
    if (error == NULL) {
        int changes = exchange(&context->dba_params, &fresh[0]);
        if (changes != 0) { /* the pool has a copy of the old one */
            struct db_pool *pool = db_pool_new(&context->dba_params, 8);
            db_pool_close_idle(context->dba_pool);
            __atomic_store_n(&context->dba_pool, pool, __ATOMIC_RELEASE);
        }
        changes += exchange(&context->app_params, &fresh[1]);
        changes += exchange(&context->allprivs_params, &fresh[2]);
        changes += exchange(&context->repl_params, &fresh[3]);
        LOG_INFO(COMPONENT, "credentials read again, %d changed", changes);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(fresh); i++)
        db_params_done(&fresh[i]);
    return error;
}

void
daemon_read_secrets(struct daemon *daemon)
{
    log_error_take(LOG_LEVEL_ERROR, COMPONENT, read_secrets(daemon), "the old credentials stay");
}
