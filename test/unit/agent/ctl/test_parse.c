#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "fake.h"

struct parsed {
    struct ctl ctl;
    const struct ctl_verb *verb;
    struct error *error;
};

static struct parsed
parse(const char *line)
{
    struct parsed parsed = {0};
    struct strv words = {0};
    strv_split(&words, line, ' ');
    parsed.error = ctl_parse(&parsed.ctl, (int)words.count, words.items, &parsed.verb);
    strv_done(&words);
    return parsed;
}

static void
done(struct parsed *parsed)
{
    error_free(parsed->error);
    strv_done(&parsed->ctl.words);
    ctl_options_done(&parsed->ctl.options);
}

Test(parse, words_of_2018)
{
    struct parsed parsed = parse("ctl addcellinfo -server_address http://etcd:2379 vitess");
    must(parsed.error);
    cr_assert_str_eq(parsed.verb->name, "AddCellInfo");
    cr_assert_str_eq(parsed.ctl.options.server_address, "http://etcd:2379");
    cr_assert_str_eq(parsed.ctl.words.items[0], "vitess");
    done(&parsed);

    parsed = parse("ctl InitShardMaster -force ks/0 vitess-0000000100");
    must(parsed.error);
    cr_assert_str_eq(parsed.verb->name, "InitShardPrimary");
    cr_assert(parsed.ctl.options.is_forced);
    cr_assert_eq(parsed.ctl.words.count, 2);
    cr_assert_eq(parsed.ctl.options.wait_replicas_timeout_ms, 30000);
    done(&parsed);

    parsed = parse("ctl PlannedReparentShard -keyspace_shard=ks/0 -new_master=c-1 "
                   "-wait_slave_timeout 5s");
    must(parsed.error);
    cr_assert_str_eq(parsed.ctl.options.keyspace_shard, "ks/0");
    cr_assert_str_eq(parsed.ctl.options.new_primary, "c-1");
    cr_assert_eq(parsed.ctl.options.wait_replicas_timeout_ms, 5000);
    done(&parsed);
}

Test(parse, flags_of_all_verbs_may_stand_anywhere)
{
    struct parsed parsed = parse("ctl --topo-global-server-address h:1 --json "
                                 "--topo_global_root=/r GetTablets --cell zone1 --quiet");
    must(parsed.error);
    cr_assert_str_eq(parsed.verb->name, "GetTablets");
    cr_assert_str_eq(parsed.ctl.options.topo_address, "h:1");
    cr_assert_str_eq(parsed.ctl.options.topo_root, "/r");
    cr_assert_str_eq(parsed.ctl.options.cells.items[0], "zone1");
    cr_assert(parsed.ctl.options.wants_json);
    cr_assert(parsed.ctl.options.is_quiet);
    cr_assert_eq(parsed.ctl.words.count, 0);
    cr_assert_eq(parsed.ctl.options.remote_timeout_ms, 15000);
    done(&parsed);
}

Test(parse, wrong_use_is_told)
{
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"ctl", "expected a verb"},
        {"ctl --json", "expected a verb"},
        {"ctl Juggle", "unknown verb 'Juggle'"},
        {"ctl GetTablet", "expected 'GetTablet TABLET'"},
        {"ctl GetTablet a b", "expected 'GetTablet TABLET'"},
        {"ctl GetTablets --no-such-flag", "no-such-flag"},
        {"ctl GetTablets --sql x", "sql"},
        {"ctl --no-such-flag GetTablets", "no-such-flag"},
        {"ctl PlannedReparentShard --wait-replicas-timeout=soon ks/0", "soon"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsed parsed = parse(cases[i].line);
        cr_assert(parsed.ctl.is_wrong_use);
        must_be(parsed.error, ERROR_INVALID_ARGUMENT, cases[i].part);
        parsed.error = NULL;
        done(&parsed);
    }
}

Test(parse, help_needs_no_words)
{
    struct parsed parsed = parse("ctl Backup --help");
    must(parsed.error);
    cr_assert(parsed.ctl.options.wants_help);
    cr_assert_str_eq(parsed.verb->name, "Backup");
    done(&parsed);
    parsed = parse("ctl -h");
    must(parsed.error);
    cr_assert(parsed.ctl.options.wants_help);
    cr_assert_null(parsed.verb);
    done(&parsed);
}

static char *
help_of(const struct ctl_verb *verb)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ctl_print_help(verb, stream);
    fclose(stream);
    return text;
}

Test(parse, every_verb_is_found_by_each_of_its_names_and_has_help)
{
    const char *names[] = {"AddCellInfo",
                           "GetCellInfoNames",
                           "GetCellInfo",
                           "CreateKeyspace",
                           "GetKeyspaces",
                           "GetKeyspace",
                           "GetShard",
                           "GetTablets",
                           "ListAllTablets",
                           "GetTablet",
                           "InitShardPrimary",
                           "InitShardMaster",
                           "PlannedReparentShard",
                           "EmergencyReparentShard",
                           "TabletExternallyReparented",
                           "ReparentTablet",
                           "ChangeTabletType",
                           "SetWritable",
                           "StartReplication",
                           "StopReplication",
                           "ApplySchema",
                           "GetSchema",
                           "Backup",
                           "BackupShard",
                           "GetBackups",
                           "ListBackups",
                           "RemoveBackup",
                           "RestoreFromBackup",
                           "RebuildKeyspaceGraph",
                           "RebuildVSchemaGraph",
                           "Ping",
                           "PingTablet",
                           "GetFullStatus",
                           "ShardReplicationPositions",
                           "ExecuteFetchAsDBA",
                           "RunHealthCheck",
                           "RefreshState",
                           "DeleteTablets",
                           "Validate",
                           "ValidateShard",
                           "SetKeyspaceDurabilityPolicy",
                           "help"};
    char *all = help_of(NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct ctl_verb *verb = ctl_find_verb(names[i]);
        cr_assert_not_null(verb);
        cr_assert_not_null(strstr(all, verb->name));
        char *own = help_of(verb);
        cr_assert_not_null(strstr(own, verb->usage));
        free(own);
    }
    cr_assert_not_null(strstr(all, "Exit status"));
    free(all);
    char *reparent = help_of(ctl_find_verb("plannedreparentshard"));
    cr_assert_not_null(strstr(reparent, "--new-primary"));
    free(reparent);
}
