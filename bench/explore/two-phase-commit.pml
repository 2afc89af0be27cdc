/* Two-phase commit with N resource managers; messages are never lost, and may be received again. */
#ifndef N
#define N 3
#endif
#define EVERYBODY ((1 << N) - 1)
mtype = { committed, prepared, aborted };
mtype rm[N];             /* 0: working */
short wasPrepared;       /* messages, a bit for each resource manager */
bit commit, abort;

active proctype manager() {
  short known;
  byte i;
  do
  :: d_step { known == EVERYBODY -> known = EVERYBODY; commit = 1 }; break
  :: d_step { true -> abort = 1 }; break
#define LEARN(i) :: d_step { i < N && (wasPrepared & (1 << i)) -> known = known | (1 << i) }
  LEARN(0) LEARN(1) LEARN(2) LEARN(3) LEARN(4) LEARN(5) LEARN(6) LEARN(7)
  od;
  false
}
active [N] proctype resource() {
  do
  :: d_step { rm[_pid - 1] == 0 -> rm[_pid - 1] = prepared; wasPrepared = wasPrepared | (1 << (_pid - 1)) }
  :: d_step { rm[_pid - 1] == 0 -> rm[_pid - 1] = aborted }
  :: d_step { commit -> rm[_pid - 1] = committed }
  :: d_step { abort -> rm[_pid - 1] = aborted }
  od
}
