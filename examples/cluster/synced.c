/*
 * Notes beside each file how much of it has reached the disk: a library to preload into redis-server.
 * A machine that loses its power keeps that much, and `.ci/cluster` cuts the file there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(int fd, long long length) {
    char link[64], path[4096], text[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t end = readlink(link, path, sizeof path - sizeof ".synced");
    if (end < 0) return;
    snprintf(path + end, sizeof ".synced", ".synced");
    int notes = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (notes < 0) return;
    /* Always of one length: one note replaces the last one as a whole. */
    int written = snprintf(text, sizeof text, "%020lld", length);
    if (pwrite(notes, text, written, 0) < 0) perror(path);
    close(notes);
}

int fdatasync(int fd) {
    int (*system_call)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    struct stat before;
    /* What is written meanwhile may not be on the disk. */
    int is_known = fstat(fd, &before) == 0;
    int result = system_call(fd);
    if (result == 0 && is_known) note(fd, before.st_size);
    return result;
}
