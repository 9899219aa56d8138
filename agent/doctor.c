/* `vtagent doctor`: every check in one go, with or without a running agent. What touches storage
 * and data is asked of a worker process, so that a mount that hangs holds up nothing. */
#include <stdio.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/config.h"
#include "agent/daemon.h"
#include "agent/doctor_server.h"
#include "agent/job/job.h"

#define MOST_MS 60000 /* beside --storage-timeout */

struct doctor {
    bool wants_json;
    size_t count;
    enum check_verdict worst;
    struct buffer json;
};

/* ---- What is told ---- */

/* The names of the verdicts in order of gravity; a skipped row is none. */
static void
note_worst(struct doctor *doctor, enum check_verdict verdict)
{
    if (verdict == CHECK_FAILED || (verdict == CHECK_WARNING && doctor->worst == CHECK_OK))
        doctor->worst = verdict;
}

static const char *
text_of(const char *text)
{
    return text == NULL ? "" : text;
}

static void
add_json(struct doctor *doctor, const char *name, const struct check_result *result)
{
    struct buffer *json = &doctor->json;
    buffer_append_text(json, doctor->count == 0 ? "\n    {\"name\": " : ",\n    {\"name\": ");
    buffer_append_json_string(json, name);
    buffer_append_text(json, ", \"verdict\": ");
    buffer_append_json_string(json, check_verdict_name(result->verdict));
    buffer_append_text(json, ", \"seen\": ");
    buffer_append_json_string(json, text_of(result->seen));
    buffer_append_text(json, ", \"advice\": ");
    buffer_append_json_string(json, text_of(result->advice));
    buffer_append_text(json, "}");
}

static void
tell(const char *name, const struct check_result *result, void *data)
{
    struct doctor *doctor = data;
    note_worst(doctor, result->verdict);
    if (doctor->wants_json)
        add_json(doctor, name, result);
    else
        printf("%-8s %-24s %s\n", check_verdict_name(result->verdict), name, text_of(result->seen));
    if (!doctor->wants_json && text_of(result->advice)[0] != '\0')
        printf("%-8s %-24s -> %s\n", "", "", result->advice);
    fflush(stdout);
    doctor->count++;
}

static int
conclude(struct doctor *doctor)
{
    if (doctor->wants_json)
        printf("{\n  \"verdict\": \"%s\",\n  \"checks\": [%s\n  ]\n}\n",
               check_verdict_name(doctor->worst), buffer_text(&doctor->json));
    buffer_done(&doctor->json);
    return doctor->worst == CHECK_OK ? 0 : doctor->worst == CHECK_WARNING ? 1 : 2;
}

/* ---- What is looked at ---- */

static void
tell_error(struct doctor *doctor, const char *name, struct error *take_error)
{
    struct check_result result = {.verdict = CHECK_SKIPPED};
    if (take_error == NULL)
        return;
    check_fail(&result, take_error, "");
    tell(name, &result, doctor);
    check_result_done(&result);
}

static void
examine_storage(struct doctor *doctor, const struct config *config, int64_t *newest_ns)
{
    struct tablet_context context = {.identity = &config->identity, .backup = &config->backup};
    struct check_result result = {.verdict = CHECK_SKIPPED};
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(NULL, config->backup.storage_timeout_ms + MOST_MS);
    if (config->backup.storage_implementation[0] == '\0') {
        check_skip(&result, "no backup storage is configured: set --backup-storage-implementation");
        tell("storage", &result, doctor);
        check_result_done(&result);
        return;
    }
    tell_error(doctor, "storage-answer", job_examine(&context, cancel, tell, doctor, newest_ns));
}

static int
examine(const struct config *config, bool wants_json)
{
    struct doctor doctor = {.wants_json = wants_json, .worst = CHECK_OK};
    int64_t newest_ns = 0;
    examine_storage(&doctor, config, &newest_ns);
    doctor_examine_server(config, newest_ns, tell, &doctor);
    return conclude(&doctor);
}

/* ---- Flags: the agent's, and one more ---- */

static bool
take_json_flag(int *argc, char **argv)
{
    int kept = 0;
    bool has_it = false;
    for (int i = 0; i < *argc; i++) {
        bool is_it = i > 0 && (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-json") == 0);
        has_it = has_it || is_it;
        if (!is_it)
            argv[kept++] = argv[i];
    }
    *argc = kept;
    return has_it;
}

static void
print_help(void)
{
    printf("usage: vtagent doctor [--json] FLAGS\n"
           "Looks whether backups can be taken, stored, read and removed with these flags, which\n"
           "are those of 'vtagent tablet'; run it as the agent's user. Nothing is changed.\n"
           "Exit status: 0 all is well, 1 warnings, 2 something failed, or wrong flags.\n");
}

static int
run(struct config *config, int argc, char **argv)
{
    bool wants_json = take_json_flag(&argc, argv);
    CLEANUP(error_freep) struct error *error = config_parse(config, argc, argv);
    if (error == NULL && config->shows_help) {
        print_help();
        return 0;
    }
    if (error == NULL)
        error = config_finish(config);
    if (error == NULL)
        return examine(config, wants_json);
    fprintf(stderr, "vtagent doctor: %s\n", error->message);
    return 2;
}

int
doctor_main(int argc, char **argv)
{
    struct config *config = xcalloc(1, sizeof(*config));
    int exit_code = run(config, argc, argv);
    config_done(config);
    freep(&config);
    return exit_code;
}
