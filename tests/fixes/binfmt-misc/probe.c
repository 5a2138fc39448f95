/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An interpreter that is kept open (flag F) may not be written while it is registered, and may be again
 * when it no longer is. It is used once in between, since using it counts the same counter up and down.
 * As root; makes a folder of its own in /tmp and its own mount. */
#include "../probe.h"

#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void file_write(const char *path, const char *text) {
        int f = need(path, open(path, O_WRONLY | O_CREAT, 0755));

        need(path, write(f, text, strlen(text)));
        close(f);
}

/* This program itself, since it needs nothing else to run. */
static void interpreter_make(const char *path) {
        int in = need("self", open("/proc/self/exe", O_RDONLY));
        int out = need(path, open(path, O_WRONLY | O_CREAT | O_EXCL, 0755));
        struct stat st;

        need("self", fstat(in, &st));
        for (off_t at = 0; at < st.st_size;)
                need(path, sendfile(out, in, &at, st.st_size - at));
        close(in);
        close(out);
}

static void run_once(const char *path) {
        int status;
        pid_t child = need("fork", fork());

        if (child == 0) {
                execl(path, path, NULL);
                _exit(126);
        }
        need("waitpid", waitpid(child, &status, 0));
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 42) {
                fprintf(stderr, "probe: the interpreter did not run (%#x)\n", status);
                exit(1);
        }
}

int main(int argc, char **argv) {
        char folder[] = "/tmp/probe-XXXXXX";
        int f;

        (void) argc;
        if (strstr(argv[0], "interpreter"))
                return 42;
        if (!mkdtemp(folder) || chdir(folder) < 0)
                need("mkdtemp", -1);
        interpreter_make("interpreter");
        file_write("program.hotpatch-probe", "nothing\n");
        need("mkdir", mkdir("misc", 0755));
        need("mount", mount("binfmt_misc", "misc", "binfmt_misc", 0, NULL));
        {
                char text[200];

                snprintf(text, sizeof(text), ":hotpatch-probe:E::hotpatch-probe::%s/interpreter:F", folder);
                file_write("misc/register", text);
        }
        run_once("./program.hotpatch-probe");
        f = open("interpreter", O_WRONLY);
        if (f >= 0 || errno != ETXTBSY) {
                fprintf(stderr, "probe: the interpreter could be written while it was registered\n");
                return 1;
        }
        file_write("misc/hotpatch-probe", "-1");
        answer("write", open("interpreter", O_WRONLY));
        umount("misc");
        unlink("interpreter");
        unlink("program.hotpatch-probe");
        rmdir("misc");
        rmdir(folder);
        return 0;
}
