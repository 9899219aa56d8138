#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/ctl/session.h"

#define GLOBAL(name_, type_, field_, value_, help_)                                                \
    {                                                                                              \
        .name = name_, .type = type_, .offset = offsetof(struct ctl_options, field_),              \
        .value = value_, .group = "Flags of all verbs", .help = help_                              \
    }

static const struct option_row global_rows[] = {
    GLOBAL("topo-global-server-address", OPTION_TEXT, topo_address, NULL,
           "etcd of the global topology: host:port,…"),
    GLOBAL("topo-global-root", OPTION_TEXT, topo_root, NULL, "its root, like /vitess/global"),
    GLOBAL("topo-implementation", OPTION_TEXT, topo_implementation, "etcd2", "etcd2"),
    GLOBAL("topo-etcd-tls-cert", OPTION_TEXT, topo_tls_cert, NULL, "certificate for etcd"),
    GLOBAL("topo-etcd-tls-key", OPTION_TEXT, topo_tls_key, NULL, "key for etcd"),
    GLOBAL("topo-etcd-tls-ca", OPTION_TEXT, topo_tls_ca, NULL, "CA that signed etcd's certificate"),
    GLOBAL("topo-etcd-lease-ttl", OPTION_INTEGER, topo_lease_ttl, "30",
           "seconds that a lock outlives us"),
    GLOBAL("tablet-manager-grpc-cert", OPTION_TEXT, tablet_tls_cert, NULL,
           "certificate for tablets"),
    GLOBAL("tablet-manager-grpc-key", OPTION_TEXT, tablet_tls_key, NULL, "key for tablets"),
    GLOBAL("tablet-manager-grpc-ca", OPTION_TEXT, tablet_tls_ca, NULL,
           "CA that signed the tablets' certificates"),
    GLOBAL("tablet-manager-grpc-crl", OPTION_TEXT, tablet_tls_crl, NULL,
           "revoked certificates of tablets"),
    GLOBAL("tablet-manager-grpc-server-name", OPTION_TEXT, tablet_tls_server_name, NULL,
           "name in the tablets' certificates"),
    GLOBAL("grpc-auth-static-client-creds", OPTION_TEXT, tablet_auth_file, NULL,
           "JSON file with the Username and Password that tablets ask for"),
    GLOBAL("backup-storage-implementation", OPTION_TEXT, storage_implementation, "file",
           "where backups are: file or gcs"),
    GLOBAL("file-backup-storage-root", OPTION_TEXT, storage_file_root, NULL,
           "folder of the backups"),
    GLOBAL("storage-timeout", OPTION_DURATION, storage_timeout_ms, "2m",
           "a storage that does not answer for so long fails the command; 0: never"),
    GLOBAL("gcs-backup-storage-bucket", OPTION_TEXT, storage_gcs_bucket, NULL,
           "bucket of the backups in Google Cloud Storage"),
    GLOBAL("gcs-backup-storage-root", OPTION_TEXT, storage_gcs_root, NULL,
           "what the names of their objects begin with"),
    GLOBAL("action-timeout", OPTION_DURATION, action_timeout_ms, "1h", "bound on the whole verb"),
    GLOBAL("remote-operation-timeout", OPTION_DURATION, remote_timeout_ms, "15s",
           "bound on one call of a tablet"),
    GLOBAL("json", OPTION_FLAG, wants_json, NULL, "print JSON instead of tables"),
    GLOBAL("quiet", OPTION_FLAG, is_quiet, NULL, "say nothing about what is being done"),
    {.name = "help",
     .type = OPTION_FLAG,
     .offset = offsetof(struct ctl_options, wants_help),
     .group = "Flags of all verbs",
     .help = "print this",
     .short_name = 'h'},
    {.name = "tablet-manager-protocol", .type = OPTION_IGNORED},
    {.name = "tablet-protocol", .type = OPTION_IGNORED},
    {.name = "server", .type = OPTION_IGNORED},
    {.name = "logtostderr", .type = OPTION_IGNORED_FLAG},
    {.name = "alsologtostderr", .type = OPTION_IGNORED_FLAG},
    {.name = "stderrthreshold", .type = OPTION_IGNORED},
    {.name = "log-dir", .type = OPTION_IGNORED},
};

