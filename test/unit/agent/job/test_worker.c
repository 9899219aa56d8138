#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/job/worker.h"

static char *folder;
static struct strv keys, values;
static struct buffer logs;

static char *
below(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static void
write_file(const char *name, const char *text)
{
    char *path = below(name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    cr_assert_null(file_make_directories(path, 0770));
    *slash = '/';
    cr_assert_null(file_write_safely(path, text, strlen(text), 0660));
    freep(&path);
}

static void
open_server(void)
{
    folder = xstrdup("/tmp/vtagent-worker-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    char *text = xasprintf("[mysqld]\ndatadir=%s/data\n", folder);
    write_file("my.cnf", text);
    write_file("data/ibdata1", "system");
    write_file("data/vt_ks/t.ibd", "table");
    write_file("backups/.keep", "");
    freep(&text);
}

static void
close_server(void)
{
    strv_done(&keys);
    strv_done(&values);
    buffer_done(&logs);
    cr_assert_null(file_remove_tree(folder));
    freep(&folder);
}

static void
on_result(const char *key, const char *value, void *data)
{
    (void)data;
    strv_add(&keys, key);
    strv_add(&values, value);
}

static void
on_log(int level, const char *text, void *data)
{
    (void)level, (void)data;
    buffer_appendf(&logs, "%s\n", text);
}

static const char *
result(const char *key)
{
    for (size_t i = 0; i < keys.count; i++)
        if (strcmp(keys.items[i], key) == 0)
            return values.items[i];
    return "";
}

static struct worker_options
options_of(const char *mode)
{
    return (struct worker_options){
        .mode = xstrdup(mode),
        .storage_implementation = xstrdup("file"),
        .file_root = below("backups"),
        .keyspace = xstrdup("ks"),
        .shard = xstrdup("0"),
        .alias = xstrdup("zone1-0000000102"),
        .mycnf = below("my.cnf"),
        .position = xstrdup("MariaDB/0-1-5"),
        .mysql_version = xstrdup("Ver 10.11.6-MariaDB x"),
        .compression = xstrdup("zstd"),
        .compression_level = 1,
        .concurrency = 2,
        .start_time_ns = 1795413342000000000,
    };
}

/* Through the command line and back, then the work, its lines read from a file. */
static struct error *
work(struct worker_options *take_options)
{
    struct strv argv = {.items = NULL};
    struct worker_options parsed;
    worker_options_print(take_options, &argv);
    worker_options_done(take_options);
    cr_assert_str_eq(argv.items[1], "job");
    cr_assert_null(worker_options_parse((int)argv.count - 1, argv.items + 1, &parsed));
    strv_done(&argv);
    char *path = below("output");
    int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(descriptor, 0);
    struct worker_output output = {.descriptor = descriptor};
    struct error *error = job_worker_run(&parsed, &output);
    worker_options_done(&parsed);
    close(descriptor);
    struct buffer text = BUFFER_INIT;
    cr_assert_null(file_read(path, 1 << 20, &text));
    struct strv lines = {.items = NULL};
    struct worker_events events = {.on_log = on_log, .on_result = on_result};
    strv_done(&keys);
    strv_done(&values);
    strv_split(&lines, buffer_text(&text), '\n');
    for (size_t i = 0; i < lines.count; i++)
        worker_output_read(lines.items[i], &events, &error);
    strv_done(&lines);
    buffer_done(&text);
    freep(&path);
    return error;
}

static void
expect(struct error *error, enum error_code code, const char *part)
{
    cr_assert_not_null(error);
    if (error->code != code || strstr(error->message, part) == NULL)
        fprintf(stderr, "got %s: %s\n", error_code_name(error->code), error->message);
    cr_assert_eq(error->code, code);
    cr_assert_not_null(strstr(error->message, part));
    error_free(error);
}

#define NAME "2026-11-23.055542.zone1-0000000102"

Test(worker, backup_check_wipe_and_copy, .init = open_server, .fini = close_server)
{
    struct worker_options options = options_of("check-storage");
    cr_assert_null(work(&options));
    options = options_of("restore-check");
    expect(work(&options), ERROR_NOT_FOUND, "no backup");
    options = options_of("backup");
    cr_assert_null(work(&options));
    cr_assert_str_eq(result("name"), NAME);
    options = options_of("restore-check");
    cr_assert_null(work(&options));
    cr_assert_str_eq(result("name"), NAME);
    cr_assert_str_eq(result("position"), "MariaDB/0-1-5");
    cr_assert_str_eq(result("version"), "Ver 10.11.6-MariaDB x");
    cr_assert_str_eq(result("same_version"), "yes");
    options = options_of("restore-wipe");
    cr_assert_null(work(&options));
    char *table = below("data/vt_ks/t.ibd");
    cr_assert(!file_exists(table));
    options = options_of("restore-copy");
    options.name = xstrdup(NAME);
    cr_assert_null(work(&options));
    cr_assert(file_exists(table));
    freep(&table);
}

static void
back_up_as_draft(void)
{
    struct worker_options options = options_of("backup");
    options.draft = below("draft");
    cr_assert_null(work(&options));
    cr_assert_str_eq(result("name"), NAME);
}

static struct error *
publish(const char *name, const char *how)
{
    struct worker_options options = options_of("publish");
    options.name = xstrdup(name);
    options.verify = xstrdup(how);
    options.draft = below("draft");
    return work(&options);
}

Test(worker, a_backup_that_is_not_what_was_written_is_never_listed, .init = open_server,
     .fini = close_server)
{
    char *object = below("backups/ks/0/" NAME "/0");
    char *manifest = below("backups/ks/0/" NAME "/MANIFEST");
    struct buffer stored = BUFFER_INIT;
    back_up_as_draft();
    cr_assert(!file_exists(manifest));
    cr_assert_null(file_read(object, 1 << 20, &stored));
    stored.data[stored.length_bytes / 2] ^= 1;
    cr_assert_null(file_write_safely(object, stored.data, stored.length_bytes, 0660));
    struct error *error = publish(NAME, "full");
    cr_assert(error_is(error, ERROR_DATA_LOSS));
    cr_assert_not_null(strstr(error->message, "is removed"));
    cr_assert(!file_exists(manifest) && !file_exists(object));
    error_free(error);
    buffer_done(&stored);
    freep(&object);
    freep(&manifest);
}

Test(worker, a_draft_is_published_after_a_look_and_once, .init = open_server, .fini = close_server)
{
    char *manifest = below("backups/ks/0/" NAME "/MANIFEST");
    const char *const ways[] = {"none", "size", "full", "full"};
    back_up_as_draft();
    error_free(publish("another", "full"));
    cr_assert(!file_exists(manifest));
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        cr_assert_null(publish(NAME, ways[i]));
        cr_assert(file_exists(manifest));
    }
    freep(&manifest);
}

Test(worker, another_version_is_told, .init = open_server, .fini = close_server)
{
    struct worker_options options = options_of("backup");
    cr_assert_null(work(&options));
    options = options_of("restore-check");
    str_replace(&options.mysql_version, "Ver 10.11.19-MariaDB x");
    cr_assert_null(work(&options));
    cr_assert_str_eq(result("same_version"), "no");
    options = options_of("restore-check");
    str_replace(&options.mysql_version, "Ver 8.0.40 MySQL");
    expect(work(&options), ERROR_FAILED_PRECONDITION, "no complete backup");
    cr_assert_not_null(strstr(buffer_text(&logs), "that is another server"));
}

Test(worker, only_incomplete_backups_are_removed, .init = open_server, .fini = close_server)
{
    struct worker_options options = options_of("remove-incomplete");
    options.name = xstrdup(NAME);
    cr_assert_null(work(&options));
    write_file("backups/ks/0/" NAME "/0", "half");
    options = options_of("remove-incomplete");
    options.name = xstrdup(NAME);
    cr_assert_null(work(&options));
    char *path = below("backups/ks/0/" NAME);
    cr_assert(!file_exists(path));
    options = options_of("backup");
    cr_assert_null(work(&options));
    options = options_of("remove-incomplete");
    options.name = xstrdup(NAME);
    cr_assert_null(work(&options));
    cr_assert(file_exists(path));
    cr_assert_not_null(strstr(buffer_text(&logs), "complete"));
    freep(&path);
}

Test(worker, wrong_words_are_errors, .init = open_server, .fini = close_server)
{
    struct worker_options options = options_of("dance");
    expect(work(&options), ERROR_INVALID_ARGUMENT, "unknown mode 'dance'");
    char *argv[] = {(char *)"job", (char *)"--mode=backup", (char *)"word", NULL};
    expect(worker_options_parse(3, argv, &options), ERROR_INVALID_ARGUMENT, "'word'");
    options = options_of("check-storage");
    str_replace(&options.file_root, "/nonexistent/root");
    expect(work(&options), ERROR_FAILED_PRECONDITION, "/nonexistent/root");
}

static struct error *
look_at(const char *mode, const char *name, const char *verify, const char *problem)
{
    struct worker_options options = options_of(mode);
    options.name = xstrdup(name);
    options.verify = xstrdup(verify);
    options.problem = xstrdup(problem);
    options.image = below("image");
    return work(&options);
}

Test(worker, a_stored_backup_is_found_read_back_and_judged, .init = open_server,
     .fini = close_server)
{
    expect(look_at("find", "", "", ""), ERROR_NOT_FOUND, "no complete backup of 'ks/0'");
    expect(look_at("find", NAME, "", ""), ERROR_FAILED_PRECONDITION, "it has no MANIFEST");
    struct worker_options options = options_of("backup");
    cr_assert_null(work(&options));
    write_file("backups/ks/0/2999-01-01.000000.zone1-0000000102/0", "half");
    cr_assert_null(look_at("find", "", "", ""));
    cr_assert_str_eq(result("name"), NAME);
    cr_assert_str_eq(result("position"), "MariaDB/0-1-5");
    cr_assert_null(look_at("read-back", NAME, "full", ""));
    expect(look_at("read-back", NAME, "deep", ""), ERROR_INVALID_ARGUMENT, "size, full");
    cr_assert_null(look_at("record", NAME, "full", ""));
    cr_assert_null(look_at("record", NAME, "restore", "a table is damaged"));
    struct buffer text = BUFFER_INIT;
    char *verdict = below("backups/ks/0/" NAME "/VTAGENT_VERDICT.2");
    cr_assert_null(file_read(verdict, 1 << 20, &text));
    cr_assert_not_null(strstr(buffer_text(&text), "a table is damaged"));
    cr_assert_not_null(strstr(buffer_text(&text), "zone1-0000000102"));
    buffer_done(&text);
    freep(&verdict);
}

Test(worker, a_backup_is_restored_beside_the_data, .init = open_server, .fini = close_server)
{
    struct worker_options options = options_of("backup");
    cr_assert_null(work(&options));
    write_file("image/data/.keep", "");
    cr_assert_null(look_at("scratch-check", NAME, "restore", ""));
    cr_assert_null(look_at("restore-copy", NAME, "restore", ""));
    char *table = below("image/data/vt_ks/t.ibd");
    cr_assert(file_exists(table));
    freep(&table);
    options = options_of("scratch-check");
    options.name = xstrdup(NAME);
    options.image = below("image");
    str_replace(&options.mysql_version, "Ver 8.0.40 MySQL");
    expect(work(&options), ERROR_FAILED_PRECONDITION, "that is another server");
}

Test(worker, what_only_other_tools_can_check_is_said, .init = open_server, .fini = close_server)
{
    write_file("backups/ks/0/a/MANIFEST", "{\"BackupMethod\":\"xtrabackup\"}");
    write_file("backups/ks/0/b/MANIFEST", "{\"Position\":\"MySQL56/\"}");
    write_file("backups/ks/0/c/MANIFEST", "{");
    write_file("backups/ks/0/d/MANIFEST",
               "{\"Incremental\":true,\"FileEntries\":[{\"Base\":\"Data\",\"Name\":\"a\"}]}");
    expect(look_at("find", "a", "", ""), ERROR_UNIMPLEMENTED, "'xtrabackup'");
    expect(look_at("find", "b", "", ""), ERROR_DATA_LOSS, "names no files");
    expect(look_at("find", "c", "", ""), ERROR_DATA_LOSS, "backup 'c' is damaged: MANIFEST");
    cr_assert_str_eq(result("name"), "c");
    expect(look_at("scratch-check", "d", "", ""), ERROR_FAILED_PRECONDITION, "is incremental");
}
