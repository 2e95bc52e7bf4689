/* Another process that is about to append a line: holds the lock (locked_file.hpp,
   AppendFile::kLock) until there is a file. Usage: hold_lock.exe FILE UNTIL */
#include <stdio.h>
#include <windows.h>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  HANDLE file = CreateFileA(argv[1], GENERIC_READ | GENERIC_WRITE,
                            FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
  OVERLAPPED where = {0};
  where.OffsetHigh = 0x40000000;
  if (!LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &where)) return 1;
  puts("held");
  fflush(stdout);
  while (GetFileAttributesA(argv[2]) == INVALID_FILE_ATTRIBUTES) Sleep(50);
  DWORD written = 0;
  return WriteFile(file, "whole\n", 6, &written, NULL) ? 0 : 1;
}
