# SPDX-License-Identifier: MIT
"""The mutants of data movers, as mutants.py has them.

That stores past the caches are fenced has none: on x86 the locked instruction that completes the
future would fence them as well.
"""

POOL = "workpool/vdm_pool.c"
JOB = "workpool/vdm_job.c"

MUTANTS = [
    ("vdm: what overlaps is not memcpy's", "lib/vdm/vdm.c",
     "&& overlap(op->dest, op->src, op->n))", "&& false)", ("plain", "test_vdm", "sync")),
    ("vdm: unknown flags are refused", "lib/vdm/vdm.c",
     "if (op->flags & ~FLAGS)", "if (false)", ("plain", "test_vdm", "sync")),
    ("vdm: memory beyond the end is refused", "lib/vdm/vdm.c",
     "return (uintptr_t)start > UINTPTR_MAX - n;", "return false;", ("plain", "test_vdm", "sync")),
    ("vdm: who is full is asked again when there is somebody to wake", "lib/vdm/vdm.c",
     "\t\ttern_future_attach(&op->future, n);\n\t\te = vdm->op_start(vdm, op, n);\n", "",
     ("plain", "test_vdm_table", "finds the mover full")),
    ("vdm: what was settled asks nobody", "lib/vdm/vdm.c",
     "if (!op->settled && op->vdm->op_delete)", "if (op->vdm->op_delete)",
     ("asan", "test_vdm_ends", "destroy waits")),
    ("vdm: op_check says when to come again", "lib/vdm/vdm.c",
     "\tn->used = TERN_NOTIFY_NONE;\n", "", ("plain", "test_vdm_table", "op_check")),
    ("vdm: memory onto itself, the end first, past the caches", "lib/vdm/stream.c",
     "if (ahead < n) {", "if (false) {", ("plain", "test_vdm", "sync")),
    ("vdm: no pages at once where memory is moved onto itself", "lib/vdm/stream.c",
     "if (-ahead < n)", "if (false)", ("plain", "test_vdm", "sync")),
    ("vdm: slices of what goes onto itself, the end first", "lib/vdm/vdm.h",
     "return op->type == TERN_VDM_MEMMOVE &&", "return false &&",
     ("plain", "test_vdm", "pool-of-one")),
    ("vdm: three parts are put together", "lib/vdm/crc32c.c",
     "sum = skip_part(skip_part(sum) ^ second) ^ third;",
     "sum = skip_part(sum ^ second) ^ third;", ("plain", "test_vdm", "sync")),
    ("vdm: a sum moves past what follows it", JOB,
     "sum ^= tern__crc32c_join(before, 0, op->n - at - n);", "sum ^= before;",
     ("plain", "test_vdm", "pool-of-one")),
    ("vdm: nobody waits for a helper that does not come", JOB,
     "late += tern__cas_seq(&asked[i]->job, &expected, NULL);", "late += expected == NULL;",
     ("plain", "test_vdm_pool", "nobody waits")),
    ("vdm: workers hear of a cancel", JOB,
     "while (!tern_future_canceled(&op->future)) {", "for (;;) {",
     ("plain", "test_vdm_ends", "what is being moved")),
    ("vdm: what was stopped half way is not whole", JOB,
     "bool whole = job->wave_end == op->n && tern__load(&job->next) >= op->n;",
     "bool whole = true;", ("plain", "test_vdm_ends", "what is being moved")),
    ("vdm: the line has its turn", POOL,
     "\top = m->first;\n", "\top = NULL;\n", ("plain", "test_vdm_pool", "ring full")),
    ("vdm: a cancel leaves the line", POOL,
     "\tif (is_in_line(op))\n\t\tunlink_from_line(m, op);\n",
     "\tif (is_in_line(op))\n\t\tover = false;\n", ("plain", "test_vdm_ends", "not begun")),
    ("vdm: a cancel leaves the ring", POOL,
     "over = tern__cas_seq(&((struct slot *)op->data)->op, &expected, NULL);", "over = !expected;",
     ("plain", "test_vdm_ends", "not begun")),
    ("vdm: one that is over makes room under the limit", POOL,
     "\ttern__add(&m->made, -1u);\n\top->settled = true;\n", "\top->settled = true;\n",
     ("plain", "test_vdm_pool", "past the limit")),
    ("vdm: a loop moves so much a turn", POOL,
     "if (home->moved + n > TERN__VDM_TURN_MAX)", "if (false)",
     ("plain", "test_vdm_pool", "small ones")),
    ("vdm: each turn has its own", "lib/loop/loop.c",
     "\tl->moved = 0;\n", "", ("plain", "test_vdm_pool", "small ones")),
]
