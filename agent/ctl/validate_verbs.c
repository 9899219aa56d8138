/* Whether the records of the topology fit each other and the tablets. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ctl/parallel.h"
#include "agent/ctl/print.h"
#include "agent/ctl/shard.h"

/* What is wrong, a line each. */
struct findings {
    struct strv lines;
    pthread_mutex_t mutex;
};

static void
findings_init(struct findings *findings)
{
    *findings = (struct findings){.lines = {0}};
    pthread_mutex_init(&findings->mutex, NULL);
}

static void
findings_done(struct findings *findings)
{
    strv_done(&findings->lines);
    pthread_mutex_destroy(&findings->mutex);
}

static void __attribute__((format(printf, 2, 3)))
findings_add(struct findings *findings, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = xvasprintf(format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&findings->mutex);
    strv_add_take(&findings->lines, line);
    pthread_mutex_unlock(&findings->mutex);
}

static void
findings_add_error(struct findings *findings, struct error *take_error)
{
    if (take_error != NULL)
        findings_add(findings, "%s", take_error->message);
    error_free(take_error);
}

/* ---- Records ---- */

static void
check_primary(const struct shard_view *view, struct findings *findings)
{
    struct tablet_alias expected = tablet_alias_of(view->record->primary_alias);
    size_t count = 0;
    for (size_t i = 0; i < view->tablets.count; i++) {
        const Topodata__Tablet *tablet = view->tablets.items[i];
        if (tablet->type != TOPODATA__TABLET_TYPE__PRIMARY)
            continue;
        count++;
        struct tablet_alias alias = tablet_alias_of(tablet->alias);
        if (!tablet_alias_equal(&alias, &expected))
            findings_add(findings, "%s/%s: tablet '%s' says it is primary, the shard names '%s'",
                         view->keyspace, view->shard, alias_text_of(tablet).text,
                         alias_text_from(view->record->primary_alias).text);
    }
    if (tablet_alias_is_zero(&expected))
        findings_add(findings, "%s/%s: the shard has no primary", view->keyspace, view->shard);
    else if (count == 0)
        findings_add(findings, "%s/%s: no tablet says it is primary, the shard names '%s'",
                     view->keyspace, view->shard,
                     alias_text_from(view->record->primary_alias).text);
    else if (count > 1)
        findings_add(findings, "%s/%s: %zu tablets say they are primary", view->keyspace,
                     view->shard, count);
}

/* Both ways: each tablet is in its cell's list of the shard, and the list names only tablets. */
static struct error *
check_replication_lists(struct ctl *ctl, const struct shard_view *view, struct findings *findings)
{
    CLEANUP(strv_done) struct strv cells = {0};
    CLEANUP(strv_done) struct strv listed = {0};
    TRY(topo_list_cells(ctl->topo, ctl->cancel, &cells));
    for (size_t i = 0; i < cells.count; i++)
        TRY(topo_list_replication(ctl->topo, ctl->cancel, cells.items[i], view->keyspace,
                                  view->shard, &listed));
    for (size_t i = 0; i < view->tablets.count; i++) {
        struct alias_text alias = alias_text_of(view->tablets.items[i]);
        if (!strv_contains(&listed, alias.text))
            findings_add(findings, "%s/%s: tablet '%s' is not in its cell's ShardReplication",
                         view->keyspace, view->shard, alias.text);
    }
    for (size_t i = 0; i < listed.count; i++) {
        struct tablet_alias alias;
        TRY(tablet_alias_parse(listed.items[i], &alias));
        if (shard_view_find(view, &alias) == SHARD_VIEW_NONE)
            findings_add(findings, "%s/%s: ShardReplication names '%s', which has no record",
                         view->keyspace, view->shard, listed.items[i]);
    }
    return NULL;
}

/* ---- Tablets ---- */

struct pinging {
    struct ctl *ctl;
    const struct shard_view *view;
    struct findings *findings;
};

static void
ping_one(size_t index, void *data)
{
    const struct pinging *pinging = data;
    struct error *error =
        ctl_call(pinging->ctl, pinging->view->tablets.items[index], "Ping", NULL,
                 pinging->ctl->cancel, pinging->ctl->options.remote_timeout_ms, NULL);
    findings_add_error(pinging->findings, error);
}

static bool
resolve(const char *host, char address[INET6_ADDRSTRLEN])
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    int result = getnameinfo(found->ai_addr, found->ai_addrlen, address, INET6_ADDRSTRLEN, NULL, 0,
                             NI_NUMERICHOST);
    freeaddrinfo(found);
    return result == 0;
}

static bool
names_address(const Tabletmanagerdata__GetReplicasResponse *replicas, const char *address)
{
    for (size_t i = 0; i < replicas->n_addrs; i++) {
        if (strcmp(replicas->addrs[i], address) == 0)
            return true;
    }
    return false;
}

