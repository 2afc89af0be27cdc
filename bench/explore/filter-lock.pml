/* Peterson's lock for N processes, up to 4: N - 1 rooms, in each of which the last to enter waits. */
#ifndef N
#define N 3
#endif
byte room[N];
byte last[N];

#define BEHIND(j) (j >= N || j == _pid || room[(j) % N] < room[_pid])
#define MAY_GO_ON (last[room[_pid]] != _pid || (BEHIND(0) && BEHIND(1) && BEHIND(2) && BEHIND(3)))

active [N] proctype process() {
  do
  :: true ->
     do
     :: room[_pid] = room[_pid] + 1;
        last[room[_pid]] = _pid;
        if
        :: MAY_GO_ON && room[_pid] < N - 1
        :: MAY_GO_ON && room[_pid] == N - 1 -> break
        fi
     od;
     room[_pid] = 0
  od
}