/* ---- Verbs ---- */

static const struct ctl_verb help_verb = {
    .name = "help",
    .group = "Help",
    .usage = "[VERB]",
    .help = "prints this, or what a verb takes",
    .words_most = 1,
    .needs_no_topology = true,
};

static size_t
list_families(struct ctl_family families[16])
{
    size_t count = 0;
    families[count++] = cell_verbs();
    families[count++] = topo_verbs();
    families[count++] = tablet_verbs();
    families[count++] = status_verbs();
    families[count++] = health_verbs();
    families[count++] = reparent_verbs();
    families[count++] = backup_verbs();
    families[count++] = job_verbs();
    families[count++] = schema_verbs();
    families[count++] = validate_verbs();
    families[count++] = (struct ctl_family){&help_verb, 1};
    return count;
}

static bool
has_name(const struct ctl_verb *verb, const char *name)
{
    if (strcasecmp(verb->name, name) == 0)
        return true;
    CLEANUP(strv_done) struct strv others = {0};
    if (verb->other_names != NULL)
        strv_split(&others, verb->other_names, ',');
    for (size_t i = 0; i < others.count; i++) {
        if (strcasecmp(others.items[i], name) == 0)
            return true;
    }
    return false;
}

const struct ctl_verb *
ctl_find_verb(const char *name)
{
    struct ctl_family families[16];
    size_t count = list_families(families);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < families[i].count; k++) {
            if (has_name(&families[i].verbs[k], name))
                return &families[i].verbs[k];
        }
    }
    return NULL;
}

/* ---- Reading the words ---- */

static bool
flag_is(const char *given, size_t length, const struct option_row *row)
{
    if (length == 1 && given[0] == row->short_name)
        return true;
    if (strlen(row->name) != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (row->name[i] != (given[i] == '_' ? '-' : given[i]))
            return false;
    }
    return true;
}

/* Whether a flag in front of the verb takes the next word. */
static bool
takes_next_word(const char *word)
{
    const char *name = word + strspn(word, "-");
    if (strchr(name, '=') != NULL)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(global_rows); i++) {
        if (flag_is(name, strlen(name), &global_rows[i]))
            return global_rows[i].type != OPTION_FLAG && global_rows[i].type != OPTION_IGNORED_FLAG;
    }
    return false;
}

/* Index of the verb; argc when there is none. */
static int
find_verb_word(int argc, char *const *argv)
{
    int i = 1;
    while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0')
        i += takes_next_word(argv[i]) ? 2 : 1;
    return i < argc ? i : argc;
}

/* All verbs' flags and this one's; caller frees the rows. */
static struct option_set
make_set(const struct ctl_verb *verb)
{
    size_t extra = verb == NULL ? 0 : verb->row_count;
    struct option_row *rows = xcalloc(extra + ARRAY_LENGTH(global_rows), sizeof(*rows));
    if (extra > 0)
        memcpy(rows, verb->rows, extra * sizeof(*rows));
    memcpy(rows + extra, global_rows, sizeof(global_rows));
    return (struct option_set){rows, extra + ARRAY_LENGTH(global_rows), "VTAGENT"};
}

static struct error *
parse_words(struct ctl *ctl, const struct ctl_verb *verb, int verb_index, int argc,
            char *const *argv)
{
    CLEANUP(freep) char **words = xcalloc((size_t)argc + 1, sizeof(*words));
    int count = 0;
    for (int i = 0; i < argc; i++) {
        if (i != verb_index)
            words[count++] = argv[i];
    }
    struct option_set set = make_set(verb);
    struct error *error = option_parse(&set, count, words, &ctl->options, &ctl->words, NULL);
    free((void *)(uintptr_t)set.rows);
    return error;
}

