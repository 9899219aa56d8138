/* `vtagent ctl VERB …`: the operator's verbs with Vitess's names, for those who run no vtctld. Exit
 * codes: 0 done, 1 the operation failed, 2 wrong use. */
#ifndef VTAGENT_CTL_CTL_H
#define VTAGENT_CTL_CTL_H

/* argv[0] is "ctl". Returns the process's exit code. */
int ctl_main(int argc, char **argv);

#endif
