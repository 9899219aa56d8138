/* The words and flags of the verbs that change a shard's primary, in both generations' forms. */
#include <stdlib.h>

#include "agent/ctl/reparent.h"

static struct error *
parse_optional_alias(struct ctl *ctl, const char *text, struct tablet_alias *ret_alias)
{
    if (str_is_empty(text))
        return NULL;
    return ctl_parse_alias(ctl, text, ret_alias);
}

/* The shard: --keyspace-shard or the first word; the tablet to promote: --new-primary or the word
 * after it (2018). */
static struct error *
read_target(struct ctl *ctl, const char **ret_shard, struct tablet_alias *ret_new_primary)
{
    const struct ctl_options *options = &ctl->options;
    size_t word = 0;
    *ret_shard = options->keyspace_shard;
    if (str_is_empty(*ret_shard)) {
        if (ctl->words.count == 0)
            return ctl_wrong_use(ctl, "expected KEYSPACE/SHARD");
        *ret_shard = ctl->words.items[word++];
    }
    CLEANUP(freep) char *keyspace = NULL;
    CLEANUP(freep) char *shard = NULL;
    TRY(ctl_parse_shard(ctl, *ret_shard, &keyspace, &shard));
    TRY(parse_optional_alias(ctl, options->new_primary, ret_new_primary));
    if (word == ctl->words.count)
        return NULL;
    if (word + 1 < ctl->words.count || !tablet_alias_is_zero(ret_new_primary))
        return ctl_wrong_use(ctl, "'%s' is one word too many", ctl->words.items[word]);
    return ctl_parse_alias(ctl, ctl->words.items[word], ret_new_primary);
}

static struct error *
planned_reparent_shard(struct ctl *ctl)
{
    const struct ctl_options *options = &ctl->options;
    struct prs_options prs = {
        .wait_replicas_timeout_ms = options->wait_replicas_timeout_ms,
        .tolerable_lag_ms = options->tolerable_lag_ms,
        .allows_cross_cell = options->allows_cross_cell,
        .is_dry_run = options->is_dry_run,
    };
    TRY(read_target(ctl, &prs.shard_name, &prs.new_primary));
    TRY(parse_optional_alias(ctl, options->avoid_primary, &prs.avoid_primary));
    TRY(parse_optional_alias(ctl, options->expected_primary, &prs.expected_primary));
    return planned_reparent(ctl, &prs);
}

static struct error *
emergency_reparent_shard(struct ctl *ctl)
{
    const struct ctl_options *options = &ctl->options;
    CLEANUP(strv_done) struct strv ignored = {0};
    struct ers_options ers = {
        .ignored_replicas = &ignored,
        .wait_replicas_timeout_ms = options->wait_replicas_timeout_ms,
        .prevents_cross_cell = options->prevents_cross_cell,
        .waits_for_all = options->waits_for_all,
        .is_dry_run = options->is_dry_run,
    };
    TRY(read_target(ctl, &ers.shard_name, &ers.new_primary));
    TRY(parse_optional_alias(ctl, options->expected_primary, &ers.expected_primary));
    for (size_t i = 0; i < options->ignored_replicas.count; i++) {
        struct tablet_alias alias;
        char text[TABLET_ALIAS_TEXT_MAX];
        TRY(ctl_parse_alias(ctl, options->ignored_replicas.items[i], &alias));
        tablet_alias_format(&alias, text);
        strv_add(&ignored, text);
    }
    return emergency_reparent(ctl, &ers);
}

static struct error *
init_shard(struct ctl *ctl)
{
    struct tablet_alias alias;
    CLEANUP(freep) char *keyspace = NULL;
    CLEANUP(freep) char *shard = NULL;
    TRY(ctl_parse_shard(ctl, ctl->words.items[0], &keyspace, &shard));
    TRY(ctl_parse_alias(ctl, ctl->words.items[1], &alias));
    return init_shard_primary(ctl, ctl->words.items[0], &alias, ctl->options.is_forced,
                              ctl->options.wait_replicas_timeout_ms);
}

/* ---- The table ---- */

#define WAIT_ROWS(default_)                                                                        \
    CTL_OPTION("wait-replicas-timeout", OPTION_DURATION, wait_replicas_timeout_ms, default_,       \
               "how long replicas may take to catch up"),                                          \
        CTL_OPTION("wait-slave-timeout", OPTION_DURATION, wait_replicas_timeout_ms, NULL,          \
                   "the same")
#define TARGET_ROWS                                                                                \
    CTL_OPTION("keyspace-shard", OPTION_TEXT, keyspace_shard, NULL,                                \
               "KEYSPACE/SHARD, instead of the word"),                                             \
        CTL_OPTION("new-primary", OPTION_TEXT, new_primary, NULL, "the tablet to promote"),        \
        CTL_OPTION("new-master", OPTION_TEXT, new_primary, NULL, "the same"),                      \
        CTL_OPTION("expected-primary", OPTION_TEXT, expected_primary, NULL,                        \
                   "do nothing if another tablet is primary"),                                     \
        CTL_OPTION("dry-run", OPTION_FLAG, is_dry_run, NULL, "say what would happen, and why")

static const struct option_row planned_rows[] = {
    TARGET_ROWS,
    WAIT_ROWS("15s"),
    CTL_OPTION("avoid-primary", OPTION_TEXT, avoid_primary, NULL,
               "if this tablet is primary, promote any other"),
    CTL_OPTION("avoid-master", OPTION_TEXT, avoid_primary, NULL, "the same"),
    CTL_OPTION("tolerable-replication-lag", OPTION_DURATION, tolerable_lag_ms, NULL,
               "promote nobody who lags more; 0: any lag"),
    CTL_OPTION("allow-cross-cell-promotion", OPTION_FLAG, allows_cross_cell, NULL,
               "promote tablets of other cells too"),
};
static const struct option_row emergency_rows[] = {
    TARGET_ROWS,
    WAIT_ROWS("15s"),
    CTL_OPTION("ignore-replicas", OPTION_LIST, ignored_replicas, NULL,
               "tablets known to be lost: neither asked nor promoted"),
    CTL_OPTION("prevent-cross-cell-promotion", OPTION_FLAG, prevents_cross_cell, NULL,
               "promote only in the last primary's cell"),
    CTL_OPTION("wait-for-all-tablets", OPTION_FLAG, waits_for_all, NULL,
               "wait for the last answer too"),
};
static const struct option_row init_rows[] = {
    WAIT_ROWS("30s"),
    CTL_OPTION("force", OPTION_FLAG, is_forced, NULL,
               "even if the records say something else: needed for the first time"),
};

#define REPARENTS "Changing the primary"
static const struct ctl_verb verbs[] = {
    {"InitShardPrimary", "InitShardMaster", REPARENTS, "[--force] KEYSPACE/SHARD TABLET",
     "makes a tablet of fresh servers the first primary", CTL_ROWS(init_rows), 2, 2, init_shard,
     false},
    {"PlannedReparentShard", NULL, REPARENTS, "[--new-primary TABLET] KEYSPACE/SHARD",
     "moves the primary; nothing is lost", CTL_ROWS(planned_rows), 0, 2, planned_reparent_shard,
     false},
    {"EmergencyReparentShard", NULL, REPARENTS, "[--new-primary TABLET] KEYSPACE/SHARD",
     "replaces a primary that is gone", CTL_ROWS(emergency_rows), 0, 2, emergency_reparent_shard,
     false},
};

struct ctl_family
reparent_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
