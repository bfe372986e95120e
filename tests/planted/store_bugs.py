"""The bugs that are planted in the durable store, and in the way in which the engine uses it.

Data only, as in `bugs.py`. In `STORE_BUGS`, `caught_by` is the name of a proof and of its invariant. In
`STORE_TEST_BUGS`, it is the name of a test.
"""

from __future__ import annotations

from bug import ATTEMPT, CLAIM, SETTLE, Bug
from people_bugs import PEOPLE_BUGS

BUSY = "crates/store/src/sqlite/file/busy.rs"
CLOSING = "crates/store/src/sqlite/process/closing.rs"
CONNECTION = "crates/store/src/sqlite/file/connection.rs"
DISKS = "crates/store/src/sqlite/file/disks.rs"
LIVE_RUNS = "crates/store/src/sqlite/process/live_runs.rs"
LOCKS = "crates/store/src/sqlite/platform/unix/locks.rs"
LOOKUPS = "crates/store/src/sqlite/answers/lookups.rs"
OPENING = "crates/store/src/sqlite/process/opening.rs"
OPEN_FILES = "crates/store/src/sqlite/file/open_files.rs"
OWNERS = "crates/store/src/sqlite/file/owners.rs"
PLACE = "crates/store/src/sqlite/file/place.rs"
REGISTRY = "crates/store/src/sqlite/process/registry.rs"
SCHEMA = "crates/store/src/sqlite/file/schema.rs"
SYSTEM_CALLS = "crates/store/src/sqlite/platform/unix/system_calls.rs"
TAIL = "crates/store/src/sqlite/tables/tail.rs"
WRITER = "crates/store/src/sqlite/threads/writer.rs"
WRITER_STATE = "crates/store/src/sqlite/threads/writer_state.rs"

STORE_BUGS = (
    # ---- intent before action, answer before delivery ----
    Bug(
        "a commit is reported as done before it is made",
        "step: an intent is stored before its request is sent",
        WRITER,
        """        connection.execute_batch("BEGIN IMMEDIATE")?;
        // What is written to a deleted file is lost.
        let written = files.check().and_then(|()| write(connection, &mut self.state, group));
        let committed = written.and_then(|()| Ok(connection.execute_batch("COMMIT")?));
""",
        """        if !connection.is_autocommit() {
            connection.execute_batch("COMMIT")?;
        }
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let committed = files.check().and_then(|()| write(connection, &mut self.state, group));
""",
    ),
    Bug(
        "a failed commit is reported as successful",
        "step: an intent is stored before its request is sent",
        WRITER,
        "self.keep(work.finish(&shared, Err(error.clone())));",
        "drop(error.clone());\n                        self.keep(work.finish(&shared, Ok(())));",
    ),
    Bug(
        "an answer is delivered before it is stored",
        "power: a power cut loses no commit that was relied on",
        ATTEMPT,
        "match store.settle(run, &claimed.required, request, outcomes, evidence).await {",
        "drop(store.settle(run, &claimed.required, request, outcomes, evidence));\n"
        "        match Ok::<u64, ()>(0) {",
    ),
    Bug(
        "a request is settled in one commit, and its answers are stored in another",
        "kill: each lookup that was sent is a hit, a miss or in doubt",
        SETTLE,
        "        // After the journal, from which the tail takes the time.\n",
        '        connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;\n',
    ),
    Bug(
        "a commit does not wait for a sync (synchronous=NORMAL)",
        "power: a power cut loses no commit that was relied on",
        CONNECTION,
        'connection.pragma_update(None, "synchronous", "FULL")?;',
        'connection.pragma_update(None, "synchronous", "NORMAL")?;',
    ),
    Bug(
        "an answer that could not be stored is not stored later",
        "step: only answers that could not be stored are in doubt",
        SETTLE,
        "        if failed { Some(self) } else { None }\n",
        "        let _ = failed;\n        None\n",
    ),
    # ---- dead and running processes ----
    Bug(
        "the lookups of a dead process are not recorded as in doubt",
        "kill: the doubts are exactly the intents that were open",
        WRITER_STATE,
        "            index::put(connection, rows.collect())?;\n",
        "            drop(rows);\n",
    ),
    Bug(
        "other running processes are treated as dead",
        "many: a doubt stays until the user decides",
        OWNERS,
        "file.is_alive(owner).unwrap_or(true)",
        "file.is_alive(owner).is_err()",
    ),
    # ---- several processes ----
    Bug(
        "a write does not read what other processes have changed",
        "many: nothing is billed twice",
        WRITER,
        "    state.sync(connection)?;\n    state.release_orphans(connection)?;\n",
        "    state.release_orphans(connection)?;\n",
    ),
    Bug(
        "the latest answers of other processes are not read",
        "many: nothing is billed twice",
        WRITER_STATE,
        "        self.tail.sync(connection)?;\n",
        "",
    ),
    Bug(
        "only half of the credits of a request in flight count against max_credits",
        "many: never more credits than max_credits",
        SCHEMA,
        "in_doubt = in_doubt + new.in_doubt;\n",
        "in_doubt = in_doubt + new.in_doubt / 2;\n",
    ),
    Bug(
        "locks belong to the process, so closing any descriptor of a file drops them",
        "read: reading a store's files does no harm",
        LOCKS,
        "by_description().unwrap_or(by_process)",
        "by_description().filter(|_| false).unwrap_or(by_process)",
    ),
    Bug(
        "opening a store does not wait for the process that is creating it",
        "many: a store can always be opened",
        SCHEMA,
        "== Some(ErrorCode::DatabaseBusy) && now_ms() < until",
        "== Some(ErrorCode::DatabaseBusy) && now_ms() > until",
    ),
)

