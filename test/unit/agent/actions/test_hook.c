#include <criterion/criterion.h>
#include <stdio.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/actions/hook.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"

static char root[64];

static void
make_root(void)
{
    snprintf(root, sizeof(root), "/tmp/vtagent-hook-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    char *folder = xasprintf("%s/vthook", root);
    cr_assert_eq(mkdir(folder, 0755), 0);
    free(folder);
    setenv("VTROOT", root, 1);
}

static void
remove_root(void)
{
    unsetenv("VTROOT");
    error_free(file_remove_tree(root));
}

static void
write_hook(const char *name, const char *text)
{
    char *path = xasprintf("%s/vthook/%s", root, name);
    struct error *error = file_write_safely(path, text, strlen(text), 0755);
    cr_assert_null(error);
    free(path);
}

static void
run(const char *name, struct strv *environment, struct cancel *cancel, struct hook_result *result)
{
    struct strv parameters = {0};
    strv_add(&parameters, "first");
    strv_add(&parameters, "second word");
    hook_run(name, &parameters, environment, cancel, result);
    strv_done(&parameters);
}

Test(hook, parameters_and_environment_arrive, .init = make_root, .fini = remove_root)
{
    write_hook("show", "#!/bin/sh\necho \"$1|$2|$TABLET_ALIAS\"; echo oops >&2\n");
    struct strv environment = {0};
    strv_add(&environment, "TABLET_ALIAS=zone1-0000000100");
    struct hook_result result;
    run("show", &environment, NULL, &result);
    cr_assert_eq(result.exit_status, HOOK_SUCCESS);
    cr_assert_str_eq(result.output, "first|second word|zone1-0000000100\n");
    cr_assert_str_eq(result.errors, "oops\n");
    hook_result_done(&result);
    strv_done(&environment);
}

Test(hook, exit_code_is_told, .init = make_root, .fini = remove_root)
{
    write_hook("fail", "#!/bin/sh\nexit 3\n");
    struct strv environment = {0};
    struct hook_result result;
    run("fail", &environment, NULL, &result);
    cr_assert_eq(result.exit_status, 3);
    cr_assert_not_null(strstr(result.errors, "ERROR: exited with 3"));
    hook_result_done(&result);
}

Test(hook, what_cannot_run_has_a_state_of_its_own, .init = make_root, .fini = remove_root)
{
    struct strv environment = {0};
    struct hook_result result;
    run("missing", &environment, NULL, &result);
    cr_assert_eq(result.exit_status, HOOK_DOES_NOT_EXIST);
    hook_result_done(&result);
    run("../etc", &environment, NULL, &result);
    cr_assert_eq(result.exit_status, HOOK_INVALID_NAME);
    hook_result_done(&result);
    unsetenv("VTROOT");
    run("missing", &environment, NULL, &result);
    cr_assert_eq(result.exit_status, HOOK_NO_VTROOT);
    hook_result_done(&result);
}

Test(hook, deadline_ends_it, .init = make_root, .fini = remove_root)
{
    write_hook("sleep", "#!/bin/sh\nexec sleep 600\n");
    struct strv environment = {0};
    struct hook_result result;
    struct cancel *cancel = cancel_new(clock_monotonic_ms() + 100);
    run("sleep", &environment, cancel, &result);
    cr_assert_eq(result.exit_status, HOOK_TIMEOUT);
    hook_result_done(&result);
    cancel_unref(cancel);
}

Test(hook, optional_hooks_may_be_missing_but_not_fail, .init = make_root, .fini = remove_root)
{
    struct tablet_identity identity = {.keyspace = (char *)"ks", .shard = (char *)"0"};
    struct tablet_context context = {.identity = &identity};
    struct error *error = hook_run_optional(&context, "preflight_stop_slave", NULL);
    cr_assert_null(error);
    write_hook("preflight_stop_slave", "#!/bin/sh\necho no >&2; exit 1\n");
    error = hook_run_optional(&context, "preflight_stop_slave", NULL);
    cr_assert_not_null(error);
    cr_assert_eq(error->code, ERROR_UNKNOWN);
    cr_assert_not_null(strstr(error->message, "preflight_stop_slave hook failed(1)"));
    error_free(error);
}
