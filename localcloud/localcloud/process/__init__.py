"""Child processes, some of them forked from a process that has imported their modules, which is faster."""