struct error *
ctl_parse(struct ctl *ctl, int argc, char *const *argv, const struct ctl_verb **ret_verb)
{
    int at = find_verb_word(argc, argv);
    const struct ctl_verb *verb = at < argc ? ctl_find_verb(argv[at]) : NULL;
    if (at < argc && verb == NULL)
        return ctl_wrong_use(ctl, "unknown verb '%s': 'vtagent ctl --help' lists them", argv[at]);
    TRY(ctl_as_wrong_use(ctl, parse_words(ctl, verb, at, argc, argv)));
    *ret_verb = verb;
    if (ctl->options.wants_help)
        return NULL;
    if (verb == NULL)
        return ctl_wrong_use(ctl, "expected a verb: 'vtagent ctl --help' lists them");
    if (ctl->words.count < verb->words_least || ctl->words.count > verb->words_most)
        return ctl_wrong_use(ctl, "expected '%s%s%s'", verb->name, verb->usage[0] ? " " : "",
                             verb->usage);
    return NULL;
}

/* ---- Help ---- */

static void
print_verb_help(const struct ctl_verb *verb, FILE *stream)
{
    fprintf(stream, "vtagent ctl %s%s%s\n  %s\n", verb->name, verb->usage[0] ? " " : "",
            verb->usage, verb->help);
    if (verb->other_names != NULL)
        fprintf(stream, "  also: %s\n", verb->other_names);
    struct option_set set = make_set(verb);
    option_print_help(&set, stream);
    free((void *)(uintptr_t)set.rows);
}

static void
print_all_verbs(FILE *stream)
{
    struct ctl_family families[16];
    size_t count = list_families(families);
    const char *group = NULL;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < families[i].count; k++) {
            const struct ctl_verb *verb = &families[i].verbs[k];
            if (!str_equal(verb->group, group))
                fprintf(stream, "\n%s:\n", verb->group);
            group = verb->group;
            CLEANUP(freep) char *left = xasprintf("%s %s", verb->name, verb->usage);
            fprintf(stream, "  %-58s %s\n", left, verb->help);
        }
    }
}

void
ctl_print_help(const struct ctl_verb *verb, FILE *stream)
{
    if (verb != NULL && verb != &help_verb) {
        print_verb_help(verb, stream);
        return;
    }
    fputs(
        "vtagent ctl [FLAGS] VERB [FLAGS] [WORDS]\n"
        "Operates a cluster: reads and writes its topology and calls its tablets. Verbs and flags\n"
        "have Vitess's names; case of verbs, '-x' or '--x', 'a_b' or 'a-b' do not matter.\n"
        "'vtagent ctl VERB --help' shows a verb's flags.\n"
        "Exit status: 0 done, 1 the operation failed, 2 wrong use.\n",
        stream);
    print_all_verbs(stream);
    struct option_set set = make_set(NULL);
    option_print_help(&set, stream);
    free((void *)(uintptr_t)set.rows);
}

/* ---- Freeing ---- */

void
ctl_options_done(struct ctl_options *options)
{
    char **texts[] = {
        &options->topo_implementation,
        &options->topo_address,
        &options->topo_root,
        &options->topo_tls_cert,
        &options->topo_tls_key,
        &options->topo_tls_ca,
        &options->tablet_tls_cert,
        &options->tablet_tls_key,
        &options->tablet_tls_ca,
        &options->tablet_tls_crl,
        &options->tablet_tls_server_name,
        &options->tablet_auth_file,
        &options->storage_implementation,
        &options->storage_file_root,
        &options->storage_gcs_bucket,
        &options->storage_gcs_root,
        &options->root,
        &options->server_address,
        &options->cell,
        &options->keyspace,
        &options->shard,
        &options->tablet_type,
        &options->keyspace_shard,
        &options->new_primary,
        &options->avoid_primary,
        &options->expected_primary,
        &options->durability_policy,
        &options->sidecar_name,
        &options->sql,
        &options->sql_file,
        &options->backup_time,
        &options->incremental_from,
        &options->payload,
        &options->verify_tablet,
        &options->verify_mode,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        freep(texts[i]);
    strv_done(&options->cells);
    strv_done(&options->ignored_replicas);
    strv_done(&options->tables);
    strv_done(&options->excluded_tables);
    strv_done(&options->aliases);
}
