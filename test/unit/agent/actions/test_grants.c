#include <criterion/criterion.h>

#include "agent/actions/grants.h"

Test(grants, everything_or_super_on_everything_suffices)
{
    cr_assert(grants_line_suffices("GRANT ALL PRIVILEGES ON *.* TO `vt_dba`@`localhost`"));
    cr_assert(grants_line_suffices(
        "GRANT SELECT, RELOAD, SUPER, CREATE USER ON *.* TO `vt_dba`@`localhost`"));
}

Test(grants, less_does_not)
{
    cr_assert(!grants_line_suffices("GRANT USAGE ON *.* TO `vt_dba`@`localhost`"));
    cr_assert(!grants_line_suffices("GRANT ALL PRIVILEGES ON `vt_ks`.* TO `a`@`%`"));
    cr_assert(!grants_line_suffices("GRANT SELECT ON *.* TO `SUPER`@`%`"));
    cr_assert(!grants_line_suffices("GRANT PROXY ON ''@'%' TO 'root'@'localhost'"));
    cr_assert(!grants_line_suffices(""));
}