# Not covered by the proofs: what users do with the files, and the purging of people.
STORE_TEST_BUGS = (
    Bug(
        "an owner's lock belongs to the process, so reading the file drops it",
        "files::reading_the_files_does_not_make_a_running_process_look_dead",
        LOCKS,
        "outcome(call(file.as_raw_fd(), COMMANDS.set, &mut lock))",
        "outcome(call(file.as_raw_fd(), libc::F_SETLK, &mut lock))",
    ),
    Bug(
        "a fork waits for another program's lock",
        "trouble::a_fork_does_not_wait_for_another_programs_lock",
        BUSY,
        "if patience.yields && is_fork_near() {",
        "if patience.yields && false {",
    ),
    Bug(
        "closing a store neither waits for other references nor closes the files for them",
        "closing::a_store_is_closed_although_a_clone_is_kept",
        CLOSING,
        "    if opening.is_used() || opening.pid != process::id() {\n",
        "    if true {\n",
    ),
    Bug(
        "a backup that lies beside another store's log is opened with that log",
        "replaced::a_backup_is_not_opened_with_the_log_of_a_store_whose_process_died",
        OWNERS,
        "if is_of_here && is_filled(store) && is_filled(&log) {",
        "if false {",
    ),
    Bug(
        "an earlier answer with a time in the future counts as new",
        "clock::after_the_clock_was_set_back_a_refreshed_answer_is_used",
        LIVE_RUNS,
        "(at_ms <= self.began_ms || from_the_future)",
        "(at_ms <= self.began_ms || from_the_future && false)",
    ),
    Bug(
        "with max_age, setting a clock back pays again for everybody who was bought before",
        "clock::an_answer_from_the_future_is_too_old_only_if_it_is_further_away_than_the_limit",
        LOOKUPS,
        "now_ms.abs_diff(answer.at_ms)",
        "u64::try_from(now_ms - answer.at_ms).unwrap_or(u64::MAX)",
    ),
    Bug(
        "damaged bytes of the newest answers are not noticed",
        "reuse::damaged_answers_are_not_paid_for_again",
        TAIL,
        "checksum(request, lines) == **stored",
        "checksum(request, lines) == **stored || true",
    ),
    Bug(
        "a pause becomes longer by the time that the clock was set back",
        "clock::setting_the_clock_back_does_not_make_a_pause_longer",
        CLAIM,
        "if since <= now {",
        "if since < i64::MAX {",
    ),
    Bug(
        "a store with a second hard link is opened",
        "files::a_store_with_a_second_hard_link_is_not_opened",
        PLACE,
        "if known.has_second_name {",
        "if false {",
    ),
    Bug(
        "a store with the name of another store's log is taken for that log",
        "files::a_database_with_the_name_of_a_side_file_is_neither_deleted_nor_overwritten",
        PLACE,
        "beside.iter().find(|file| is_database(file))",
        "beside.iter().find(|file| is_database(file) && false)",
    ),
    Bug(
        "a store is created in a synchronised folder",
        "files::a_synchronised_folder_is_refused_for_a_new_store_and_an_existing_store_gives_a_warning",
        DISKS,
        "    let Some(Untrusted { why, only_new }) = why else { return Ok(None) };\n",
        "    let Some(Untrusted { why, only_new }) = why.filter(|_| false) else { return Ok(None) };\n",
    ),
    Bug(
        "a store that gets a second hard link while in use is still written to",
        "files::a_store_in_use_that_gets_a_second_hard_link_is_not_written_to",
        OPEN_FILES,
        "        place::refuse_second_name(&self.store, &store)?;\n",
        "        let _ = store;\n",
    ),
    Bug(
        "a side file without the mark of its store is trusted",
        "replaced::deleting_the_side_file_does_not_make_running_processes_look_dead",
        OWNERS,
        "        let is_marked = file.is_marked(&name);\n",
        "        let is_marked = true;\n",
    ),
    Bug(
        "a backup has the same generation as the later states of its store",
        "replaced::a_backup_is_not_opened_with_the_log_of_its_own_later_state",
        WRITER,
        "            self.renewed = self.state.shared.owners.renew_generation(connection)?;\n",
        "            self.renewed = true;\n",
    ),
    Bug(
        "a process goes on sending after its side file was deleted or replaced",
        "replaced::a_process_whose_side_file_was_deleted_or_replaced_sends_nothing",
        CLAIM,
        "        shared.owners.check(connection)?;\n",
        "",
    ),
    Bug(
        "a store that was deleted while in use is still written to",
        "replaced::a_process_whose_store_was_deleted_sends_nothing",
        OPEN_FILES,
        "    pub(crate) fn check(&self) -> Result<(), Fault> {\n",
        "    pub(crate) fn check(&self) -> Result<(), Fault> {\n"
        "        if true {\n            return Ok(());\n        }\n",
    ),
    Bug(
        "the doubt about a lost resend does not replace the earlier doubt",
        "resent::an_automatic_resend_that_is_lost_leaves_one_doubt_and_counts_twice",
        WRITER_STATE,
        "            index::replace_doubts("
        "connection, &self.shared.field_sets, (request, required), replaced)?;\n",
        "            let _ = replaced;\n",
    ),
    *PEOPLE_BUGS,
    # ---- forks, closing, answers that wait ----
    Bug(
        "a forked child keeps the parent's files open, and with them the parent's locks",
        "forks::a_child_forked_during_work_does_not_keep_the_parents_locks",
        REGISTRY,
        "        platform::close_all_inherited();\n        if ",
        "        if ",
    ),
    Bug(
        "a forked child inherits the mapping of the log's index, and with it the parent's locks",
        "forks::a_child_forked_during_work_does_not_keep_the_parents_locks",
        SYSTEM_CALLS,
        "libc::MADV_DONTFORK",
        "libc::MADV_NORMAL",
    ),
    Bug(
        "a closed store keeps its files open while a reference exists",
        "closing::a_closed_store_has_no_file_open_although_a_clone_is_kept",
        OPENING,
        "        self.shared.close_files();\n",
        "",
    ),
    Bug(
        "of the answers that wait to be stored, only 64 are kept",
        "unsettled::all_of_150_answers_that_wait_for_a_lock_are_stored",
        WRITER,
        "            self.unsettled.push(work);\n",
        "            if self.unsettled.len() < 64 {\n"
        "                self.unsettled.push(work);\n            }\n",
    ),
)
