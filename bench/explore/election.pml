/* Leader election of Chang and Roberts with N participants, whose numbers fall along the ring. */
#ifndef N
#define N 4
#endif
#define NUMBER (N - 1 - _pid)
chan inbox[N] = [N] of { byte };
byte leader;      /* 1 more than the place of the leader */
bit started[N];
active [N] proctype participant() {
  byte got;
end:
  do
  :: d_step { !started[_pid] -> started[_pid] = 1; inbox[(_pid + 1) % N]!NUMBER }
  :: d_step { inbox[_pid]?got ->
       if
       :: got > NUMBER -> inbox[(_pid + 1) % N]!got
       :: got == NUMBER -> leader = _pid + 1
       :: else
       fi;
       got = 0 }
  od
}
