"""The bugs that are planted in what the store does with people: purges, and merges of copies.

Data only, as in `bugs.py`. They are part of `STORE_TEST_BUGS`.
"""

from __future__ import annotations

from bug import CLAIM, SETTLE, Bug

BY_HASH = "crates/store/src/sqlite/recognise/by_hash.rs"
COPIES = "crates/store/src/sqlite/people/copies.rs"
ENCODINGS = "crates/core/src/identifier/encodings.rs"
FIND = "crates/store/src/sqlite/people/find.rs"
MERGE = "crates/store/src/sqlite/transfer/merge.rs"

PEOPLE_BUGS = (
    Bug(
        "a contact that mentions a purged person is stored",
        "privacy::a_contact_that_mentions_a_purged_person_is_not_stored_until_they_are_allowed",
        SETTLE,
        "if line.state == state::HIT && purged.is_mentioned_in(&line.body) {",
        "if false {",
    ),
    Bug(
        "a lookup is paid for again because its contact was not allowed to be stored",
        "privacy::a_contact_in_flight_is_not_stored_if_a_person_that_it_mentions_is_purged_meanwhile",
        SETTLE,
        "                barred::bar(connection, line.key, 1)?;\n",
        "",
    ),
    Bug(
        "two copies of a store give their next requests the same token",
        "copies::copies_that_were_both_used_merge_in_any_direction_and_nothing_is_paid_for_again",
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
        "a merge does not take over the decision about a doubt",
        "copies::a_decision_about_a_doubt_reaches_each_copy",
        MERGE,
        "                decide(connection, here.number, decided)?;\n"
        "                lower_doubt(connection, here.number, request.head",
        "                lower_doubt(connection, here.number, request.head",
    ),
    Bug(
        "a merge does not take over that a request was not charged",
        "copies::a_decision_about_a_doubt_reaches_each_copy",
        MERGE,
        "lower_doubt(connection, here.number, request.head.credits, request.head.in_doubt)?;",
        "",
    ),
    Bug(
        "a merge that adds a late answer brings back credits marked as not charged",
        "copies::a_request_marked_as_not_charged_stays_so_when_another_copy_has_its_answer",
        MERGE,
        "                lower_doubt(connection, here.number, here.credits, here.in_doubt)?;\n",
        "",
    ),
    Bug(
        "a merge does not bar people who were purged from the other copy",
        "copies::a_person_purged_from_a_copy_is_not_asked_for_after_the_merge",
        MERGE,
        "            self.take_over_barred(&other)?;\n",
        "",
    ),
    Bug(
        "a merge bars a person again who was allowed after the purge",
        "transfers::the_later_of_a_purge_and_an_allow_counts_in_every_order_of_merges",
        COPIES,
        "        if allowed.query_row([key], |row| row.get(0))? {\n",
        "        if false && allowed.query_row([key], |row| row.get(0))? {\n",
    ),
    Bug(
        "a merge does not take over that a person was allowed again",
        "transfers::the_later_of_a_purge_and_an_allow_counts_in_every_order_of_merges",
        MERGE,
        "            self.take_over_allowed(&other)?;\n",
        "",
    ),
    Bug(
        "a person in a percent-encoded spelling is not purged",
        "spellings::no_spelling_of_a_purged_person_stays_in_a_contact_or_a_kept_reply",
        ENCODINGS,
        "        Some(b'%') => percent(marked, bytes),\n",
        "        Some(b'%') => Some(marked.trim_start_matches('%')),\n",
    ),
    Bug(
        "a purge does not remove truncated replies to other requests",
        "spellings::any_purge_removes_a_truncated_kept_reply",
        FIND,
        "Ok(!is_whole(&reply) || matcher.is_mentioned_in(&reply)",
        "Ok(is_whole(&reply) && matcher.is_mentioned_in(&reply)",
    ),
    Bug(
        "a merge does not erase contacts that mention people purged from the other copy",
        "transfers::a_merge_erases_a_contact_of_one_copy_that_mentions_a_person_purged_from_the_other",
        COPIES,
        "        if !purged.is_empty() {\n",
        "        if false {\n",
    ),
    Bug(
        "a merge does not erase older answers to barred lookups",
        "transfers::a_merge_erases_a_contact_that_the_other_copy_has_erased_however_it_mentions_the_person",
        COPIES,
        "        self.erase_older()?;\n",
        "        let _ = Self::erase_older;\n",
    ),
    Bug(
        "no merge erases the people whose purge was taken over",
        "transfers::a_merge_that_was_killed_before_it_erased_people_is_completed_by_the_next",
        COPIES,
        "        if !is_to_do {\n",
        "        if is_to_do || !is_to_do {\n",
    ),
    Bug(
        "a merge reports that the log was emptied although it was not",
        "transfers::a_merge_reports_whether_the_log_was_emptied_and_the_next_merge_empties_it",
        COPIES,
        "let cleaned = self.empty_log()?;",
        "let cleaned = self.empty_log().map(|_| true)?;",
    ),
    Bug(
        "a truncated reply is kept although a person was purged",
        "transfers::a_truncated_reply_is_not_kept_after_a_person_was_purged",
        BY_HASH,
        "self.is_empty() || is_whole(reply) && !self.is_mentioned_in(reply)",
        "self.is_empty() || !self.is_mentioned_in(reply)",
    ),
)
