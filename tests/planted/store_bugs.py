"""The bugs that are planted in the durable store, and in what the engine does with it.

Data only, as `bugs.py`. What catches a bug begins with the name of the proof that is run on it, or is the
name of a test.
"""

from __future__ import annotations

from bug import ATTEMPT, Bug

BUSY = "crates/store/src/sqlite/file/busy.rs"
BY_HASH = "crates/store/src/sqlite/recognise/by_hash.rs"
CLAIM = "crates/store/src/sqlite/answers/claim.rs"
CLOSING = "crates/store/src/sqlite/process/closing.rs"
CONNECTION = "crates/store/src/sqlite/file/connection.rs"
COPIES = "crates/store/src/sqlite/people/copies.rs"
DISKS = "crates/store/src/sqlite/file/disks.rs"
FIND = "crates/store/src/sqlite/people/find.rs"
LIVE_RUNS = "crates/store/src/sqlite/process/live_runs.rs"
LOCKS = "crates/store/src/sqlite/platform/unix/locks.rs"
MERGE = "crates/store/src/sqlite/transfer/merge.rs"
OPENING = "crates/store/src/sqlite/process/opening.rs"
OPEN_FILES = "crates/store/src/sqlite/file/open_files.rs"
OWNERS = "crates/store/src/sqlite/file/owners.rs"
PLACE = "crates/store/src/sqlite/file/place.rs"
REGISTRY = "crates/store/src/sqlite/process/registry.rs"
SCHEMA = "crates/store/src/sqlite/file/schema.rs"
SETTLE = "crates/store/src/sqlite/answers/settle.rs"
SPELLING = "crates/store/src/sqlite/recognise/spelling.rs"
SYSTEM_CALLS = "crates/store/src/sqlite/platform/unix/system_calls.rs"
WRITER = "crates/store/src/sqlite/threads/writer.rs"
WRITER_STATE = "crates/store/src/sqlite/threads/writer_state.rs"

STORE_BUGS = (
    # ---- intent before action, answer before delivery ----
    Bug(
        "a commit is told before it is made",
        "step: nothing is sent that was not noted",
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
        "a commit that failed passes for one that was made",
        "step: nothing is sent that was not noted",
        WRITER,
        "self.keep(work.finish(&shared, Err(error.clone())));",
        "drop(error.clone());\n                        self.keep(work.finish(&shared, Ok(())));",
    ),
    Bug(
        "an answer is delivered before it is stored",
        "power: no commit is lost that somebody relied on",
        ATTEMPT,
        "match store.settle(run, &claimed.required, request, outcomes, evidence).await {",
        "drop(store.settle(run, &claimed.required, request, outcomes, evidence));\n"
        "        match Ok::<u64, ()>(0) {",
    ),
    Bug(
        "an answer is stored in two commits",
        "kill: what was sent is known or unknown",
        SETTLE,
        "        // After the journal, from which the tail takes the time.\n",
        '        connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;\n',
    ),
    Bug(
        "a commit does not wait for the disk",
        "power: no commit is lost that somebody relied on",
        CONNECTION,
        'connection.pragma_update(None, "synchronous", "FULL")?;',
        'connection.pragma_update(None, "synchronous", "NORMAL")?;',
    ),
    Bug(
        "what could not be stored is given up",
        "step: unknown only what could not be stored",
        SETTLE,
        "        if failed { Some(self) } else { None }\n",
        "        let _ = failed;\n        None\n",
    ),
    # ---- the dead and the living ----
    Bug(
        "the dead take what they had asked for with them",
        "kill: unknown is what was open",
        WRITER_STATE,
        "            index::put(connection, rows.collect())?;\n",
        "            drop(rows);\n",
    ),
    Bug(
        "the living are taken for dead",
        "many: what is in doubt stays so",
        OWNERS,
        "file.is_alive(owner).unwrap_or(true)",
        "file.is_alive(owner).is_err()",
    ),
    # ---- several processes ----
    Bug(
        "what other processes ask for is not looked at",
        "many: nothing is billed twice",
        WRITER,
        "    state.sync(connection)?;\n    state.release_orphans(connection)?;\n",
        "    state.release_orphans(connection)?;\n",
    ),
    Bug(
        "what other processes were just answered is not looked at",
        "many: nothing is billed twice",
        WRITER_STATE,
        "        self.tail.sync(connection)?;\n",
        "",
    ),
    Bug(
        "what is under way does not count against the ceiling",
        "many: the ceiling holds",
        CLAIM,
        'query::change(connection, "UPDATE total SET in_doubt = in_doubt + ?1", [worst])?;',
        'query::change(connection, "UPDATE total SET in_doubt = in_doubt + ?1", [worst / 2])?;',
    ),
    Bug(
        "locks belong to the process: closing any descriptor of a file drops them",
        "read: reading a store's files harms nothing",
        LOCKS,
        "by_description().unwrap_or(by_process)",
        "by_description().filter(|_| false).unwrap_or(by_process)",
    ),
    Bug(
        "a store that another process is making is not waited for",
        "many: a store opens whatever happened to it",
        SCHEMA,
        "== Some(ErrorCode::DatabaseBusy) && now_ms() < until",
        "== Some(ErrorCode::DatabaseBusy) && now_ms() > until",
    ),
)

