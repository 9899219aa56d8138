#include <criterion/criterion.h>

#include <errno.h>

#include "agent/base/error.h"
#include "agent/base/memory.h"

Test(error, keeps_code_and_text)
{
    struct error *error = error_new(ERROR_NOT_FOUND, "no tablet '%s'", "zone1-100");
    cr_assert_eq(error->code, ERROR_NOT_FOUND);
    cr_assert_str_eq(error->message, "no tablet 'zone1-100'");
    error_free(error);
}

Test(error, wrap_puts_context_in_front_and_keeps_the_rest)
{
    struct error *error = error_from_mysql(1290, "HY000", "read-only");
    error = error_wrap(error, "promote '%s'", "x");
    cr_assert_str_eq(error->message, "promote 'x': read-only (errno 1290) (sqlstate HY000)");
    cr_assert_eq(error->code, ERROR_CLUSTER_EVENT);
    cr_assert_eq(error->mysql_errno, 1290);
    error_free(error);
    cr_assert_null(error_wrap(NULL, "nothing"));
}

Test(error, errno_gives_text_and_code)
{
    struct error *error = error_from_errno(ENOSPC, "write '%s'", "f");
    cr_assert_eq(error->code, ERROR_RESOURCE_EXHAUSTED);
    cr_assert_str_eq(error->message, "write 'f': No space left on device");
    error_free(error);
}

Test(error, first_keeps_the_first)
{
    struct error *first = error_new(ERROR_INTERNAL, "a"), *second = error_new(ERROR_ABORTED, "b");
    struct error *kept = error_first(first, second);
    cr_assert_eq(kept, first);
    kept = error_first(NULL, kept);
    cr_assert_eq(kept, first);
    struct error *copy = error_copy(kept);
    cr_assert_str_eq(copy->message, "a");
    error_free(copy);
    error_free(kept);
}

Test(error, names_follow_grpc)
{
    cr_assert_str_eq(error_code_name(ERROR_FAILED_PRECONDITION), "FAILED_PRECONDITION");
    cr_assert_str_eq(error_code_name(ERROR_UNAUTHENTICATED), "UNAUTHENTICATED");
    cr_assert_str_eq(error_code_name((enum error_code)99), "UNKNOWN");
}