/* The primary's server must have a connection from each replica's. */
static void
check_replicas(struct ctl *ctl, const struct shard_view *view, const Topodata__Tablet *primary,
               struct findings *findings)
{
    CLEANUP(record_freep) Tabletmanagerdata__GetReplicasResponse *replicas = NULL;
    struct error *error = ctl_call(ctl, primary, "GetReplicas", NULL, ctl->cancel,
                                   ctl->options.remote_timeout_ms, &replicas);
    if (error != NULL) {
        findings_add_error(findings, error);
        return;
    }
    for (size_t i = 0; i < view->tablets.count; i++) {
        const Topodata__Tablet *tablet = view->tablets.items[i];
        char address[INET6_ADDRSTRLEN];
        if (!tablet_type_is_replica(tablet->type))
            continue;
        if (!resolve(tablet->mysql_hostname, address))
            findings_add(findings, "tablet '%s': host '%s' cannot be resolved",
                         alias_text_of(tablet).text, tablet->mysql_hostname);
        else if (!names_address(replicas, address))
            findings_add(findings, "tablet '%s' (%s) does not replicate from the primary",
                         alias_text_of(tablet).text, address);
    }
}

static void
ping_shard(struct ctl *ctl, const struct shard_view *view, struct findings *findings)
{
    struct pinging pinging = {ctl, view, findings};
    parallel_run(view->tablets.count, ping_one, &pinging);
    struct tablet_alias alias = tablet_alias_of(view->record->primary_alias);
    size_t primary = shard_view_find(view, &alias);
    if (primary != SHARD_VIEW_NONE)
        check_replicas(ctl, view, view->tablets.items[primary], findings);
}

/* ---- The verbs ---- */

static struct error *
check_shard(struct ctl *ctl, const char *name, struct findings *findings)
{
    CLEANUP(shard_view_done) struct shard_view view = {0};
    TRY(shard_view_open(ctl, name, NULL, &view));
    check_primary(&view, findings);
    TRY(check_replication_lists(ctl, &view, findings));
    if (ctl->options.wants_ping)
        ping_shard(ctl, &view, findings);
    return NULL;
}

static struct error *
report(struct ctl *ctl, struct error *take_error, const struct findings *findings)
{
    if (take_error != NULL)
        return take_error;
    if (findings->lines.count == 0)
        return NULL;
    print_names(ctl, &findings->lines);
    return error_new(ERROR_FAILED_PRECONDITION, "%zu findings", findings->lines.count);
}

static struct error *
validate_shard(struct ctl *ctl)
{
    CLEANUP(findings_done) struct findings findings;
    findings_init(&findings);
    struct error *error = check_shard(ctl, ctl->words.items[0], &findings);
    return report(ctl, error, &findings);
}

static struct error *
check_keyspace(struct ctl *ctl, const char *keyspace, struct findings *findings)
{
    CLEANUP(strv_done) struct strv shards = {0};
    TRY(topo_list_shards(ctl->topo, ctl->cancel, keyspace, &shards));
    for (size_t i = 0; i < shards.count; i++) {
        CLEANUP(freep) char *name = xasprintf("%s/%s", keyspace, shards.items[i]);
        findings_add_error(findings, check_shard(ctl, name, findings));
    }
    return NULL;
}

static struct error *
validate_keyspace(struct ctl *ctl)
{
    CLEANUP(findings_done) struct findings findings;
    findings_init(&findings);
    TRY(ctl_check_name(ctl, "keyspace", ctl->words.items[0]));
    CLEANUP(record_freep) Topodata__Keyspace *record = NULL;
    TRY(topo_get_keyspace(ctl->topo, ctl->cancel, ctl->words.items[0], &record, NULL));
    struct error *error = check_keyspace(ctl, ctl->words.items[0], &findings);
    return report(ctl, error, &findings);
}

static struct error *
validate(struct ctl *ctl)
{
    CLEANUP(findings_done) struct findings findings;
    findings_init(&findings);
    CLEANUP(strv_done) struct strv keyspaces = {0};
    TRY(topo_list_keyspaces(ctl->topo, ctl->cancel, &keyspaces));
    for (size_t i = 0; i < keyspaces.count; i++)
        TRY(check_keyspace(ctl, keyspaces.items[i], &findings));
    return report(ctl, NULL, &findings);
}

static const struct option_row rows[] = {
    CTL_OPTION("ping-tablets", OPTION_FLAG, wants_ping, NULL, "ask the tablets too"),
    CTL_OPTION("ping", OPTION_FLAG, wants_ping, NULL, "the same"),
};

#define CHECKS "Checks"
static const struct ctl_verb verbs[] = {
    {"Validate", NULL, CHECKS, "[--ping-tablets]", "checks all keyspaces", CTL_ROWS(rows), 0, 0,
     validate, false},
    {"ValidateKeyspace", NULL, CHECKS, "[--ping-tablets] KEYSPACE", "checks a keyspace's shards",
     CTL_ROWS(rows), 1, 1, validate_keyspace, false},
    {"ValidateShard", NULL, CHECKS, "[--ping-tablets] KEYSPACE/SHARD", "checks a shard",
     CTL_ROWS(rows), 1, 1, validate_shard, false},
};

struct ctl_family
validate_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
