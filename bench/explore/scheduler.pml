/* Milner's scheduler with N cells: one process hands the turn around, one process each runs a task. */
#ifndef N
#define N 5
#endif
byte turn;
bit busy[N];

active proctype ring() {
  do
  :: d_step { !busy[turn] -> busy[turn] = 1 };
     d_step { turn = (turn + 1) % N }
  od
}
active [N] proctype task() {
  do
  :: d_step { busy[_pid - 1] -> busy[_pid - 1] = 0 }
  od
}
