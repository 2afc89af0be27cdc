/* A sliding window of WINDOW frames over two channels of CAPACITY that keep their order and lose things. */
#ifndef WINDOW
#define WINDOW 2
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#define M (WINDOW + 1)
chan frames = [CAPACITY] of { byte };
chan acks = [CAPACITY] of { byte };
active proctype sender() {
  byte base, sent, got;
end:
  do
  :: d_step { sent < WINDOW && nfull(frames) -> frames!((base + sent) % M); sent++ }
  :: d_step { sent > 0 && nfull(frames) -> frames!base }
#if WINDOW > 1
  :: d_step { sent > 1 && nfull(frames) -> frames!((base + 1) % M) }
#endif
#if WINDOW > 2
  :: d_step { sent > 2 && nfull(frames) -> frames!((base + 2) % M) }
#endif
#if WINDOW > 3
  :: d_step { sent > 3 && nfull(frames) -> frames!((base + 3) % M) }
#endif
  :: d_step { acks?got -> got = (got + M - base) % M;
       if
       :: got <= sent -> base = (base + got) % M; sent = sent - got
       :: else
       fi;
       got = 0 }
  od
}
active proctype receiver() {
  byte expected, got;
end:
  do
  :: d_step { nempty(frames) && nfull(acks) -> frames?got;
       if
       :: got == expected -> expected = (expected + 1) % M
       :: else
       fi;
       acks!expected; got = 0 }
  od
}
active proctype loss() {
  byte lost;
end:
  do
  :: d_step { frames?lost -> lost = 0 }
  :: d_step { acks?lost -> lost = 0 }
  od
}
