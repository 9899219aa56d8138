#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "gcs_bucket.h"

char *
head_get(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1 + strspn(line + length + 1, " ");
            return xstrndup(value, strcspn(value, "\r"));
        }
    }
    return NULL;
}

static enum gcs_op
op_of(const struct wanted *wanted, const char *target)
{
    const char *method = wanted->method;
    if (strstr(target, "/storage/v1/b/") == NULL)
        return GCS_OP_TOKEN;
    if (str_starts_with(target, "/upload/")) {
        if (strcmp(method, "PUT") == 0)
            return strstr(wanted->content_range, "bytes *") != NULL ? GCS_OP_ASK : GCS_OP_SEND;
        return strstr(wanted->query, "uploadType=resumable") != NULL ? GCS_OP_START : GCS_OP_INSERT;
    }
    if (str_ends_with(wanted->path, "/compose") && strcmp(method, "POST") == 0)
        return GCS_OP_COMPOSE;
    if (strcmp(method, "DELETE") == 0)
        return GCS_OP_DELETE;
    if (wanted->path[0] != '\0')
        return strstr(wanted->query, "alt=media") != NULL ? GCS_OP_MEDIA : GCS_OP_GET;
    return strstr(target, "/o?") != NULL ? GCS_OP_LIST : GCS_OP_BUCKET;
}

void
wanted_parse(const char *head, struct wanted *wanted)
{
    char method[16] = "", target[8192] = "";
    (void)sscanf(head, "%15s %8191s", method, target);
    const char *question = strchr(target, '?');
    const char *object = strstr(target, "/o/");
    wanted->method = xstrdup(method);
    wanted->query = xstrdup(question == NULL ? "" : question + 1);
    size_t length = object == NULL ? 0 : strcspn(object + 3, "?");
    wanted->path = object == NULL ? xstrdup("") : percent_decode(object + 3, length);
    wanted->content_range = head_get(head, "Content-Range");
    wanted->range = head_get(head, "Range");
    wanted->authorization = head_get(head, "Authorization");
    wanted->content_type = head_get(head, "Content-Type");
    if (wanted->content_range == NULL)
        wanted->content_range = xstrdup("");
    if (wanted->content_type == NULL)
        wanted->content_type = xstrdup("");
    wanted->op = op_of(wanted, target);
}

void
wanted_done(struct wanted *wanted)
{
    char **texts[] = {&wanted->method,        &wanted->path,  &wanted->query,
                      &wanted->content_range, &wanted->range, &wanted->authorization,
                      &wanted->content_type};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        freep(texts[i]);
    buffer_done(&wanted->body);
}
