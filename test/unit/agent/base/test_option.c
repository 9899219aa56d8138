#include <criterion/criterion.h>

#include <stddef.h>
#include <stdlib.h>

#include "agent/base/file.h"
#include "agent/base/option.h"

struct sample {
    bool force;
    char *root;
    int64_t port, wait_ms, size;
    struct strv cells;
    char *config_file;
};

#define ROW(name_, type_, field, value_)                                                           \
    {                                                                                              \
        .name = name_, .type = type_, .offset = offsetof(struct sample, field), .value = value_    \
    }
static const struct option_row rows[] = {
    ROW("force", OPTION_FLAG, force, "false"),
    ROW("topo-root", OPTION_TEXT, root, "/vitess"),
    ROW("port", OPTION_INTEGER, port, "15000"),
    ROW("wait-time", OPTION_DURATION, wait_ms, "5m"),
    ROW("chunk-size", OPTION_SIZE, size, NULL),
    ROW("cells", OPTION_LIST, cells, "a,b"),
    ROW("config-file", OPTION_TEXT, config_file, NULL),
    ROW("queryserver-pool", OPTION_IGNORED, force, NULL),
    ROW("enable-acl", OPTION_IGNORED_FLAG, force, NULL),
};
static const struct option_set set = {rows, sizeof(rows) / sizeof(rows[0]), "VTTEST"};

static struct error *
parse(struct sample *sample, struct strv *rest, struct strv *ignored, const char *words)
{
    struct strv argv = {.items = NULL};
    strv_add(&argv, "program");
    strv_split(&argv, words, ' ');
    struct error *error = option_parse(&set, (int)argv.count, argv.items, sample, rest, ignored);
    strv_done(&argv);
    return error;
}

Test(option, every_spelling)
{
    struct sample sample = {.force = false};
    struct strv rest = {.items = NULL}, ignored = {.items = NULL};
    cr_assert_null(parse(&sample, &rest, &ignored,
                         "-force --topo_root=/x verb --port 7 --wait-time 2s --chunk-size=4M "
                         "--cells=c --cells d --queryserver-pool 3 --enable-acl -- --rest"));
    cr_assert(sample.force);
    cr_assert_str_eq(sample.root, "/x");
    cr_assert_eq(sample.port, 7);
    cr_assert_eq(sample.wait_ms, 2000);
    cr_assert_eq(sample.size, 4 << 20);
    cr_assert_eq(sample.cells.count, 2);
    cr_assert_str_eq(sample.cells.items[1], "d");
    cr_assert_eq(rest.count, 2);
    cr_assert_str_eq(rest.items[1], "--rest");
    cr_assert_eq(ignored.count, 2);
    option_done(&set, &sample);
    strv_done(&rest);
    strv_done(&ignored);
}

static void
assert_refused(const char *words, const char *expected)
{
    struct sample sample = {.force = false};
    struct strv rest = {.items = NULL};
    struct error *error = parse(&sample, &rest, NULL, words);
    cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
    cr_assert_not_null(strstr(error->message, expected));
    error_free(error);
    option_done(&set, &sample);
    strv_done(&rest);
}

Test(option, bad_input_says_what_was_expected)
{
    assert_refused("--prot 1", "did you mean '--port'");
    assert_refused("--completely-else", "see --help");
    assert_refused("--port x", "--port: 'x' is not a number");
    assert_refused("--port", "--port needs a value");
    assert_refused("--force=maybe", "neither true nor false");
    assert_refused("--wait-time=-1s", "not a duration");
    assert_refused("--chunk-size=9999999999G", "not a number");
}

Test(option, precedence_is_file_then_environment_then_flags)
{
    char path[] = "/tmp/vtagent-option-XXXXXX";
    cr_assert_geq(mkstemp(path), 0);
    const char *text = "# comment\nport = 1\ntopo_root = /file\ncells = x\n";
    cr_assert_null(file_write_safely(path, text, strlen(text), 0600));
    setenv("VTTEST_TOPO_ROOT", "/environment", 1);
    struct sample sample = {.force = false};
    struct strv rest = {.items = NULL};
    char *words = xasprintf("--config-file %s --no-force --port=3", path);
    cr_assert_null(parse(&sample, &rest, NULL, words));
    cr_assert_eq(sample.port, 3);
    cr_assert_str_eq(sample.root, "/environment");
    cr_assert_eq(sample.cells.count, 1);
    cr_assert(!sample.force);
    unsetenv("VTTEST_TOPO_ROOT");
    cr_assert_null(file_remove(path));
    freep(&words);
    option_done(&set, &sample);
}
