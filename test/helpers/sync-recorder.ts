import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Stands before the C library's own: of files below a folder it records what is written, as far as that is marks, before it
 * is, and what is synced, once it is. A line of the record is one write to the end of a file, whichever thread does it.
 */
const SOURCE = String.raw`
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *folder;
static int record = -1;

__attribute__((constructor)) static void open_record(void) {
  folder = getenv("RECORDED_FOLDER");
  const char *path = getenv("RECORD_FILE");
  if (folder && path) record = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void note(const char *what, int fd, const char *bytes, size_t length) {
  char link[64], path[4096], line[65536];
  if (record < 0) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return;
  path[size] = 0;
  if (strncmp(path, folder, strlen(folder)) != 0) return;
  size_t end = snprintf(line, sizeof line, "%s %s", what, strrchr(path, '/') + 1);
  const char *at = bytes, *last = bytes + length;
  while (at && (at = memmem(at, last - at, "<mark ", 6))) {
    const char *close = memchr(at += 6, '>', last - at);
    if (close && close - at < 16 && end + 18 < sizeof line) end += sprintf(line + end, " %.*s", (int)(close - at), at);
  }
  line[end++] = '\n';
  syscall(SYS_write, record, line, end);
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  note("write", fd, bytes, length);
  return real(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  REAL(pwrite);
  note("write", fd, bytes, length);
  return real(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  REAL(pwrite64);
  note("write", fd, bytes, length);
  return real(fd, bytes, length, at);
}

int fsync(int fd) {
  REAL(fsync);
  int failed = real(fd);
  if (!failed) note("sync", fd, NULL, 0);
  return failed;
}

int fdatasync(int fd) {
  REAL(fdatasync);
  int failed = real(fd);
  if (!failed) note("sync", fd, NULL, 0);
  return failed;
}
`

/** What a process does to the files of a folder, in the order in which it does it. */
export interface Recorded {
  readonly type: 'write' | 'sync'
  /** The name of the file. */
  readonly file: string
  /** What is written between `<mark ` and `>`. */
  readonly marks: readonly string[]
}

/** How text is marked so that it is recognised where it is written. */
export function marked(mark: string | number): string {
  return `<mark ${mark}>`
}

export interface SyncRecorder {
  /** What a process that is to be recorded has to have in its environment. */
  readonly env: NodeJS.ProcessEnv
  recorded(): Recorded[]
}

/** Compiles a recorder for what happens below `recordedFolder`; it keeps its own files elsewhere. */
export function syncRecorder(folder: string, recordedFolder: string): SyncRecorder {
  const [source, library, file] = ['recorder.c', 'recorder.so', 'record'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(source, SOURCE)
  execFileSync('gcc', ['-O1', '-shared', '-fPIC', '-o', library, source, '-ldl'])
  writeFileSync(file, '')
  return {
    env: { ...process.env, LD_PRELOAD: library, RECORDED_FOLDER: `${recordedFolder}/`, RECORD_FILE: file },
    recorded: () => readFileSync(file, 'utf8').split('\n').filter(Boolean).map(read),
  }
}

function read(line: string): Recorded {
  const [type, file, ...marks] = line.split(' ') as [Recorded['type'], string, ...string[]]
  return { type, file, marks }
}
