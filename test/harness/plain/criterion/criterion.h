/* A stand-in for Criterion, for sanitizer builds: the same test files run in one process, one after
 * the other. Only what the tests use. */
#ifndef PLAIN_CRITERION_H
#define PLAIN_CRITERION_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plain_options {
    void (*init)(void);
    void (*fini)(void);
    double timeout;
    bool disabled;
    int signal; /* tests that end by a signal are skipped here */
    int exit_code;
    const char *description;
};
void plain_register(const char *suite, const char *name, void (*function)(void),
                    struct plain_options options);
void plain_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

#define Test(suite_, name_, ...)                                                                   \
    static void suite_##_##name_##_body(void);                                                     \
    __attribute__((constructor)) static void suite_##_##name_##_register(void)                     \
    {                                                                                              \
        plain_register(#suite_, #name_, suite_##_##name_##_body,                                   \
                       (struct plain_options){__VA_ARGS__});                                       \
    }                                                                                              \
    static void suite_##_##name_##_body(void)

#define PLAIN_TEXT_(...) ("" __VA_ARGS__)
#define cr_assert(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            plain_fail(__FILE__, __LINE__, "%s", #condition);                                      \
    } while (0)
#define cr_assert_not(condition, ...) cr_assert(!(condition))
#define cr_assert_eq(a, b, ...) cr_assert((a) == (b))
#define cr_assert_neq(a, b, ...) cr_assert((a) != (b))
#define cr_assert_lt(a, b, ...) cr_assert((a) < (b))
#define cr_assert_leq(a, b, ...) cr_assert((a) <= (b))
#define cr_assert_gt(a, b, ...) cr_assert((a) > (b))
#define cr_assert_geq(a, b, ...) cr_assert((a) >= (b))
#define cr_assert_null(a, ...) cr_assert((a) == NULL)
#define cr_assert_not_null(a, ...) cr_assert((a) != NULL)
#define cr_assert_str_eq(a, b, ...)                                                                \
    do {                                                                                           \
        const char *plain_a_ = (a), *plain_b_ = (b);                                               \
        if (strcmp(plain_a_, plain_b_) != 0)                                                       \
            plain_fail(__FILE__, __LINE__, "'%s' is not '%s'", plain_a_, plain_b_);                \
    } while (0)
#define cr_assert_str_neq(a, b, ...) cr_assert(strcmp((a), (b)) != 0)
#define cr_assert_arr_eq(a, b, size, ...) cr_assert(memcmp((a), (b), (size)) == 0)
#define cr_assert_float_eq(a, b, eps, ...) cr_assert((a) - (b) <= (eps) && (b) - (a) <= (eps))
#define cr_assert_fail(...) plain_fail(__FILE__, __LINE__, "failed")

#endif
