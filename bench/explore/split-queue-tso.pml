/* The reference model of the explorer for SPIN: the same states and the same steps as split-queue-tso.ts, each step one
   d_step, with the invariants asserted after it. OUT: buffers outstanding; ANY: 1 when any free descriptor is taken. */
#ifndef OUT
#define OUT 1
#endif
#ifndef ANY
#define ANY 0
#endif

/* What a one-entry store buffer goes to. */
#define NOTHING 0
#define TO_DESCRIPTOR 1
#define TO_ENTRY 2
#define TO_INDEX 3
#define TO_EVENT 4

#define next(x) (((x) + 1) & 7)
#define ahead(x) (((x) - d_seen) & 7)
#define in(set, m) (((set) >> (m)) & 1)
#define size(set) (in(set, 0) + in(set, 1) + in(set, 2) + in(set, 3))
#define asks(event, now, before) ((((now) - (event) - 1) & 7) < (((now) - (before)) & 7))
#define bit_of_used(i) (1 << used[(d_seen + (i)) & 3])

/* Memory, which both sides see. */
bool written[4]; byte avail[4]; byte used[4];
byte avail_idx, used_idx, avail_event, used_event;
bool kick, irq;
/* The driver, and its store buffer. */
byte d_added, d_published, d_seen, d_free = 15, d_head;
byte d_to, d_slot, d_value;
/* The device, and its store buffer. */
byte v_seen, v_in_flight, v_returned, v_head;
byte v_to, v_slot, v_value;

#define d_store(to, slot, value) d_to = to; d_slot = slot; d_value = value
#define v_store(to, slot, value) v_to = to; v_slot = slot; v_value = value

#define in_order (ahead(used_idx) <= ahead(v_returned) && ahead(v_returned) <= ahead(v_seen) \
  && ahead(v_seen) <= ahead(avail_idx) && ahead(avail_idx) <= ahead(d_added) && ahead(d_added) <= OUT)
#define owned (d_free | v_in_flight)
#define one_place ((d_free & v_in_flight) == 0 \
  && (ahead(used_idx) < 1 || (owned & bit_of_used(0)) == 0) \
  && (ahead(used_idx) < 2 || ((owned | bit_of_used(0)) & bit_of_used(1)) == 0) \
  && (ahead(used_idx) < 3 || ((owned | bit_of_used(0) | bit_of_used(1)) & bit_of_used(2)) == 0))
#define LAWS assert(in_order && one_place)

#define may_add(h) (d_to == NOTHING && 4 - size(d_free) < OUT && in(d_free, h) \
  && (ANY || (d_free & ((1 << (h)) - 1)) == 0))
#define ADD(h) d_step { may_add(h) -> d_free = d_free & ~(1 << (h)); d_head = h; d_store(TO_DESCRIPTOR, h, 1); LAWS }

active proctype driver() {
  byte h;
idle:
  if
  :: ADD(0) -> goto ring
  :: ADD(1) -> goto ring
  :: ADD(2) -> goto ring
  :: ADD(3) -> goto ring
  :: used_idx != d_seen -> goto take
  :: d_step { d_free != 15 && d_to == NOTHING -> d_store(TO_EVENT, 0, d_seen); LAWS } -> goto recheck
  fi;
ring:
  if
  :: d_step { d_to == NOTHING -> d_store(TO_ENTRY, d_added & 3, d_head); d_added = next(d_added); d_head = 0; LAWS }
  fi;
more:
  if
  :: ADD(0) -> goto ring
  :: ADD(1) -> goto ring
  :: ADD(2) -> goto ring
  :: ADD(3) -> goto ring
  :: d_step { d_to == NOTHING -> d_store(TO_INDEX, 0, d_added); LAWS }
  fi;
  d_step {
    d_to == NOTHING ->
    if :: asks(avail_event, d_added, d_published) -> kick = 1 :: else fi;
    d_published = d_added; LAWS
  };
  goto idle;
take:
  if
  :: d_step {
      d_to == NOTHING ->
      h = used[d_seen & 3]; assert(!in(d_free, h));
      used[d_seen & 3] = 0; d_free = d_free | (1 << h); d_seen = next(d_seen);
      d_store(TO_DESCRIPTOR, h, 0); h = 0; LAWS
    }
  fi;
  goto idle;
recheck:
  if
  :: d_step { d_to == NOTHING && used_idx != d_seen -> skip } -> goto idle
  :: d_step { d_to == NOTHING && used_idx == d_seen -> skip }
  fi;
  d_step { irq -> irq = 0; LAWS };
  goto idle
}

#define RETURN(h) d_step { in(v_in_flight, h) && v_to == NOTHING -> v_store(TO_ENTRY, v_returned & 3, h); \
  v_in_flight = v_in_flight & ~(1 << (h)); LAWS }

active proctype device() {
idle:
  if
  :: avail_idx != v_seen -> goto fetch
  :: d_step { avail_idx == v_seen && v_to == NOTHING -> v_store(TO_EVENT, 0, v_seen); LAWS } -> goto recheck
  :: RETURN(0) -> goto publish
  :: RETURN(1) -> goto publish
  :: RETURN(2) -> goto publish
  :: RETURN(3) -> goto publish
  fi;
fetch:
  if
  :: d_step { v_head = avail[v_seen & 3]; avail[v_seen & 3] = 0; v_seen = next(v_seen); LAWS }
  fi;
  d_step {
    assert(written[v_head] && !in(v_in_flight, v_head));
    v_in_flight = v_in_flight | (1 << v_head); v_head = 0; LAWS
  };
  goto idle;
publish:
  if
  :: d_step { v_to == NOTHING -> v_returned = next(v_returned); v_store(TO_INDEX, 0, v_returned); LAWS }
  fi;
  d_step {
    v_to == NOTHING ->
    if :: asks(used_event, v_returned, v_returned - 1) -> irq = 1 :: else fi;
    LAWS
  };
  goto idle;
recheck:
  if
  :: d_step { v_to == NOTHING && avail_idx != v_seen -> skip } -> goto idle
  :: d_step { v_to == NOTHING && avail_idx == v_seen -> skip }
  fi;
  if
  :: d_step { kick -> kick = 0; LAWS } -> goto idle
  :: RETURN(0) -> goto publish
  :: RETURN(1) -> goto publish
  :: RETURN(2) -> goto publish
  :: RETURN(3) -> goto publish
  fi
}

/* The store buffers drain. */
active proctype drain_driver() {
  do
  :: d_step {
      d_to != NOTHING ->
      if
      :: d_to == TO_DESCRIPTOR -> written[d_slot] = d_value
      :: d_to == TO_ENTRY -> avail[d_slot] = d_value
      :: d_to == TO_INDEX -> avail_idx = d_value
      :: d_to == TO_EVENT -> used_event = d_value
      fi;
      d_store(NOTHING, 0, 0); LAWS
    }
  od
}
active proctype drain_device() {
  do
  :: d_step {
      v_to != NOTHING ->
      if
      :: v_to == TO_ENTRY -> used[v_slot] = v_value
      :: v_to == TO_INDEX -> used_idx = v_value
      :: v_to == TO_EVENT -> avail_event = v_value
      fi;
      v_store(NOTHING, 0, 0); LAWS
    }
  od
}
