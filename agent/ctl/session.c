#include "agent/ctl/session.h"

#include <stdlib.h>

struct error *
ctl_wrong_use(struct ctl *ctl, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CLEANUP(freep) char *text = xvasprintf(format, arguments);
    va_end(arguments);
    ctl->is_wrong_use = true;
    return error_new(ERROR_INVALID_ARGUMENT, "%s", text);
}

struct error *
ctl_as_wrong_use(struct ctl *ctl, struct error *take_error)
{
    if (take_error != NULL)
        ctl->is_wrong_use = true;
    return take_error;
}

struct error *
ctl_parse_alias(struct ctl *ctl, const char *text, struct tablet_alias *ret_alias)
{
    return ctl_as_wrong_use(ctl, tablet_alias_parse(text, ret_alias));
}

struct error *
ctl_parse_type(struct ctl *ctl, const char *text, Topodata__TabletType *ret_type)
{
    return ctl_as_wrong_use(ctl, tablet_type_parse(text, ret_type));
}

struct error *
ctl_parse_shard(struct ctl *ctl, const char *text, char **ret_keyspace, char **ret_shard)
{
    return ctl_as_wrong_use(ctl, keyspace_shard_parse(text, ret_keyspace, ret_shard));
}

struct error *
ctl_check_name(struct ctl *ctl, const char *what, const char *name)
{
    return ctl_as_wrong_use(ctl, name_validate(what, name));
}

struct error *
ctl_read_tablet(struct ctl *ctl, size_t index, Topodata__Tablet **ret_tablet)
{
    struct tablet_alias alias;
    TRY(ctl_parse_alias(ctl, ctl->words.items[index], &alias));
    return topo_get_tablet(ctl->topo, ctl->cancel, &alias, ret_tablet, NULL);
}

/* ---- Output ---- */

static void
write_line(struct ctl *ctl, const char *prefix, const char *format, va_list arguments)
{
    CLEANUP(freep) char *text = xvasprintf(format, arguments);
    pthread_mutex_lock(&ctl->output_mutex);
    fprintf(ctl->err, "%s%s\n", prefix, text);
    fflush(ctl->err);
    pthread_mutex_unlock(&ctl->output_mutex);
}

void
ctl_note(struct ctl *ctl, const char *format, ...)
{
    if (ctl->options.is_quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_line(ctl, "", format, arguments);
    va_end(arguments);
}

void
ctl_warn(struct ctl *ctl, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(ctl, "warning: ", format, arguments);
    va_end(arguments);
}

void
ctl_warn_take(struct ctl *ctl, struct error *take_error)
{
    if (take_error != NULL)
        ctl_warn(ctl, "%s", take_error->message);
    error_free(take_error);
}

struct alias_text
alias_text_from(const Topodata__TabletAlias *alias)
{
    struct alias_text result = {""};
    if (alias == NULL)
        return result;
    struct tablet_alias value = tablet_alias_of(alias);
    tablet_alias_format(&value, result.text);
    return result;
}

struct alias_text
alias_text_of(const Topodata__Tablet *tablet)
{
    return alias_text_from(tablet->alias);
}
