// Counts what the whole process takes from the heap, so that a test can say "none" and mean it.
#pragma once

// Calls of malloc and its relatives so far; -1 where they cannot be counted, which is everywhere but glibc.
long count_allocations(void);
