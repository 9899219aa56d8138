#include "agent/actions/hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/child.h"
#include "agent/base/log.h"

void
hook_result_done(struct hook_result *result)
{
    free(result->output);
    free(result->errors);
    *result = (struct hook_result){0};
}

static void
result_set(struct hook_result *result, enum hook_state state, char *take_text)
{
    *result =
        (struct hook_result){.exit_status = state, .output = xstrdup(""), .errors = take_text};
}

static bool
name_is_valid(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && strlen(name) < 256;
}

/* The program's path, or NULL with the result set. */
static char *
find_program(const char *name, struct hook_result *ret_result)
{
    const char *root = getenv("VTROOT");
    if (str_is_empty(root)) {
        result_set(ret_result, HOOK_NO_VTROOT, xstrdup("cannot get VTROOT: it is not set\n"));
        return NULL;
    }
    if (!name_is_valid(name)) {
        result_set(ret_result, HOOK_INVALID_NAME, xasprintf("invalid hook name '%.256s'\n", name));
        return NULL;
    }
    char *path = xasprintf("%s/vthook/%s", root, name);
    struct stat status;
    if (stat(path, &status) == 0)
        return path;
    if (errno == ENOENT || errno == ENOTDIR)
        result_set(ret_result, HOOK_DOES_NOT_EXIST, xasprintf("missing hook %s\n", path));
    else
        result_set(ret_result, HOOK_STAT_FAILED,
                   xasprintf("cannot stat hook %s: %s\n", path, strerror(errno)));
    free(path);
    return NULL;
}

static bool
is_overridden(const char *entry, const struct strv *extra)
{
    size_t name_length = strcspn(entry, "=") + 1;
    for (size_t i = 0; i < extra->count; i++)
        if (strncmp(entry, extra->items[i], name_length) == 0)
            return true;
    return false;
}

static void
merge_environment(const struct strv *extra, struct strv *ret_environment)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
        if (!is_overridden(*entry, extra))
            strv_add(ret_environment, *entry);
    for (size_t i = 0; i < extra->count; i++)
        strv_add(ret_environment, extra->items[i]);
}

static void
result_of_child(struct error *take_error, const struct child_status *status, struct buffer *output,
                struct buffer *errors, struct hook_result *ret_result)
{
    int64_t exit_status = status->is_signaled ? HOOK_NO_EXIT_STATUS : status->exit_code;
    if (take_error != NULL) {
        bool is_late = take_error->code == ERROR_DEADLINE_EXCEEDED;
        exit_status = is_late ? HOOK_TIMEOUT : HOOK_GENERIC_ERROR;
        buffer_appendf(errors, "ERROR: %s\n", take_error->message);
        error_free(take_error);
    } else if (exit_status != HOOK_SUCCESS) {
        char *text = child_status_text(status);
        buffer_appendf(errors, "ERROR: %s\n", text);
        free(text);
    }
    *ret_result = (struct hook_result){
        .exit_status = exit_status, .output = buffer_take(output), .errors = buffer_take(errors)};
}

void
hook_run(const char *name, const struct strv *parameters, const struct strv *environment,
         struct cancel *cancel, struct hook_result *ret_result)
{
    CLEANUP(freep) char *path = find_program(name, ret_result);
    if (path == NULL)
        return;
    CLEANUP(strv_done) struct strv arguments = {0}, merged = {0};
    strv_add(&arguments, path);
    for (size_t i = 0; parameters != NULL && i < parameters->count; i++)
        strv_add(&arguments, parameters->items[i]);
    merge_environment(environment, &merged);

    struct child_options options = child_options_default();
    options.argv = (const char *const *)arguments.items;
    options.environment = (const char *const *)merged.items;
    CLEANUP(buffer_done) struct buffer output = BUFFER_INIT, errors = BUFFER_INIT;
    struct child_status status = {0};
    LOG_INFO("hook", "running %s", path);
    struct error *error =
        child_run(&options, NULL, HOOK_OUTPUT_LIMIT_BYTES, cancel, &status, &output, &errors);
    result_of_child(error, &status, &output, &errors, ret_result);
}

struct error *
hook_run_optional(const struct tablet_context *context, const char *name, struct cancel *cancel)
{
    const struct tablet_identity *identity = context->identity;
    CLEANUP(strv_done) struct strv environment = {0};
    strv_addf(&environment, "TABLET_ALIAS=%s", identity->alias_text);
    strv_addf(&environment, "KEYSPACE=%s", identity->keyspace);
    strv_addf(&environment, "SHARD=%s", identity->shard);
    CLEANUP(hook_result_done) struct hook_result result = {0};
    hook_run(name, NULL, &environment, cancel, &result);
    switch (result.exit_status) {
    case HOOK_SUCCESS:
    case HOOK_DOES_NOT_EXIST:
    case HOOK_NO_VTROOT:
        return NULL;
    default:
        return error_new(ERROR_UNKNOWN, "%s hook failed(%lld): %.2000s", name,
                         (long long)result.exit_status, result.errors);
    }
}
