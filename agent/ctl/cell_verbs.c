/* Cells and keyspaces: registering and showing them. */
#include <stdlib.h>

#include "agent/ctl/print.h"
#include "agent/ctl/session.h"
#include "replication/durability.h"

static struct error *
add_or_update_cell(struct ctl *ctl, bool must_be_new)
{
    const char *cell = ctl->words.items[0];
    TRY(ctl_check_name(ctl, "cell", cell));
    if (str_is_empty(ctl->options.server_address))
        return ctl_wrong_use(ctl, "expected --server-address, the cell's etcd");
    const char *root = ctl->options.root == NULL ? "" : ctl->options.root;
    return topo_put_cell_info(ctl->topo, ctl->cancel, cell, ctl->options.server_address, root,
                              must_be_new);
}

static struct error *
add_cell_info(struct ctl *ctl)
{
    return add_or_update_cell(ctl, true);
}

static struct error *
update_cell_info(struct ctl *ctl)
{
    return add_or_update_cell(ctl, false);
}

static struct error *
get_cell_info_names(struct ctl *ctl)
{
    CLEANUP(strv_done) struct strv names = {0};
    TRY(topo_list_cells(ctl->topo, ctl->cancel, &names));
    print_names(ctl, &names);
    return NULL;
}

static struct error *
get_cell_info(struct ctl *ctl)
{
    TRY(ctl_check_name(ctl, "cell", ctl->words.items[0]));
    CLEANUP(record_freep) Topodata__CellInfo *info = NULL;
    TRY(topo_get_cell_info(ctl->topo, ctl->cancel, ctl->words.items[0], &info));
    print_message(ctl, &info->base);
    return NULL;
}

/* ---- Keyspaces ---- */

static struct error *
check_policy(struct ctl *ctl, const char *name)
{
    const struct durability_policy *policy;
    return ctl_as_wrong_use(ctl, durability_policy_find(name, &policy));
}

static struct error *
create_keyspace(struct ctl *ctl)
{
    const char *keyspace = ctl->words.items[0];
    TRY(ctl_check_name(ctl, "keyspace", keyspace));
    TRY(check_policy(ctl, ctl->options.durability_policy));
    Topodata__Keyspace record = TOPODATA__KEYSPACE__INIT;
    record.durability_policy = ctl->options.durability_policy;
    record.sidecar_db_name = ctl->options.sidecar_name;
    struct error *error = topo_create_keyspace(ctl->topo, ctl->cancel, keyspace, &record);
    if (error_is(error, ERROR_ALREADY_EXISTS) && ctl->options.is_forced) {
        ctl_warn_take(ctl, error);
        return NULL;
    }
    return error;
}

static struct error *
get_keyspaces(struct ctl *ctl)
{
    CLEANUP(strv_done) struct strv names = {0};
    TRY(topo_list_keyspaces(ctl->topo, ctl->cancel, &names));
    print_names(ctl, &names);
    return NULL;
}

static struct error *
get_keyspace(struct ctl *ctl)
{
    TRY(ctl_check_name(ctl, "keyspace", ctl->words.items[0]));
    CLEANUP(record_freep) Topodata__Keyspace *record = NULL;
    TRY(topo_get_keyspace(ctl->topo, ctl->cancel, ctl->words.items[0], &record, NULL));
    print_message(ctl, &record->base);
    return NULL;
}

static bool
set_policy(Topodata__Keyspace *keyspace, void *data)
{
    record_set_string(&keyspace->durability_policy, data);
    return true;
}

static struct error *
set_keyspace_durability_policy(struct ctl *ctl)
{
    const char *keyspace = ctl->words.items[0];
    TRY(ctl_check_name(ctl, "keyspace", keyspace));
    if (str_is_empty(ctl->options.durability_policy))
        return ctl_wrong_use(ctl, "expected --durability-policy");
    TRY(check_policy(ctl, ctl->options.durability_policy));
    CLEANUP(topo_unlockp) struct topo_lock *lock = NULL;
    TRY(topo_lock_keyspace(ctl->topo, ctl->cancel, keyspace, "SetKeyspaceDurabilityPolicy", &lock));
    return topo_update_keyspace(ctl->topo, ctl->cancel, keyspace, set_policy,
                                ctl->options.durability_policy);
}

/* ---- The table ---- */

static const struct option_row cell_rows[] = {
    CTL_OPTION("server-address", OPTION_TEXT, server_address, NULL, "the cell's etcd: host:port,…"),
    CTL_OPTION("root", OPTION_TEXT, root, NULL, "root of the cell's data in it"),
};
static const struct option_row create_rows[] = {
    CTL_OPTION("durability-policy", OPTION_TEXT, durability_policy, "none",
               "none, semi_sync, cross_cell, …"),
    CTL_OPTION("sidecar-db-name", OPTION_TEXT, sidecar_name, "_vt",
               "database for bookkeeping on each server"),
    CTL_OPTION("force", OPTION_FLAG, is_forced, NULL, "succeed when the keyspace exists"),
};
static const struct option_row policy_rows[] = {
    CTL_OPTION("durability-policy", OPTION_TEXT, durability_policy, NULL,
               "none, semi_sync, cross_cell, …"),
};

#define CELLS "Cells"
#define KEYSPACES "Keyspaces"
static const struct ctl_verb verbs[] = {
    {"AddCellInfo", NULL, CELLS, "--server-address ADDRESS [--root ROOT] CELL", "registers a cell",
     CTL_ROWS(cell_rows), 1, 1, add_cell_info, false},
    {"UpdateCellInfo", NULL, CELLS, "--server-address ADDRESS [--root ROOT] CELL",
     "changes where a cell's etcd is", CTL_ROWS(cell_rows), 1, 1, update_cell_info, false},
    {"GetCellInfoNames", NULL, CELLS, "", "lists the cells", NULL, 0, 0, 0, get_cell_info_names,
     false},
    {"GetCellInfo", NULL, CELLS, "CELL", "shows a cell's record", NULL, 0, 1, 1, get_cell_info,
     false},
    {"CreateKeyspace", NULL, KEYSPACES, "[--durability-policy NAME] KEYSPACE", "creates a keyspace",
     CTL_ROWS(create_rows), 1, 1, create_keyspace, false},
    {"GetKeyspaces", NULL, KEYSPACES, "", "lists the keyspaces", NULL, 0, 0, 0, get_keyspaces,
     false},
    {"GetKeyspace", NULL, KEYSPACES, "KEYSPACE", "shows a keyspace's record", NULL, 0, 1, 1,
     get_keyspace, false},
    {"SetKeyspaceDurabilityPolicy", NULL, KEYSPACES, "--durability-policy NAME KEYSPACE",
     "changes who acknowledges writes", CTL_ROWS(policy_rows), 1, 1, set_keyspace_durability_policy,
     false},
};

struct ctl_family
cell_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
