//! Cases that failed once, as they were printed; and each fault at each call of a sync that makes
//! every kind of call, which random cases meet only now and then.

use crate::case::{Case, Fault, On, What};
use crate::run::Player;

/// Plays a case with each single fault at each of its first calls.
fn each_fault(text: &str, calls: &[(On, usize)]) {
    let case: Case = text.parse().unwrap();
    let mut player = Player::new();
    for (on, calls) in calls {
        for (from, what) in
            (0..*calls).flat_map(|from| What::ALL.iter().map(move |what| (from, *what)))
        {
            let mut case = case.clone();
            if what == What::Forbidden && *on == On::Read {
                continue;
            }
            let fault = Fault {
                on: *on,
                from,
                times: 1,
                what,
            };
            case.faults.push(fault);
            if let Err(broken) = player.play(&case) {
                panic!("{broken}\n\n{case}");
            }
        }
    }
}

#[test]
fn each_fault_at_each_call_of_a_push() {
    // A split, a batch, a split for a delete, a batch of deletes.
    let text = "
        push production delete-all preview-first
        row A=one encrypted on production preview env_a
        row B=two sensitive on production
        row C=one plain on production
        row D=one encrypted on production development
        row F=one encrypted on production
        row G=one encrypted on preview
        vault A=two
        vault B=three
        vault C=two
        vault E=odd";
    each_fault(text, &[(On::Write, 5), (On::Read, 3)]);
}

#[test]
fn each_fault_at_each_call_of_a_pull() {
    let text = "
        pull env_a delete-all preview-first
        row A=one encrypted on production env_a
        row B=two sensitive on env_a
        row C=odd encrypted on env_a
        row D=two opaque on env_a
        vault A=two
        vault B=three
        vault E=one";
    each_fault(text, &[(On::Read, 5)]);
}

/// One case, by the text that a failure prints.
macro_rules! holds {
    ($name:ident, $text:literal) => {
        #[test]
        fn $name() {
            crate::run::one($text);
        }
    };
}

holds!(
    a_shared_row_is_split_while_the_worker_dies,
    "
push production delete-all preview-first
row A=one encrypted on production preview env_a
row B=two sensitive on production
vault A=two
fault write 0 crash-after
"
);

holds!(
    a_delete_whose_answer_was_lost_takes_the_mark_away,
    "
push production delete-all
earlier B=empty
vault A=empty
fault write 1 reset-after
"
);

holds!(
    a_key_that_a_list_hides_is_not_told_as_deleted,
    "
push production delete-all
row B=one encrypted on production
vault A=one
fault write 0 429
fault read 1 hidden
"
);

holds!(
    what_was_written_is_told_when_later_runs_cannot_even_look,
    "
push production small-batches
vault A=one
vault B=one
vault C=one
fault write 2 500
fault read 1 500 times 9
"
);

holds!(
    what_is_not_managed_stays_whatever_a_pull_is_shown,
    "
pull preview delete-managed hide-production
row A=empty encrypted on production
vault D=empty
"
);

holds!(
    a_source_of_names_that_the_vault_does_not_take_is_empty,
    "
pull development delete-all
row 1ST=one encrypted on development
vault A=one
"
);

holds!(
    a_mark_goes_with_its_row_whoever_took_that_away,
    "
push development delete-all
row A=empty encrypted on development env_a
earlier B=empty
vault C=empty
fault read 1 crash
fault read 1 500 times 5
fault write 2 500-after
"
);

holds!(
    a_create_that_is_written_twice_is_told_as_a_create,
    "
push production new-sensitive
vault A=empty
fault write 0 reset-after
"
);

holds!(
    what_was_written_bears_the_mark_though_its_answer_was_lost,
    "
push production
vault B=empty
fault write 0 500-after
"
);

holds!(
    a_rerun_gives_the_reason_that_the_preview_gave,
    "
push production new-sensitive preview-first
earlier D=one
vault D=empty
fault write 0 429
"
);

holds!(
    a_split_that_was_not_undone_stays_on_record,
    "
push development
row B=empty sensitive on development env_b
vault B=empty
fault write 1 403
fault write 2 skip-item
"
);

holds!(
    what_a_first_run_could_not_see_is_told_as_the_second_found_it,
    "
push development new-sensitive by-name
row A=empty encrypted on production
row D=empty sensitive on development
vault A=empty
vault D=empty
fault write 1 reset-after
fault write 0 429
fault read 1 hidden
"
);
