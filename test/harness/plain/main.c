/* Runs the registered tests in one process; a failed assertion ends the run, so that the
 * sanitizers' reports stay those of one cause. */
#include <criterion/criterion.h>

#include <stdarg.h>

struct plain_test {
    const char *suite, *name;
    void (*function)(void);
    struct plain_options options;
};
static struct plain_test *tests;
static size_t test_count;
static const struct plain_test *current;

void
plain_register(const char *suite, const char *name, void (*function)(void),
               struct plain_options options)
{
    tests = realloc(tests, (test_count + 1) * sizeof(*tests));
    if (tests == NULL)
        abort();
    tests[test_count++] = (struct plain_test){suite, name, function, options};
}

void
plain_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "FAILED %s::%s at %s:%d: ", current->suite, current->name, file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    printf("0 passed, 1 failed\n");
    fflush(NULL);
    _Exit(1);
}

int
main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;
    size_t passed = 0;
    for (size_t i = 0; i < test_count; i++) {
        current = &tests[i];
        if (current->options.disabled || current->options.signal != 0 ||
            current->options.exit_code != 0 || (only && !strstr(current->name, only)))
            continue;
        if (current->options.init)
            current->options.init();
        current->function();
        if (current->options.fini)
            current->options.fini();
        passed++;
    }
    free(tests);
    printf("%zu passed, 0 failed\n", passed);
    return 0;
}