# What the proofs do not come to: what people do to the files, and whom they forget.
STORE_TEST_BUGS = (
    Bug(
        "an owner's lock belongs to the process: reading the file drops it",
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
        "closing a store does not wait for other holders of it",
        "closing::a_store_is_closed_although_a_clone_is_kept",
        CLOSING,
        "    if opening.is_used() || opening.pid != process::id() {\n",
        "    if true {\n",
    ),
    Bug(
        "a backup beside the log of another store is mixed with it",
        "replaced::a_backup_beside_the_log_of_the_dead_is_not_mixed_with_it",
        OWNERS,
        "if is_of_here && is_filled(store) && is_filled(&log) {",
        "if false {",
    ),
    Bug(
        "an answer dated ahead of the clock is taken for new",
        "clock::a_refresh_asks_again_and_the_new_answer_counts",
        LIVE_RUNS,
        "(at_ms <= self.began_ms || from_the_future)",
        "(at_ms <= self.began_ms || from_the_future && false)",
    ),
    Bug(
        "a pause lasts as long as the clock was set back",
        "clock::a_pause_becomes_no_longer",
        CLAIM,
        "if since <= now {",
        "if since < i64::MAX {",
    ),
    Bug(
        "a store with two names is opened",
        "files::a_store_with_a_second_name_is_not_opened",
        PLACE,
        "if known.has_second_name {",
        "if false {",
    ),
    Bug(
        "a store is made in a synchronised folder",
        "files::a_store_is_not_made_in_a_synchronised_folder_and_one_that_is_there_is_opened_with_a_warning",
        DISKS,
        "    let Some(why) = why else { return Ok(None) };\n",
        "    let Some(why) = why.filter(|_| false) else { return Ok(None) };\n",
    ),
    Bug(
        "a store that gets a second name is written to",
        "files::a_second_name_given_to_a_store_in_use_stops_it",
        OPEN_FILES,
        "        place::refuse_second_name(&self.store, &store)?;\n",
        "        let _ = store;\n",
    ),
    Bug(
        "a side file that somebody has put there is trusted",
        "replaced::whoever_deletes_the_side_file_does_not_make_the_living_look_dead",
        OWNERS,
        "        if !file.is_marked(&name) {\n            // During",
        "        if false {\n            // During",
    ),
    Bug(
        "who holds a lock that nobody finds goes on",
        "replaced::who_holds_a_lock_that_nobody_finds_stops_before_anything_is_sent",
        CLAIM,
        "        shared.owners.check(connection)?;\n",
        "",
    ),
    Bug(
        "a store that was deleted is written to",
        "replaced::who_has_a_store_open_that_was_deleted_sends_nothing",
        OPEN_FILES,
        "    pub(crate) fn check(&self) -> Result<(), Fault> {\n",
        "    pub(crate) fn check(&self) -> Result<(), Fault> {\n"
        "        if true {\n            return Ok(());\n        }\n",
    ),
    Bug(
        "a resend that was lost leaves the doubt before it open",
        "resent::what_a_run_resends_by_itself_is_in_doubt_once_and_counted_twice",
        WRITER_STATE,
        "            index::replace_doubts("
        "connection, &self.shared.field_sets, (request, required), replaced)?;\n",
        "            let _ = replaced;\n",
    ),
    Bug(
        "who was purged comes in with others",
        "privacy::who_was_purged_does_not_come_in_with_others_until_allowed",
        SETTLE,
        "if line.state == state::HIT && purged.is_mentioned_in(&line.body) {",
        "if false {",
    ),
    Bug(
        "what was paid for and is not kept is paid for again",
        "privacy::who_is_purged_while_a_contact_that_mentions_them_is_under_way_does_not_come_in_with_it",
        SETTLE,
        "                barred::bar(connection, line.key, 1)?;\n",
        "",
    ),
    Bug(
        "two copies of a store give their next requests the same identity",
        "copies::two_copies_that_went_on_are_merged_in_any_direction_and_nothing_is_bought_again",
        CLAIM,
        "randomblob(16)",
        "(SELECT CAST(printf('%016d', coalesce(max(id), 0)) AS BLOB) FROM request)",
    ),
    Bug(
        "a merge keeps a doubt although the other store has the answer",
        "copies::an_answer_that_came_after_the_copy_replaces_the_doubt_in_the_copy_for_good",
        MERGE,
        "            Some(here) if here.left && !request.head.left => {\n",
        "            Some(here) if false && here.left && !request.head.left => {\n",
    ),
    Bug(
        "a merge forgets what was decided about a doubt",
        "copies::a_decision_about_a_doubt_reaches_each_copy",
        MERGE,
        "                decide(connection, here.number, decided)?;\n"
        "                lower_doubt(connection, here.number, request.head",
        "                lower_doubt(connection, here.number, request.head",
    ),
    Bug(
        "a merge forgets that a request was not charged",
        "copies::a_decision_about_a_doubt_reaches_each_copy",
        MERGE,
        "lower_doubt(connection, here.number, request.head.credits, request.head.in_doubt)?;",
        "",
    ),
    Bug(
        "a late answer brings back what was not charged",
        "copies::what_was_not_charged_stays_so_when_its_answer_comes_from_another_copy",
        MERGE,
        "                lower_doubt(connection, here.number, here.credits, here.in_doubt)?;\n",
        "",
    ),
    Bug(
        "a merge does not bar people who were purged from a copy",
        "copies::a_person_purged_from_a_copy_is_not_asked_for_after_the_merge",
        MERGE,
        "            self.take_over_barred(&other)?;\n",
        "",
    ),
    Bug(
        "an older copy bars a person again who was allowed since",
        "transfers::the_later_of_a_purge_and_an_allow_counts_in_every_order_of_merges",
        COPIES,
        "        if allowed.query_row([key], |row| row.get(0))? {\n",
        "        if false && allowed.query_row([key], |row| row.get(0))? {\n",
    ),
    Bug(
        "a merge does not take over who was allowed",
        "transfers::the_later_of_a_purge_and_an_allow_counts_in_every_order_of_merges",
        MERGE,
        "            self.take_over_allowed(&other)?;\n",
        "",
    ),
    Bug(
        "a person in an encoded spelling is not purged",
        "spellings::no_spelling_of_a_purged_person_stays_in_a_contact_or_a_kept_reply",
        SPELLING,
        "            Some(b'%') => percent(marked, &mut bytes),\n",
        "            Some(b'%') => marked.trim_start_matches('%'),\n",
    ),
    Bug(
        "a purge leaves a truncated kept reply",
        "spellings::any_purge_removes_a_truncated_kept_reply",
        FIND,
        "Ok(!is_whole(&reply) || matcher.is_mentioned_in(&reply)",
        "Ok(is_whole(&reply) && matcher.is_mentioned_in(&reply)",
    ),
    Bug(
        "a merge does not erase people who were purged from a copy",
        "transfers::a_contact_that_only_one_copy_has_is_erased_by_a_merge_if_it_mentions_who_was_purged_from_the_other",
        COPIES,
        "        if !purged.is_empty() {\n",
        "        if false {\n",
    ),
    Bug(
        "a merge erases only what it recognises itself",
        "transfers::a_contact_that_was_erased_from_a_copy_is_erased_by_a_merge_however_it_mentions_the_person",
        COPIES,
        "        self.erase_older()?;\n",
        "        let _ = Self::erase_older;\n",
    ),
    Bug(
        "a merge that was killed is not completed",
        "transfers::a_merge_that_ended_before_it_had_erased_people_is_completed_by_the_next",
        COPIES,
        "        if !is_to_do {\n",
        "        if is_to_do || !is_to_do {\n",
    ),
    Bug(
        "a merge ignores that the log was not emptied",
        "transfers::a_merge_says_whether_the_log_was_emptied_and_the_next_one_empties_it",
        COPIES,
        "let cleaned = self.empty_log()?;",
        "let cleaned = self.empty_log().map(|_| true)?;",
    ),
    Bug(
        "a truncated reply is kept although somebody was purged",
        "transfers::a_truncated_reply_is_not_kept_once_somebody_was_purged",
        BY_HASH,
        "self.is_empty() || is_whole(reply) && !self.is_mentioned_in(reply)",
        "self.is_empty() || !self.is_mentioned_in(reply)",
    ),
    # ---- forks, closing, answers that wait ----
    Bug(
        "a forked child keeps its part in the parent's locks",
        "forks::a_child_that_was_forked_in_the_middle_of_work_has_no_part_in_the_locks",
        REGISTRY,
        "        platform::close_all_inherited();\n        if ",
        "        if ",
    ),
    Bug(
        "a forked child inherits the mapping of the log's index, and with it the parent's locks",
        "forks::a_child_that_was_forked_in_the_middle_of_work_has_no_part_in_the_locks",
        SYSTEM_CALLS,
        "libc::MADV_DONTFORK",
        "libc::MADV_NORMAL",
    ),
    Bug(
        "a closed store keeps its files open for whoever has a reference",
        "closing::a_closed_store_has_no_file_open_although_a_clone_is_kept",
        OPENING,
        "        self.shared.close_files();\n",
        "",
    ),
    Bug(
        "of many answers that wait to be stored, some are given up",
        "unsettled::however_many_answers_wait_for_a_lock_all_of_them_are_stored",
        WRITER,
        "            self.unsettled.push(work);\n",
        "            if self.unsettled.len() < 64 {\n"
        "                self.unsettled.push(work);\n            }\n",
    ),
)
