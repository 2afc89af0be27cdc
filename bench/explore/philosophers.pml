/* Dining philosophers, N of them, each the left fork first. One process each; a fork is a bit. */
#ifndef N
#define N 5
#endif
#define RIGHT ((_pid + 1) % N)
bit taken[N];

active [N] proctype philosopher() {
  do
  :: d_step { !taken[_pid] -> taken[_pid] = 1 };
     d_step { !taken[RIGHT] -> taken[RIGHT] = 1 };
     d_step { taken[_pid] = 0; taken[RIGHT] = 0 }
  od
}
